// SPDX-License-Identifier: GPL-2.0-only
/* nl31: a routing table driven over AF_NETLINK, protocol 31. */
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/netlink.h>
#include <net/net_namespace.h>
#include <uapi/linux/nl31.h>

#include "namespace.h"
#include "netdev.h"
#include "netlink.h"

static int __net_init nl31_net_init(struct net *net)
{
	struct netlink_kernel_cfg cfg = {
		.groups = NL31_GRP_MAX,
		.flags = NL_CFG_F_NONROOT_RECV,
		.input = nl31_receive,
	};
	struct nl31_pernet *pernet = nl31_pernet(net);

	pernet->sock = netlink_kernel_create(net, NETLINK_NL31, &cfg);
	return pernet->sock ? 0 : -ENOMEM;
}

static void __net_exit nl31_net_exit_batch(struct list_head *nets)
{
	struct nl31_pernet *pernet;
	struct net *net;

	list_for_each_entry(net, nets, exit_list) {
		pernet = nl31_pernet(net);
		/* what is to be done later may send events, so it ends first */
		nl31_ns_release(pernet->ns);
		netlink_kernel_release(pernet->sock);
	}
	nl31_table_workqueue_flush();
	list_for_each_entry(net, nets, exit_list)
		nl31_ns_free(nl31_pernet(net)->ns);
}

static struct pernet_operations nl31_net_ops = {
	.init = nl31_net_init,
	.exit_batch = nl31_net_exit_batch,
	.id = &nl31_net_id,
	.size = sizeof(struct nl31_pernet),
};

/* Under RTNL: nothing here waits for the lock of a table. */
static int nl31_device_changed(struct notifier_block *nb, unsigned long event,
			       void *ptr)
{
	const struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct nl31_ns *ns = nl31_ns_find(dev_net(dev));

	if (!ns)
		return NOTIFY_DONE;
	nl31_path_lists_event(&ns->table.path_lists, dev, event);
	nl31_port_event(&ns->router.ports, dev, event);
	nl31_netdev_event(&ns->router, dev, event);
	return NOTIFY_DONE;
}

static struct notifier_block nl31_netdev_notifier = {
	.notifier_call = nl31_device_changed,
};

/* A socket that goes away takes its transaction with it. */
static int nl31_socket_event(struct notifier_block *nb, unsigned long event,
			     void *ptr)
{
	struct netlink_notify *socket = ptr;

	if (event == NETLINK_URELEASE && socket->protocol == NETLINK_NL31)
		nl31_socket_closed(socket->net);
	return NOTIFY_DONE;
}

static struct notifier_block nl31_socket_notifier = {
	.notifier_call = nl31_socket_event,
};

static int __init nl31_init(void)
{
	int err;

	err = nl31_lpm_init();
	if (err)
		return err;
	err = nl31_table_workqueue_init();
	if (err)
		goto err_lpm;
	err = register_pernet_subsys(&nl31_net_ops);
	if (err)
		goto err_workqueue;
	err = netlink_register_notifier(&nl31_socket_notifier);
	if (err)
		goto err_pernet;
	err = register_netdevice_notifier(&nl31_netdev_notifier);
	if (err)
		goto err_notifier;
	err = nl31_netdev_init();
	if (err)
		goto err_netdev_notifier;
	return 0;

err_netdev_notifier:
	unregister_netdevice_notifier(&nl31_netdev_notifier);
err_notifier:
	netlink_unregister_notifier(&nl31_socket_notifier);
err_pernet:
	unregister_pernet_subsys(&nl31_net_ops);
err_workqueue:
	nl31_table_workqueue_exit();
err_lpm:
	nl31_lpm_exit();
	return err;
}

static void __exit nl31_exit(void)
{
	nl31_netdev_exit();
	unregister_netdevice_notifier(&nl31_netdev_notifier);
	netlink_unregister_notifier(&nl31_socket_notifier);
	unregister_pernet_subsys(&nl31_net_ops);
	rcu_barrier();
	nl31_table_workqueue_exit();
	nl31_lpm_exit();
}

module_init(nl31_init);
module_exit(nl31_exit);

MODULE_AUTHOR("The nl31 authors");
MODULE_DESCRIPTION("Compact routing table over netlink protocol 31");
MODULE_LICENSE("GPL");
MODULE_VERSION(NL31_MODULE_VERSION);
