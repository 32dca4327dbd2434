// SPDX-License-Identifier: MIT OR Apache-2.0
//! Routes of a config that wait for network devices which are not there yet.

use std::path::PathBuf;

use nl31_route::DeviceName;

/// Devices that a config names and that are not there yet; more than that are an
/// error.
pub type MissingDevices = heapless::Vec<DeviceName, MISSING_DEVICES_MAX>;

/// More than a small router has of VLANs and sessions that are set up after the boot.
pub const MISSING_DEVICES_MAX: usize = 64;

/// Routes that wait for their devices.
#[derive(Clone, Debug)]
pub struct DeferredRoutes {
    /// Where they are, among others.
    pub config: PathBuf,
    /// The devices.
    pub devices: MissingDevices,
}
