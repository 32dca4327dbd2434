// SPDX-License-Identifier: GPL-2.0-only
/* What becomes of network devices, passed on to the paths over them. */
#include <linux/netdevice.h>

#include "device.h"
#include "netlink.h"
#include "route.h"

static int device_event(struct notifier_block *nb, unsigned long event,
			void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct nl31_table *t = nl31_table_of(dev_net(dev));
	u8 state;

	switch (event) {
	case NETDEV_UP:
		state = 0;
		break;
	case NETDEV_DOWN:
		state = NL31_PATH_DOWN;
		break;
	case NETDEV_UNREGISTER:
		state = NL31_PATH_DEAD;
		break;
	default:
		return NOTIFY_DONE;
	}

	mutex_lock(&t->lock);
	if (nl31_nexthops_set_device(&t->nexthops, dev->ifindex, state) &&
	    state == NL31_PATH_DEAD) {
		t->purge = true;
		nl31_route_purge(t);
	}
	mutex_unlock(&t->lock);
	return NOTIFY_DONE;
}

static struct notifier_block device_notifier = {
	.notifier_call = device_event,
};

int nl31_device_init(void)
{
	return register_netdevice_notifier(&device_notifier);
}

void nl31_device_exit(void)
{
	unregister_netdevice_notifier(&device_notifier);
}
