// SPDX-License-Identifier: MIT OR Apache-2.0
//! Routes and their text form.
//!
//! A [`Route`] is one [`Path`] of one [`Prefix`]. As text it is the arguments of
//! `route add`, in the words of iproute2:
//!
//! ```text
//! [unicast|blackhole|unreachable|prohibit] PREFIX [via ADDRESS] [dev NAME] [metric NUMBER] [proto NAME|NUMBER]
//! ```
//!
//! ```
//! use nl31_route::{DeviceName, Route};
//!
//! let route: Route<DeviceName> = "10.0.0.0/8 via 192.0.2.1 dev eth0 metric 10".parse().unwrap();
//! assert_eq!(route.to_string(), "10.0.0.0/8 via 192.0.2.1 dev eth0 metric 10");
//!
//! let error = "10.1.0.0/8 via 192.0.2.1".parse::<Route<DeviceName>>().unwrap_err();
//! assert_eq!(error.column, 0);
//! assert_eq!(error.to_string(), "bits are set beyond the prefix length; did you mean 10.0.0.0/8?");
//! ```
//!
//! A device is a [`DeviceName`] in text, and a name or an interface index on netlink,
//! so [`Route`], [`Path`] and [`Spec`] are generic over it.
//!
//! No allocation, no `std`: the crate builds for microcontrollers.
#![no_std]

#[cfg(test)]
extern crate std;

mod device;
mod host;
mod iproute2;
mod keyword;
mod parse;
mod parse_error;
mod paths;
mod prefix;
mod protocol;
mod route;
mod words;

pub use device::{DEVICE_NAME_MAX, DEVICE_TEXT_MAX, DeviceName, InvalidDeviceName};
pub use host::is_host;
pub use iproute2::PassedOver;
pub use keyword::{Keyword, Part, Value};
pub use parse::{Parsed, Syntax};
pub use parse_error::{ParseError, ParseErrorKind, Possible};
pub use paths::{append_index, path_diff};
pub use prefix::{Family, Prefix, PrefixError};
pub use protocol::Protocol;
pub use route::{Path, PathKind, Route, Spec};
pub use words::{Match, SETTINGS, Word, match_word, without_comment, words};
