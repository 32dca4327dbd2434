// SPDX-License-Identifier: MIT OR Apache-2.0
//! `nl31ctl import` as a program: its files, its exit statuses and what it says.
#![allow(missing_docs)]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use nl31_ctl::commands::file::RouteFile;
use nl31_route::Prefix;
use tempfile::TempDir;

const LIST: &str = "default via 192.0.2.1 dev eth0 proto dhcp\n\
                    10.0.0.0/8 via 192.0.2.2 dev eth0 mtu 1400\n\
                    192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.9\n";

const TAKEN: &str = "0.0.0.0/0 via 192.0.2.1 dev eth0 proto dhcp\n\
                     192.0.2.0/24 dev eth0 proto kernel\n";

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// `nl31ctl import`, in this folder.
    fn import(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nl31ctl"));
        let command = command.arg("import").args(arguments);
        command.current_dir(self.0.path()).output().unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn check(output: &Output, status: i32, out: &str, errors: &[&str]) {
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{stdout}{stderr}");
    assert_eq!(stdout, out);
    for error in errors {
        assert!(stderr.contains(error), "{error}: {stderr}");
    }
}

#[test]
fn a_list_is_printed_as_a_config_and_the_rest_is_told() {
    let folder = Folder::new();
    folder.file("list", LIST);
    let told = [
        "nl31ctl: list:2:1: mtu: nl31 has no MTU of a route",
        "nl31ctl: 1 place was not understood; --strict refuses such a file\n",
        "nl31ctl: ignored words: src\n",
        "nl31ctl: ignored words: scope\n",
    ];
    check(&folder.import(&["list"]), 0, TAKEN, &told);
    check(&folder.import(&["list", "--output", "-"]), 0, TAKEN, &told);
}

#[test]
fn standard_input_is_read_and_json_warns_in_json() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nl31ctl"));
    command.args(["--json", "import", "-"]);
    let mut ctl = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = ctl.stdin.take().unwrap();
    input.write_all(LIST.as_bytes()).unwrap();
    drop(input);
    let told = ["{\"warning\":\"-:2:1: mtu:"];
    check(&ctl.wait_with_output().unwrap(), 0, TAKEN, &told);
}

#[test]
fn strict_refuses_with_status_1_and_writes_nothing() {
    let folder = Folder::new();
    folder.file("list", LIST);
    let told =
        ["nl31ctl: list: 1 place is not understood; --strict takes nothing of such a file\n"];
    check(&folder.import(&["--strict", "list"]), 1, "", &told);
    folder.file("out", "before");
    let into = folder.import(&["--strict", "--output", "out", "list"]);
    check(&into, 1, "", &told);
    // Before a port is opened.
    let load = folder.import(&["--strict", "--load", "list"]);
    check(&load, 1, "", &told);
    assert_eq!(folder.names(), ["list", "out"]);
    assert_eq!(
        std::fs::read(folder.0.path().join("out")).unwrap(),
        b"before"
    );
    folder.file("right", TAKEN);
    check(&folder.import(&["--strict", "right"]), 0, TAKEN, &[]);
}

#[test]
fn an_output_file_is_whole_and_loads_or_is_not_touched() {
    let folder = Folder::new();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(LIST.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    folder.file("list.gz", &gzip);
    folder.file("cut.gz", &gzip[..gzip.len() - 5]);
    let done = folder.import(&["list.gz", "--output", "out"]);
    check(&done, 0, "imported 2 routes to out\n", &[]);
    let out = folder.0.path().join("out");
    assert_eq!(text(&std::fs::read(&out).unwrap()), TAKEN);
    assert_eq!(RouteFile::open(&out).unwrap().routes(), 2);
    let cut = folder.import(&["cut.gz", "--output", "out"]);
    check(&cut, 6, "", &["nl31ctl: cut.gz: byte "]);
    folder.file("none", "\n");
    let none = folder.import(&["none", "--format", "ip", "--output", "out"]);
    check(&none, 6, "", &["nl31ctl: none: no route was found\n"]);
    check(&folder.import(&["cut.gz"]), 6, "", &[]);
    assert_eq!(text(&std::fs::read(&out).unwrap()), TAKEN);
    assert_eq!(folder.names(), ["cut.gz", "list.gz", "none", "out"]);
    let missing = folder.import(&["missing"]);
    check(&missing, 6, "", &["nl31ctl: missing: No such file"]);
}

#[test]
fn wrong_arguments_have_status_2() {
    let folder = Folder::new();
    folder.file("list", LIST);
    let hop = folder.import(&["--next-hop", "64496=192.0.2.1", "list"]);
    check(
        &hop,
        2,
        "",
        &["--next-hop is for MRT, and this file is of format ip"],
    );
    for arguments in [
        &["--next-hop", "64496", "list"][..],
        &["--format", "xml", "list"],
        &["--load", "--replace", "list"],
        &["--load", "--output", "out", "list"],
        &[],
    ] {
        let output = folder.import(arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
    let no_agent = folder.import(&["--socket", "none.sock", "--load", "list"]);
    check(&no_agent, 5, "", &[]);
}

/// Some prefixes, or the real table that `NL31_PREFIXES` names.
fn table() -> Vec<Prefix> {
    let Ok(file) = std::env::var("NL31_PREFIXES") else {
        let v4 = (0..3000_u32).map(|i| format!("10.{}.{}.0/24", i >> 8, i & 255));
        let v6 = (0..500).map(|i| format!("2001:db8:{i:x}::/48"));
        return v4.chain(v6).map(|text| text.parse().unwrap()).collect();
    };
    let bytes = std::fs::read(&file).expect("NL31_PREFIXES is a file");
    let mut text = String::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let read = MultiGzDecoder::new(&*bytes).read_to_string(&mut text);
        read.expect("the file is whole");
    } else {
        text = String::from_utf8(bytes).expect("the file is text");
    }
    let mut table: Vec<Prefix> = text.lines().map(|line| line.parse().unwrap()).collect();
    table.sort();
    table.dedup();
    table
}

fn record(subtype: u16, body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u32).to_be_bytes();
    [&[0, 0, 0, 0, 0, 13][..], &subtype.to_be_bytes(), &len, body].concat()
}

/// A dump of two peers, AS 64496 at 192.0.2.1 and AS 64497 at 192.0.2.2, with the longer path
/// first.
fn dump(table: &[Prefix]) -> Vec<u8> {
    let mut peers = vec![0; 6];
    peers.extend([0, 2]);
    for peer in 1..=2 {
        peers.extend([0, 0, 0, 0, 0, 192, 0, 2, peer, 0xfb, 0xef + peer]);
    }
    let mut dump = record(1, &peers);
    for prefix in table {
        let mut body = vec![0, 0, 0, 0, prefix.len()];
        let bytes = usize::from(prefix.len().div_ceil(8));
        let (subtype, hop) = match prefix.address() {
            std::net::IpAddr::V4(address) => {
                body.extend(&address.octets()[..bytes]);
                (2, [&[0x40, 3, 4][..], &[192, 0, 2]].concat())
            }
            std::net::IpAddr::V6(address) => {
                body.extend(&address.octets()[..bytes]);
                let hop = [&[0x20, 1, 0x0d, 0xb8][..], &[0; 11]].concat();
                (4, [&[0x80, 14, 17, 16][..], &hop].concat())
            }
        };
        body.extend([0, 2]);
        for peer in [0, 1] {
            let path_len = 3 - peer;
            let path = [
                &[0x40, 2, 2 + 4 * path_len, 2, path_len][..],
                &vec![0; usize::from(4 * path_len)],
            ]
            .concat();
            let attributes = [path, hop.clone(), vec![peer + 1]].concat();
            body.extend([0, peer, 0, 0, 0, 0, 0, attributes.len() as u8]);
            body.extend(attributes);
        }
        dump.extend(record(subtype, &body));
    }
    dump
}

fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(String::from).collect()
}

#[test]
fn an_mrt_dump_of_a_table_gives_the_peers_routes() {
    let folder = Folder::new();
    let table = table();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&dump(&table)).unwrap();
    folder.file("rib.gz", gzip.finish().unwrap());
    let out = folder.0.path().join("out");
    let done = folder.import(&["--strict", "rib.gz", "--output", "out"]);
    let count = table.len();
    check(&done, 0, &format!("imported {count} routes to out\n"), &[]);
    let shortest = |prefix: &Prefix| match prefix.address().is_ipv4() {
        true => format!("{prefix} via 192.0.2.2 proto bgp"),
        false => format!("{prefix} via 2001:db8::2 proto bgp"),
    };
    assert!(lines(&out) == table.iter().map(shortest).collect::<Vec<_>>());
    let hops = [
        "--next-hop",
        "AS64496=10.0.0.9",
        "--next-hop",
        "192.0.2.1=fe80::9%eth1",
    ];
    let rest = ["--strict", "rib.gz", "--output", "out"];
    let done = folder.import(&[&hops[..], &rest].concat());
    check(&done, 0, &format!("imported {count} routes to out\n"), &[]);
    let chosen = |prefix: &Prefix| match prefix.address().is_ipv4() {
        true => format!("{prefix} via 10.0.0.9 proto bgp"),
        false => format!("{prefix} via fe80::9 dev eth1 proto bgp"),
    };
    assert!(lines(&out) == table.iter().map(chosen).collect::<Vec<_>>());
    let wrong = folder.import(&["--next-hop", "64999=10.0.0.9", "rib.gz"]);
    let told = "the dump has no peer AS 64999; it has 192.0.2.1 (AS 64496), 192.0.2.2 (AS 64497)";
    check(&wrong, 2, "", &[told]);
}

/// A full bview has gigabytes; the program must not have them too.
#[test]
fn four_gigabytes_are_read_in_the_memory_of_a_few_records() {
    let folder = Folder::new();
    let mut records = dump(&["10.0.0.0/8".parse().unwrap()]);
    records.extend([0, 0, 0, 0, 0, 13, 0, 99, 0xff, 0xff, 0xff, 0xff]);
    let len = records.len() as u64;
    let path = folder.file("huge", records);
    // A file with a hole.
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_len(len + u64::from(u32::MAX)).unwrap();
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -v 200000; exec \"$0\" import huge"])
        .arg(env!("CARGO_BIN_EXE_nl31ctl"))
        .current_dir(folder.0.path());
    let output = command.output().unwrap();
    let told = format!(
        "huge: byte {}: a record of the unknown subtype 99",
        len - 12
    );
    check(&output, 0, "10.0.0.0/8 via 192.0.2.2 proto bgp\n", &[&told]);
}
