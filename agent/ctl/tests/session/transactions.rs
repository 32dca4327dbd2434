// SPDX-License-Identifier: MIT OR Apache-2.0
//! Changes that take effect together, until they are confirmed, or not at all.

use std::time::Duration;

use indicatif::ProgressBar;
use nl31_agent::candidate::confirmed_commit::{LaterChanges, RolledBack, roll_back};
use nl31_agent::frames::host::Host;
use nl31_ctl::commands::apply::plan;
use nl31_ctl::commands::file::RouteFile;
use nl31_ctl::commands::load::{Mode, load};
use nl31_ctl::commands::{console, shell};
use nl31_ctl::error::Error;
use nl31_ctl::link::{Event, Link};
use nl31_netlink::{Add, Device};
use nl31_route::{DeviceName, Route};
use nl31_wire::limits::VERSION;
use nl31_wire::{Frame, ItemsBuffer, Op, Packer, Request, Response, code};

use crate::rig::{
    Kernel, TestDevices, TestFile, TestPort, apply_file, change, code_of,
    has_failed_up_to_its_commit, like_a_table, listed, load_file, printed, routes, says, scattered,
    sorted, spec, with_folder,
};

#[test]
fn packed_changes_belong_to_a_transaction_and_fail_it_where_they_are_bad() {
    let port = TestPort::new(0);
    let mut link = port.open();
    let mut packer = Packer::new();
    for text in like_a_table(300) {
        packer.push(Op::Add, &spec(&text)).unwrap();
    }
    // The 258th again.
    packer
        .push(Op::Add, &spec(&like_a_table(258)[257]))
        .unwrap();
    let (count, packed) = packer.finish();
    let refused = |link: &mut Link<TestPort>, count, packed: &[u8]| {
        let request = Request::PackedChange { count, packed };
        match link.call(&request, |_| Ok(())) {
            Err(Error::Refused(refused)) => (refused.code, refused.index),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(&mut link, count, packed), (code::NOT_OPEN, None));
    assert_eq!(change(&mut link, Op::Add, "10.0.0.0/8 dev lo"), Ok(1));
    for (count, packed, why) in [
        (count, packed, (409, Some(300))),
        (count, &packed[..20], (code::BAD_MESSAGE, None)),
        (2049, packed, (code::BAD_MESSAGE, Some(0))),
        (3, packed, (code::BAD_MESSAGE, Some(3))),
    ] {
        link.done(&Request::Begin { replace: true }).unwrap();
        let (code, index) = refused(&mut link, count, packed);
        assert_eq!(code, why.0);
        assert!(why.1.is_none_or(|why| index == Some(why)), "{index:?}");
        assert_eq!(
            refused(&mut link, count, packed),
            (code::TRANSACTION_FAILED, None)
        );
        assert_eq!(
            code_of(link.done(&Request::Commit {})),
            code::TRANSACTION_FAILED
        );
        port.kernel().0.borrow_mut().hang_up();
        assert_eq!(port.routes(), ["10.0.0.0/8 dev lo"]);
    }
    // What a transaction has learned ends with it; plain changes may come between.
    for _ in 0..2 {
        link.done(&Request::Begin { replace: true }).unwrap();
        let mut packer = Packer::new();
        for part in like_a_table(300).chunks(100) {
            for text in part {
                packer.push(Op::Add, &spec(text)).unwrap();
            }
            let (count, packed) = packer.finish();
            let request = Request::PackedChange { count, packed };
            link.call(&request, |response| {
                assert_eq!(response, Response::Changed { count: 100 });
                Ok(())
            })
            .unwrap();
            packer.next_frame();
            assert_eq!(change(&mut link, Op::Replace, "10.0.0.0/8 dev lo"), Ok(1));
        }
        let committed = |response: Response<'_>| Ok(matches!(response, Response::Changed { .. }));
        assert!(link.call(&Request::Commit {}, committed).unwrap());
        assert_eq!(listed(&mut link, "", false).len(), 301);
    }
}

#[test]
fn a_transaction_that_fails_changes_nothing() {
    let mut lines = scattered(3000);
    let port = TestPort::new(0);
    let mut link = port.open();
    // Appending exactly this one fails, with frames on their way behind it.
    let there = lines[700].clone();
    change(&mut link, Op::Add, &there).unwrap();
    let file = TestFile::new("fails", &lines);
    let error = load(
        &mut link,
        &mut routes(&file),
        Mode::Add,
        &ProgressBar::hidden(),
    )
    .unwrap_err();
    assert_eq!((error.code(), error.status()), (Some(409), 4));
    assert!(
        error
            .to_string()
            .starts_with(&format!("{}:701: E409 ", file.0.display())),
        "{error}"
    );
    assert_eq!(port.routes(), std::slice::from_ref(&there));
    // The same as a replacement of the table is none of its business.
    let count = load(
        &mut link,
        &mut routes(&file),
        Mode::Replace,
        &ProgressBar::hidden(),
    )
    .unwrap();
    assert_eq!(count, lines.len() as u64);
    assert_eq!(sorted(port.routes()), lines);
    // A line that cannot be read is found before anything is sent.
    lines[2000] = "10.0.0.1/8 dev lo".into();
    let file = TestFile::new("fails-too", &lines);
    let error = RouteFile::open(&file.0).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with(&format!("{}:2001:1: ", file.0.display())),
        "{error}"
    );
    assert_eq!(error.status(), 6);
    assert_eq!(port.routes().len(), 3000);
}

#[test]
fn a_transaction_that_was_begun_while_the_config_is_loaded_goes_on() {
    let port = TestPort::new(0);
    let mut link = port.open();
    link.done(&Request::Begin { replace: false }).unwrap();
    assert_eq!(change(&mut link, Op::Add, "10.0.0.0/8 dev lo"), Ok(1));
    port.kernel().1.config.booting.set(true);
    assert_eq!(change(&mut link, Op::Add, "11.0.0.0/8 dev lo"), Ok(1));
    link.call(&Request::Commit {}, |_| Ok(())).unwrap();
    assert_eq!(port.routes().len(), 2);
    assert_eq!(change(&mut link, Op::Add, "12.0.0.0/8 dev lo"), Err(423));
}

#[test]
fn transactions_are_opened_and_closed_in_order() {
    let port = TestPort::new(0);
    let mut link = port.open();
    let code = |result: Result<(), Error>| result.unwrap_err().code().unwrap();
    assert_eq!(
        code(link.call(&Request::Commit {}, |_| Ok(()))),
        code::NOT_OPEN
    );
    assert_eq!(code(link.done(&Request::Next {})), code::NOT_OPEN);
    link.done(&Request::Begin { replace: false }).unwrap();
    assert_eq!(
        code(link.done(&Request::Begin { replace: false })),
        code::IN_TRANSACTION
    );
    // Nor is anything flushed beside it.
    let empty = ItemsBuffer::default();
    let flush = Request::Flush {
        filter: empty.items(),
        longer: false,
        all: true,
    };
    assert_eq!(code(link.done(&flush)), code::IN_TRANSACTION);
    link.done(&Request::Abort {}).unwrap();
    link.done(&Request::Begin { replace: false }).unwrap();
    assert_eq!(change(&mut link, Op::Delete, "10.0.0.0/8"), Err(404));
    assert_eq!(code(link.done(&flush)), code::TRANSACTION_FAILED);
    has_failed_up_to_its_commit(&mut link, &port);
    // Items that cannot be read fail a transaction too.
    link.done(&Request::Begin { replace: false }).unwrap();
    let bad = Request::Change {
        items: nl31_wire::Items::new(&[0xff]),
    };
    assert_eq!(code(link.call(&bad, |_| Ok(()))), code::BAD_MESSAGE);
    assert_eq!(
        change(&mut link, Op::Add, "11.0.0.0/8 dev lo"),
        Err(code::TRANSACTION_FAILED)
    );
    link.done(&Request::Abort {}).unwrap();
}

#[test]
fn a_message_that_cannot_be_read_fails_its_transaction() {
    // Begin, then a change with a byte too many; and a Begin that is none.
    for (begin, too_many) in [(0, true), (2, false)] {
        let port = TestPort::new(0);
        let mut wire = port.0.borrow_mut();
        let mut id = 256;
        let mut ask = |kind, body: &[u8]| {
            let frame = Frame {
                version: VERSION,
                id,
                kind,
                body,
            };
            id += 1;
            wire.program.frame(Ok(&frame));
        };
        let mut good = ItemsBuffer::default();
        good.push(Op::Add, &spec("10.0.0.0/8 dev lo")).unwrap();
        let mut body = vec![good.items().bytes().len() as u8];
        body.extend(good.items().bytes());
        ask(0x01, &[7]);
        ask(0x0c, &[begin]);
        ask(0x04, &body);
        if too_many {
            body.push(0xff);
            ask(0x04, &body);
        }
        ask(0x0d, &[]);
        drop(wire);
        // With the agent's socket for it an open transaction goes.
        port.kernel().0.borrow_mut().hang_up();
        assert!(port.routes().is_empty());
    }
}

#[test]
fn what_is_stopped_in_the_shell_leaves_the_edits_that_wait() {
    let folder = std::env::temp_dir().join(format!("nl31ctl-{}-stopped", std::process::id()));
    let port = TestPort::to(Kernel::with_folder(&folder), 0);
    let file = TestFile::new("stopped-from", &scattered(3000));
    let mut link = port.open();
    load_file(&mut link, &file);
    let line = |link: &mut Link<TestPort>, text: &str| {
        let mut out = Vec::new();
        shell::line(link, text, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert!(line(&mut link, "begin").starts_with("I200 "));
    assert_eq!(line(&mut link, "route flush all"), "I200 edit 1\n");
    for _ in 0..2 {
        let part = link.call(&Request::Line { text: "route show" }, |response| {
            Ok(format!("{response:?}"))
        });
        let part = part.unwrap();
        assert!(part.contains("last: false"), "{part}");
        link.stop().unwrap();
    }
    assert_eq!(port.kernel().routes().len(), 3000);
    assert_eq!(line(&mut link, "commit"), "I200 committed 1 edit\n");
    assert!(port.kernel().routes().is_empty());
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn who_subscribes_is_told_of_a_commit_that_is_taken_back() {
    let port = TestPort::new(0);
    let mut link = port.open();
    let done = RolledBack {
        prefixes: 300,
        left: 2,
        ..RolledBack::default()
    };
    let tell = || port.0.borrow_mut().program.rolled_back(done);
    tell();
    link.done(&Request::Subscribe { on: true }).unwrap();
    assert_eq!(link.event(Duration::ZERO).unwrap(), None);
    tell();
    port.0.borrow_mut().answer();
    let event = link.event(Duration::ZERO).unwrap().unwrap();
    let Event::RolledBack { prefixes, lost } = event else {
        panic!("{event:?}");
    };
    assert_eq!((prefixes, lost), (300, 2));
    // In a shell it comes with the next command.
    let mut out = Vec::new();
    shell::line(&mut link, "ping", &mut out).unwrap();
    tell();
    shell::line(&mut link, "ping", &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(
        lines[1..],
        [
            "* rolled back: restored the paths of 300 prefixes; left 2 prefixes as now: changed \
             since the commit, see `log`",
            "I200 the kernel is alive"
        ]
    );
}

#[test]
fn a_transaction_to_be_confirmed_is_rolled_back_or_kept() {
    let (port, folder) = with_folder("confirmed");
    let mut link = port.open();
    let before = [
        "10.0.0.0/8 dev lo",
        "10.0.0.0/8 dev eth0",
        "11.0.0.0/8 dev lo",
    ];
    for text in before {
        change(&mut link, Op::Append, text).unwrap();
    }
    let commit = |link: &mut Link<TestPort>| {
        link.done(&Request::BeginConfirmed { seconds: 60 }).unwrap();
        assert_eq!(change(link, Op::DeletePrefix, "10.0.0.0/8"), Ok(1));
        // A prefix is recorded once, as it was before the transaction.
        assert_eq!(change(link, Op::Append, "10.0.0.0/8 dev eth0"), Ok(1));
        assert_eq!(change(link, Op::Add, "12.0.0.0/8 dev lo"), Ok(1));
        assert!(port.kernel().1.left().is_none());
        let count = link.call(&Request::Commit {}, |response| Ok(format!("{response:?}")));
        assert_eq!(count.unwrap(), "Changed { count: 3 }");
        assert!(port.kernel().1.left().is_some());
    };
    commit(&mut link);
    let after = [
        "10.0.0.0/8 dev eth0",
        "11.0.0.0/8 dev lo",
        "12.0.0.0/8 dev lo",
    ];
    assert_eq!(port.routes(), after);
    let said = says(&mut link, "rollback");
    assert!(said.starts_with("I200 "), "{said}");
    assert_eq!(port.routes(), before);
    assert!(port.kernel().1.left().is_none());

    commit(&mut link);
    let said = says(&mut link, "confirm");
    assert!(
        said.starts_with("I200 confirmed and saved 3 routes"),
        "{said}"
    );
    let saved = std::fs::read_to_string(folder.0.join("routes.conf")).unwrap();
    assert!(after.iter().all(|route| saved.contains(route)), "{saved}");
}

#[test]
fn commit_of_replacement_counts_it_as_one_change_more() {
    let port = TestPort::new(0);
    let mut link = port.open();
    change(&mut link, Op::Add, "10.0.0.0/8 dev lo").unwrap();
    for (added, count) in [(1, 2), (0, 1)] {
        link.done(&Request::Begin { replace: true }).unwrap();
        if added == 1 {
            change(&mut link, Op::Add, "11.0.0.0/8 dev lo").unwrap();
        }
        let committed = link.call(&Request::Commit {}, |response| Ok(format!("{response:?}")));
        assert_eq!(committed.unwrap(), format!("Changed {{ count: {count} }}"));
        assert_eq!(port.routes().len(), added);
    }
}

#[test]
fn a_table_is_not_replaced_while_a_commit_waits() {
    let (port, _folder) = with_folder("waits");
    let mut link = port.open();
    change(&mut link, Op::Add, "10.0.0.0/8 dev lo").unwrap();
    link.done(&Request::BeginConfirmed { seconds: 60 }).unwrap();
    change(&mut link, Op::Delete, "10.0.0.0/8").unwrap();
    link.call(&Request::Commit {}, |_| Ok(())).unwrap();
    let empty = ItemsBuffer::default();
    let prefix = ItemsBuffer::filter(&spec("12.0.0.0/8 dev lo"));
    let refused = [
        Request::Begin { replace: true },
        Request::BeginConfirmed { seconds: 60 },
        Request::Flush {
            filter: empty.items(),
            longer: false,
            all: true,
        },
        Request::Flush {
            filter: prefix.items(),
            longer: true,
            all: false,
        },
        Request::Save {},
    ];
    for request in refused {
        let refused = code_of(link.call(&request, |_| Ok(())));
        assert_eq!(refused, 423, "{request:?}");
        link.done(&Request::Abort {}).unwrap();
    }
    for line in ["route flush all", "route flush dev lo", "load", "save"] {
        let said = says(&mut link, line);
        assert!(said.starts_with("E423 "), "{line}: {said}");
    }
    // What is not the whole table may be changed.
    change(&mut link, Op::Add, "12.0.0.0/8 dev lo").unwrap();
    let exactly = Request::Flush {
        filter: prefix.items(),
        longer: false,
        all: false,
    };
    link.done(&exactly).unwrap();
    says(&mut link, "rollback");
    assert_eq!(port.routes(), ["10.0.0.0/8 dev lo"]);
    let file = TestFile::new("waits-from", &scattered(10));
    load(
        &mut link,
        &mut routes(&file),
        Mode::Replace,
        &ProgressBar::hidden(),
    )
    .unwrap();
}

#[test]
fn a_transaction_to_be_confirmed_that_fails_leaves_nothing_to_roll_back() {
    let (port, _folder) = with_folder("confirmed-fails");
    let mut link = port.open();
    for seconds in [0, 86_401] {
        let code = code_of(link.done(&Request::BeginConfirmed { seconds }));
        assert_eq!(code, 400);
        link.done(&Request::Abort {}).unwrap();
    }
    // One prefix more than a roll-back takes.
    let lines: Vec<_> = (0..=4096)
        .map(|number| format!("10.{}.{}.0/24 dev lo", number / 256, number % 256))
        .collect();
    link.done(&Request::BeginConfirmed { seconds: 60 }).unwrap();
    let mut failed = Ok(1);
    for line in &lines {
        failed = change(&mut link, Op::Add, line);
        if failed.is_err() {
            break;
        }
    }
    assert_eq!(failed, Err(507));
    assert_eq!(
        code_of(link.call(&Request::Commit {}, |_| Ok(()))),
        code::TRANSACTION_FAILED
    );
    port.kernel().0.borrow_mut().hang_up();
    assert!(port.routes().is_empty());
    assert!(port.kernel().1.left().is_none());
    // One that the kernel refuses.
    link.done(&Request::BeginConfirmed { seconds: 60 }).unwrap();
    assert_eq!(change(&mut link, Op::Delete, "10.0.0.0/8"), Err(404));
    has_failed_up_to_its_commit(&mut link, &port);
    assert!(port.kernel().1.left().is_none());
    // One without a change.
    link.done(&Request::BeginConfirmed { seconds: 60 }).unwrap();
    link.call(&Request::Commit {}, |_| Ok(())).unwrap();
    assert!(port.kernel().1.left().is_none());
}

#[test]
fn what_is_applied_until_it_is_confirmed_is_kept_by_confirm_alone() {
    let (port, _folder) = with_folder("apply-confirm");
    let mut link = port.open();
    change(&mut link, Op::Add, "10.0.0.0/8 dev lo").unwrap();
    let file = TestFile::new("apply-confirm-from", &["11.0.0.0/8 dev lo".into()]);
    for (command, kept) in [
        ("rollback", "10.0.0.0/8 dev lo"),
        ("confirm", "11.0.0.0/8 dev lo"),
    ] {
        let planned = plan(&mut link, &mut routes(&file)).unwrap();
        apply_file(&mut link, &file, &planned, Some(60)).unwrap();
        assert_eq!(port.routes(), ["11.0.0.0/8 dev lo"]);
        printed(|out| console::execute(&mut link, command, out)).unwrap();
        assert_eq!(port.routes(), [kept]);
        assert!(port.kernel().1.left().is_none());
    }
}

#[test]
fn deadline_leaves_what_another_client_of_the_kernel_changed() {
    let (port, _folder) = with_folder("deadline");
    let mut link = port.open();
    for text in ["10.0.0.0/8 dev lo", "11.0.0.0/8 dev lo"] {
        change(&mut link, Op::Add, text).unwrap();
    }
    link.done(&Request::BeginConfirmed { seconds: 60 }).unwrap();
    for text in ["10.0.0.0/8 dev eth0", "11.0.0.0/8 dev eth0"] {
        change(&mut link, Op::Replace, text).unwrap();
    }
    link.call(&Request::Commit {}, |_| Ok(())).unwrap();
    let kernel = port.kernel();
    let mut other = kernel.connect().unwrap();
    let route: Route<DeviceName> = "blackhole 10.0.0.0/8".parse().unwrap();
    other
        .add(Add::Replace, &route.map_device(Device::Name))
        .unwrap();
    let files = &kernel.1.config.files;
    let done = roll_back(&mut other, &TestDevices, files, LaterChanges::Keep).unwrap();
    assert_eq!((done.prefixes, done.left), (1, 1));
    assert_eq!(port.routes(), ["blackhole 10.0.0.0/8", "11.0.0.0/8 dev lo"]);
}
