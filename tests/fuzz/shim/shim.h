/* SPDX-License-Identifier: GPL-2.0-only */
/* The world around the module, for the fuzzer that drives it. src/module.rs says the same. */
#ifndef SHIM_H
#define SHIM_H

#include "kernel.h"

/* Memory: let the @nth allocation from now on fail, 0 for none; those not freed. */
void shim_fail_allocation(u32 nth);
bool shim_allocation_failed(void);
size_t shim_allocations(void);
void shim_short_of_memory(bool is_short);

/* Time: readers are done; timers run that are due in @by jiffies; is there more to do? */
void shim_grace_period(void);
void shim_advance(u32 by);
bool shim_work_pending(void);

/* The module: 0 or an error. */
int shim_module_init(void);
void shim_module_exit(void);

/* A device comes, goes up (NETDEV_UP) or down, or goes away (NETDEV_UNREGISTER). */
void shim_device_add(int ifindex, bool up);
void shim_device_event(int ifindex, unsigned long event);

/* Sockets of protocol 31, up to SHIM_SOCKETS, by number; their port ids are theirs. */
#define SHIM_SOCKETS	4
void shim_open(u32 nr, u32 portid, bool listens, bool ext_ack, bool cap_ack);
void shim_close(u32 nr);
void shim_admin(bool admin);

/* A datagram to the kernel. It must be aligned and may be changed. */
void shim_send(u32 nr, const void *data, size_t size);

/*
 * The next datagram for a socket, at most @room bytes: its size; 0 if there is none; or an
 * error number, negative.
 */
int shim_receive(u32 nr, void *data, size_t room);

/* Datagrams that a socket takes before it drops them. */
void shim_queue_max(u32 max);

/* Within the shim: shall this allocation fail? */
bool shim_fails(gfp_t gfp);

#endif
