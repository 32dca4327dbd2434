// SPDX-License-Identifier: MIT OR Apache-2.0
//! Routes are saved to files, there and here, and the table becomes what a file says.

use std::path::Path;
use std::rc::Rc;

use clap::Parser;
use indicatif::ProgressBar;
use nl31_agent::candidate::confirmed_commit;
use nl31_agent::config::locations::Files;
use nl31_agent::console::shared::Shared;
use nl31_agent::frames::host::Host;
use nl31_agent::grammar::codes;
use nl31_ctl::arguments::{Arguments, Command};
use nl31_ctl::commands::apply::plan;
use nl31_ctl::commands::file::{NewFile, RouteFile};
use nl31_ctl::commands::import::{self, Imported};
use nl31_ctl::commands::list::list;
use nl31_ctl::commands::load::{Mode, load};
use nl31_ctl::commands::save::{IN_MEMORY, save, save_there, save_to};
use nl31_ctl::error::Error;
use nl31_ctl::link::Link;
use nl31_ctl::output::Output;
use nl31_route::Spec;
use nl31_wire::limits::FRAME_MAX;
use nl31_wire::{Op, Request};

use crate::rig::{
    Kernel, TestFile, TestPort, apply_file, change, load_file, routes, scattered, sorted,
};

#[test]
fn nothing_is_saved_before_the_config_is_loaded() {
    let folder = std::env::temp_dir().join(format!("nl31ctl-{}-booting", std::process::id()));
    let kernel = Kernel::with_folder(&folder);
    kernel.1.config.booting.set(true);
    let port = TestPort::to(kernel, 0);
    let mut link = port.open();
    let error = save_there(&mut link, &ProgressBar::hidden()).unwrap_err();
    assert_eq!(error.code(), Some(423), "{error}");
    // A line waits, as it does on the console.
    let part = |link: &mut Link<TestPort>, request: &Request<'_>| {
        link.call(request, |response| Ok(format!("{response:?}")))
            .unwrap()
    };
    let said = part(&mut link, &Request::Line { text: "save" });
    assert!(said.contains("text: [], last: false"), "{said}");
    assert!(!folder.join("routes.conf").exists());
    port.kernel().1.config.booting.set(false);
    let said = part(&mut link, &Request::Next {});
    assert!(said.contains("last: true"), "{said}");
    assert!(folder.join("routes.conf").exists());
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn what_is_no_file_is_not_replaced_by_one() {
    let port = TestPort::new(0);
    let mut link = port.open();
    let error = save(&mut link, Path::new("/dev/null"), &ProgressBar::hidden()).unwrap_err();
    assert_eq!(error.status(), 6, "{error}");
    // What a link leads to is.
    let file = TestFile::new("linked", &["old".into()]);
    let link_to_it = file.0.with_extension("link");
    std::os::unix::fs::symlink(&file.0, &link_to_it).unwrap();
    save(&mut link, &link_to_it, &ProgressBar::hidden()).unwrap();
    assert!(link_to_it.is_symlink());
    assert_eq!(std::fs::read_to_string(&file.0).unwrap(), "");
    std::fs::remove_file(link_to_it).unwrap();
}

#[test]
fn a_save_leaves_nothing_but_its_file_and_touches_no_other_one() {
    let folder = std::env::temp_dir().join(format!("nl31ctl-{}-beside", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (file, theirs) = (folder.join("table"), folder.join("table.new"));
    std::fs::write(&theirs, "theirs").unwrap();
    let port = TestPort::new(0);
    let mut link = port.open();
    change(&mut link, Op::Add, "10.0.0.0/8 dev lo").unwrap();
    let names = || {
        let entries = std::fs::read_dir(&folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        sorted(names.collect())
    };
    port.kernel().0.borrow_mut().interrupt_dump = true;
    save(&mut link, &file, &ProgressBar::hidden()).unwrap();
    assert_eq!(names(), ["table", "table.new"]);
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "10.0.0.0/8 dev lo\n"
    );
    // What cannot take its place is gone, too, and so is what is begun anew and then given up.
    let whole = NewFile::create(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let error = whole.finish().unwrap_err();
    assert_eq!(error.status(), 6, "{error}");
    let mut again = NewFile::create(&folder.join("another")).unwrap();
    again.restart().unwrap();
    assert_eq!(names().len(), 3);
    drop(again);
    assert_eq!(names(), ["table", "table.new"]);
    assert_eq!(std::fs::read_to_string(&theirs).unwrap(), "theirs");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_table_becomes_what_the_file_says() {
    let port = TestPort::new(0);
    let mut link = port.open();
    let before = [
        "10.0.0.0/8 dev lo",
        "10.0.0.0/8 dev eth0",
        "11.0.0.0/8 dev lo",
        "::/0 dev lo",
    ];
    for text in before {
        change(&mut link, Op::Append, text).unwrap();
    }
    let wanted = [
        "10.0.0.0/8 dev eth0",
        "10.0.0.0/8 dev lo",
        "12.0.0.0/8 dev lo",
        "::/0 dev lo",
    ];
    let file = TestFile::new("apply", &wanted.map(String::from));
    let planned = plan(&mut link, &mut routes(&file)).unwrap();
    assert_eq!(port.routes(), before, "planning changes nothing");
    assert_eq!(planned.steps.len(), 3);
    // Only their order differs, which is shown by all of them.
    let reordered = &planned.steps[0];
    assert_eq!((reordered.gone.len(), reordered.new.len()), (2, 2));
    // Another client changes the table before the plan is applied.
    let other = TestPort::to(port.kernel(), 0);
    change(&mut other.open(), Op::Append, "13.0.0.0/8 dev lo").unwrap();
    let faster = port.routes();
    let stale = apply_file(&mut link, &file, &planned, None);
    assert!(matches!(stale, Err(Error::Changing)), "{stale:?}");
    // With the agent's socket for it the transaction goes.
    port.kernel().0.borrow_mut().hang_up();
    assert_eq!(port.routes(), faster);
    let again = plan(&mut link, &mut routes(&file)).unwrap();
    apply_file(&mut link, &file, &again, None).unwrap();
    assert_eq!(port.routes(), wanted);
    assert!(
        plan(&mut link, &mut routes(&file))
            .unwrap()
            .steps
            .is_empty()
    );
}

#[test]
fn plan_is_outdated_where_another_client_changed_the_table() {
    let port = TestPort::new(0);
    let mut link = port.open();
    let other = TestPort::to(port.kernel(), 0);
    let mut other = other.open();
    let there = "10.0.0.0/8 dev lo";
    let wanted = "11.0.0.0/8 dev lo";
    let file = TestFile::new("outdated", &[wanted.into()]);
    for (op, faster) in [(Op::Delete, there), (Op::Add, wanted)] {
        change(&mut link, Op::Add, there).unwrap();
        let planned = plan(&mut link, &mut routes(&file)).unwrap();
        change(&mut other, op, faster).unwrap();
        let left = port.routes();
        let stale = apply_file(&mut link, &file, &planned, None);
        assert!(matches!(stale, Err(Error::Changing)), "{stale:?}");
        assert_eq!(port.routes(), left);
        let again = plan(&mut link, &mut routes(&file)).unwrap();
        apply_file(&mut link, &file, &again, None).unwrap();
        assert_eq!(port.routes(), [wanted]);
        change(&mut link, Op::Delete, wanted).unwrap();
    }
    // A mistake of the file is one, whatever else changes the table.
    let file = TestFile::new("outdated-wrong", &["11.0.0.0/8 dev no-such".into()]);
    let planned = plan(&mut link, &mut routes(&file)).unwrap();
    change(&mut other, Op::Add, there).unwrap();
    let error = apply_file(&mut link, &file, &planned, None).unwrap_err();
    assert_eq!(error.code(), Some(406), "{error}");
}

#[test]
fn what_is_imported_replaces_the_table_or_is_refused_with_its_route() {
    let port = TestPort::new(0);
    let mut link = port.open();
    change(&mut link, Op::Append, "10.0.0.0/8 dev lo").unwrap();
    let mut out = Vec::new();
    let mut import = |link: &mut Link<TestPort>, lines: &[&str], how: &str| {
        let list = TestFile::new(
            "import",
            &lines
                .iter()
                .map(|line| line.to_string())
                .collect::<Vec<_>>(),
        );
        let path = list.0.to_str().unwrap().to_owned();
        let arguments = Arguments::parse_from(["nl31ctl", "import", how, &path]);
        let Command::Import(arguments) = arguments.command else {
            unreachable!("the command is import");
        };
        let mut out = Output::new(&mut out, false, false);
        let Imported::Routes(mut routes) = import::import(&arguments, &mut out).unwrap() else {
            panic!("nothing is to be loaded");
        };
        import::load(link, &arguments, &mut routes, &mut out)
    };
    let list = ["default dev eth0 scope link", "11.0.0.0/8 dev lo"];
    import(&mut link, &list, "--replace").unwrap();
    assert_eq!(port.routes(), ["0.0.0.0/0 dev eth0", "11.0.0.0/8 dev lo"]);
    import(&mut link, &["12.0.0.0/8 dev lo"], "--load").unwrap();
    let after = port.routes();
    assert_eq!(after.len(), 3);
    let error = import(
        &mut link,
        &["13.0.0.0/8 dev lo", "12.0.0.0/8 dev lo"],
        "--load",
    );
    let error = error.unwrap_err();
    assert!(
        error.to_string().ends_with(": 12.0.0.0/8 dev lo"),
        "{error}"
    );
    assert_eq!(port.routes(), after);
    assert!(out.starts_with(b"loaded 2 routes from "));
}

#[test]
fn what_is_saved_is_loaded_again() {
    let lines = scattered(1000);
    let file = TestFile::new("saved-from", &lines);
    let port = TestPort::new(3000);
    let mut link = port.open();
    load_file(&mut link, &file);
    let saved = TestFile::new("saved", &[]);
    assert_eq!(
        save(&mut link, &saved.0, &ProgressBar::hidden()).unwrap(),
        lines.len() as u64
    );
    let text = std::fs::read_to_string(&saved.0).unwrap();
    assert_eq!(sorted(text.lines().map(String::from).collect()), lines);
    let other = TestPort::new(0);
    load(
        &mut other.open(),
        &mut routes(&saved),
        Mode::Add,
        &ProgressBar::hidden(),
    )
    .unwrap();
    assert_eq!(other.routes(), port.routes());
    // A table that changes while it is saved is saved again.
    port.kernel().0.borrow_mut().interrupt_dump = true;
    assert_eq!(
        save(&mut link, &saved.0, &ProgressBar::hidden()).unwrap(),
        lines.len() as u64
    );
    assert_eq!(std::fs::read_to_string(&saved.0).unwrap(), text);
}

#[test]
fn a_file_of_any_editor_is_read_and_what_is_no_text_is_named() {
    let read = |bytes: &[u8]| {
        let file = TestFile::new("bytes", &[]);
        std::fs::write(&file.0, bytes).unwrap();
        let port = TestPort::new(0);
        let mut link = port.open();
        let opened = RouteFile::open(&file.0);
        let result = opened
            .and_then(|mut file| load(&mut link, &mut file, Mode::Add, &ProgressBar::hidden()));
        let said = result.map_err(|error| {
            assert_eq!(error.status(), 6, "{error}");
            let text = error.to_string();
            text[file.0.as_os_str().len()..].to_string()
        });
        (said, port.routes())
    };
    let route = "10.0.0.0/8 dev lo".to_string();
    let bytes = b"\xef\xbb\xbf10.0.0.0/8 dev lo # one\r\n\r\n# none\r\n";
    assert_eq!(read(bytes), (Ok(1), vec![route]));
    assert_eq!(read(b""), (Ok(0), vec![]));
    let no = |bytes| read(bytes).0.unwrap_err();
    assert!(no(b"\x1f\x8b\x08\0").starts_with(":1:1: the file is compressed"));
    assert!(no(b"10.0.0.0/8 dev lo\nblackhole \xff").starts_with(":2:11: the line is not UTF-8"));
    assert!(no(b"10.0.0.0/8 dev lo\0\n").starts_with(":1:"));
    // What only iproute2's lists have is passed over, and told.
    let listed = TestFile::new("listed", &["10.0.0.0/8 dev lo scope link linkdown".into()]);
    assert!(!routes(&listed).passed_over().is_empty());
    // A comment may be in Latin-1, and long.
    let comment = [b"blackhole ::/0 # caf\xe9 ", &[b'x'; 5000][..], b"\n"].concat();
    assert_eq!(read(&comment), (Ok(1), vec!["blackhole ::/0".to_string()]));
    assert!(no(b"blackhole ::/0 caf\xe9 # x").starts_with(":1:19: "));
}

#[test]
fn a_reader_that_goes_away_ends_a_list() {
    let port = TestPort::new(0);
    let mut link = port.open();
    let lines = scattered(5000);
    let file = TestFile::new("closed", &lines);
    load_file(&mut link, &file);
    let mut listed = 0;
    let before = link.traffic().1;
    let result = list(&mut link, &Spec::default(), false, &mut |_| {
        listed += 1;
        match listed {
            10 => Err(Error::Closed),
            _ => Ok(()),
        }
    });
    assert!(matches!(result, Err(Error::Closed)));
    let few = 8 * FRAME_MAX as u64;
    assert!(listed == 10 && link.traffic().1 - before < few);
    // Nothing of it is left.
    assert_eq!(change(&mut link, Op::Add, "blackhole ::/0"), Ok(1));
    let mut text = Vec::new();
    save_to(&mut link, &mut text, &ProgressBar::hidden()).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.lines().eq(port.routes()));
}

#[test]
fn the_table_is_saved_as_the_config() {
    let folder = std::env::temp_dir().join(format!("nl31ctl-{}-config", std::process::id()));
    let config = folder.join("routes.conf");
    let lines = scattered(3000);
    let file = TestFile::new("config-from", &lines);
    let saved = || {
        let text = std::fs::read_to_string(&config).unwrap();
        sorted(text.lines().skip(1).map(String::from).collect())
    };
    for noise in [0, 1000] {
        let port = TestPort::to(Kernel::with_folder(&folder), noise);
        let mut link = port.open();
        load_file(&mut link, &file);
        let count = save_there(&mut link, &ProgressBar::hidden()).unwrap();
        assert_eq!(count, lines.len() as u64);
        assert_eq!(saved(), lines);

        // Stopped on its way, it leaves what was saved before.
        change(
            &mut link,
            Op::DeletePrefix,
            lines[0].split(' ').next().unwrap(),
        )
        .unwrap();
        let part = link.call(&Request::Save {}, |response| Ok(format!("{response:?}")));
        assert!(part.unwrap().contains("last: false"));
        // Nor does another session write into the same file meanwhile.
        let other = TestPort::to(Kernel::with_folder(&folder), 0);
        let refused = save_there(&mut other.open(), &ProgressBar::hidden()).unwrap_err();
        assert_eq!(refused.code(), Some(codes::LOCKED.number), "{refused}");
        link.done(&Request::Stop {}).unwrap();
        assert_eq!(saved(), lines);
        // `save` is refused while a commit waits for its confirmation.
        let shared = port.kernel().shared();
        shared
            .unconfirmed
            .set(Some(confirmed_commit::now() + 60_000));
        let refused = save_there(&mut link, &ProgressBar::hidden()).unwrap_err();
        assert_eq!(refused.code(), Some(codes::LOCKED.number), "{refused}");
        shared.unconfirmed.set(None);
        assert_eq!(saved(), lines);
        assert_eq!(
            save_there(&mut link, &ProgressBar::hidden()).unwrap(),
            lines.len() as u64 - 1
        );
        assert_eq!(saved(), lines[1..]);
    }
    let files = Files {
        in_memory: true,
        ..Files::new(Some(&folder.join("routes.conf")), &folder.join("run"))
    };
    let in_memory = Kernel(Rc::default(), Rc::new(Shared::new(files, true, false)));
    let port = TestPort::to(in_memory, 0);
    let mut link = port.open();
    load_file(&mut link, &file);
    let warned = save_there(&mut link, &ProgressBar::hidden()).unwrap_err();
    assert_eq!(warned.code(), Some(IN_MEMORY));
    assert_eq!(IN_MEMORY, codes::IN_MEMORY.number);
    let text = "W210 saved in memory only: a reboot loses it";
    assert_eq!(warned.to_string(), text);
    assert_eq!(saved(), lines);
    let full = TestPort::to(Kernel::with_folder(Path::new("/dev/null")), 0);
    let refused = save_there(&mut full.open(), &ProgressBar::hidden()).unwrap_err();
    assert_eq!(refused.code(), Some(codes::FILE.number), "{refused}");
    std::fs::remove_dir_all(&folder).unwrap();
}
