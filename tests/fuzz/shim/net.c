// SPDX-License-Identifier: GPL-2.0-only
/* One network namespace, and its devices. */
#include "kernel.h"
#include "shim.h"

#define DEVICES	4

struct net shim_net;

static struct net_device devices[DEVICES + 1];
static struct pernet_operations *pernet;
static struct notifier_block *device_notifier;

bool shim_rtnl;

void rtnl_lock(void)
{
	might_sleep();
	BUG_ON(shim_rtnl);
	shim_rtnl = true;
}

void rtnl_unlock(void)
{
	BUG_ON(!shim_rtnl);
	shim_rtnl = false;
}

static void tell(struct notifier_block *nb, unsigned long event,
		 struct net_device *dev)
{
	rtnl_lock();
	nb->notifier_call(nb, event, dev);
	rtnl_unlock();
}

void shim_boot(void)
{
	memset(devices, 0, sizeof(devices));
	jiffies = -5 * HZ; /* wraps soon, as it does in the kernel */
	shim_admin(true);
}

int register_pernet_subsys(struct pernet_operations *ops)
{
	int err;

	memset(&shim_net, 0, sizeof(shim_net));
	shim_net.generic = kzalloc(ops->size, GFP_KERNEL);
	if (!shim_net.generic)
		return -ENOMEM;
	err = ops->init(&shim_net);
	if (err) {
		kfree(shim_net.generic);
		return err;
	}
	pernet = ops;
	return 0;
}

void unregister_pernet_subsys(struct pernet_operations *ops)
{
	LIST_HEAD(nets);

	BUG_ON(ops != pernet);
	list_add(&shim_net.exit_list, &nets);
	if (ops->exit)
		ops->exit(&shim_net);
	if (ops->exit_batch)
		ops->exit_batch(&nets);
	kfree(shim_net.generic);
	pernet = NULL;
}

/* As the kernel does, tell of the devices that are there already. */
int register_netdevice_notifier(struct notifier_block *nb)
{
	int i;

	if (shim_fails(GFP_KERNEL))
		return -ENOMEM;
	device_notifier = nb;
	for (i = 1; i <= DEVICES; i++)
		if (devices[i].registered) {
			tell(nb, NETDEV_REGISTER, &devices[i]);
			if (devices[i].flags & IFF_UP)
				tell(nb, NETDEV_UP, &devices[i]);
		}
	return 0;
}

int unregister_netdevice_notifier(struct notifier_block *nb)
{
	int i;

	BUG_ON(nb != device_notifier);
	device_notifier = NULL;
	for (i = 1; i <= DEVICES; i++) {
		if (!devices[i].registered)
			continue;
		if (devices[i].flags & IFF_UP)
			tell(nb, NETDEV_DOWN, &devices[i]);
		tell(nb, NETDEV_UNREGISTER, &devices[i]);
	}
	return 0;
}

struct net_device *__dev_get_by_index(struct net *net, int ifindex)
{
	(void)net;
	BUG_ON(!shim_rtnl && !shim_rcu_depth);
	if (ifindex < 1 || ifindex > DEVICES || !devices[ifindex].registered)
		return NULL;
	return &devices[ifindex];
}

struct net_device *__dev_get_by_name(struct net *net, const char *name)
{
	int i;

	(void)net;
	BUG_ON(!shim_rtnl && !shim_rcu_depth);
	for (i = 1; i <= DEVICES; i++)
		if (devices[i].registered && !strcmp(devices[i].name, name))
			return &devices[i];
	return NULL;
}

struct net_device *dev_get_by_index_rcu(struct net *net, int ifindex)
{
	BUG_ON(!shim_rcu_depth);
	return __dev_get_by_index(net, ifindex);
}

struct net_device *dev_get_by_name_rcu(struct net *net, const char *name)
{
	BUG_ON(!shim_rcu_depth);
	return __dev_get_by_name(net, name);
}

bool dev_valid_name(const char *name)
{
	if (!*name || strnlen(name, IFNAMSIZ) == IFNAMSIZ || !strcmp(name, ".") ||
	    !strcmp(name, ".."))
		return false;
	for (; *name; name++)
		if (*name == '/' || *name == ':' || (*name >= 9 && *name <= 13) || *name == ' ' ||
		    (u8)*name == 0xa0)
			return false;
	return true;
}

/* Named by letters from "a" on. */
void shim_device_add(int ifindex, bool up)
{
	devices[ifindex] = (struct net_device){
		.ifindex = ifindex,
		.flags = up ? IFF_UP : 0,
		.registered = true,
		.name = { 'a' + ifindex - 1 },
	};
	if (device_notifier)
		tell(device_notifier, NETDEV_REGISTER, &devices[ifindex]);
}

void shim_device_event(int ifindex, unsigned long event)
{
	struct net_device *dev = &devices[ifindex];

	if (event == NETDEV_UP)
		dev->flags |= IFF_UP;
	else
		dev->flags &= ~IFF_UP;
	if (event == NETDEV_UNREGISTER)
		dev->registered = false;
	tell(device_notifier, event, dev);
	/* what was queued for now */
	shim_advance(0);
}
