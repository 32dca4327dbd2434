// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a start of the agent does with a config, against the kernel that tests have.

use super::*;
use crate::platform::atomic_file::tests::Folder;
use crate::platform::devices::tests::TestDevices;
use nl31_netlink::{FakeKernel, Spec};
use std::fs;
use std::path::Path;
use std::time::Duration;

type Kernel = Client<FakeKernel>;

fn kernel() -> Kernel {
    Client::with_timeout(FakeKernel::default(), Duration::ZERO)
}

fn routes(kernel: &mut Kernel) -> Vec<String> {
    kernel
        .transport()
        .routes()
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// Starts an agent: what it has to tell.
fn start(folder: &Folder, kernel: &mut Kernel) -> Vec<String> {
    start_with(folder, kernel, Path::new("/"))
}

fn start_with(folder: &Folder, kernel: &mut Kernel, module: &Path) -> Vec<String> {
    let config = folder.0.join("routes.conf");
    start_from(
        &Files::new(Some(&config), &folder.0.join("run")),
        kernel,
        module,
    )
}

fn start_from(files: &Files, kernel: &mut Kernel, module: &Path) -> Vec<String> {
    let mut boot = Boot::new(files);
    boot.module = module.into();
    let mut news = Vec::new();
    while !boot.ended() {
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_string();
        news.push(match boot.step(kernel, &TestDevices::default()) {
            News::None => continue,
            News::Kept(paths) => format!("kept {paths}"),
            News::Loaded(config) => {
                let (path, loaded, waiting) = (config.path, config.routes, config.waiting);
                let waiting = match waiting.is_empty() {
                    true => String::new(),
                    false => format!(", {waiting}"),
                };
                let (name, Loaded { added, present }) = (name(&path), loaded);
                format!("loaded {name} {added}+{present}{waiting}")
            }
            News::Refused(error) => format!("refused {} {:?}", name(&error.path), error.place),
            News::Empty => "empty".into(),
            News::Failed(error) => {
                news.push(error.kind.to_string());
                break;
            }
        });
    }
    news
}

#[test]
fn a_saved_config_without_a_byte_gives_way_to_the_good_copy_or_the_factorys() {
    let folder = Folder::new("boot-empty");
    let files = Files {
        factory: Some(folder.file("factory.conf", "")),
        ..Files::new(Some(&folder.0.join("routes.conf")), &folder.0.join("run"))
    };
    let boot = || start_from(&files, &mut kernel(), Path::new("/no/such"));
    folder.file("routes.conf", "");
    let refused = "refused routes.conf None";
    assert_eq!(boot(), [refused, "loaded factory.conf 0+0"]);
    fs::remove_file(files.loaded_marker()).unwrap();
    folder.file("routes.good", "10.0.0.0/8 dev eth0\n");
    assert_eq!(boot(), [refused, "loaded routes.good 1+0"]);
    fs::remove_file(files.loaded_marker()).unwrap();
    // Whatever `save` writes of an empty table.
    folder.file("routes.conf", "# saved\n");
    assert_eq!(boot(), ["loaded routes.conf 0+0"]);
}

#[test]
fn a_config_is_loaded_once_and_the_console_has_the_last_word() {
    let folder = Folder::new("boot-once");
    folder.file("routes.conf", "10.0.0.0/8 dev eth0\n11.0.0.0/8 dev eth0\n");
    let mut kernel = kernel();
    assert_eq!(start(&folder, &mut kernel), ["loaded routes.conf 2+0"]);
    let ten = Spec {
        prefix: Some("10.0.0.0/8".parse().unwrap()),
        ..Spec::default()
    };
    kernel.delete(&ten).unwrap();
    assert_eq!(start(&folder, &mut kernel), ["kept 1"]);
    assert_eq!(routes(&mut kernel), ["11.0.0.0/8 dev eth0"]);
}

#[test]
fn without_the_mark_only_what_is_missing_is_added() {
    let folder = Folder::new("boot-killed");
    folder.file("routes.conf", "10.0.0.0/8 dev eth0\n11.0.0.0/8 dev eth0\n");
    let mut kernel = kernel();
    start(&folder, &mut kernel);
    fs::remove_file(folder.0.join("run/loaded")).unwrap();
    while kernel.transport().event().is_some() {}
    assert_eq!(start(&folder, &mut kernel), ["loaded routes.conf 0+2"]);
    assert!(
        kernel.transport().event().is_none(),
        "nothing was right and changed"
    );
}

#[test]
fn a_new_table_is_filled_again() {
    let folder = Folder::new("boot-new-table");
    folder.file("routes.conf", "10.0.0.0/8 dev eth0\n");
    start(&folder, &mut kernel());
    assert_eq!(start(&folder, &mut kernel()), ["loaded routes.conf 1+0"]);
}

#[test]
fn a_new_table_gets_what_was_saved_since_the_agent_started() {
    let folder = Folder::new("boot-saved-since");
    let factory = folder.file("factory.conf", "10.0.0.0/8 dev eth0\n");
    let files = Files {
        factory: Some(factory),
        ..Files::new(
            Some(&folder.0.join("nl31/routes.conf")),
            &folder.0.join("run"),
        )
    };
    fs::create_dir(folder.0.join("nl31")).unwrap();
    let mut boot = Boot::new(&files);
    boot.module = "/".into();
    let mut loads = || {
        boot.restart();
        let mut kernel = kernel();
        while !boot.ended() {
            boot.step(&mut kernel, &TestDevices::default());
        }
        routes(&mut kernel)
    };
    assert_eq!(loads(), ["10.0.0.0/8 dev eth0"]);
    folder.file("nl31/routes.conf", "11.0.0.0/8 dev eth0\n");
    assert_eq!(loads(), ["11.0.0.0/8 dev eth0"]);
    files.forget().unwrap();
    assert_eq!(loads(), ["10.0.0.0/8 dev eth0"]);
}

#[test]
fn routes_over_a_device_that_is_not_there_are_loaded_once_and_wait() {
    let folder = Folder::new("boot-waits");
    let text = "10.0.0.0/8 dev eth0\n11.0.0.0/8 dev usb0\n";
    folder.file("routes.conf", text);
    let mut kernel = kernel();
    let loaded = "loaded routes.conf 2+0, 1 route waits for a missing device: usb0";
    assert_eq!(start(&folder, &mut kernel), [loaded]);
    // A path that was deleted meanwhile does not come back with the device.
    kernel
        .delete(&Spec {
            prefix: Some("11.0.0.0/8".parse().unwrap()),
            ..Spec::default()
        })
        .unwrap();
    let usb0 = nl31_netlink::FakeDevice::new(3, "usb0");
    kernel.transport().devices.push(usb0);
    assert_eq!(start(&folder, &mut kernel), ["kept 1"]);
    assert_eq!(routes(&mut kernel), ["10.0.0.0/8 dev eth0"]);
}

#[test]
fn a_module_that_was_loaded_again_is_known_whatever_its_generation() {
    let folder = Folder::new("boot-module");
    folder.file("routes.conf", "10.0.0.0/8 dev eth0\n");
    let [first, second] = ["first", "second"].map(|name| {
        let path = folder.0.join(name);
        fs::create_dir(&path).unwrap();
        path
    });
    let loaded = ["loaded routes.conf 1+0"];
    assert_eq!(start_with(&folder, &mut kernel(), &first), loaded);
    // Another client has filled the new table already, beyond the old one's generation.
    let mut kernel = kernel();
    for text in ["11.0.0.0/8 dev eth0", "12.0.0.0/8 dev eth0"] {
        let route: nl31_netlink::Route<nl31_route::DeviceName> = text.parse().unwrap();
        let route = route.map_device(nl31_netlink::Device::Name);
        kernel.add(nl31_netlink::Add::Add, &route).unwrap();
    }
    assert_eq!(start_with(&folder, &mut kernel, &second), loaded);
    assert_eq!(start_with(&folder, &mut kernel, &second), ["kept 3"]);
}

#[test]
fn a_bad_config_boots_with_the_last_good_one() {
    let folder = Folder::new("boot-good");
    folder.file("routes.conf", "10.0.0.0/8 dev eth0\n");
    start(&folder, &mut kernel());
    folder.file("routes.conf", "11.0.0.0/8 dev eth0\nnonsense\n");
    let mut kernel = kernel();
    assert_eq!(
        start(&folder, &mut kernel),
        ["refused routes.conf Some((2, 1))", "loaded routes.good 1+0"]
    );
    assert_eq!(routes(&mut kernel), ["10.0.0.0/8 dev eth0"]);
    // Repaired, but the table is the console's now until the next boot.
    folder.file("routes.conf", "11.0.0.0/8 dev eth0\n");
    assert_eq!(start(&folder, &mut kernel), ["kept 1"]);
}

#[test]
fn a_bad_config_without_a_good_one_boots_empty() {
    let folder = Folder::new("boot-bad");
    folder.file("routes.conf", "nonsense\n");
    let mut kernel = kernel();
    assert_eq!(
        start(&folder, &mut kernel),
        ["refused routes.conf Some((1, 1))", "empty"]
    );
    assert!(routes(&mut kernel).is_empty());
    folder.file("routes.conf", "10.0.0.0/8 dev eth0\n");
    assert_eq!(start(&folder, &mut kernel), ["loaded routes.conf 1+0"]);
}

#[test]
fn a_kernel_that_fails_is_asked_again() {
    let folder = Folder::new("boot-fails");
    folder.file("routes.conf", "10.0.0.0/8 dev eth0\n");
    let mut kernel = kernel();
    kernel.transport().mute = true;
    assert_eq!(
        start(&folder, &mut kernel),
        ["the kernel did not answer in time"]
    );
    kernel.transport().mute = false;
    assert_eq!(start(&folder, &mut kernel), ["loaded routes.conf 1+0"]);
}
