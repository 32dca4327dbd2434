// SPDX-License-Identifier: MIT OR Apache-2.0
//! Settings: what the config has besides routes, saved, loaded and committed with them.

use std::fs;

use crate::session::Session;

fn saved(session: &Session) -> String {
    let text = fs::read_to_string(session.folder.config()).unwrap();
    text.split_once('\n').unwrap().1.to_owned()
}

fn ports(session: &mut Session) -> Vec<String> {
    let ports = &session.kernel().ports;
    ports
        .iter()
        .map(|port| format!("{} {} {}", port.device, port.forwarding, port.urpf))
        .collect()
}

#[test]
fn saved_ports_come_back_with_the_boot() {
    let mut session = Session::new(false);
    session.plays_with_file(
        "
        > port set eth0 urpf strict
        I200 port eth0
        > route add 10.0.0.0/8 dev eth0
        I200 added 10.0.0.0/8
        > config show
        port set eth0 urpf strict
        I200 1 setting; `route show` lists the routes
        > save
        I200 saved 1 route and 1 setting
        > diff
        I200 no difference from FILE
        ",
    );
    let text = saved(&session);
    assert_eq!(text, "port set eth0 urpf strict\n10.0.0.0/8 dev eth0\n");

    let mut session = Session::boots(&text);
    let told = session.types("");
    assert!(told.contains("loaded 1 route and 1 setting from"), "{told}");
    assert_eq!(ports(&mut session), ["eth0 true strict"]);
    session.plays(
        "
        > save
        I200 saved 1 route and 1 setting
        > port del eth0
        I200 deleted port eth0
        > diff json
        {\"change\":\"-\",\"setting\":\"port set eth0 urpf strict\"}
        I200 1 difference from FILE
        "
        .replace("FILE", session.folder.config().to_str().unwrap())
        .as_str(),
    );
    assert_eq!(saved(&session), text);
}

#[test]
fn typed_setting_is_unsaved_until_it_is_saved() {
    let mut session = Session::boots("10.0.0.0/8 dev eth0\n");
    session.types("");
    let unsaved = |session: &mut Session| session.types("version\n").contains("changes unsaved");
    assert!(!unsaved(&mut session));
    session.types("port set eth0\n");
    assert!(unsaved(&mut session));
    session.types("save\n");
    assert!(!unsaved(&mut session));
    // It has the wanted state already.
    session.types("port set eth0\n");
    assert!(!unsaved(&mut session));
    session.types("port set eth0 urpf off\n");
    assert!(unsaved(&mut session));
}

#[test]
fn load_replaces_ports_and_a_mistake_changes_nothing() {
    let mut session = Session::new(false);
    session.types("port set eth0 urpf strict\n");
    let file = session.folder.config();
    for (text, reply) in [
        (
            "port set eth0\nport set eth0 urpf maybe\n",
            "E424 FILE:2:20: expected off, loose, strict or feasible",
        ),
        ("port del eth0\n", "E424 FILE:1:6: expected set"),
        (
            "10.0.0.0/8 dev eth0\n port set lo\n",
            "E422 FILE:2:1: port lo: the loopback device cannot be a port",
        ),
        (
            "port set eth0 forwarding off\n10.0.0.0/8 dev eth0\n10.0.0.0/8 dev eth0\n",
            "E409 FILE:3:1: path is there (File exists (os error 17))",
        ),
        ("prot set eth0\n", "E424 FILE:1:1: expected a prefix"),
    ] {
        fs::write(&file, text).unwrap();
        let told = session.types(format!("load {}\n", file.display()));
        let told = told.replace(file.to_str().unwrap(), "FILE");
        assert!(told.starts_with(reply), "{told}");
        assert_eq!(ports(&mut session), ["eth0 true strict"]);
        assert!(session.kernel().routes().is_empty());
        let shown = session.types("config show\n");
        assert!(shown.starts_with("port set eth0 urpf strict\n"), "{shown}");
    }
    fs::write(
        &file,
        "port set eth0\nport set usb0\nblackhole 10.0.0.0/8\n",
    )
    .unwrap();
    session.plays_with_file(
        "
        > load
        * 1 setting waits for a missing device: usb0
        I200 loaded 1 route and 2 settings from FILE
        > config show
        port set eth0
        port set usb0
        I200 2 settings; `route show` lists the routes
        > port del usb0
        I200 deleted port usb0
        ",
    );
    assert_eq!(ports(&mut session), ["eth0 true off"]);
    fs::write(&file, "blackhole 10.0.0.0/8\n").unwrap();
    session.plays_with_file(
        "
        > load
        I200 loaded 1 route from FILE
        ",
    );
    assert!(ports(&mut session).is_empty());
}

#[test]
fn ports_and_routes_are_committed_together_or_not_at_all() {
    let mut session = Session::new(false);
    session.plays(
        "
        > begin
        I200 edits wait for `commit` from now on
        > port set eth0 urpf loose
        I200 edit 1
        > route add 10.0.0.0/8 dev eth0
        I200 edit 2
        > port set eth0 urpf maybe
          port set eth0 urpf maybe
                             ^^^^^
        E400 column 20: expected off, loose, strict or feasible
        > diff
        + port set eth0 urpf loose
        + 10.0.0.0/8 dev eth0
        I200 2 differences from the table
        > check
        I200 every edit can be made
        > port show
        I200 0 ports
        > commit
        I200 committed 2 edits
        > port show
        eth0 forwarding on urpf loose received 0 forwarded 0 handed-up 0
        I200 1 port
        > begin
        I200 edits wait for `commit` from now on
        > port del eth0
        I200 edit 1
        > port set lo
        I200 edit 2
        > route add 11.0.0.0/8 dev eth0
        I200 edit 3
        > commit
          port set lo
        E422 edit 2: port lo: the loopback device cannot be a port; nothing was changed
        > rollback
        I200 dropped 3 edits
        > begin
        I200 edits wait for `commit` from now on
        > port set eth0 forwarding off
        I200 edit 1
        > route add 10.0.0.0/8 dev eth0
        I200 edit 2
        > commit
          route add 10.0.0.0/8 dev eth0
        E409 edit 2: prefix has a path of this metric; nothing was changed
        > config show
        port set eth0 urpf loose
        I200 1 setting; `route show` lists the routes
        ",
    );
    assert_eq!(ports(&mut session), ["eth0 true loose"]);
    assert_eq!(session.table(), ["10.0.0.0/8 dev eth0"]);
}

#[test]
fn confirmed_commit_rolls_settings_back() {
    let mut session = Session::new(false);
    session.plays(
        "
        > port set eth0 urpf strict
        I200 port eth0
        > begin
        I200 edits wait for `commit` from now on
        > port del eth0
        I200 edit 1
        > route add 10.0.0.0/8 dev eth0
        I200 edit 2
        > commit confirmed 60
        I200 committed 2 edits, for 60 s: `confirm` keeps and saves them
        > port show
        I200 0 ports
        > rollback
        I200 rolled back: restored the paths of 1 prefix and 1 setting
        > config show
        port set eth0 urpf strict
        I200 1 setting; `route show` lists the routes
        ",
    );
    assert_eq!(ports(&mut session), ["eth0 true strict"]);
    session.plays(
        "
        > begin
        I200 edits wait for `commit` from now on
        > port set eth0 urpf off
        I200 edit 1
        > commit confirmed 60
        I200 committed 1 edit, for 60 s: `confirm` keeps and saves them
        > confirm
        I200 confirmed and saved 0 routes and 1 setting
        ",
    );
    assert_eq!(saved(&session), "port set eth0 urpf off\n");
}

/// The routes are published by then, and cannot be taken back.
#[test]
fn forwarding_that_does_not_begin_is_told() {
    let mut session = Session::new(false);
    session.kernel().refuses_forwarding = true;
    session.plays(
        "
        > begin
        I200 edits wait for `commit` from now on
        > route add 10.0.0.0/8 dev eth0
        I200 edit 1
        > port set eth0
        I200 edit 2
        > commit
        W209 committed 2 edits, except: port eth0: out of memory
        ",
    );
    assert_eq!(ports(&mut session), ["eth0 false off"]);
    fs::write(
        session.folder.config(),
        "port set eth0\n10.0.0.0/8 dev eth0\n",
    )
    .unwrap();
    session.plays_with_file(
        "
        > load
        W209 loaded 1 route and 1 setting from FILE, except: port eth0: out of memory
        ",
    );
}

/// Forwarding begins behind the routes, which are published in one step.
#[test]
fn new_port_forwards_when_the_routes_are_there() {
    let mut session = Session::new(false);
    let mut transaction = String::from("begin\nport set eth0\n");
    transaction.push_str("route add 10.0.0.0/8 dev eth0\nroute add 10.0.0.0/8 dev eth0\ncommit\n");
    let told = session.types(transaction);
    assert!(told.contains("E409 edit 3: "), "{told}");
    // The port was there, without forwarding, and is taken back.
    assert!(ports(&mut session).is_empty());
    assert!(
        session
            .types("config show\n")
            .starts_with("I200 0 settings")
    );
}

#[test]
fn settings_beyond_the_limit_are_refused_with_their_line() {
    let mut session = Session::new(false);
    let text: String = (0..130).map(|n| format!("port set e{n}\n")).collect();
    fs::write(session.folder.config(), text).unwrap();
    session.plays_with_file(
        "
        > load
        E507 FILE:129:1: at most 128 ports are configured
        ",
    );
    let text = "port set eth0\n".repeat(1025);
    fs::write(session.folder.config(), text).unwrap();
    session.plays_with_file(
        "
        > load
        E507 FILE:1025:1: at most 1024 settings change at once
        ",
    );
}

#[test]
fn host_name_is_saved_rolled_back_and_shown() {
    let mut session = Session::new(false);
    session.plays_with_file(
        "
        > hostname r1
        I200 host name r1
        > hostname
        r1
        I200 host name
        > save
        I200 saved 0 routes and 1 setting
        > begin
        I200 edits wait for `commit` from now on
        > hostname r2.example.net
        I200 edit 1
        > diff
        - hostname r1
        + hostname r2.example.net
        I200 2 differences from the table
        > hostname
        r1
        I200 host name
        > commit confirmed 60
        I200 committed 1 edit, for 60 s: `confirm` keeps and saves them
        > hostname
        r2.example.net
        I200 host name
        > rollback
        I200 rolled back: restored the paths of 0 prefixes and 1 setting
        > hostname
        r1
        I200 host name
        > hostname r_3
          hostname r_3
                   ^^^
        E400 column 10: expected a name of at most 64 characters: letters, digits, and between them - and .
        > diff
        I200 no difference from FILE
        ",
    );
    assert_eq!(saved(&session), "hostname r1\n");
    let mut session = Session::boots("port set eth0\nhostname r4\n");
    session.types("");
    assert!(session.types("version\n").contains("\nhost r4\n"));
    session.types("save\n");
    assert_eq!(saved(&session), "hostname r4\nport set eth0\n");
}

#[test]
fn multipath_is_saved_committed_and_rolled_back() {
    let mut session = Session::new(false);
    session.plays_with_file(
        "
        > multipath on
        I200 multipath on
        > save
        I200 saved 0 routes and 1 setting
        > begin
        I200 edits wait for `commit` from now on
        > multipath off
        I200 edit 1
        > route add 10.0.0.0/8 dev eth0
        I200 edit 2
        > diff
        - multipath on
        + 10.0.0.0/8 dev eth0
        I200 2 differences from the table
        > multipath
        I200 multipath on
        > check
        I200 every edit can be made
        > commit confirmed 60
        I200 committed 2 edits, for 60 s: `confirm` keeps and saves them
        > multipath
        I200 multipath off
        > rollback
        I200 rolled back: restored the paths of 1 prefix and 1 setting
        > multipath
        I200 multipath on
        > diff
        I200 no difference from FILE
        > multipath off
        I200 multipath off
        > begin
        I200 edits wait for `commit` from now on
        > multipath on
        I200 edit 1
        > commit
        I200 committed 1 edit
        > multipath
        I200 multipath on
        ",
    );
    let text = saved(&session);
    assert_eq!(text, "multipath on\n");

    // A config says what is on, before the routes; the kernel has it with them, or not at all.
    let text = "hostname r1\nmultipath on\nport set eth0\n10.0.0.0/8 dev eth0\n";
    let mut session = Session::boots(text);
    session.types("");
    assert!(session.kernel().multipath);
    session.types("save\n");
    assert_eq!(saved(&session), text);
    let file = session.folder.config();
    for (text, reply) in [
        (
            "10.0.0.0/8 dev eth0\n10.0.0.0/8 dev eth0\n",
            "E409 FILE:2:1: path is there (File exists (os error 17))\n",
        ),
        ("multipath off\n", "E424 FILE:1:11: expected on\n"),
        ("10.0.0.0/8 dev eth0\n", "I200 loaded 1 route from FILE\n"),
        (
            "multipath on\n",
            "I200 loaded 0 routes and 1 setting from FILE\n",
        ),
    ] {
        let had = session.kernel().multipath;
        fs::write(&file, text).unwrap();
        let told = session.types(format!("load {}\n", file.display()));
        assert_eq!(told.replace(file.to_str().unwrap(), "FILE"), reply);
        let has = match reply.starts_with('E') {
            true => had,
            false => text.starts_with("multipath"),
        };
        assert_eq!(session.kernel().multipath, has, "{text}");
    }
}

#[test]
fn edits_that_the_kernel_refuses_leave_multipath_as_it_is() {
    let mut session = Session::new(false);
    session.types("route add 10.0.0.0/8 dev eth0\nbegin\nmultipath on\n");
    session.plays(
        "
        > route add 10.0.0.0/8 dev eth0
        I200 edit 2
        > commit
          route add 10.0.0.0/8 dev eth0
        E409 edit 2: prefix has a path of this metric; nothing was changed
        > rollback
        I200 dropped 2 edits
        > multipath
        I200 multipath off
        > config show
        I200 0 settings; `route show` lists the routes
        ",
    );
}

#[test]
fn dhcp_is_saved_without_what_it_teaches() {
    let mut session = Session::new(false);
    session.plays_with_file(
        "
        > dhcp eth0 on
        I200 DHCP on eth0
        > dhcp
        eth0 searching
        I200 1 DHCP client
        > port set eth0
        I200 port eth0
        > route add default via 192.0.2.1 dev eth0 metric 1024 proto dhcp
        I200 added 0.0.0.0/0
        > route add 10.0.0.0/8 dev eth0
        I200 added 10.0.0.0/8
        > save
        I200 saved 1 route and 2 settings
        > diff
        I200 no difference from FILE
        > dhcp usb0 on
          dhcp usb0 on
               ^^^^
        E406 device usb0 does not exist
        > begin
        I200 edits wait for `commit` from now on
        > dhcp eth0 off
        I200 edit 1
        > dhcp
        eth0 searching
        I200 1 DHCP client
        > diff
        - dhcp eth0 on
        I200 1 difference from the table
        > commit confirmed 60
        I200 committed 1 edit, for 60 s: `confirm` keeps and saves them
        > dhcp
        I200 0 DHCP clients
        > rollback
        I200 rolled back: restored the paths of 0 prefixes and 1 setting
        > config show
        port set eth0
        dhcp eth0 on
        I200 2 settings; `route show` lists the routes
        > dhcp eth0 off
        I200 DHCP on eth0 is off
        ",
    );
    let text = saved(&session);
    assert_eq!(text, "port set eth0\ndhcp eth0 on\n10.0.0.0/8 dev eth0\n");

    let mut session = Session::boots(&text);
    session.types("");
    let folder = session.folder.0.join("run.leases");
    fs::create_dir(&folder).unwrap();
    let lease = "address 192.0.2.10\nsubnet 255.255.255.0\nrouter 192.0.2.1\n\
                 server 192.0.2.2\nseconds 4294967295\nsince 0\n";
    fs::write(folder.join("eth0"), lease).unwrap();
    session.plays(
        "
        > dhcp
        eth0 leased 192.0.2.10/24 via 192.0.2.1 server 192.0.2.2
        I200 1 DHCP client
        > dhcp show json
        {\"dev\":\"eth0\",\"state\":\"leased\",\"address\":\"192.0.2.10\",\"len\":24,\"gateway\":\"192.0.2.1\",\"server\":\"192.0.2.2\"}
        I200 1 DHCP client
        > address add 192.0.2.10/24 dev eth0
        I200 192.0.2.10/24 dev eth0
        > dhcp
        eth0 bound 192.0.2.10/24 via 192.0.2.1 server 192.0.2.2
        I200 1 DHCP client
        > dhcp show json
        {\"dev\":\"eth0\",\"state\":\"bound\",\"address\":\"192.0.2.10\",\"len\":24,\"gateway\":\"192.0.2.1\",\"server\":\"192.0.2.2\"}
        I200 1 DHCP client
        ",
    );
    let refused = lease.replace("router 192.0.2.1", "router 198.51.100.1");
    fs::write(folder.join("eth0"), refused).unwrap();
    session.plays(
        "
        > dhcp show
        eth0 bound 192.0.2.10/24 server 192.0.2.2 refused-gateway 198.51.100.1
        I200 1 DHCP client
        ",
    );
    let wrong = lease.replace("seconds 4294967295", "seconds 0");
    fs::write(folder.join("eth0"), wrong).unwrap();
    session.plays(
        "
        > dhcp show json
        {\"dev\":\"eth0\",\"state\":\"refused\",\"error\":\"the lease lasts 0 seconds\"}
        I200 1 DHCP client
        > dhcp show yaml
          dhcp show yaml
                    ^^^^
        E400 column 11: expected on or off
        ",
    );
    fs::remove_file(folder.join("eth0")).unwrap();
    session.plays(
        "
        > dhcp show json
        {\"dev\":\"eth0\",\"state\":\"searching\"}
        I200 1 DHCP client
        ",
    );
}
