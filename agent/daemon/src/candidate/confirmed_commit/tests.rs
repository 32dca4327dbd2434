// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a roll-back restores, after a kill and beside other clients of the kernel.

use super::*;
use crate::platform::atomic_file::tests::Folder;
use crate::platform::devices::tests::TestDevices;
use nl31_netlink::FakeKernel;
use std::time::Duration;

/// The two moments of a commit at which a kill leaves an armed undo: before the
/// kernel made the edits, and after.
#[test]
fn what_was_armed_is_taken_back_whether_it_was_committed_or_not() {
    for committed in [false, true] {
        let folder = Folder::new(&format!("undo-{committed}"));
        let file = folder.0.join("undo");
        let mut client = Client::with_timeout(FakeKernel::default(), Duration::ZERO);
        let (ten, eleven) = (route("10.0.0.0/8 dev eth0"), route("11.0.0.0/8 dev eth0"));
        client.add(Add::Add, &ten).unwrap();

        let mut writer = Writer::create(&file).unwrap();
        let devices = TestDevices::default();
        for prefix in [ten.prefix, eleven.prefix] {
            let before = client.paths(prefix).unwrap();
            let cached = &mut Cached::new(&devices);
            assert!(writer.prefix(prefix, &before, cached).unwrap());
        }
        assert_eq!(until(&file), None, "not armed yet");
        writer.arm(7).unwrap();
        if committed {
            client
                .add(Add::Replace, &route("10.0.0.0/8 dev lo"))
                .unwrap();
            client.add(Add::Add, &eleven).unwrap();
        }

        // Another agent.
        assert_eq!(until(&file), Some(7));
        let files = Files::new(Some(&folder.0.join("routes.conf")), &folder.0);
        let done = roll_back(&mut client, &devices, &files, LaterChanges::Keep).unwrap();
        assert_eq!(done.prefixes, if committed { 2 } else { 0 });
        assert_eq!(client.transport().routes(), [ten]);
        assert_eq!(until(&file), None);
    }
}

fn route(text: &str) -> Route<Device> {
    let route: Route<DeviceName> = text.parse().unwrap();
    route.map_device(Device::Name)
}

fn delete(client: &mut Client<FakeKernel>, prefix: &str) {
    let spec = Spec {
        prefix: Some(prefix.parse().unwrap()),
        ..Spec::default()
    };
    client.delete(&spec).unwrap();
}

/// A commit that replaces, deletes and adds a prefix, and changes by another client after it.
/// Of the undo file, so many bytes at the end were not written before a kill. Gives what the
/// roll-back does, and the table then.
fn rolled_back(
    name: &str,
    later: LaterChanges,
    cut: u64,
    others: impl FnOnce(&mut Client<FakeKernel>),
) -> (RolledBack, Vec<String>) {
    let folder = Folder::new(name);
    let files = Files::new(Some(&folder.0.join("routes.conf")), &folder.0);
    let devices = TestDevices::default();
    let mut client = Client::with_timeout(FakeKernel::default(), Duration::ZERO);
    for text in [
        "10.0.0.0/8 dev eth0",
        "11.0.0.0/8 dev eth0",
        "14.0.0.0/8 dev eth0",
    ] {
        client.add(Add::Add, &route(text)).unwrap();
    }
    let mut writer = Writer::create(&files.undo()).unwrap();
    for prefix in ["10.0.0.0/8", "11.0.0.0/8", "12.0.0.0/8"] {
        let prefix = prefix.parse().unwrap();
        let before = client.paths(prefix).unwrap();
        let cached = &mut Cached::new(&devices);
        assert!(writer.prefix(prefix, &before, cached).unwrap());
    }
    writer.arm(7).unwrap();
    client
        .add(Add::Replace, &route("10.0.0.0/8 dev lo"))
        .unwrap();
    delete(&mut client, "11.0.0.0/8");
    client.add(Add::Add, &route("12.0.0.0/8 dev lo")).unwrap();
    record_result(&mut client, &devices, &files.undo());
    let file = File::options().write(true).open(files.undo()).unwrap();
    file.set_len(file.metadata().unwrap().len() - cut).unwrap();
    assert_eq!(until(&files.undo()), Some(7));
    others(&mut client);
    let done = roll_back(&mut client, &devices, &files, later).unwrap();
    assert_eq!(until(&files.undo()), None);
    let routes = client.transport().routes();
    (done, routes.iter().map(ToString::to_string).collect())
}

const OLD: [&str; 3] = [
    "10.0.0.0/8 dev eth0",
    "11.0.0.0/8 dev eth0",
    "14.0.0.0/8 dev eth0",
];

#[test]
fn deadline_restores_all_prefixes_that_commit_left_so() {
    // What else was changed is of no matter.
    let elsewhere = |client: &mut Client<FakeKernel>| {
        client.add(Add::Add, &route("13.0.0.0/8 dev lo")).unwrap();
        delete(client, "14.0.0.0/8");
    };
    let (done, table) = rolled_back("undo-same", LaterChanges::Keep, 0, elsewhere);
    assert_eq!((done.prefixes, done.left), (3, 0));
    assert_eq!(table, [OLD[0], OLD[1], "13.0.0.0/8 dev lo"]);
    assert_eq!(
        done.to_string(),
        "rolled back: restored the paths of 3 prefixes"
    );
}

#[test]
fn deadline_leaves_prefixes_changed_since_the_commit() {
    let replace = |client: &mut Client<FakeKernel>| {
        client
            .add(Add::Replace, &route("10.0.0.0/8 dev eth1"))
            .unwrap();
    };
    let (done, table) = rolled_back("undo-other", LaterChanges::Keep, 0, replace);
    assert_eq!((done.prefixes, done.left), (1, 2));
    assert_eq!(table, ["10.0.0.0/8 dev eth1", OLD[2]]);
    assert_eq!(
        done.to_string(),
        "rolled back: restored the paths of 1 prefix; left 2 prefixes as now: changed since \
         the commit, see `log`"
    );
    let (done, table) = rolled_back("undo-asked", LaterChanges::Undo, 0, replace);
    assert_eq!((done.prefixes, done.left), (3, 0), "a user wants it");
    assert_eq!(table, OLD);
    // Of the three digests, the last one was cut off by a kill, or all were.
    for cut in [2, 3 * (RESULT.len() as u64 + 17)] {
        let (done, table) = rolled_back("undo-killed", LaterChanges::Keep, cut, replace);
        assert_eq!((done.prefixes, done.left), (3, 0), "{cut}");
        assert_eq!(table, OLD);
    }
}

#[test]
fn deadline_puts_nothing_into_table_made_anew() {
    let flush = |client: &mut Client<FakeKernel>| {
        client.delete_all(&Spec::default()).unwrap();
    };
    let (done, table) = rolled_back("undo-flushed", LaterChanges::Keep, 0, flush);
    assert_eq!((done.prefixes, done.left), (0, 3));
    assert!(table.is_empty(), "{table:?}");
    let replace = |client: &mut Client<FakeKernel>| {
        let mut load = Load::new(client, Mode::Replace, 1);
        let other = Change::Add(Add::Append, route("10.0.0.0/8 dev eth1"));
        load.push(client, 0, &other).unwrap();
        load.finish(client).unwrap();
    };
    let (done, table) = rolled_back("undo-replaced", LaterChanges::Keep, 0, replace);
    assert_eq!((done.prefixes, done.left), (0, 3));
    assert_eq!(table, ["10.0.0.0/8 dev eth1"]);
}
