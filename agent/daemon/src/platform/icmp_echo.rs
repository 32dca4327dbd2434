// SPDX-License-Identifier: MIT OR Apache-2.0
//! ICMP echo requests by Linux's ping socket, which needs no privilege: the kernel fills in the
//! identifier, and gives a socket its own replies and the errors about its requests (`icmp(7)`,
//! "ping sockets"; `net.ipv4.ping_group_range` names the groups that may open one).

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockProtocol, SockType,
    SockaddrStorage, bind, recvmsg, sendto, setsockopt, socket, sockopt,
};

/// Bytes of the header of an echo request and of its reply.
pub const HEADER: usize = 8;

/// Types of ICMP (RFC 792) and of ICMPv6 (RFC 4443).
const ECHO_REQUEST: [u8; 2] = [8, 128];
const ECHO_REPLY: [u8; 2] = [0, 129];
const TIME_EXCEEDED: [u8; 2] = [11, 3];

/// A socket for echo requests to one address.
#[derive(Debug)]
pub struct Echo {
    socket: OwnedFd,
    destination: SockaddrStorage,
    is_ipv6: bool,
    request: Vec<u8>,
    /// As long as the request: Linux tells no more than was read.
    answer: Vec<u8>,
}

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The number of the request.
    pub sequence: u16,
    /// The sender of the answer, if Linux names it.
    pub from: Option<IpAddr>,
    /// What the answer says.
    pub kind: AnswerKind,
}

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerKind {
    /// The reply of the address: its bytes behind the ICMP header, and the TTL or hop limit
    /// with which it arrived.
    Reply {
        /// Bytes behind the ICMP header.
        bytes: usize,
        /// TTL or hop limit.
        ttl: Option<u8>,
    },
    /// A router on the way found the TTL or hop limit used up.
    TimeExceeded,
    /// A router, or this machine, cannot deliver the request.
    Error(&'static str),
}

impl Echo {
    /// Opens a socket for requests with `size` bytes behind the ICMP header. `device`: the
    /// index and the name of the device that they leave by.
    pub fn open(
        destination: IpAddr,
        from: Option<IpAddr>,
        device: Option<(u32, &[u8])>,
        size: usize,
    ) -> io::Result<Self> {
        let is_ipv6 = destination.is_ipv6();
        let (family, protocol) = match is_ipv6 {
            false => (AddressFamily::Inet, SockProtocol::Icmp),
            true => (AddressFamily::Inet6, SockProtocol::IcmpV6),
        };
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(family, SockType::Datagram, flags, protocol)?;
        if is_ipv6 {
            setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?;
            setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?;
        } else {
            setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?;
            setsockopt(&socket, sockopt::Ipv4RecvTtl, &true)?;
        }
        let scope = device.map_or(0, |(index, _)| index);
        if let Some((_, name)) = device {
            use std::os::unix::ffi::OsStringExt;
            let name = std::ffi::OsString::from_vec(name.to_vec());
            setsockopt(&socket, sockopt::BindToDevice, &name)?;
        }
        if let Some(from) = from {
            bind(socket.as_raw_fd(), &address(from, scope))?;
        }
        let mut request = vec![0; HEADER + size];
        request[0] = ECHO_REQUEST[usize::from(is_ipv6)];
        for (byte, number) in request[HEADER..].iter_mut().zip((0..=255u8).cycle()) {
            *byte = number;
        }
        Ok(Self {
            socket,
            destination: address(destination, scope),
            is_ipv6,
            answer: vec![0; request.len()],
            request,
        })
    }

    /// The TTL or hop limit of the requests from now on.
    pub fn set_ttl(&self, ttl: u8) -> io::Result<()> {
        match self.is_ipv6 {
            true => setsockopt(&self.socket, sockopt::Ipv6Ttl, &ttl.into())?,
            false => setsockopt(&self.socket, sockopt::Ipv4Ttl, &ttl.into())?,
        }
        Ok(())
    }

    /// Sends a request. The answers that have arrived are to be read before, as an error among
    /// them is reported here otherwise.
    pub fn send(&mut self, sequence: u16) -> io::Result<()> {
        self.request[6..HEADER].copy_from_slice(&sequence.to_be_bytes());
        let flags = MsgFlags::MSG_DONTWAIT;
        sendto(
            self.socket.as_raw_fd(),
            &self.request,
            &self.destination,
            flags,
        )?;
        Ok(())
    }

    /// The next answer that has arrived; `None` if there is none.
    pub fn receive(&mut self) -> io::Result<Option<Answer>> {
        // The error queue first: reading it clears the error that a read would report.
        loop {
            let (answer, is_empty) = self.receive_from(MsgFlags::MSG_ERRQUEUE)?;
            if answer.is_some() {
                return Ok(answer);
            }
            if is_empty {
                break;
            }
        }
        loop {
            match self.receive_from(MsgFlags::empty()) {
                Ok((None, false)) => {}
                Ok((answer, _)) => return Ok(answer),
                // It came between the two reads, and is in the error queue.
                Err(error) if error.raw_os_error() == Some(libc::EHOSTUNREACH) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads one message; says whether there was none.
    fn receive_from(&mut self, queue: MsgFlags) -> io::Result<(Option<Answer>, bool)> {
        let mut parts = [IoSliceMut::new(&mut self.answer)];
        let mut control =
            nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6, libc::c_int);
        let flags = queue | MsgFlags::MSG_DONTWAIT;
        let received = recvmsg::<SockaddrStorage>(
            self.socket.as_raw_fd(),
            &mut parts,
            Some(&mut control),
            flags,
        );
        let received = match received {
            Ok(received) => received,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok((None, true)),
            Err(error) => return Err(error.into()),
        };
        let (len, from) = (received.bytes, received.address.as_ref().and_then(ip));
        let mut ttl = None;
        let mut error = None;
        for message in received.cmsgs()? {
            match message {
                ControlMessageOwned::Ipv4Ttl(value) | ControlMessageOwned::Ipv6HopLimit(value) => {
                    ttl = u8::try_from(value).ok();
                }
                ControlMessageOwned::Ipv4RecvErr(told, offender) => {
                    let offender =
                        offender.map(|from| IpAddr::from(from.sin_addr.s_addr.to_ne_bytes()));
                    error = Some((told, offender));
                }
                ControlMessageOwned::Ipv6RecvErr(told, offender) => {
                    error = Some((
                        told,
                        offender.map(|from| IpAddr::from(from.sin6_addr.s6_addr)),
                    ));
                }
                _ => {}
            }
        }
        let header: &[u8; HEADER] = match self.answer.first_chunk() {
            Some(header) if len >= HEADER => header,
            _ => return Ok((None, false)),
        };
        let sequence = u16::from_be_bytes([header[6], header[7]]);
        let is_error = queue.contains(MsgFlags::MSG_ERRQUEUE);
        let kind = match error {
            Some((told, _)) => error_kind(&told, self.is_ipv6),
            None if is_error || header[0] != ECHO_REPLY[usize::from(self.is_ipv6)] => {
                return Ok((None, false));
            }
            None => AnswerKind::Reply {
                bytes: len - HEADER,
                ttl,
            },
        };
        let from = match error {
            Some((_, offender)) => offender.filter(|from| !from.is_unspecified()),
            None => from,
        };
        Ok((
            Some(Answer {
                sequence,
                from,
                kind,
            }),
            false,
        ))
    }
}

impl AsFd for Echo {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// An address as Linux takes it; link-local ones are those of the device `scope`.
fn address(address: IpAddr, scope: u32) -> SockaddrStorage {
    match SocketAddr::new(address, 0) {
        SocketAddr::V4(address) => address.into(),
        SocketAddr::V6(mut address) => {
            if address.ip().is_unicast_link_local() {
                address.set_scope_id(scope);
            }
            address.into()
        }
    }
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let ipv4 = address.as_sockaddr_in().map(|address| address.ip().into());
    ipv4.or_else(|| address.as_sockaddr_in6().map(|address| address.ip().into()))
}

/// What an error says: of a router by the codes of RFC 792 and RFC 4443, else of this machine.
fn error_kind(error: &libc::sock_extended_err, is_ipv6: bool) -> AnswerKind {
    let is_icmp = match is_ipv6 {
        false => error.ee_origin == libc::SO_EE_ORIGIN_ICMP,
        true => error.ee_origin == libc::SO_EE_ORIGIN_ICMP6,
    };
    if !is_icmp {
        return AnswerKind::Error(match error.ee_errno as i32 {
            libc::EMSGSIZE => "the packet is larger than the MTU of the path",
            libc::EHOSTUNREACH => "host unreachable: no neighbour has the address",
            _ => "Linux cannot send it",
        });
    }
    if error.ee_type == TIME_EXCEEDED[usize::from(is_ipv6)] {
        return AnswerKind::TimeExceeded;
    }
    AnswerKind::Error(match (is_ipv6, error.ee_type, error.ee_code) {
        (false, 3, 0) | (true, 1, 0) => "network unreachable",
        (false, 3, 1) | (true, 1, 3) => "host unreachable",
        (false, 3, 4) | (true, 2, _) => "the packet is larger than the MTU of the path",
        (false, 3, 9 | 10 | 13) | (true, 1, 1 | 5) => "prohibited",
        (true, 1, 6) => "the route to it rejects packets",
        _ => "it cannot be delivered",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(origin: u8, errno: i32, kind: u8, code: u8) -> libc::sock_extended_err {
        libc::sock_extended_err {
            ee_errno: errno as u32,
            ee_origin: origin,
            ee_type: kind,
            ee_code: code,
            ee_pad: 0,
            ee_info: 0,
            ee_data: 0,
        }
    }

    #[test]
    fn error_of_a_router_is_told_apart_from_one_of_this_machine() {
        let icmp = libc::SO_EE_ORIGIN_ICMP;
        let icmp6 = libc::SO_EE_ORIGIN_ICMP6;
        let local = libc::SO_EE_ORIGIN_LOCAL;
        let kind = |error, is_ipv6| error_kind(&error, is_ipv6);
        assert_eq!(
            kind(error(icmp, 113, 11, 0), false),
            AnswerKind::TimeExceeded
        );
        assert_eq!(
            kind(error(icmp6, 113, 3, 0), true),
            AnswerKind::TimeExceeded
        );
        for (error, is_ipv6, text) in [
            (error(icmp, 101, 3, 0), false, "network unreachable"),
            (error(icmp6, 101, 1, 0), true, "network unreachable"),
            (error(icmp, 113, 3, 13), false, "prohibited"),
            (error(icmp6, 13, 1, 1), true, "prohibited"),
            (
                error(local, libc::EMSGSIZE, 0, 0),
                true,
                "the packet is larger than the MTU of the path",
            ),
            (
                error(icmp, 90, 3, 4),
                false,
                "the packet is larger than the MTU of the path",
            ),
            // Type 3 of the other family has another meaning.
            (error(icmp, 113, 3, 1), false, "host unreachable"),
        ] {
            assert_eq!(kind(error, is_ipv6), AnswerKind::Error(text));
        }
    }

    #[test]
    fn only_a_link_local_address_has_the_scope_of_the_device() {
        let scope = |text: &str| {
            let address = address(text.parse().unwrap(), 7);
            address.as_sockaddr_in6().map(|address| address.scope_id())
        };
        assert_eq!(scope("fe80::1"), Some(7));
        assert_eq!(scope("2001:db8::1"), Some(0));
        assert_eq!(scope("192.0.2.1"), None);
    }
}
