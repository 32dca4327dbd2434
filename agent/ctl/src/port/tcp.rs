// SPDX-License-Identifier: MIT OR Apache-2.0
//! A serial line behind a TCP port, byte for byte: the raw port of a console server or
//! of `ser2net`, or QEMU's `-serial tcp:…,server`. Telnet and RFC 2217 are not spoken.

use std::fmt;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;

use super::{Port, receive, send};

/// What an address begins with.
pub const SCHEME: &str = "tcp://";

/// Longest time that one address of a host is tried.
const CONNECT: Duration = Duration::from_secs(10);

/// `tcp://HOST:PORT`; an IPv6 address stands in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `HOST:PORT`.
    host_and_port: String,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("`{text}` is not {SCHEME}HOST:PORT");
        let rest = text.strip_prefix(SCHEME).ok_or_else(wanted)?;
        let (host, port) = rest.rsplit_once(':').ok_or_else(wanted)?;
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let bare = !host.contains([':', '[', ']', '/']) && !host.is_empty();
        match port.parse::<u16>() {
            Ok(1..) if bracketed || bare => Ok(Self {
                host_and_port: rest.into(),
            }),
            _ => Err(wanted()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.host_and_port)
    }
}

impl Address {
    /// Connects to the first address of the host that answers.
    pub fn connect(&self) -> io::Result<TcpStream> {
        let mut failed = None;
        for address in self.host_and_port.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT) {
                Ok(stream) => {
                    stream.set_nonblocking(true)?;
                    // A frame is one write and is answered: nothing is gained by a delay.
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| io::Error::other("the host has no address")))
    }
}

impl Port for TcpStream {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        send(self, bytes)
    }

    fn receive(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<usize> {
        receive(self, buffer, wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for text in [
            "tcp://board7:4001",
            "tcp://192.0.2.1:23",
            "tcp://[::1]:4001",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for text in [
            "tcp://board7",
            "tcp://:4001",
            "tcp://board7:0",
            "tcp://board7:70000",
            "tcp://::1:4001",
            "tcp://board7:4001/x",
            "board7:4001",
            "udp://board7:1",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
