// SPDX-License-Identifier: MIT OR Apache-2.0
//! Routes, their paths, and filters.

use core::fmt;
use core::net::IpAddr;

use crate::{Prefix, Protocol};

/// How a path handles a packet, by the numbers of `RTN_*` in
/// `linux/rtnetlink.h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PathKind {
    /// Send it to the gateway or out of the device.
    #[default]
    Unicast = 1,
    /// Drop it silently.
    Blackhole = 6,
    /// Drop it and answer that the host is unreachable.
    Unreachable = 7,
    /// Drop it and answer that this is prohibited.
    Prohibit = 8,
}

impl PathKind {
    /// Every kind there is.
    pub const ALL: [Self; 4] = [
        Self::Unicast,
        Self::Blackhole,
        Self::Unreachable,
        Self::Prohibit,
    ];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unicast => "unicast",
            Self::Blackhole => "blackhole",
            Self::Unreachable => "unreachable",
            Self::Prohibit => "prohibit",
        }
    }
}

impl TryFrom<u8> for PathKind {
    type Error = ();

    fn try_from(number: u8) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|&kind| kind as u8 == number)
            .ok_or(())
    }
}

/// One way to the addresses of a prefix. `D` is the type of the device: a
/// [`DeviceName`](crate::DeviceName) in text, a name or an interface index on netlink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Path<D> {
    /// How it handles a packet.
    pub kind: PathKind,
    /// The next router, of the prefix's family.
    pub gateway: Option<IpAddr>,
    /// The device to send from.
    pub device: Option<D>,
    /// The lowest of a prefix's paths is in use.
    pub metric: u32,
    /// The origin.
    pub protocol: Protocol,
}

/// One path of one prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Route<D> {
    /// The destination
    pub prefix: Prefix,
    /// The way to it
    pub path: Path<D>,
}

/// The given parts of a route: a filter, or a route before the defaults replace its missing
/// parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec<D> {
    /// See [`Path::kind`].
    pub kind: Option<PathKind>,
    /// See [`Route::prefix`].
    pub prefix: Option<Prefix>,
    /// See [`Path::gateway`].
    pub gateway: Option<IpAddr>,
    /// See [`Path::device`].
    pub device: Option<D>,
    /// See [`Path::metric`].
    pub metric: Option<u32>,
    /// See [`Path::protocol`].
    pub protocol: Option<Protocol>,
}

impl<D> Default for Spec<D> {
    fn default() -> Self {
        Self {
            kind: None,
            prefix: None,
            gateway: None,
            device: None,
            metric: None,
            protocol: None,
        }
    }
}

impl<D> Spec<D> {
    /// Whether a part of the path is given, and not only the prefix.
    pub fn has_path(&self) -> bool {
        self.kind.is_some()
            || self.gateway.is_some()
            || self.device.is_some()
            || self.metric.is_some()
            || self.protocol.is_some()
    }

    /// The described path, with the defaults for missing parts.
    pub fn path(self) -> Path<D> {
        Path {
            kind: self.kind.unwrap_or_default(),
            gateway: self.gateway,
            device: self.device,
            metric: self.metric.unwrap_or(0),
            protocol: self.protocol.unwrap_or_default(),
        }
    }

    /// The same with another form of the device.
    pub fn map_device<E>(self, to: impl FnOnce(D) -> E) -> Spec<E> {
        Spec {
            kind: self.kind,
            prefix: self.prefix,
            gateway: self.gateway,
            device: self.device.map(to),
            metric: self.metric,
            protocol: self.protocol,
        }
    }
}

impl<D> Route<D> {
    /// The same with another form of the device.
    pub fn map_device<E>(self, to: impl FnOnce(D) -> E) -> Route<E> {
        Route {
            prefix: self.prefix,
            path: Path {
                kind: self.path.kind,
                gateway: self.path.gateway,
                device: self.path.device.map(to),
                metric: self.path.metric,
                protocol: self.path.protocol,
            },
        }
    }
}

/// The arguments of `route add` that make this route.
impl<D: fmt::Display> fmt::Display for Route<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.kind != PathKind::Unicast {
            write!(f, "{} ", self.path.kind.word())?;
        }
        write!(f, "{}", self.prefix)?;
        if let Some(gateway) = self.path.gateway {
            write!(f, " via {gateway}")?;
        }
        if let Some(device) = &self.path.device {
            write!(f, " dev {device}")?;
        }
        if self.path.metric != 0 {
            write!(f, " metric {}", self.path.metric)?;
        }
        if self.path.protocol != Protocol::UNSPEC {
            write!(f, " proto {}", self.path.protocol)?;
        }
        Ok(())
    }
}
