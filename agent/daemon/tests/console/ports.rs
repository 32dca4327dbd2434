// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ports: devices that forward.

use crate::session::Session;

#[test]
fn ports_are_set_shown_and_ended() {
    let mut session = Session::new(false);
    session.plays(
        "
        > port show
        I200 0 ports
        > port set eth0
        I200 port eth0
        > port set eth0 urpf strict
        I200 port eth0
        > port show
        eth0 forwarding on urpf strict received 0 forwarded 0 handed-up 0
        I200 1 port
        > port del eth0
        I200 deleted port eth0
        > port del eth0
        E404 port eth0: the device is no port
        ",
    );
    session.types("port set eth0 forwarding off\n");
    let json = session.types("port show json\n");
    let start = r#"{"dev":"eth0","forwarding":false,"urpf":"off","received":0,"#;
    assert!(json.starts_with(start), "{json}");
}

#[test]
fn port_error_names_column_or_device() {
    let mut session = Session::new(false);
    session.plays(
        "
        > port set eth0 urpf maybe
          port set eth0 urpf maybe
                             ^^^^^
        E400 column 20: expected off, loose, strict or feasible
        > port set usb0
          port set usb0
                   ^^^^
        E406 device usb0 does not exist
        > port set eth1
        E406 port eth1: no such device
        > port set lo
        E422 port lo: the loopback device cannot be a port
        ",
    );
}
