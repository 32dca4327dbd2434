// SPDX-License-Identifier: MIT OR Apache-2.0
//! Requests of rtnetlink and their answers.

use std::io;

use nix::libc;

use crate::abi::*;
use crate::client::{Client, io_error, refused};
use crate::error::{Error, ErrorKind, Op};
use crate::message::{Body, KernelError, KernelText, decode, split};
use crate::request::Datagram;
use crate::transport::Transport;

/// Numbers of messages.
#[derive(Debug)]
pub(crate) struct Kinds {
    pub(crate) new_link: u16,
    pub(crate) get_link: u16,
    pub(crate) set_link: u16,
    pub(crate) del_link: u16,
    pub(crate) new_address: u16,
    pub(crate) del_address: u16,
    pub(crate) get_address: u16,
    pub(crate) new_neighbour: u16,
    pub(crate) del_neighbour: u16,
    pub(crate) get_neighbour: u16,
}

pub(crate) const KINDS: Kinds = Kinds {
    new_link: libc::RTM_NEWLINK,
    get_link: libc::RTM_GETLINK,
    set_link: libc::RTM_SETLINK,
    del_link: libc::RTM_DELLINK,
    new_address: libc::RTM_NEWADDR,
    del_address: libc::RTM_DELADDR,
    get_address: libc::RTM_GETADDR,
    new_neighbour: libc::RTM_NEWNEIGH,
    del_neighbour: libc::RTM_DELNEIGH,
    get_neighbour: libc::RTM_GETNEIGH,
};

/// Bytes of the longest request.
const REQUEST_MAX: usize = 128;

/// A message of rtnetlink: kind and payload.
pub(super) type Each<'a> = dyn FnMut(u16, &[u8]) -> Result<(), Error> + 'a;

impl<T: Transport> Client<T> {
    /// Sends a request and calls `each` with the messages of its answer, up to the ack or the
    /// end of the dump.
    pub(super) fn rtnetlink(
        &mut self,
        op: Op,
        kind: u16,
        flags: u16,
        payload: &dyn Fn(&mut Datagram) -> Result<(), crate::Full>,
        each: &mut Each<'_>,
    ) -> Result<(), Error> {
        let seq = self.reserve(1);
        let mut request = Datagram::new(REQUEST_MAX);
        request
            .raw(kind, NLM_F_REQUEST | flags, seq, payload)
            .expect("any one request fits");
        let mut result = None;
        let exchanged = self
            .transport()
            .rtnetlink(request.bytes(), &mut |datagram| {
                let mut rest = datagram;
                while !rest.is_empty() && result.is_none() {
                    rest = match take(op, seq, rest, each) {
                        Ok((next, ended)) => {
                            result = ended.then_some(Ok(()));
                            next
                        }
                        Err(error) => {
                            result = Some(Err(error));
                            return true;
                        }
                    };
                }
                result.is_some()
            });
        exchanged.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => Error {
                op,
                seq,
                kind: ErrorKind::TimedOut,
            },
            _ => io_error(op, seq, error),
        })?;
        result.unwrap_or(Ok(()))
    }
}

/// Takes the first message; gives the rest, and whether it was the last of the answer.
fn take<'a>(
    op: Op,
    seq: u32,
    datagram: &'a [u8],
    each: &mut Each<'_>,
) -> Result<(&'a [u8], bool), Error> {
    let malformed = |error| Error {
        op,
        seq,
        kind: ErrorKind::Malformed(error),
    };
    let (header, payload, next) = split(datagram).map_err(malformed)?;
    let rest = &datagram[next..];
    if header.seq != seq {
        return Ok((rest, false));
    }
    if header.kind != NLMSG_ERROR && header.kind != NLMSG_DONE {
        return each(header.kind, payload).map(|()| (rest, false));
    }
    // These two are netlink's own.
    let (message, _) = decode(datagram).map_err(malformed)?;
    match message.body {
        Body::Ack | Body::Done { .. } => Ok((rest, true)),
        Body::Error(error) => Err(refused(op, seq, Body::Error(explained(op, error)))),
        other => Err(refused(op, seq, other)),
    }
}

/// The error with a text, where the kernel gave none.
fn explained(op: Op, mut error: KernelError) -> KernelError {
    let text = match (op, error.errno) {
        (_, libc::EPERM | libc::EACCES) => "CAP_NET_ADMIN is needed",
        (_, libc::ENODEV) => "no such device",
        (Op::LinkAdd, libc::EOPNOTSUPP) => "the kernel makes no link of this kind here",
        (Op::LinkAdd, libc::EEXIST) => "a device of this name exists already",
        (Op::LinkAdd, libc::EINVAL) => "the kernel takes no link of this name",
        (Op::Master, libc::EINVAL | libc::EBUSY | libc::ELOOP | libc::EOPNOTSUPP) => {
            "the device cannot be a member of this master"
        }
        (_, libc::EOPNOTSUPP) => "the device does not support this",
        (Op::Mac, libc::EBUSY) => "the device does not take another MAC address now",
        (Op::Mac, libc::EINVAL | libc::EADDRNOTAVAIL) => {
            "the device does not take this MAC address"
        }
        (Op::Link, libc::ENETDOWN) => "the device below it is down",
        (Op::Neighbour, libc::ENOENT) => "the device has no such neighbour",
        (Op::Neighbour, libc::EINVAL) => "the device has no neighbours",
        (Op::AddressAdd, libc::EEXIST) => "the device has this address already",
        (Op::AddressDelete, libc::EADDRNOTAVAIL) => "the device has no such address",
        (Op::AddressAdd, libc::EINVAL | libc::EADDRNOTAVAIL) => {
            "the address does not suit the device"
        }
        (Op::Link, libc::EINVAL | libc::ERANGE) => "the device does not take this MTU",
        _ => return error,
    };
    if error.text.is_empty() {
        error.text = KernelText::try_from(text).unwrap_or_default();
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use crate::rtnetlink::{LinkSpec, exchange};
    use crate::transport::ReceiveError;
    use nl31_route::Protocol;
    use std::time::Instant;

    /// This machine's rtnetlink, and no protocol 31.
    struct Linux;

    impl Transport for Linux {
        fn send(&mut self, _: &[u8]) -> io::Result<()> {
            unreachable!("rtnetlink has a way of its own")
        }

        fn receive(&mut self, _: Instant) -> Result<Option<Message>, ReceiveError> {
            unreachable!("rtnetlink has a way of its own")
        }

        fn rtnetlink(
            &mut self,
            request: &[u8],
            each: &mut dyn FnMut(&[u8]) -> bool,
        ) -> io::Result<()> {
            exchange(request, each)
        }
    }

    #[test]
    fn linux_lists_its_loopback_device() {
        let mut client = Client::new(Linux);
        let links = client.links().unwrap();
        let lo = links.iter().find(|link| link.device.as_bytes() == b"lo");
        let lo = lo.expect("every machine has one");
        assert_eq!((lo.index, lo.mac.len()), (1, 6));
        let own = client.addresses().unwrap();
        let own = own
            .iter()
            .find(|own| own.index == 1 && own.address.address().is_ipv4());
        if let Some(own) = own.filter(|_| lo.up) {
            assert_eq!(own.address.to_string(), "127.0.0.1/8");
        }
    }

    #[test]
    fn linux_refuses_with_a_sentence() {
        let mut client = Client::new(Linux);
        let spec = LinkSpec {
            up: Some(true),
            ..LinkSpec::of("none".parse().unwrap())
        };
        let index = i32::MAX as u32;
        for error in [
            client.set_link(index, &spec, None).unwrap_err(),
            client
                .set_mac(index, "02:00:00:00:00:01".parse().unwrap())
                .unwrap_err(),
            client.delete_link(index).unwrap_err(),
            client
                .add_address(index, "192.0.2.1/24".parse().unwrap(), Protocol::UNSPEC)
                .unwrap_err(),
        ] {
            // Without the right to change links, that is said first.
            let known = [Some(libc::ENODEV), Some(libc::EPERM)];
            assert!(known.contains(&error.errno()), "{error}");
            let ErrorKind::Kernel(kernel) = error.kind else {
                panic!("{error}");
            };
            assert!(!kernel.text.is_empty());
        }
    }
}
