// SPDX-License-Identifier: GPL-2.0-only
/* Devices as the paths of a table see them. See device.h. */
#include <linux/err.h>
#include <linux/netdevice.h>
#include <linux/slab.h>

#include "device.h"

/* An object by index comes before the one by name that has this device. */
struct index_key {
	u32 ifindex;
	bool has_name;
};

static int nl31_device_cmp_index(const void *key, const struct rb_node *node)
{
	const struct index_key *a = key;
	const struct nl31_device *b = rb_entry(node, struct nl31_device,
					       index_node);

	if (a->ifindex != b->ifindex)
		return a->ifindex < b->ifindex ? -1 : 1;
	return (int)a->has_name - (int)!!b->name[0];
}

static int nl31_device_cmp_index_node(struct rb_node *new,
				      const struct rb_node *node)
{
	const struct nl31_device *a = rb_entry(new, struct nl31_device,
					       index_node);
	const struct index_key key = {
		.ifindex = a->ifindex,
		.has_name = a->name[0],
	};

	return nl31_device_cmp_index(&key, node);
}

static int nl31_device_cmp_name(const void *key, const struct rb_node *node)
{
	return strcmp(key, rb_entry(node, struct nl31_device, name_node)->name);
}

static int nl31_device_cmp_name_node(struct rb_node *new,
				     const struct rb_node *node)
{
	return nl31_device_cmp_name(rb_entry(new, struct nl31_device,
					     name_node)->name, node);
}

static struct nl31_device *nl31_device_find_index(struct nl31_devices *devices,
						  u32 ifindex, bool has_name)
{
	const struct index_key key = { .ifindex = ifindex, .has_name = has_name };
	struct rb_node *node = rb_find(&key, &devices->by_index,
				       nl31_device_cmp_index);

	return node ? rb_entry(node, struct nl31_device, index_node) : NULL;
}

static struct nl31_device *nl31_device_find_name(struct nl31_devices *devices,
						 const char *name)
{
	struct rb_node *node = rb_find(name, &devices->by_name,
				       nl31_device_cmp_name);

	return node ? rb_entry(node, struct nl31_device, name_node) : NULL;
}

/* Without a carrier, too: Linux sends what leaves by such a device nowhere. */
static u8 nl31_device_state_of(const struct net_device *dev)
{
	return dev->flags & IFF_UP && netif_carrier_ok(dev) ? NL31_DEV_UP :
							      NL31_DEV_DOWN;
}

/* Take the object off its device. */
static void nl31_device_unbind(struct nl31_devices *devices,
			       struct nl31_device *device)
{
	if (RB_EMPTY_NODE(&device->index_node))
		return;
	rb_erase(&device->index_node, &devices->by_index);
	RB_CLEAR_NODE(&device->index_node);
	if (device->name[0]) {
		WRITE_ONCE(device->state, NL31_DEV_ABSENT);
		WRITE_ONCE(device->ifindex, 0);
	} else {
		/* paths over it tell its index until they are purged */
		WRITE_ONCE(device->state, NL31_DEV_GONE);
	}
}

static void nl31_device_bind(struct nl31_devices *devices,
			     struct nl31_device *device,
			     const struct net_device *dev)
{
	struct nl31_device *other;

	if (device->name[0]) {
		/* its device has been renamed, and that event is still to come */
		other = nl31_device_find_index(devices, dev->ifindex, true);
		if (other)
			nl31_device_unbind(devices, other);
	}
	nl31_device_unbind(devices, device);
	WRITE_ONCE(device->ifindex, dev->ifindex);
	rb_find_add(&device->index_node, &devices->by_index,
		    nl31_device_cmp_index_node);
	WRITE_ONCE(device->state, nl31_device_state_of(dev));
}

static struct nl31_device *nl31_device_alloc(const char *name)
{
	struct nl31_device *device;

	device = kzalloc(sizeof(*device), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!device)
		return NULL;
	RB_CLEAR_NODE(&device->index_node);
	RB_CLEAR_NODE(&device->name_node);
	device->state = NL31_DEV_ABSENT;
	if (name)
		strscpy(device->name, name, sizeof(device->name));
	return device;
}

static struct nl31_device *nl31_device_find(struct nl31_devices *devices,
					    u32 ifindex, const char *name)
{
	if (name)
		return nl31_device_find_name(devices, name);
	return nl31_device_find_index(devices, ifindex, false);
}

/*
 * The device is looked up with the lock held. Its state changes before its event
 * is sent, and the event takes the lock: either the lookup sees the new state, or
 * the event finds the object.
 */
static int nl31_device_insert(struct nl31_devices *devices,
			      struct nl31_device *device, u32 ifindex)
{
	const char *name = device->name[0] ? device->name : NULL;
	struct net_device *dev;

	rcu_read_lock();
	dev = name ? dev_get_by_name_rcu(devices->net, name) :
		     dev_get_by_index_rcu(devices->net, ifindex);
	if (dev)
		nl31_device_bind(devices, device, dev);
	rcu_read_unlock();
	if (name)
		rb_find_add(&device->name_node, &devices->by_name,
			    nl31_device_cmp_name_node);
	return dev || name ? 0 : -ENODEV;
}

static struct nl31_device *nl31_device_get(struct nl31_devices *devices,
					   u32 ifindex, const char *name)
{
	struct nl31_device *device, *new;
	int err = 0;

	spin_lock(&devices->lock);
	device = nl31_device_find(devices, ifindex, name);
	if (device)
		device->users++;
	spin_unlock(&devices->lock);
	if (device)
		return device;

	new = nl31_device_alloc(name);
	if (!new)
		return ERR_PTR(-ENOMEM);
	spin_lock(&devices->lock);
	device = nl31_device_find(devices, ifindex, name);
	if (!device) {
		err = nl31_device_insert(devices, new, ifindex);
		if (!err) {
			device = new;
			new = NULL;
		}
	}
	if (device)
		device->users++;
	spin_unlock(&devices->lock);
	kfree(new);
	return err ? ERR_PTR(err) : device;
}

/**
 * nl31_device_get_by_index - the object of a device
 * @devices: the objects
 * @ifindex: index of the device
 *
 * Context: process
 * Return: the object with a reference, or ERR_PTR: -ENODEV or -ENOMEM
 */
struct nl31_device *nl31_device_get_by_index(struct nl31_devices *devices,
					     u32 ifindex)
{
	return nl31_device_get(devices, ifindex, NULL);
}

/**
 * nl31_device_get_by_name - the object of a name
 * @devices: the objects
 * @name: shorter than IFNAMSIZ; a device of that name need not exist
 *
 * Context: process
 * Return: the object with a reference, or ERR_PTR(-ENOMEM)
 */
struct nl31_device *nl31_device_get_by_name(struct nl31_devices *devices,
					    const char *name)
{
	return nl31_device_get(devices, 0, name);
}

/**
 * nl31_device_hold_locked - take a further reference
 * @device: an object that the caller has a reference to
 *
 * Context: nl31_devices.lock
 */
void nl31_device_hold_locked(struct nl31_device *device)
{
	device->users++;
}

/**
 * nl31_device_put_locked - drop a reference
 * @devices: the objects
 * @device: one of them
 *
 * Readers reach an object through a path list alone, which drops its references
 * when no reader can hold the list any more.
 *
 * Context: nl31_devices.lock
 */
void nl31_device_put_locked(struct nl31_devices *devices,
			    struct nl31_device *device)
{
	if (--device->users)
		return;
	nl31_device_unbind(devices, device);
	if (!RB_EMPTY_NODE(&device->name_node))
		rb_erase(&device->name_node, &devices->by_name);
	kfree(device);
}

/**
 * nl31_device_put - drop a reference
 * @devices: the objects
 * @device: one of them, or NULL
 */
void nl31_device_put(struct nl31_devices *devices, struct nl31_device *device)
{
	if (!device)
		return;
	spin_lock(&devices->lock);
	nl31_device_put_locked(devices, device);
	spin_unlock(&devices->lock);
}

/* The object by name of a device that is new, or has got another name. */
static void nl31_device_rename(struct nl31_devices *devices,
			       const struct net_device *dev)
{
	struct nl31_device *device;

	device = nl31_device_find_index(devices, dev->ifindex, true);
	if (device && strcmp(device->name, dev->name))
		nl31_device_unbind(devices, device);
	device = nl31_device_find_name(devices, dev->name);
	if (device)
		nl31_device_bind(devices, device, dev);
}

/**
 * nl31_device_event - a device has changed
 * @devices: the objects
 * @dev: the device
 * @event: NETDEV_*
 *
 * Context: process, RTNL
 */
void nl31_device_event(struct nl31_devices *devices,
		       const struct net_device *dev, unsigned long event)
{
	struct nl31_device *device;
	bool has_gone = false;
	int has_name;

	spin_lock(&devices->lock);
	switch (event) {
	case NETDEV_REGISTER:
	case NETDEV_CHANGENAME:
		nl31_device_rename(devices, dev);
		break;
	case NETDEV_UP:
	case NETDEV_DOWN:
	case NETDEV_CHANGE:
		for (has_name = 0; has_name < 2; has_name++) {
			device = nl31_device_find_index(devices, dev->ifindex,
							has_name);
			if (device)
				WRITE_ONCE(device->state,
					   event == NETDEV_DOWN ? NL31_DEV_DOWN :
					   nl31_device_state_of(dev));
		}
		break;
	case NETDEV_UNREGISTER:
		device = nl31_device_find_index(devices, dev->ifindex, false);
		if (device) {
			nl31_device_unbind(devices, device);
			WRITE_ONCE(devices->gone, devices->gone + 1);
			has_gone = true;
		}
		device = nl31_device_find_index(devices, dev->ifindex, true);
		if (device)
			nl31_device_unbind(devices, device);
		break;
	}
	spin_unlock(&devices->lock);
	if (has_gone && devices->purge)
		mod_delayed_work(system_unbound_wq, devices->purge, 0);
}

/**
 * nl31_devices_init - no objects yet
 * @devices: zeroed
 * @net: namespace of the devices
 */
void nl31_devices_init(struct nl31_devices *devices, struct net *net)
{
	spin_lock_init(&devices->lock);
	devices->net = net;
	devices->by_index = RB_ROOT;
	devices->by_name = RB_ROOT;
}
