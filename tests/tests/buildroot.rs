// SPDX-License-Identifier: MIT OR Apache-2.0
//! The Buildroot external tree and the boards. What needs a checkout of Buildroot is
//! tested where there is one:
//! `BUILDROOT_DIR=~/buildroot cargo test -p nl31-lab --test system buildroot::`

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nl31_lab::buildroot::{self, tree};
use nl31_lab::progress::Step;
use nl31_lab::{Arch, cache, cost, device_tree, disk, host, kernel, project};
use sha2::{Digest, Sha256};

/// Names of all of Buildroot's options, to find misspelt ones without it:
/// `git grep -hoE '^(menu)?config BR2_\w+' -- '*Config.in*' | awk '{print $2}' | LC_ALL=C sort -u`
const SYMBOLS: &str = include_str!("../data/buildroot-2026.02.3-symbols.txt");

/// How a configuration names a file of the project.
const PROJECT: &str = "$(BR2_EXTERNAL_NL31_PATH)/../";

/// What post-image.sh runs, and what reads its outcome.
const DISK_TOOLS: &[&str] = &["bmap-tools", "dosfstools", "genimage", "mtools"];

/// Where genimage puts the disk signature in an MBR.
const MBR_SIGNATURE: usize = 440;

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A board's configuration: option to value, without quotes; `n` where it is not set.
fn defconfig(board: &str) -> BTreeMap<String, String> {
    let path = tree().join(format!("configs/nl31_{board}_defconfig"));
    let mut options = BTreeMap::new();
    for line in read(&path).lines() {
        let option = line
            .strip_prefix("# ")
            .and_then(|line| line.strip_suffix(" is not set"));
        let (name, value) = match option {
            Some(name) => (name, "n"),
            None => line
                .split_once('=')
                .unwrap_or_else(|| panic!("{}: {line}", path.display())),
        };
        let before = options.insert(name.to_owned(), value.trim_matches('"').to_owned());
        assert_eq!(before, None, "{}: {name} twice", path.display());
    }
    options
}

fn boards() -> Vec<String> {
    let boards = buildroot::boards().expect("the boards");
    assert!(!boards.is_empty());
    boards
}

/// Those of `boards()` whose image is a disk.
fn disk_boards() -> Vec<String> {
    let has_disk = |board: &String| board_file(board, "genimage.cfg").is_file();
    boards().into_iter().filter(has_disk).collect()
}

/// The licences of one of the tree's packages, at the top of the project.
fn licence_files(package: &str) -> Vec<String> {
    let recipe = read(&tree().join(format!("package/{package}/{package}.mk")));
    let files = recipe
        .lines()
        .find_map(|line| line.split_once("_LICENSE_FILES = "));
    let (_, files) = files.unwrap_or_else(|| panic!("{package} has no licence files"));
    files.split(' ').map(str::to_owned).collect()
}

fn board_file(board: &str, name: &str) -> PathBuf {
    project().join("board").join(board).join(name)
}

/// The files that an option of a configuration names, relative to the project.
fn files(config: &BTreeMap<String, String>, option: &str) -> Vec<String> {
    let value = config.get(option).map(String::as_str).unwrap_or_default();
    value
        .split(' ')
        .filter_map(|file| file.strip_prefix(PROJECT))
        .map(str::to_owned)
        .collect()
}

fn fragments(board: &str) -> Vec<PathBuf> {
    let files = files(&defconfig(board), "BR2_LINUX_KERNEL_CONFIG_FRAGMENT_FILES");
    files.iter().map(|file| project().join(file)).collect()
}

/// Runs `command`; what it said, and whether it succeeded.
fn run(command: &mut Command) -> (bool, String) {
    let output = cost::output(command.stdin(Stdio::null()));
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// Runs `command`, which must succeed; what it said.
fn succeeds(command: &mut Command) -> String {
    let (success, said) = run(command);
    assert!(success, "{command:?}:\n{said}");
    said
}

#[test]
fn external_tree_has_what_buildroot_looks_for() {
    assert!(
        read(&tree().join("external.desc"))
            .lines()
            .any(|line| line == "name: NL31")
    );
    let config = read(&tree().join("Config.in"));
    for package in fs::read_dir(tree().join("package")).expect("buildroot/package") {
        let package = package
            .expect("an entry")
            .file_name()
            .into_string()
            .expect("UTF-8");
        let source = format!("source \"$BR2_EXTERNAL_NL31_PATH/package/{package}/Config.in\"");
        assert!(
            config.lines().any(|line| line == source),
            "Config.in lacks {source}"
        );

        let option = format!("BR2_PACKAGE_{}", package.to_uppercase().replace('-', "_"));
        let own = read(&tree().join(format!("package/{package}/Config.in")));
        assert!(
            own.lines().any(|line| line == format!("config {option}")),
            "{option}"
        );
        let recipe = read(&tree().join(format!("package/{package}/{package}.mk")));
        // Buildroot notices a licence that changes by these
        let hashes = read(&tree().join(format!("package/{package}/{package}.hash")));
        for file in licence_files(&package) {
            let content = read(&project().join(&file));
            let digest = Sha256::digest(content);
            let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            let line = format!("sha256  {digest}  {file}");
            assert!(hashes.lines().any(|l| l == line), "{package}.hash: {line}");
        }
        // for the bill of materials; env! is that of the workspace
        let version = format!("_VERSION = {}\n", env!("CARGO_PKG_VERSION"));
        assert!(recipe.contains(&version), "{package}: {version}");
    }
}

/// Buildroot lists the files of notices only, so the tree's README names the licences.
#[test]
fn the_licences_of_the_agents_crates_are_told() {
    let mut list = Command::new(env!("CARGO"));
    list.current_dir(project())
        .args(["tree", "--locked", "--quiet", "--package", "nl31-agent"])
        .args(["--edges", "normal", "--target", "all"])
        .args(["--prefix", "none", "--no-dedupe", "--format", "{l}"]);
    let licences = succeeds(&mut list);
    let words = licences
        .split([' ', '\n', '(', ')', '/'])
        .filter(|word| !["", "AND", "OR", "WITH"].contains(word));
    let named: BTreeSet<&str> = words.collect();
    assert!(named.contains("MIT"), "{licences}");
    let told = read(&tree().join("README.md"));
    for name in named {
        assert!(told.contains(name), "buildroot/README.md: {name}");
    }
}

/// Cargo's own settings do not reach Buildroot's build.
#[test]
fn the_agent_is_linked_as_plain_cargo_does() {
    let recipe = read(&tree().join("package/nl31-agent/nl31-agent.mk"));
    let settings = read(&project().join(".cargo/config.toml"));
    let mut targets = 0;
    for line in settings.lines() {
        if let Some(linker) = line.strip_prefix("linker = ") {
            let wanted = format!("_LINKER={} ", linker.trim_matches('"'));
            assert!(recipe.contains(&wanted), "{wanted}");
        }
        if let Some(flags) = line.strip_prefix("rustflags = ") {
            let flags: Vec<String> = serde_json::from_str(flags).expect("an array of strings");
            let wanted = format!("_RUSTFLAGS=\"{}", flags.join(" "));
            assert!(recipe.contains(&wanted), "{wanted}");
            targets += 1;
        }
    }
    assert!(targets > 0);
}

#[test]
fn every_option_is_known() {
    let mut known: BTreeSet<String> = SYMBOLS.lines().map(str::to_owned).collect();
    for file in cache::files_below(&tree(), &|file| file.extension().is_some_and(|e| e == "in"))
        .expect("the tree's files")
    {
        let names = read(&file);
        known.extend(
            names
                .lines()
                .filter_map(|line| line.strip_prefix("config "))
                .map(str::to_owned),
        );
    }
    for board in boards() {
        for option in defconfig(&board).keys() {
            assert!(
                known.contains(option),
                "nl31_{board}_defconfig: {option} does not exist"
            );
        }
    }
}

#[test]
fn every_file_that_a_configuration_names_exists() {
    for board in boards() {
        let config = defconfig(&board);
        assert!(
            board_file(&board, "README.md").is_file(),
            "board/{board}/README.md"
        );
        assert!(
            fragments(&board).contains(&board_file(&board, "linux.fragment")),
            "{board}"
        );
        for option in config.keys() {
            for file in files(&config, option) {
                assert!(
                    project().join(&file).exists(),
                    "nl31_{board}_defconfig: no {file}"
                );
            }
        }
    }
}

/// What makes these images the same product.
#[test]
fn configurations_agree_on_what_is_not_the_boards() {
    for board in boards() {
        let config = defconfig(&board);
        let value = |option: &str| config.get(option).map_or("", String::as_str);
        // in a version of our own, which every Buildroot takes, and whose hash is checked
        for (package, version, file) in [
            (
                "linux",
                "BR2_LINUX_KERNEL_CUSTOM_VERSION_VALUE",
                "linux-VERSION.tar.xz",
            ),
            (
                "uboot",
                "BR2_TARGET_UBOOT_CUSTOM_VERSION_VALUE",
                "u-boot-VERSION.tar.bz2",
            ),
        ] {
            if package == "uboot" && !config.contains_key("BR2_TARGET_UBOOT") {
                continue;
            }
            assert!(!value(version).is_empty(), "{board}: no {version}");
            let file = file.replace("VERSION", value(version));
            let hashes = read(&tree().join(format!("patches/{package}/{package}.hash")));
            assert!(
                hashes
                    .lines()
                    .any(|line| line.ends_with(&format!("  {file}"))),
                "{board}: no hash for {file}"
            );
        }
        for (option, wanted) in [
            ("BR2_DOWNLOAD_FORCE_CHECK_HASHES", "y"),
            ("BR2_ENABLE_LTO", "y"),
            ("BR2_GLOBAL_PATCH_DIR", "$(BR2_EXTERNAL_NL31_PATH)/patches"),
            ("BR2_LINUX_KERNEL_EXT_NL31_KMOD", "y"),
            ("BR2_OPTIMIZE_S", "y"),
            ("BR2_PACKAGE_NL31_AGENT", "y"),
            ("BR2_REPRODUCIBLE", "y"),
            (
                "BR2_ROOTFS_OVERLAY",
                "$(BR2_EXTERNAL_NL31_PATH)/../rootfs-overlay",
            ),
            (
                "BR2_ROOTFS_DEVICE_TABLE",
                "system/device_table.txt $(BR2_EXTERNAL_NL31_PATH)/../board/common/device_table.txt",
            ),
            ("BR2_TARGET_ENABLE_ROOT_LOGIN", "n"),
            ("BR2_TARGET_GENERIC_GETTY", "n"),
        ] {
            assert_eq!(value(option), wanted, "nl31_{board}_defconfig: {option}");
        }
        assert!(
            config.keys().any(
                |option| option.starts_with("BR2_TOOLCHAIN_EXTERNAL_BOOTLIN_")
                    && option.ends_with("_MUSL_STABLE")
            ),
            "{board}: not one of Bootlin's musl toolchains"
        );
    }
}

/// The kernel's own Kconfig decides, for all boards; the compiler that it probes is the
/// host's, whichever the architecture.
#[test]
fn every_fragment_line_survives() {
    host::require(host::KERNEL).expect("packages");
    let step = Step::new("fragments");
    let source = kernel::unpacked_source(&step).expect("the kernel's source");
    // once, and not for each board: each time, another kernel may be built first
    let lock = cache::shared().expect("a cache").join("kernel.lock");
    let _locked = cache::lock(&lock, &step).expect("the lock");
    succeeds(Command::new(project().join("kmod/add-to-kernel.sh")).arg(&source));
    for board in boards() {
        let config = defconfig(&board);
        let architecture = if config.contains_key("BR2_x86_64") {
            "x86_64"
        } else if config.contains_key("BR2_aarch64") {
            "arm64"
        } else {
            "arm"
        };
        let objects = tempfile::tempdir().expect("a folder");
        let path = objects.path();
        let make = || {
            let mut make = Command::new("make");
            make.env_remove("MAKEFLAGS")
                .env_remove("CROSS_COMPILE")
                .arg("-C")
                .arg(&source);
            make.arg(format!("O={}", path.display()))
                .arg(format!("ARCH={architecture}"));
            make
        };
        let merged = path.join("fragments");
        let texts: Vec<_> = fragments(&board).iter().map(|file| read(file)).collect();
        fs::write(&merged, texts.concat()).expect("to write");

        match config.get("BR2_LINUX_KERNEL_DEFCONFIG") {
            None => {
                assert!(config.contains_key("BR2_LINUX_KERNEL_EXT_NL31_KMOD_ALLNOCONFIG"));
                succeeds(make().arg("allnoconfig").env("KCONFIG_ALLCONFIG", &merged));
            }
            Some(base) => {
                succeeds(make().arg(format!("{base}_defconfig")));
                let both = read(&path.join(".config")) + &read(&merged);
                fs::write(path.join(".config"), both).expect("to write");
                succeeds(make().arg("olddefconfig"));
            }
        }
        let mut check = Command::new(tree().join("linux/check-fragments.sh"));
        let (survived, said) = run(check.arg(path.join(".config")).args(fragments(&board)));
        assert!(survived, "{board}:\n{said}");
    }
}

#[test]
fn a_lost_fragment_line_is_an_error() {
    let dir = tempfile::tempdir().expect("a folder");
    let check = |fragment: &str| {
        let config = "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=\"text\"\n";
        fs::write(dir.path().join("config"), config).expect("to write");
        fs::write(dir.path().join("fragment"), fragment).expect("to write");
        let mut check = Command::new(tree().join("linux/check-fragments.sh"));
        run(check
            .arg(dir.path().join("config"))
            .arg(dir.path().join("fragment")))
    };
    // A configuration of one's own need not have any.
    let (survived, said) = run(Command::new(tree().join("linux/check-fragments.sh")).arg("config"));
    assert!(survived, "{said}");
    for kept in [
        "CONFIG_A=y",
        "CONFIG_B=n",
        "# CONFIG_B is not set",
        "CONFIG_GONE=n",
        "# words",
    ] {
        assert!(check(kept).0, "{kept}: {}", check(kept).1);
    }
    assert!(check("CONFIG_C=\"text\"\n").0);
    for lost in [
        "CONFIG_B=y",
        "CONFIG_A=n",
        "# CONFIG_A is not set",
        "CONFIG_A=m",
        "CONFIG_D=y",
    ] {
        let (survived, said) = check(&format!("# a comment\n{lost}\n"));
        assert!(!survived, "{lost}");
        assert!(
            said.contains("fragment:2: ") && said.contains(lost),
            "{lost}: {said}"
        );
    }
}

/// The files that a board's genimage.cfg takes from the folder with the images.
fn inputs(board: &str) -> BTreeSet<String> {
    let config = read(&board_file(board, "genimage.cfg"));
    let mut inputs = BTreeSet::new();
    let mut listed = false;
    for line in config.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("image = ") {
            inputs.insert(name.trim_matches('"').to_owned());
        } else if line == "files = {" || line == "}" {
            listed = line != "}";
        } else if listed {
            inputs.insert(line.trim_matches([',', '"']).to_owned());
        }
    }
    // made by genimage and post-image.sh
    for made in ["boot.vfat", "data.blank", "extlinux.conf"] {
        inputs.remove(made);
    }
    inputs
}

/// Runs post-image.sh as Buildroot does, on stand-ins for what Buildroot built, and
/// returns the disk's name and content, and the folder.
fn disk_image(board: &str) -> (String, Vec<u8>, tempfile::TempDir) {
    host::require(DISK_TOOLS).expect("packages");
    let images = tempfile::tempdir().expect("a folder");
    for input in inputs(board) {
        let path = images.path().join(&input);
        fs::create_dir_all(path.parent().expect("a folder")).expect("to make a folder");
        fs::write(path, format!("stands in for {input}")).expect("to write");
    }
    let config = defconfig(board);
    let script = &files(&config, "BR2_ROOTFS_POST_IMAGE_SCRIPT")[0];
    let argument = &files(&config, "BR2_ROOTFS_POST_IMAGE_SCRIPT_ARGS")[0];
    let mut post_image = Command::new(project().join(script));
    post_image
        .arg(images.path())
        .arg(project().join(argument))
        .env("BINARIES_DIR", images.path());
    succeeds(post_image.current_dir(images.path()));

    let name = match board {
        "pc_x86_64" => "disk.img",
        _ => "sdcard.img",
    };
    let content = fs::read(images.path().join(name)).expect("the disk's image");
    (name.to_owned(), content, images)
}

/// (type, start, sectors) of a disk's partitions, from its MBR.
fn partitions(disk: &[u8]) -> Vec<(u8, u32, u32)> {
    let number = |at: usize| u32::from_le_bytes(disk[at..at + 4].try_into().expect("four bytes"));
    assert_eq!(disk[510..512], [0x55, 0xAA]);
    let entries = (0..4).map(|index| 446 + 16 * index);
    entries
        .map(|at| (disk[at + 4], number(at + 8), number(at + 12)))
        .collect()
}

#[test]
fn disks_have_the_layout_that_the_image_relies_on() {
    assert!(!disk_boards().is_empty());
    for board in disk_boards() {
        let (name, disk, images) = disk_image(&board);
        assert!(disk.len() <= 64 << 20, "{board}: {} bytes", disk.len());

        // Kernels find the root by the signature, S10data /data as partition 3.
        let (_, _, signature, _) = boot_from(&board);
        let is = &disk[MBR_SIGNATURE..MBR_SIGNATURE + 4];
        assert_eq!(is, signature.to_le_bytes(), "{board}");
        let [boot, root, data, none] = partitions(&disk)[..] else {
            panic!("four entries")
        };
        assert_eq!(
            boot.0,
            if board.starts_with("pc") { 0xEF } else { 0x0C },
            "{board}"
        );
        assert_eq!((root.0, root.2), (0x83, (16 << 20) / 512), "{board}");
        assert_eq!((data.0, data.2), (0x83, (256 << 20) / 512), "{board}");
        assert_eq!(none, (0, 0, 0), "{board}");
        assert!(
            boot.1 + boot.2 <= root.1 && root.1 + root.2 <= data.1,
            "{board}"
        );
        assert!(
            [boot, root, data].iter().all(|part| part.1 % 2048 == 0),
            "{board}: not aligned"
        );

        let squashfs = &disk[root.1 as usize * 512..];
        assert!(
            squashfs.starts_with(b"stands in for rootfs.squashfs"),
            "{board}"
        );
        let blank = &disk[data.1 as usize * 512..];
        assert_eq!(blank.len(), 64 << 10, "{board}");
        assert!(
            blank.chunks(16).all(|line| line == b"nl31: blank yet\n"),
            "{board}"
        );
        // bmaptool writes these bytes as well, whatever the disk had there
        let data = u64::from(data.1) * 512..disk.len() as u64;
        let mapped = disk::mapped(&images.path().join(&name)).expect("a map");
        assert!(
            mapped
                .iter()
                .any(|part| part.start <= data.start && data.end <= part.end),
            "{board}: {data:?} is not in {mapped:?}"
        );

        // every file is on the FAT partition, with its content
        let fat = format!("{}@@{}", images.path().join(&name).display(), boot.1 * 512);
        let listed = succeeds(Command::new("mdir").args(["-b", "-/", "-i", &fat, "::"]));
        let mut contents = String::new();
        for file in listed
            .lines()
            .map(str::trim)
            .filter(|line| !line.ends_with('/'))
        {
            contents += &succeeds(Command::new("mtype").args(["-i", &fat, file]));
        }
        for input in inputs(&board)
            .iter()
            .filter(|input| *input != "rootfs.squashfs")
        {
            assert!(
                contents.contains(&format!("stands in for {input}")),
                "{board}: {input}"
            );
        }

        succeeds(
            Command::new("sha256sum")
                .args(["--check", &format!("{name}.sha256")])
                .current_dir(images.path()),
        );
        let map = read(&images.path().join(format!("{name}.bmap")));
        assert!(
            map.contains(&format!("<ImageSize> {} </ImageSize>", disk.len())),
            "{board}: {map}"
        );
    }
}

/// The device trees that Buildroot builds are those that the disk takes, and the kernel has
/// their sources.
#[test]
fn device_trees_are_built_and_taken() {
    let step = Step::new("device trees");
    host::require(host::KERNEL).expect("packages");
    let source = kernel::unpacked_source(&step).expect("the kernel's source");
    for board in disk_boards() {
        let config = defconfig(&board);
        let Some(names) = config.get("BR2_LINUX_KERNEL_INTREE_DTS_NAME") else {
            continue;
        };
        let architecture = if config.contains_key("BR2_aarch64") {
            "arm64"
        } else {
            "arm"
        };
        let mut built = BTreeSet::new();
        for name in names.split(' ') {
            let file = source.join(format!("arch/{architecture}/boot/dts/{name}.dts"));
            assert!(file.is_file(), "{board}: {}", file.display());
            built.insert(format!("{}.dtb", name.rsplit('/').next().expect("a name")));
        }
        let taken = inputs(&board)
            .into_iter()
            .filter(|name| name.ends_with(".dtb"))
            .collect();
        assert_eq!(built, taken, "{board}");
    }
}

/// Where boards have the kernel's command line, the signature by which that names the disk, and
/// the console on it.
const COMMAND_LINES: &[(&str, &str, u32, &str)] = &[
    ("beaglebone", "extlinux.conf", 0x6e6c_3362, "ttyS0,115200"),
    ("pc_x86_64", "linux.fragment", 0x6e6c_3331, "ttyS0,115200"),
    ("raspberrypi_64", "cmdline.txt", 0x6e6c_3370, "ttyS1,115200"),
];

/// That of a board.
fn boot_from(board: &str) -> (&str, &str, u32, &str) {
    let line = COMMAND_LINES.iter().find(|line| line.0 == board);
    *line.unwrap_or_else(|| panic!("{board} has no command line"))
}

/// The console is a serial line that each of the board's device trees switches on, under
/// that number.
#[test]
fn consoles_are_in_the_device_trees() {
    host::require(&[host::KERNEL, device_tree::PACKAGES].concat()).expect("packages");
    let tree = tempfile::NamedTempFile::new().expect("a file");
    let mut checked = 0;
    for (board, _, _, console) in COMMAND_LINES {
        let config = defconfig(board);
        let Some(names) = config.get("BR2_LINUX_KERNEL_INTREE_DTS_NAME") else {
            continue;
        };
        let arch = if config.contains_key("BR2_aarch64") {
            Arch::Aarch64
        } else {
            Arch::Armv7
        };
        let number = console.trim_start_matches("ttyS").split(',').next();
        let alias = format!("serial{}", number.expect("a number"));
        for name in names.split(' ') {
            device_tree::compile(arch, name, tree.path()).expect("a device tree");
            let node = device_tree::text(tree.path(), "/aliases", &alias).expect("an alias");
            let status = device_tree::text(tree.path(), &node, "status");
            assert_eq!(status.expect("a status"), "okay", "{name}: {node}");
            checked += 1;
        }
    }
    assert!(checked > 1);
}

/// The root on the kernel's command line is the disk's second partition, and the console is
/// a serial line.
#[test]
fn command_lines_name_root_and_console() {
    for (board, file, signature, console) in COMMAND_LINES {
        let text = read(&board_file(board, file));
        let root = format!("root=PARTUUID={signature:08x}-02 rootfstype=squashfs rootwait=60 ");
        assert!(text.contains(&root), "{file}: {root}");
        assert!(text.contains(&format!("console={console}")), "{file}");
    }
}

/// Or a card of one in another would be taken for the other's own disk.
#[test]
fn each_board_has_a_disk_signature_of_its_own() {
    let signatures: BTreeSet<u32> = COMMAND_LINES.iter().map(|line| line.2).collect();
    assert_eq!(signatures.len(), disk_boards().len());
}

/// U-Boot's own list of what to boot from ends with the network, where any DHCP server answers.
#[test]
fn boot_loader_knows_cards_only_and_leaves_no_prompt() {
    for board in boards() {
        let config = defconfig(&board);
        if !config.contains_key("BR2_TARGET_UBOOT") {
            continue;
        }
        let option = "BR2_TARGET_UBOOT_CONFIG_FRAGMENT_FILES";
        let texts = files(&config, option);
        let text: String = texts
            .iter()
            .map(|file| read(&project().join(file)))
            .collect();
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
        assert_eq!(value("CONFIG_BOOTDELAY="), Some("-2"), "{board}");
        let command = value("CONFIG_BOOTCOMMAND=").expect("a command");
        let steps: Vec<_> = command.trim_matches('"').split("; ").collect();
        let boots = steps
            .iter()
            .filter_map(|step| step.strip_prefix("run bootcmd_"));
        let boots: Vec<_> = boots.collect();
        assert!(boots.iter().all(|from| from.starts_with("mmc")), "{board}");
        assert!(!boots.is_empty() && !command.contains("distro"), "{board}");
        assert_eq!(steps.last(), Some(&"reset"), "{board}");
    }
}

/// `lab buildroot` with `args`, and `from` instead of where the release is fetched from.
fn lab(args: &[&str], from: &Path) -> (bool, String) {
    let cache = tempfile::tempdir().expect("a folder");
    let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"));
    lab.arg("buildroot").args(args);
    lab.env("XDG_CACHE_HOME", cache.path())
        .env("GIT_CONFIG_COUNT", "1")
        .env(
            "GIT_CONFIG_KEY_0",
            format!("url.file://{}.insteadOf", from.display()),
        )
        .env("GIT_CONFIG_VALUE_0", buildroot::REPOSITORY);
    let result = run(&mut lab);
    // a checkout that was refused must not be found the next time
    let kept = cache
        .path()
        .join(format!("nl31/buildroot-{}", buildroot::RELEASE));
    assert!(!kept.exists(), "{args:?}: {}", result.1);
    result
}

#[test]
fn a_board_that_does_not_exist_is_answered_with_those_that_do() {
    let (success, said) = lab(&["--board", "toaster"], Path::new("/nonexistent"));
    assert!(!success);
    for board in boards() {
        assert!(said.contains(&board), "{board}: {said}");
    }
}

#[test]
fn a_release_that_cannot_be_fetched_is_said_with_what_to_pass() {
    let (success, said) = lab(&["--board", "qemu_x86_64"], Path::new("/nonexistent"));
    assert!(!success);
    for wanted in [
        buildroot::RELEASE,
        "--buildroot DIR",
        "BR2_DL_DIR",
        "/nonexistent",
    ] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
}

#[test]
fn a_tag_that_names_another_commit_is_refused() {
    host::require(&["git"]).expect("packages");
    let repository = tempfile::tempdir().expect("a folder");
    fs::write(repository.path().join("Makefile"), "all:\n\tfalse\n").expect("to write");
    for args in [
        &["init", "--quiet"][..],
        &["add", "Makefile"],
        &[
            "-c",
            "user.name=n",
            "-c",
            "user.email=e",
            "commit",
            "--quiet",
            "-m",
            "moved",
        ],
        &["tag", buildroot::RELEASE],
    ] {
        succeeds(
            Command::new("git")
                .args(args)
                .current_dir(repository.path()),
        );
    }
    let (success, said) = lab(&["--board", "qemu_x86_64"], repository.path());
    assert!(!success);
    assert!(said.contains(buildroot::COMMIT), "{said}");
}

#[test]
fn folders_that_will_not_do_are_refused_before_anything_is_built() {
    let dir = tempfile::tempdir().expect("a folder");
    let empty = dir.path().to_str().expect("UTF-8");
    let of = |args: &[&str]| {
        let (success, said) = lab(&[&["--board", "qemu_x86_64"], args].concat(), dir.path());
        assert!(!success, "{args:?}");
        said
    };
    let said = of(&["--buildroot", empty]);
    assert!(said.contains("is no Buildroot"), "{said}");

    let inside = project().join("board/output");
    let said = of(&["--output", inside.to_str().expect("UTF-8")]);
    assert!(said.contains("outside"), "{said}");
    assert!(!inside.exists());

    // an output folder of another board
    fs::write(
        dir.path().join("Makefile"),
        "export BR2_VERSION := 2026.02.3\n",
    )
    .expect("to write");
    let config = "BR2_LINUX_KERNEL_CONFIG_FRAGMENT_FILES=\"/board/beaglebone/linux.fragment\"\n";
    fs::write(dir.path().join(".config"), config).expect("to write");
    let said = of(&["--buildroot", empty, "--output", empty]);
    assert!(said.contains("not for qemu_x86_64"), "{said}");
    assert_eq!(read(&dir.path().join(".config")), config);
}

/// The checkout of Buildroot, and its make on the external tree.
#[cfg(buildroot)]
fn make(output: &Path) -> Command {
    let dir = std::env::var_os("BUILDROOT_DIR").expect("BUILDROOT_DIR, a checkout of Buildroot");
    let mut make = Command::new("make");
    make.env_remove("MAKEFLAGS")
        .arg("--no-print-directory")
        .arg("-C")
        .arg(dir);
    make.arg(format!("O={}", output.display()));
    make.arg(format!("BR2_EXTERNAL={}", tree().display()));
    make
}

#[test]
#[cfg(buildroot)]
fn buildroot_finds_no_fault_in_the_tree() {
    host::require(&["flake8", "python3-magic", "shellcheck"]).expect("packages");
    let dir = PathBuf::from(std::env::var_os("BUILDROOT_DIR").expect("BUILDROOT_DIR"));
    let files = cache::files_below(&tree(), &|_| true).expect("the tree's files");
    // with the distribution's Python, which python3-magic is for
    let mut check = Command::new("/usr/bin/python3");
    check
        .arg(dir.join("utils/check-package"))
        .arg("-b")
        .args(&files);
    let said = succeeds(check.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"));
    assert!(said.contains("\n0 warnings generated"), "{said}");
    assert!(!said.contains("\n0 lines processed"), "{said}");
}

#[test]
#[cfg(buildroot)]
fn buildroot_takes_every_configuration_as_it_is() {
    for board in boards() {
        let name = format!("nl31_{board}_defconfig");
        let output = tempfile::tempdir().expect("a folder");
        succeeds(make(output.path()).arg(&name));
        let saved = output.path().join("saved");
        let argument = format!("BR2_DEFCONFIG={}", saved.display());
        succeeds(make(output.path()).arg("savedefconfig").arg(argument));
        assert_eq!(
            read(&saved),
            read(&tree().join("configs").join(&name)),
            "{name}"
        );

        let info = succeeds(make(output.path()).args(["-s", "show-info"]));
        let info = info
            .lines()
            .find(|line| line.starts_with('{'))
            .expect("a line of JSON");
        let info: serde_json::Value = serde_json::from_str(info).expect("JSON");
        for package in ["nl31-agent", "nl31-kmod", "linux", "busybox"] {
            assert!(info.get(package).is_some(), "{name} builds no {package}");
        }
        // a test below compiles the agent with the oldest that will do
        let compiler = info["host-rust-bin"]["version"]
            .as_str()
            .expect("a version");
        let number = |version: &str| -> Vec<u32> {
            let parts = version.split('.');
            parts.map(|part| part.parse().expect("a number")).collect()
        };
        assert!(
            number(compiler) >= number(env!("CARGO_PKG_RUST_VERSION")),
            "{name} compiles with Rust {compiler}"
        );
        for absent in ["host-qemu", "toolchain-buildroot"] {
            assert!(info.get(absent).is_none(), "{name} builds {absent}");
        }
        let sources = succeeds(make(output.path()).args(["-s", "external-deps"]));
        assert!(sources.contains("linux-6.12."), "{name}: {sources}");
    }
}

/// Which is older than a developer's, and is had from rustup.
#[test]
#[cfg(buildroot)]
fn the_oldest_compiler_promised_will_do() {
    nl31_lab::cross::check_with_oldest_compiler().expect("to build it");
}

/// Without the network: what is not ours would be downloaded for it.
#[test]
#[cfg(buildroot)]
fn buildroot_reports_the_licences_of_what_is_ours() {
    let output = tempfile::tempdir().expect("a folder");
    succeeds(make(output.path()).arg("nl31_qemu_x86_64_defconfig"));
    for package in ["nl31-agent", "nl31-kmod"] {
        // with the host's tar and gzip, which may be older than those it would build
        let mut legal = make(output.path());
        legal.args(["BR2_TAR_HOST_DEPENDENCY=", "BR2_GZIP_HOST_DEPENDENCY="]);
        let said = succeeds(
            legal
                .arg("legal-info-prepare")
                .arg(format!("{package}-legal-info")),
        );
        assert!(!said.contains("WARNING"), "{said}");
        let report = output.path().join("legal-info");
        let manifest = read(&report.join("manifest.csv"));
        let line = format!("\"{package}\",");
        assert!(manifest.lines().any(|l| l.starts_with(&line)), "{manifest}");
        for file in licence_files(package) {
            let wanted = read(&project().join(&file));
            let kept = cache::files_below(&report.join("licenses"), &|path| {
                path.ends_with(&file) && path.to_string_lossy().contains(package)
            });
            let kept = kept.expect("the licences");
            assert_eq!(kept.len(), 1, "{package}: {file}");
            assert_eq!(read(&kept[0]), wanted, "{package}: {file}");
        }
    }
}
