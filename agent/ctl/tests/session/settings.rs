// SPDX-License-Identifier: MIT OR Apache-2.0
//! The settings of a file: ports, links, addresses.

use indicatif::ProgressBar;
use nl31_ctl::commands::apply::plan;
use nl31_ctl::commands::console;
use nl31_ctl::commands::load::{Mode, load};
use nl31_ctl::commands::save::save_to;

use crate::rig::{TestFile, apply_file, printed, routes, with_folder};

#[test]
fn settings_of_a_file_are_applied_with_its_routes() {
    let (port, _folder) = with_folder("settings");
    let mut link = port.open();
    let ports = || {
        let kernel = port.kernel();
        let kernel = kernel.0.borrow();
        let ports = kernel.ports.iter();
        ports
            .map(|port| format!("{} {}", port.device, port.urpf))
            .collect::<Vec<_>>()
    };
    let lines = ["port set eth0 urpf strict", "10.0.0.0/8 dev lo"].map(String::from);
    let file = TestFile::new("settings-of-file", &lines);
    let planned = plan(&mut link, &mut routes(&file)).unwrap();
    assert_eq!(planned.settings, [('+', lines[0].clone())]);
    assert!(ports().is_empty(), "planning changes nothing");
    apply_file(&mut link, &file, &planned, Some(60)).unwrap();
    assert_eq!(
        (ports(), port.routes()),
        (vec!["eth0 strict".into()], vec![lines[1].clone()])
    );
    printed(|out| console::execute(&mut link, "rollback", out)).unwrap();
    assert!(ports().is_empty() && port.routes().is_empty());

    let hidden = ProgressBar::hidden();
    load(&mut link, &mut routes(&file), Mode::Add, &hidden).unwrap();
    let again = plan(&mut link, &mut routes(&file)).unwrap();
    assert!(again.steps.is_empty() && again.settings.is_empty());
    let mut text = Vec::new();
    save_to(&mut link, &mut text, &hidden).unwrap();
    assert_eq!(String::from_utf8(text).unwrap(), lines.join("\n") + "\n");

    // A file without settings leaves them; others replace them.
    let bare = TestFile::new("settings-none", &["11.0.0.0/8 dev lo".into()]);
    load(&mut link, &mut routes(&bare), Mode::Replace, &hidden).unwrap();
    assert_eq!(ports(), ["eth0 strict"]);
    let other = TestFile::new("settings-other", &["port set eth0".into()]);
    let planned = plan(&mut link, &mut routes(&other)).unwrap();
    let differs = [('-', lines[0].clone()), ('+', "port set eth0".into())];
    assert_eq!(planned.settings, differs);
    load(&mut link, &mut routes(&other), Mode::Replace, &hidden).unwrap();
    assert_eq!((ports(), port.routes().len()), (vec!["eth0 off".into()], 0));

    for (line, code, text) in [
        (
            "port set eth0 urpf maybe",
            400,
            "E400 expected off, loose, strict or feasible",
        ),
        ("port sat eth0", 400, "E400 expected set"),
    ] {
        let wrong = TestFile::new("settings-wrong", &["12.0.0.0/8 dev lo".into(), line.into()]);
        let error = load(&mut link, &mut routes(&wrong), Mode::Replace, &hidden).unwrap_err();
        assert_eq!(error.code(), Some(code));
        assert!(
            error.to_string().ends_with(&format!(":2: {text}")),
            "{error}"
        );
    }
    let refused = TestFile::new(
        "settings-refused",
        &["12.0.0.0/8 dev lo".into(), "port set lo".into()],
    );
    let error = load(&mut link, &mut routes(&refused), Mode::Replace, &hidden).unwrap_err();
    assert_eq!(error.code(), Some(422), "{error}");
    assert_eq!((ports(), port.routes().len()), (vec!["eth0 off".into()], 0));

    // The routes are there by then.
    printed(|out| console::execute(&mut link, "port del eth0", out)).unwrap();
    port.kernel().0.borrow_mut().refuses_forwarding = true;
    let error = load(&mut link, &mut routes(&file), Mode::Replace, &hidden).unwrap_err();
    let told = "committed, except: port eth0: out of memory";
    assert_eq!(error.code(), Some(209));
    assert!(error.to_string().contains(told), "{error}");
    assert_eq!(port.routes(), lines[1..]);
}
