// SPDX-License-Identifier: MIT OR Apache-2.0
//! The config: loaded at boot, `load`, `save`, `diff`, factory reset, reboot.

use std::fs;
use std::rc::Rc;

use nl31_agent::config::boot::Boot;
use nl31_agent::config::locations::Files;
use nl31_agent::console::shared::Shared;
use nl31_agent::console::{Console, Peer};
use nl31_netlink::FakeLinks;

use crate::session::{Folder, Session, TestDevices, client, script};

#[test]
fn config_loaded_at_boot_counts_as_saved() {
    let mut session = Session::boots("10.0.0.0/8 dev eth0\n");
    session.types("");
    assert!(session.types("version\n").contains("\nchanges none\n"));
    session.types("route del 10.0.0.0/8\n");
    assert!(session.types("version\n").contains("\nchanges unsaved\n"));
}

#[test]
fn route_commands_wait_for_boot_config() {
    let mut session = Session::boots(&script(3_000).replace("route add ", ""));
    let replies = session.types("ping\nroute show 10.0.7.0/24\n");
    let path = session.folder.config();
    let expected = format!(
        "I200 the kernel is alive\n* loaded 3000 routes from {}\n10.0.7.0/24 dev eth0\nI200 1 route\n",
        path.display()
    );
    assert_eq!(replies, expected);
}

#[test]
fn bad_boot_config_is_reported_and_console_works() {
    let mut session = Session::boots("10.0.0.0/8 dev eth0\n10.0.0.0/8 via\n");
    let replies = session.types("route show\n");
    let path = session.folder.config();
    let expected = format!(
        "* config not loaded: {}:2:15: the line ends here; expected an address like 192.0.2.1 or 2001:db8::1\n\
         * no config loaded; the table is unchanged\nI200 0 routes\n",
        path.display()
    );
    assert_eq!(replies, expected);
}

#[test]
fn save_in_memory_is_warning_and_leaves_changes_unsaved() {
    let folder = Folder::new();
    fs::write(folder.config(), "10.0.0.0/8 dev eth0\n").unwrap();
    let files = Files {
        in_memory: true,
        ..folder.files()
    };
    let boot = Boot::new(&files);
    let shared = Rc::new(Shared::new(files, true, true));
    let mut session = Session {
        console: Console::new(
            Box::new(TestDevices::default()),
            Some(boot),
            Peer::Script,
            Rc::clone(&shared),
        ),
        shared,
        made: FakeLinks::default(),
        folder,
    };
    session.console.attach(client());
    session.types("");
    let told = session.types("version\n");
    assert!(
        told.contains("\nchanges none\nstorage memory, lost at a reboot\n"),
        "{told}"
    );
    session.plays_with_file(
        "
        > route add 11.0.0.0/8 dev eth0
        I200 added 11.0.0.0/8
        > save
        W210 saved 2 routes in memory only: a reboot loses them
        > diff
        I200 no difference from FILE
        > reboot
        E428 changes would be lost: this image keeps nothing; `reboot now` restarts it all the same
        > begin
        I200 edits wait for `commit` from now on
        > route del 11.0.0.0/8
        I200 edit 1
        > commit confirmed 60
        I200 committed 1 edit, for 60 s: `confirm` keeps and saves them
        > confirm
        W210 confirmed and saved 1 route in memory only: a reboot loses them
        > load
        I200 loaded 1 route from FILE
        > reboot
        E428 changes would be lost: this image keeps nothing; `reboot now` restarts it all the same
        > reboot now
        I200 restarting
        ",
    );
}

#[test]
fn empty_saved_config_is_refused() {
    let mut session = Session::new(false);
    session.types("route add 10.0.0.0/8 dev eth0\n");
    fs::write(session.folder.config(), "").unwrap();
    let said = session.types("load\n");
    assert!(
        said.starts_with("E424 ") && said.contains("the saved config is empty"),
        "{said}"
    );
    assert_eq!(session.table(), ["10.0.0.0/8 dev eth0"]);
    // A file that is named may be empty.
    session.plays_with_file("> load FILE\nI200 loaded 0 routes from FILE");
}

#[test]
fn saved_table_loads_again() {
    let mut session = Session::new(false);
    session.types(script(2000));
    session.types(
        "route append 10.0.7.0/24 via 192.0.2.1\nroute add blackhole ::/0 metric 5 proto bgp\n",
    );
    let before = session.table();
    session.plays_with_file(
        "
        > save
        I200 saved 2002 routes
        > diff
        I200 no difference from FILE
        ",
    );
    session.types("route flush all\nroute add 99.0.0.0/8 dev lo\n");
    session.plays_with_file("> load\nI200 loaded 2002 routes from FILE");
    assert_eq!(session.table(), before);
    session.types("route del 10.0.5.0/24\nroute replace 10.0.7.0/24 via 192.0.2.9\nroute add 99.0.0.0/8 dev lo\n");
    session.plays_with_file(
        "
        > diff
        - 10.0.5.0/24 dev eth0
        - 10.0.7.0/24 dev eth0
        + 10.0.7.0/24 via 192.0.2.9
        + 99.0.0.0/8 dev lo
        I200 4 differences from FILE
        ",
    );
}

#[test]
fn config_error_names_place_and_loads_nothing() {
    let mut session = Session::new(false);
    session.types("route add 10.0.0.0/8 dev eth0\n");
    fs::write(
        session.folder.config(),
        "11.0.0.0/8 dev eth0\n12.0.0.0/8 vai 192.0.2.1\n",
    )
    .unwrap();
    session.plays_with_file(
        "
        > load
        E424 FILE:2:12: expected via, dev, metric or proto
        > load /proc/none
        E424 /proc/none: No such file or directory (os error 2)
        > diff
        E424 FILE:2:12: expected via, dev, metric or proto
        ",
    );
    fs::write(
        session.folder.config(),
        "11.0.0.0/8 dev eth0\n11.0.0.0/8 dev eth0\n",
    )
    .unwrap();
    session.plays_with_file(
        "
        > load
        E409 FILE:2:1: path is there (File exists (os error 17))
        > route show
        10.0.0.0/8 dev eth0
        I200 1 route
        > begin
        I200 edits wait for `commit` from now on
        > load
        E423 edits are open: `commit` or `rollback` them first
        ",
    );
}

#[test]
fn failed_save_keeps_old_config() {
    let mut session = Session::new(false);
    session.types("route add 10.0.0.0/8 dev eth0\nsave\nroute add 11.0.0.0/8 dev eth0\n");
    session.kernel().overrun = true;
    let reply = session.types("save\n");
    assert_eq!(
        reply,
        "E500 not saved: answers of the kernel were lost (receive buffer full)\n"
    );
    let saved = fs::read_to_string(session.folder.config()).unwrap();
    assert!(saved.ends_with("\n10.0.0.0/8 dev eth0\n"));
    assert_eq!(session.types("save\n"), "I200 saved 2 routes\n");
}

#[test]
fn waiting_routes_are_saved_without_source_file() {
    let mut session = Session::boots("10.0.0.0/8 dev eth0\n");
    session.types("");
    let other = session.folder.0.join("other");
    fs::write(&other, "11.0.0.0/8 dev usb0\n").unwrap();
    session.types(format!("load {}\n", other.display()));
    fs::remove_file(other).unwrap();
    assert_eq!(session.types("save\n"), "I200 saved 1 route\n");
    let saved = fs::read_to_string(session.folder.config()).unwrap();
    assert!(saved.ends_with("\n11.0.0.0/8 dev usb0\n"), "{saved}");
}

#[test]
fn second_agent_cannot_save_during_boot_load() {
    let config: String = (0..3000)
        .map(|i| format!("10.{}.{}.0/24 dev eth0\n", i / 256, i % 256))
        .collect();
    let mut session = Session::boots(&config);
    session.console.work();
    session.console.out().consume(0);
    assert!(session.console.booting());
    let mut guest = session.guest();
    let refused = guest.types("save\n");
    assert!(refused.starts_with("E423 not saved: "), "{refused}");
    assert!(
        refused.ends_with(": the table is being changed, try again\n"),
        "{refused}"
    );
    assert_eq!(fs::read_to_string(session.folder.config()).unwrap(), config);
    session.types("");
    assert!(!session.console.booting());
    assert_eq!(guest.types("save\n"), "I200 saved 0 routes\n");
}

#[test]
fn factory_reset_deletes_saved_files_not_table() {
    let mut session = Session::boots("10.0.0.0/8 dev eth0\n");
    session.types("save\n");
    assert!(session.folder.0.join("routes.good").exists());
    session.plays(
        "
        > factory-reset
        I200 the next boot starts with factory settings; the table is unchanged, and `save` keeps it
        > route show
        10.0.0.0/8 dev eth0
        I200 1 route
        ",
    );
    assert!(!session.folder.config().exists() && !session.folder.0.join("routes.good").exists());
}

#[test]
fn reboot_outside_appliance_is_refused() {
    let mut session = Session::new(false);
    session.plays("> reboot\nE403 only the agent of an appliance restarts its machine");
    assert_eq!(session.shared.reboot.get(), None);
}

#[test]
fn reboot_with_unsaved_changes_is_refused() {
    let mut session = Session::new(false);
    let shared = Rc::new(Shared::new(session.folder.files(), true, true));
    session.console = Console::new(
        Box::new(TestDevices::default()),
        None,
        Peer::Script,
        Rc::clone(&shared),
    );
    session.console.attach(client());
    session.plays(
        "
        > save
        I200 saved 0 routes
        > begin
        I200 edits wait for `commit` from now on
        > route add 10.0.0.0/8 dev eth0
        I200 edit 1
        > reboot
        E428 1 edit would be lost: `commit` and `save`, or `reboot now`
        > commit
        I200 committed 1 edit
        > reboot
        E428 changes would be lost: `save` them, or `reboot now`
        ",
    );
    assert!(session.types("version\n").contains("\nchanges unsaved\n"));
    assert_eq!(shared.reboot.get(), None);
    session.plays("> reboot now\nI200 restarting");
    assert!(shared.reboot.take().is_some());
    session.plays("> save\nI200 saved 1 route\n> reboot\nI200 restarting");
    assert!(shared.reboot.get().is_some());
    assert!(session.types("version\n").contains("\nchanges none\n"));
}
