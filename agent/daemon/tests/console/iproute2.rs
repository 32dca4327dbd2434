// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lines that were written for iproute2, and what only its lists show.

use crate::session::Session;

#[test]
fn iproute2_lines_are_accepted_and_ignored_words_named() {
    let mut session = Session::new(false);
    session.plays(
        "
        > ip route add 198.51.100.0/24 dev eth0 proto kernel scope link linkdown
        W208 added 198.51.100.0/24; ignored: scope, linkdown
        > ip -6 ro ad 2001:db8:15::/64 dev eth0 protocol ra metric 1024 expires 86000sec pref medium
        W208 added 2001:db8:15::/64; ignored: pref, expires
        > ip -6 r a unreachable default dev lo metric 1024 error -113
        W208 added ::/0; ignored: error, dev lo
        > ip r a default via 192.0.2.1 dev eth0 proto dhcp metric 100
        I200 added 0.0.0.0/0
        > ip -4 r
        0.0.0.0/0 via 192.0.2.1 dev eth0 metric 100 proto dhcp
        198.51.100.0/24 dev eth0 proto kernel
        I200 2 routes
        > ip -6 route flush dev eth0 scope link
        W208 flushed; ignored: scope
        > route show
        0.0.0.0/0 via 192.0.2.1 dev eth0 metric 100 proto dhcp
        198.51.100.0/24 dev eth0 proto kernel
        unreachable ::/0 metric 1024
        I200 3 routes
        > ip -4 route add 2001:db8::/32 dev eth0
          ip -4 route add 2001:db8::/32 dev eth0
                          ^^^^^^^^^^^^^
        E400 column 17: `ip -4` takes IPv4 prefixes alone: remove -4, or write another prefix
        > ip route get 192.0.2.9 from 198.51.100.1
          ip route get 192.0.2.9 from 198.51.100.1
                                 ^^^^
        E400 column 24: routes are looked up by destination alone: write the address only
        > begin
        I200 edits wait for `commit` from now on
        > ip -6 route add default dev eth0 scope link
        W208 edit 1; ignored: scope
        > diff
        + ::/0 dev eth0
        I200 1 difference from the table
        > rollback
        I200 dropped 1 edit
        ",
    );
}

#[test]
fn ignored_iproute2_words_of_config_are_named_once() {
    let mut session =
        Session::boots("10.0.0.0/8 dev eth0 scope link\n11.0.0.0/8 dev eth0 scope link\n");
    let path = session.folder.config().display().to_string();
    assert_eq!(
        session.types(""),
        format!("* loaded 2 routes from {path}\n* {path}: ignored: scope\n")
    );
    session.plays_with_file("> load\nW208 loaded 2 routes from FILE; ignored: scope");
}
