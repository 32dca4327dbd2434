// SPDX-License-Identifier: MIT OR Apache-2.0
//! Licences and duplicates of the crates that this project uses, by the rules of
//! `deny.toml`. They are those of cargo-deny, which also looks for advisories but takes
//! longer to build than everything else here.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use spdx::{Expression, ParseMode};

use crate::arch::Arch;

/// What `deny.toml` says.
struct Rules {
    allowed: Vec<String>,
    /// `NAME@VERSION`: one of two versions that are used at the same time.
    skipped: Vec<String>,
}

impl Rules {
    fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).context("cannot read deny.toml")?;
        let rules: toml::Table = text.parse().context("deny.toml")?;
        let list = |section: &str, key: &str| -> Result<Vec<toml::Value>> {
            let list = rules.get(section).and_then(|section| section.get(key));
            let list = list.and_then(toml::Value::as_array).cloned();
            list.with_context(|| format!("deny.toml has no list {key} in [{section}]"))
        };
        let text = |value: &toml::Value| value.as_str().map(str::to_owned);
        let named = |value: &toml::Value| value.get("crate").and_then(text);
        Ok(Self {
            allowed: list("licenses", "allow")?.iter().filter_map(text).collect(),
            skipped: list("bans", "skip")?.iter().filter_map(named).collect(),
        })
    }

    /// Why a crate with these licences may not be used.
    fn refusal(&self, license: Option<&str>) -> Option<String> {
        let license = license.unwrap_or_default();
        let expression = match Expression::parse_mode(license, ParseMode::LAX) {
            Ok(expression) => expression,
            Err(error) => return Some(format!("licence {license:?}: {}", error.reason)),
        };
        let allowed = expression.evaluate(|required| {
            let name = required.to_string();
            self.allowed.contains(&name)
        });
        (!allowed).then(|| format!("licence {license:?} is not allowed"))
    }

    /// The crates of which several versions are used, those skipped left out.
    fn duplicates(&self, crates: &[(String, String)]) -> Vec<String> {
        let mut versions = BTreeMap::<&str, Vec<&str>>::new();
        for (name, version) in crates {
            if !self.skipped.contains(&format!("{name}@{version}")) {
                versions.entry(name).or_default().push(version);
            }
        }
        let several = versions
            .into_iter()
            .filter(|(_, versions)| versions.len() > 1);
        several
            .map(|(name, versions)| format!("{name}: versions {}", versions.join(" and ")))
            .collect()
    }
}

/// Checks the crates of the whole workspace, and that the notices of those in the agent can be
/// written for a Buildroot image.
pub fn check() -> Result<()> {
    let rules = Rules::read(&crate::project().join("deny.toml"))?;
    let mut found = Vec::new();
    let mut crates = Vec::new();
    let metadata = metadata()?;
    for package in metadata["packages"].as_array().context("no packages")? {
        let text = |key: &str| package[key].as_str();
        let (Some(name), Some(version)) = (text("name"), text("version")) else {
            bail!("a package without a name or version: {package}");
        };
        if let Some(refusal) = rules.refusal(text("license")) {
            found.push(format!("{name} {version}: {refusal}"));
        }
        crates.push((name.to_owned(), version.to_owned()));
    }
    found.extend(rules.duplicates(&crates));
    for skipped in &rules.skipped {
        let used = |(name, version): &(String, String)| format!("{name}@{version}") == *skipped;
        if !crates.iter().any(used) {
            found.push(format!("{skipped}: skipped in deny.toml and not used"));
        }
    }
    if !found.is_empty() {
        bail!("deny.toml does not allow:\n{}", found.join("\n"));
    }
    notices()
}

/// All packages that are built on the computers that this project is for.
fn metadata() -> Result<Value> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(crate::project());
    command.args(["metadata", "--locked", "--format-version", "1"]);
    command.args(["--filter-platform", "x86_64-unknown-linux-gnu"]);
    for arch in [Arch::X86_64, Arch::Aarch64, Arch::Armv7] {
        command.args(["--filter-platform", arch.rust_target()]);
    }
    let output = command.output().context("cannot run cargo metadata")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("cargo metadata failed ({}):\n{said}", output.status);
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata")
}

/// As Buildroot has them written, from what cargo has fetched.
fn notices() -> Result<()> {
    let home = std::env::var_os("CARGO_HOME").map(Into::into);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let sources = home.context("no home folder")?.join("registry/src");
    let mut folders = Vec::new();
    for entry in fs::read_dir(&sources).context("cargo has fetched no crates")? {
        folders.push(entry?.path());
    }
    let script = crate::project().join("buildroot/package/nl31-agent/notices.sh");
    let output = Command::new(script)
        .current_dir(crate::project())
        .args(["nl31-agent", Arch::X86_64.rust_target()])
        .args(folders)
        .output()
        .context("cannot run notices.sh")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules {
            allowed: ["MIT", "Apache-2.0 WITH LLVM-exception", "Zlib"]
                .map(Into::into)
                .into(),
            skipped: vec!["syn@2.0.1".into()],
        }
    }

    #[test]
    fn this_workspace_keeps_to_its_rules() {
        check().unwrap();
    }

    #[test]
    fn a_licence_is_refused_unless_one_choice_is_allowed_as_a_whole() {
        let rules = rules();
        for fine in ["MIT", "GPL-3.0-only OR MIT", "MIT/GPL-2.0", "MIT AND Zlib"] {
            assert_eq!(rules.refusal(Some(fine)), None, "{fine}");
        }
        for refused in [
            "GPL-3.0-only",
            "MIT AND GPL-3.0-only",
            "Apache-2.0",
            "nonsense",
            "",
        ] {
            assert!(rules.refusal(Some(refused)).is_some(), "{refused}");
        }
        assert!(rules.refusal(None).is_some());
    }

    #[test]
    fn two_versions_are_found_unless_one_is_skipped() {
        let of = |list: &[(&str, &str)]| -> Vec<_> {
            let owned = |&(name, version): &(&str, &str)| (name.into(), version.into());
            list.iter().map(owned).collect()
        };
        let rules = rules();
        let crates = of(&[("syn", "2.0.1"), ("syn", "3.0.0"), ("log", "0.4.0")]);
        assert_eq!(rules.duplicates(&crates), [""; 0]);
        let crates = of(&[("nix", "0.30.0"), ("nix", "0.31.0")]);
        assert_eq!(
            rules.duplicates(&crates),
            ["nix: versions 0.30.0 and 0.31.0"]
        );
    }
}
