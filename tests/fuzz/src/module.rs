// SPDX-License-Identifier: MIT OR Apache-2.0
//! The module in user space: shim/shim.h says what these functions do.

use crate::exchange::{Kernel, LISTENER, OBSERVER};
use crate::message::{HEADER_LEN, Header, flag, kind};
use crate::script::Device;

unsafe extern "C" {
    fn shim_fail_allocation(nth: u32);
    fn shim_allocation_failed() -> bool;
    fn shim_allocations() -> usize;
    fn shim_grace_period();
    fn shim_advance(by: u32);
    fn shim_work_pending() -> bool;
    fn shim_boot();
    fn shim_module_init() -> i32;
    fn shim_module_exit();
    fn shim_device_add(ifindex: i32, up: bool);
    fn shim_device_event(ifindex: i32, event: std::ffi::c_ulong);
    fn shim_open(nr: u32, portid: u32, listens: bool, ext_ack: bool, cap_ack: bool);
    fn shim_close(nr: u32);
    fn shim_admin(admin: bool);
    fn shim_send(nr: u32, data: *const u8, size: usize, fail: u32);
    fn shim_receive(nr: u32, data: *mut u8, room: usize) -> i32;
}

const NETDEV_UP: std::ffi::c_ulong = 1;
const NETDEV_DOWN: std::ffi::c_ulong = 2;
const NETDEV_UNREGISTER: std::ffi::c_ulong = 6;

/// Milliseconds after which a transaction has expired, and work is tried again.
const IDLE_MS: u32 = 31_000;

/// The kernel's are no longer: a request whole in an error, and that of a script is shorter.
const DATAGRAM_MAX: usize = 1 << 14;

/// The module, loaded.
#[derive(Debug)]
pub struct Module {
    devices: [Option<bool>; crate::model::DEVICES + 1],
    ports: [u32; OBSERVER + 1],
    buffer: Box<[u8; DATAGRAM_MAX]>,
}

// SAFETY: of all calls below: the shim keeps none of the pointers, has its own state, and is used
// by one thread and one `Module` at a time.
impl Module {
    /// Loads it while the allocation of this number fails, 0 for none. `None` if that fails.
    pub fn load(fail: u8) -> Option<Self> {
        let devices = [None, Some(true), Some(false), None, None];
        // SAFETY: see above
        unsafe {
            shim_boot();
            for (index, up) in devices.iter().enumerate() {
                if let Some(up) = *up {
                    shim_device_add(index as i32, up);
                }
            }
            shim_fail_allocation(fail.into());
            let error = shim_module_init();
            let failed = shim_allocation_failed();
            shim_fail_allocation(0);
            if error != 0 {
                assert!(failed, "the module refuses to be loaded: {error}");
                check_nothing_left();
                return None;
            }
            // this does not fail when memory is short
            assert!(!failed, "the module did not notice that memory is short");
        }
        let mut module = Self {
            devices,
            ports: [0; OBSERVER + 1],
            buffer: Box::new([0; DATAGRAM_MAX]),
        };
        for socket in 0..=OBSERVER {
            module.open(socket);
        }
        // the table is made for the first message, and then that has no memory
        let ping = Header {
            len: HEADER_LEN as u32,
            kind: kind::NOOP,
            flags: flag::REQUEST,
            seq: 1,
            port: 0,
        };
        module.send(OBSERVER, &ping.write(), 0);
        module
            .receive(OBSERVER)
            .expect("an answer")
            .expect("an answer");
        Some(module)
    }

    fn open(&mut self, socket: usize) {
        let (texts, capped) = self.options(socket);
        self.ports[socket] += 100 + socket as u32;
        // SAFETY: see above
        unsafe {
            shim_open(
                socket as u32,
                self.ports[socket],
                socket == LISTENER,
                texts,
                capped,
            )
        };
    }

    /// Unloads it; nothing may be left of it.
    pub fn unload(self) {
        // SAFETY: see above
        unsafe {
            for socket in 0..=OBSERVER {
                shim_close(socket as u32);
            }
            shim_module_exit();
        }
        check_nothing_left();
    }
}

fn check_nothing_left() {
    // SAFETY: see above
    unsafe {
        assert!(!shim_work_pending(), "the module is gone, its work is not");
        assert_eq!(shim_allocations(), 0, "memory leaks");
    }
}

impl Kernel for Module {
    fn port(&self, socket: usize) -> u32 {
        self.ports[socket]
    }

    fn options(&self, socket: usize) -> (bool, bool) {
        (socket != 2, socket == 1)
    }

    fn send(&mut self, socket: usize, datagram: &[u8], fail: u8) -> bool {
        // SAFETY: see above
        unsafe {
            shim_send(
                socket as u32,
                datagram.as_ptr(),
                datagram.len(),
                fail.into(),
            )
        };
        true
    }

    fn failed(&mut self) -> bool {
        // SAFETY: see above
        unsafe {
            let failed = shim_allocation_failed();
            shim_fail_allocation(0);
            failed
        }
    }

    fn receive(&mut self, socket: usize) -> Result<Option<Vec<u8>>, i32> {
        let Self { buffer, .. } = self;
        // SAFETY: see above
        let size = unsafe { shim_receive(socket as u32, buffer.as_mut_ptr(), buffer.len()) };
        let size = usize::try_from(size).map_err(|_| -size)?;
        Ok((size > 0).then(|| buffer[..size].to_vec()))
    }

    fn reopen(&mut self, socket: usize) {
        // SAFETY: see above
        unsafe { shim_close(socket as u32) };
        self.open(socket);
    }

    fn device(&self, index: usize) -> Option<bool> {
        self.devices[index]
    }

    fn device_name(&self, index: usize) -> Vec<u8> {
        vec![b'a' + index as u8 - 1]
    }

    fn set_device(&mut self, index: usize, change: Device) -> bool {
        let there = self.devices[index].is_some();
        self.devices[index] = match change {
            Device::Up => Some(true),
            Device::Down => Some(false),
            Device::Gone => None,
        };
        let event = match change {
            Device::Up => NETDEV_UP,
            Device::Down => NETDEV_DOWN,
            Device::Gone => NETDEV_UNREGISTER,
        };
        // SAFETY: see above
        unsafe {
            if !there {
                shim_device_add(index as i32, false);
            }
            shim_device_event(index as i32, event);
        }
        true
    }

    fn idle(&mut self) -> bool {
        // SAFETY: see above
        unsafe { shim_advance(IDLE_MS) };
        true
    }

    fn grace(&mut self) {
        // SAFETY: see above
        unsafe { shim_grace_period() };
    }

    fn admin(&mut self, admin: bool) -> bool {
        // SAFETY: see above
        unsafe { shim_admin(admin) };
        true
    }
}
