/* SPDX-License-Identifier: GPL-2.0-only */
/* The world around the module, for the fuzzer that drives it. src/module.rs says the same. */
#ifndef SHIM_H
#define SHIM_H

#include "kernel.h"

/* Memory: let the @nth allocation from now on fail, 0 for none; those not freed. */
void shim_fail_allocation(u32 nth);
bool shim_allocation_failed(void);
size_t shim_allocations(void);

/* Time: readers are done; timers run that are due in @by jiffies; is there more to do? */
void shim_grace_period(void);
void shim_advance(u32 by);
bool shim_work_pending(void);

/* A machine without devices, whose sockets may change anything. */
void shim_boot(void);

/* The module: 0 or an error. */
int shim_module_init(void);
void shim_module_exit(void);

/* A device comes, goes up (NETDEV_UP) or down, or goes away (NETDEV_UNREGISTER). */
void shim_device_add(int ifindex, bool up);
void shim_device_event(int ifindex, unsigned long event);

/* Sockets of protocol 31, up to SHIM_SOCKETS, by number; their port ids are theirs. */
#define SHIM_SOCKETS	5
void shim_open(u32 nr, u32 portid, bool listens, bool ext_ack, bool cap_ack);
void shim_close(u32 nr);
void shim_admin(bool admin);

/* A datagram to the kernel. Once it is there, the @fail-th allocation fails, 0 for none. */
void shim_send(u32 nr, const void *data, size_t size, u32 fail);

/*
 * The next datagram for a socket, at most @room bytes: its size; 0 if there is none; or an
 * error number, negative.
 */
int shim_receive(u32 nr, void *data, size_t room);

/* Within the shim: shall this allocation fail? */
bool shim_fails(gfp_t gfp);

#endif
