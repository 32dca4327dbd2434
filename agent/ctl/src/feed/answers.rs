// SPDX-License-Identifier: MIT OR Apache-2.0
//! What zebra is told of its routes: that the board has them, or has refused them, by the flags
//! with which Linux tells what a switch does. Each route waits once, however often it changed, so
//! that a zebra that does not read costs no more than its own table.

use std::collections::BTreeMap;
use std::net::IpAddr;

use nix::libc;
use nl31_route::{DeviceName, Path, PathKind, Protocol};

use super::fpm;
use super::shadow::Key;

const RTM_F_OFFLOAD: u32 = 0x4000;
const RTM_F_OFFLOAD_FAILED: u32 = 0x2000_0000;
const SCOPE_UNIVERSE: u8 = 0;
/// In the header, for tables whose number does not fit there.
const TABLE_COMPAT: u8 = 252;

/// What zebra is told of one route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The route.
    pub key: Key,
    /// What installed it, by the numbers of `RTPROT_*`.
    pub protocol: Protocol,
    /// Its type.
    pub kind: PathKind,
    /// The board has it; else it has refused it.
    pub is_installed: bool,
}

/// The answers that zebra has not got yet.
#[derive(Debug, Default)]
pub struct Answers(BTreeMap<Key, (Protocol, PathKind, bool)>);

impl Answers {
    /// Zebra is to be told that the board has these paths, or has refused them.
    pub fn add(&mut self, key: Key, paths: &[Path<DeviceName>], is_installed: bool) {
        if let Some(path) = paths.first() {
            let answer = (path.protocol, path.kind, is_installed);
            self.0.insert(key, answer);
        }
    }

    /// Zebra is to be told that a board cannot have the route.
    pub fn refuse(&mut self, key: Key, protocol: Protocol) {
        let answer = (protocol, PathKind::Unicast, false);
        self.0.insert(key, answer);
    }

    /// Zebra has deleted the route, or says another one in its place.
    pub fn remove(&mut self, key: Key) {
        self.0.remove(&key);
    }

    /// None of them is of use any more.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes up to `limit` of them.
    pub fn take(&mut self, limit: usize) -> Vec<Answer> {
        let mut answers = Vec::new();
        while answers.len() < limit
            && let Some((key, (protocol, kind, is_installed))) = self.0.pop_first()
        {
            answers.push(Answer {
                key,
                protocol,
                kind,
                is_installed,
            });
        }
        answers
    }
}

impl Answer {
    /// A frame for zebra, with the one message of which zebra reads no more than this: prefix,
    /// table, protocol and flags. It has no next hops, which zebra does not ask for.
    pub fn frame(&self, table: u32) -> Vec<u8> {
        let (prefix, metric) = self.key;
        let flags = match self.is_installed {
            true => RTM_F_OFFLOAD,
            false => RTM_F_OFFLOAD_FAILED,
        };
        let (family, octets) = match prefix.address() {
            IpAddr::V4(address) => (libc::AF_INET, address.octets().to_vec()),
            IpAddr::V6(address) => (libc::AF_INET6, address.octets().to_vec()),
        };
        // As Linux has it: RTA_TABLE counts, and the header's byte holds what fits there.
        let short = u8::try_from(table).unwrap_or(TABLE_COMPAT);
        let mut payload = vec![family as u8, prefix.len(), 0, 0, short];
        payload.extend([self.protocol.0, SCOPE_UNIVERSE, self.kind as u8]);
        payload.extend(flags.to_ne_bytes());
        attribute(&mut payload, libc::RTA_DST, &octets);
        attribute(&mut payload, libc::RTA_TABLE, &table.to_ne_bytes());
        attribute(&mut payload, libc::RTA_PRIORITY, &metric.to_ne_bytes());
        let mut message = Vec::new();
        message.extend((16 + payload.len() as u32).to_ne_bytes());
        message.extend(libc::RTM_NEWROUTE.to_ne_bytes());
        // Zebra ignores a message without this flag.
        message.extend((libc::NLM_F_REQUEST as u16).to_ne_bytes());
        message.extend([0; 8]);
        message.extend(payload);
        let mut frame = fpm::header(message.len()).to_vec();
        frame.extend(message);
        frame
    }
}

fn attribute(bytes: &mut Vec<u8>, kind: u16, payload: &[u8]) {
    // All payloads are of 4 or 16 bytes.
    bytes.extend((4 + payload.len() as u16).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(prefix: &str) -> Key {
        (prefix.parse().unwrap(), 20)
    }

    fn paths() -> Vec<Path<DeviceName>> {
        let route = "10.0.0.0/8 via 192.0.2.1 metric 20 proto bgp";
        let route: nl31_route::Route<DeviceName> = route.parse().unwrap();
        vec![route.path]
    }

    /// As FRR's developers' guide has it: an FPM header, `RTM_NEWROUTE` as a request, flags.
    #[test]
    fn frames_are_those_that_zebra_reads() {
        let mut answers = Answers::default();
        answers.add(key("10.0.0.0/8"), &paths(), true);
        answers.add(key("2001:db8::/32"), &paths(), false);
        let frames: Vec<_> = answers
            .take(9)
            .iter()
            .map(|answer| answer.frame(254))
            .collect();
        let mut expected = vec![1, 1, 0, 56];
        expected.extend([52, 0, 0, 0, 24, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend([2, 8, 0, 0, 254, 186, 0, 1, 0, 0x40, 0, 0]);
        expected.extend([8, 0, 1, 0, 10, 0, 0, 0]);
        expected.extend([8, 0, 15, 0, 254, 0, 0, 0]);
        expected.extend([8, 0, 6, 0, 20, 0, 0, 0]);
        assert_eq!(frames[0], expected);
        assert_eq!(
            frames[1][20..32],
            [10, 32, 0, 0, 254, 186, 0, 1, 0, 0, 0, 0x20]
        );
    }

    #[test]
    fn last_word_on_a_route_counts() {
        let mut answers = Answers::default();
        let (first, second) = (key("10.0.0.0/8"), key("11.0.0.0/8"));
        answers.add(first, &paths(), false);
        answers.add(first, &paths(), true);
        answers.add(second, &paths(), true);
        answers.remove(second);
        let taken = answers.take(9);
        assert_eq!(taken.len(), 1);
        assert!(taken[0].key == first && taken[0].is_installed);
        assert!(answers.is_empty());
    }
}
