// SPDX-License-Identifier: MIT OR Apache-2.0
//! Client of nl31, the routing table behind netlink protocol 31, and of rtnetlink as far as a
//! router needs it.
//!
//! ```no_run
//! use nl31_netlink::{Client, Connection, Spec, Step};
//!
//! let mut client = Client::new(Connection::open()?);
//! println!("{}", client.greet(Some("hello"))?.text);
//! let mut dump = client.dump(&Spec::default())?;
//! while let Step::Route(route, _) = client.next(&mut dump)? {
//!     println!("{route}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Request`]s become bytes in a [`Datagram`], bytes become [`Message`]s, a
//! [`Socket`] moves them, and a [`Client`] says which answer belongs to which
//! request. A client works over any [`Transport`]: a [`Connection`] that reads
//! the socket itself, a thread that receives, or the `FakeKernel` of the feature
//! `fake-kernel`, which speaks the same bytes.
//!
//! Nothing waits forever, every buffer has a fixed size, and a [`Device`] is a name
//! or an interface index.

pub mod abi;
mod change;
mod client;
mod device;
mod error;
#[cfg(any(test, feature = "fake-kernel"))]
mod fake;
mod load;
mod message;
mod path_flags;
mod paths;
mod port;
mod request;
pub mod rtnetlink;
mod socket;
mod transport;

pub use change::{Add, Change};
pub use client::{Client, Dump, Step};
pub use device::{Device, IndexOf, selects};
pub use error::{Error, ErrorKind, Op};
#[cfg(any(test, feature = "fake-kernel"))]
pub use fake::{FakeDevice, FakeKernel, FakeLinks};
pub use load::{Load, Loaded, Mode};
pub use message::{
    Body, Greeting, Header, KernelError, KernelText, Malformed, Message, RouteMessage, Table,
    decode,
};
pub use nl31_route::{DeviceName, Path, PathKind, Prefix, Protocol, Route, Spec};
pub use path_flags::PathFlags;
pub use paths::{Conflict, PATHS_MAX, Paths};
pub use port::{PORTS_MAX, Port, PortCounters, PortSpec, Urpf};
pub use request::{Datagram, Full, Request};
pub use socket::{Connection, Inbox, Socket};
pub use transport::{ReceiveError, Transport};
