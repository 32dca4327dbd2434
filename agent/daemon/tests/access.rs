// SPDX-License-Identifier: MIT OR Apache-2.0
//! `board/common/post-build.sh` refuses the files that the agent cannot read, and says the
//! same of them.
#![allow(missing_docs)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nl31_agent::console::access::{Access, hash_pin};

/// The build that the stand-in for the agent is of.
const BUILD: &str = "0123456789ab";

/// A root filesystem with as much as the script looks at.
struct Root(PathBuf);

impl Root {
    fn new() -> Self {
        let name = format!("nl31-post-build-{}", std::process::id());
        let root = Self(std::env::temp_dir().join(name));
        for folder in ["usr/sbin", "etc/nl31", "etc/init.d"] {
            fs::create_dir_all(root.0.join(folder)).unwrap();
        }
        for (file, content) in [
            ("usr/sbin/nl31-agent", BUILD),
            ("etc/inittab", ""),
            ("etc/nl31/routes.conf", ""),
        ] {
            fs::write(root.0.join(file), content).unwrap();
        }
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(root.0.join("usr/sbin/nl31-agent"), executable).unwrap();
        root
    }

    /// What the script refuses in the file; `None` if it takes the image.
    fn refusal(&self, text: &str) -> Option<String> {
        let file = self.0.join("etc/nl31/console.conf");
        fs::write(&file, text).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../board/common/post-build.sh");
        let mut command = Command::new(script);
        command.arg(&self.0).env("NL31_BUILD_ID", BUILD);
        let output = command.output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        if output.status.success() {
            assert_eq!(errors, "");
            let mode = file.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            return None;
        }
        let place = errors.strip_prefix("post-build: /etc/nl31/console.conf:");
        Some(place.expect(&errors).trim_end().to_owned())
    }

    /// What the agent says of the file, without the column, which the script does not have.
    fn mistake(&self) -> Option<String> {
        let file = self.0.join("etc/nl31/console.conf");
        let mistake = Access::read(&file).mistake()?.to_string();
        let place = &mistake[file.to_str().unwrap().len() + 1..];
        let (line, rest) = place.split_once(':').unwrap();
        let (_column, what) = rest.split_once(':').unwrap();
        Some(format!("{line}:{what}"))
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn post_build_refuses_what_the_agent_cannot_read() {
    let root = Root::new();
    let pin = hash_pin("4711").unwrap();
    let cut = |len: usize| format!("{}\n", &pin[..pin.len() - len]);
    for (text, refused) in [
        (String::new(), None),
        (
            format!("# made by hash-pin\n\n\t{pin} \r\n read-only\n"),
            None,
        ),
        ("read-only".into(), None),
        ("raed-only\n".into(), Some(1)),
        (format!("{pin}\nread-only # yes\n"), Some(2)),
        ("#\npin\n".into(), Some(2)),
        ("pin many x y\n".into(), Some(1)),
        ("pin 0 x y\n".into(), Some(1)),
        ("pin 1000001 x y\n".into(), Some(1)),
        (cut(1), Some(1)),
        (cut(64), Some(1)),
        (cut(70), Some(1)),
        (format!("{pin}0\n"), Some(1)),
        (format!("{pin} 0\n"), Some(1)),
        (pin.replace("pin", "PIN"), Some(1)),
        (format!("{pin}\n{pin}\n"), Some(2)),
        (pin.replace(['a', 'f'], "g"), Some(1)),
    ] {
        let refusal = root.refusal(&text);
        assert_eq!(refusal, root.mistake(), "{text}");
        let line = refusal.and_then(|refusal| refusal.split_once(':')?.0.parse().ok());
        assert_eq!(line, refused, "{text}");
    }
}
