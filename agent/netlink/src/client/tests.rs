// SPDX-License-Identifier: MIT OR Apache-2.0
//! Requests and answers over a kernel in memory.

use super::*;
use crate::FakeKernel;
use crate::transport::ReceiveError;
use nix::libc;
use nl31_route::{DeviceName, Syntax};

fn client() -> Client<FakeKernel> {
    Client::with_timeout(FakeKernel::default(), Duration::ZERO)
}

/// A kernel that says nothing.
struct Mute;

impl Transport for Mute {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn receive(&mut self, _: Instant) -> Result<Option<Message>, ReceiveError> {
        Ok(None)
    }
}

#[test]
fn a_dump_is_not_waited_for_without_end() {
    let mut client = Client::new(Mute);
    let mut dump = client.dump(&Spec::default()).unwrap();
    assert!(matches!(client.poll_next(&mut dump), Ok(Step::Pending)));
    let mut client = Client::with_timeout(Mute, Duration::ZERO);
    let mut dump = client.dump(&Spec::default()).unwrap();
    let error = client.poll_next(&mut dump).unwrap_err();
    assert!(matches!(error.kind, ErrorKind::TimedOut), "{error}");
    // Nor by the next one.
    client.dump(&Spec::default()).unwrap();
}

fn route(text: &str) -> Route<Device> {
    let route: Route<DeviceName> = text.parse().unwrap();
    route.map_device(Device::Name)
}

fn spec(text: &str) -> Spec<Device> {
    let spec = Syntax::CONFIG.parse(text, 0).unwrap().spec;
    spec.map_device(Device::Name)
}

fn table(client: &mut Client<FakeKernel>) -> Vec<String> {
    client
        .transport()
        .routes()
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn dumped(client: &mut Client<FakeKernel>, filter: &str) -> (Vec<String>, bool) {
    let mut dump = client.dump(&spec(filter)).unwrap();
    let mut routes = Vec::new();
    loop {
        match client.next(&mut dump).unwrap() {
            Step::Route(route, _) => routes.push(route.to_string()),
            Step::Pending => unreachable!(),
            Step::End { interrupted } => return (routes, interrupted),
        }
    }
}

#[test]
fn greets_and_pings() {
    let mut client = client();
    let greeting = client.greet(Some("hé")).unwrap();
    assert_eq!(greeting.text, "hello, port 1234: hé");
    assert_eq!((greeting.port, greeting.abi), (1234, ABI_VERSION));
    client.ping().unwrap();
}

#[test]
fn changes_have_the_meaning_of_ip_route() {
    let mut client = client();
    client
        .add(Add::Add, &route("10.0.0.0/8 via 192.0.2.1"))
        .unwrap();
    let error = client
        .add(Add::Add, &route("10.0.0.0/8 via 192.0.2.2"))
        .unwrap_err();
    assert_eq!(error.errno(), Some(libc::EEXIST));
    client
        .add(Add::Replace, &route("10.0.0.0/8 via 192.0.2.2"))
        .unwrap();
    client
        .add(Add::Append, &route("10.0.0.0/8 dev eth0"))
        .unwrap();
    let error = client
        .add(Add::Change, &route("10.0.0.0/8 dev eth0 metric 5"))
        .unwrap_err();
    assert_eq!(error.errno(), Some(libc::ENOENT));
    client
        .add(Add::Add, &route("blackhole 10.0.0.0/8 metric 5"))
        .unwrap();
    assert_eq!(
        table(&mut client),
        [
            "10.0.0.0/8 via 192.0.2.2",
            "10.0.0.0/8 dev eth0",
            "blackhole 10.0.0.0/8 metric 5"
        ]
    );

    assert_eq!(
        client.delete(&spec("10.0.0.0/8")).unwrap_err().errno(),
        Some(libc::ENOTEMPTY)
    );
    client.delete(&spec("10.0.0.0/8 dev eth0")).unwrap();
    assert_eq!(
        client.delete(&spec("11.0.0.0/8")).unwrap_err().errno(),
        Some(libc::ESRCH)
    );
    client.delete_prefix("10.0.0.0/8".parse().unwrap()).unwrap();
    assert!(table(&mut client).is_empty());
}

#[test]
fn an_error_says_what_the_kernel_said() {
    let mut client = client();
    client.transport().devices.clear();
    let route = route("10.0.0.0/8 dev eth0").map_device(|_| Device::Index(2));
    let error = client.add(Add::Add, &route).unwrap_err();
    assert_eq!(error.op, Op::Add);
    assert_eq!(
        error.to_string(),
        "add (request 1): no such device (No such device (os error 19)) at byte 32"
    );
}

#[test]
fn looks_up_the_longest_match() {
    let mut client = client();
    for text in [
        "default via 192.0.2.1",
        "10.0.0.0/8 dev eth0",
        "10.1.0.0/16 dev eth0",
    ] {
        client.add(Add::Add, &route(text)).unwrap();
    }
    let mut found = |text: &str| client.lookup(text.parse().unwrap()).map(|r| r.to_string());
    assert_eq!(found("10.1.2.3").unwrap(), "10.1.0.0/16 dev eth0");
    assert_eq!(found("10.2.0.0/15").unwrap(), "10.0.0.0/8 dev eth0");
    assert_eq!(found("11.0.0.1").unwrap(), "0.0.0.0/0 via 192.0.2.1");
    assert_eq!(found("::1").unwrap_err().errno(), Some(libc::ENETUNREACH));
}

#[test]
fn a_path_by_name_waits_for_its_device_and_one_by_index_goes_with_it() {
    let mut client = client();
    let name = route("10.0.0.0/8 dev eth0");
    let index = route("11.0.0.0/8 dev eth0").map_device(|_| Device::Index(2));
    let behind = route("10.0.0.0/8 via 192.0.2.1 metric 5");
    for route in [&name, &index, &behind] {
        client.add(Add::Append, route).unwrap();
    }
    let dump = |client: &mut Client<FakeKernel>, device: Option<Device>| {
        let filter = Spec {
            device,
            ..Spec::default()
        };
        let mut dump = client.dump(&filter).unwrap();
        let mut found = Vec::new();
        while let Step::Route(route, flags) = client.next(&mut dump).unwrap() {
            found.push((route, flags.0));
        }
        found
    };
    assert_eq!(
        dump(&mut client, None),
        [
            (name.clone(), 0),
            (behind.clone(), FLAG_STANDBY),
            (index.clone(), 0)
        ]
    );
    // The index selects both.
    let both = [(name.clone(), 0), (index, 0)];
    assert_eq!(dump(&mut client, Some(Device::Index(2))), both);
    client.transport().unplug("eth0");
    let gone = FLAG_DEAD | FLAG_LINKDOWN;
    let left = [(name.clone(), gone), (behind.clone(), 0)];
    assert_eq!(dump(&mut client, None), left);
    assert_eq!(dump(&mut client, name.path.device.clone()), left[..1]);
    let address = "10.0.0.1".parse().unwrap();
    assert_eq!(client.lookup(address).unwrap(), behind);
    let again = crate::FakeDevice::new(7, "eth0");
    client.transport().devices.push(again);
    assert_eq!(client.lookup(address).unwrap(), name);
}

#[test]
fn dumps_are_streamed_and_filtered() {
    let mut client = client();
    for i in 0..100u8 {
        client
            .add(Add::Add, &route(&format!("10.{i}.0.0/16 via 192.0.2.1")))
            .unwrap();
    }
    client
        .add(Add::Add, &route("blackhole 10.0.0.0/8"))
        .unwrap();
    assert_eq!(dumped(&mut client, "").0.len(), 101);
    assert_eq!(dumped(&mut client, "blackhole").0, ["blackhole 10.0.0.0/8"]);
    assert_eq!(
        dumped(&mut client, "10.64.0.0/10 via 192.0.2.1").0.len(),
        36
    );
    client.transport().interrupt_dump = true;
    assert!(dumped(&mut client, "").1);
    assert_eq!(dumped(&mut client, "192.0.2.0/24"), (vec![], false));
}

#[test]
fn a_dump_tells_the_generation_that_it_shows() {
    let mut client = client();
    let generation = |client: &mut Client<FakeKernel>, spec: &Spec<Device>| {
        let mut dump = client.dump(spec).unwrap();
        while !matches!(client.next(&mut dump).unwrap(), Step::End { .. }) {}
        dump.generation()
    };
    assert_eq!(generation(&mut client, &Spec::default()), Some(0));
    client.transport().change_between = Some(route("10.0.0.0/8 dev eth0"));
    assert_eq!(generation(&mut client, &Spec::default()), Some(1));
    client.add(Add::Add, &route("11.0.0.0/8 dev eth0")).unwrap();
    assert_eq!(generation(&mut client, &Spec::default()), Some(2));
}

#[test]
fn a_dump_given_up_does_not_disturb_what_follows() {
    let mut client = client();
    for i in 0..100u8 {
        client
            .add(Add::Add, &route(&format!("10.{i}.0.0/16 dev eth0")))
            .unwrap();
    }
    let mut dump = client.dump(&Spec::default()).unwrap();
    client.next(&mut dump).unwrap();
    assert_eq!(client.greet(None).unwrap().text, "hello, port 1234: world");
    assert_eq!(dumped(&mut client, "").0.len(), 100);
    client.dump(&Spec::default()).unwrap();
    assert_eq!(dumped(&mut client, "").0.len(), 100);
}

#[test]
fn a_flush_takes_what_the_filter_names() {
    let mut client = client();
    for text in [
        "10.0.0.0/8 dev eth0",
        "10.1.0.0/16 dev eth0",
        "10.1.0.0/24 via 192.0.2.1",
    ] {
        client.add(Add::Add, &route(text)).unwrap();
    }
    client.delete_all(&spec("10.1.0.0/16 dev eth0")).unwrap();
    assert_eq!(
        table(&mut client),
        ["10.0.0.0/8 dev eth0", "10.1.0.0/24 via 192.0.2.1"]
    );
    client.delete_all(&Spec::default()).unwrap();
    assert!(table(&mut client).is_empty());
}

#[test]
fn answers_to_others_are_skipped_and_silence_ends() {
    let mut client = client();
    // A DONE for request 99, which this client never made.
    let mut stray = Datagram::new(Datagram::ONE);
    stray.push(&Request::Done, 0, 99).unwrap();
    client.transport().inject(stray.bytes().to_vec());
    client.ping().unwrap();

    client.transport().mute = true;
    let error = client.ping().unwrap_err();
    assert!(matches!(error.kind, ErrorKind::TimedOut), "{error}");
}

#[test]
fn a_noop_answers_nothing_and_is_passed_over() {
    let mut client = client();
    let mut noop = Datagram::new(Datagram::ONE);
    noop.push(&Request::Noop, 0, 1).unwrap();
    client.transport().inject(noop.bytes().to_vec());
    let mut dump = client.dump(&Spec::default()).unwrap();
    let step = client.next(&mut dump).unwrap();
    assert!(matches!(step, Step::End { .. }), "{step:?}");
}

#[test]
fn damage_and_loss_are_errors_and_pass() {
    let mut client = client();
    client.transport().inject(vec![1, 2, 3]);
    let error = client.ping().unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Malformed(_)), "{error}");
    client.transport().overrun = true;
    let error = client.ping().unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Overrun), "{error}");
    client.ping().unwrap();
    // Lost with the end of a dump: the next one must not wait for that end.
    client.dump(&Spec::default()).unwrap();
    client.transport().overrun = true;
    client.ping().unwrap_err();
    assert_eq!(dumped(&mut client, "").0.len(), 0);
}

#[test]
fn numbers_of_requests_never_are_that_of_events() {
    let mut client = client();
    client.next_seq = u32::MAX - 2;
    for _ in 0..5 {
        client.ping().unwrap();
        assert_ne!(client.next_seq, 0);
    }
    client.next_seq = u32::MAX - 2;
    assert_eq!(client.reserve(100), 1);
}

#[test]
fn changes_need_the_capability() {
    let mut client = client();
    client.transport().admin = false;
    let error = client
        .add(Add::Add, &route("10.0.0.0/8 dev eth0"))
        .unwrap_err();
    assert_eq!(error.errno(), Some(libc::EPERM));
    client.greet(None).unwrap();
}

#[test]
fn counts_the_table() {
    let mut client = client();
    client.add(Add::Add, &route("10.0.0.0/8 dev eth0")).unwrap();
    client
        .add(Add::Append, &route("10.0.0.0/8 via 192.0.2.1"))
        .unwrap();
    client.add(Add::Add, &route("::/0 dev eth0")).unwrap();
    let table = client.table().unwrap();
    assert_eq!(
        (table.routes4, table.paths4, table.routes6, table.paths6),
        (1, 2, 1, 1)
    );
    assert_eq!(table.generation, 3);
}
