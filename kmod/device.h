/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices as the paths of a table see them: one object for each index or name
 * that paths refer to.
 *
 * A path names its device by index, as a route of Linux does, or by name. An
 * object by index ends with its device; paths over it are to be purged then. An
 * object by name waits for a device of that name, whatever its index.
 *
 * Netdevice events come under RTNL and cost one search in a balanced tree; they
 * take no lock but the spinlock here.
 */
#ifndef _NL31_DEVICE_H
#define _NL31_DEVICE_H

#include <linux/if.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

/**
 * enum nl31_device_state - can packets leave by the device?
 * @NL31_DEV_UP: they can
 * @NL31_DEV_DOWN: it is down, or has no carrier
 * @NL31_DEV_ABSENT: there is no device of this name now
 * @NL31_DEV_GONE: the device of this index was unregistered; final
 */
enum nl31_device_state {
	NL31_DEV_UP,
	NL31_DEV_DOWN,
	NL31_DEV_ABSENT,
	NL31_DEV_GONE,
};

/**
 * struct nl31_device - an index or a name that paths refer to
 * @index_node: in nl31_devices.by_index while a device is there
 * @name_node: in nl31_devices.by_name, if it has a name
 * @users: path lists that refer to it, and callers of nl31_device_get_*()
 * @ifindex: of the device; 0 while there is none of this name
 * @state: enum nl31_device_state; read without the lock
 * @name: empty for an object by index
 */
struct nl31_device {
	struct rb_node index_node;
	struct rb_node name_node;
	u64 users;
	u32 ifindex;
	u8 state;
	char name[IFNAMSIZ];
};

struct net;
struct net_device;

/**
 * struct nl31_devices - the objects of a table
 * @lock: guards all of this, and the objects
 * @net: namespace of the devices
 * @by_index: objects whose device is there, by index; those by name behind
 * @by_name: objects by name
 * @gone: how many objects by index have lost their device
 * @purge: queued when one has: paths over it are to be removed
 */
struct nl31_devices {
	spinlock_t lock; /* see above */
	struct net *net;
	struct rb_root by_index;
	struct rb_root by_name;
	u64 gone;
	struct delayed_work *purge;
};

void nl31_devices_init(struct nl31_devices *devices, struct net *net);

struct nl31_device *nl31_device_get_by_index(struct nl31_devices *devices,
					     u32 ifindex);
struct nl31_device *nl31_device_get_by_name(struct nl31_devices *devices,
					    const char *name);
void nl31_device_hold_locked(struct nl31_device *device);
void nl31_device_put_locked(struct nl31_devices *devices,
			    struct nl31_device *device);
void nl31_device_put(struct nl31_devices *devices, struct nl31_device *device);

void nl31_device_event(struct nl31_devices *devices,
		       const struct net_device *dev, unsigned long event);

static inline bool nl31_device_is_up(const struct nl31_device *device)
{
	return READ_ONCE(device->state) == NL31_DEV_UP;
}

static inline bool nl31_device_is_gone(const struct nl31_device *device)
{
	return READ_ONCE(device->state) == NL31_DEV_GONE;
}

#endif /* _NL31_DEVICE_H */
