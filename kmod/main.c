// SPDX-License-Identifier: GPL-2.0-only
/* nl31: a routing table driven over AF_NETLINK, protocol 31. */
#include <linux/module.h>
#include <linux/netlink.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include <uapi/linux/nl31.h>

#include "device.h"
#include "netlink.h"
#include "transaction.h"

static unsigned int nl31_net_id __read_mostly;

/**
 * nl31_table_of - the table of a network namespace
 * @net: the namespace
 */
struct nl31_table *nl31_table_of(const struct net *net)
{
	return net_generic(net, nl31_net_id);
}

static int __net_init nl31_net_init(struct net *net)
{
	struct netlink_kernel_cfg cfg = {
		.groups = NL31_GRP_MAX,
		.flags = NL_CFG_F_NONROOT_RECV,
		.input = nl31_receive,
	};
	struct nl31_table *t = nl31_table_of(net);
	int err;

	err = nl31_table_init(t, net);
	if (err)
		return err;
	t->sock = netlink_kernel_create(net, NETLINK_NL31, &cfg);
	if (!t->sock) {
		nl31_table_release(t);
		nl31_table_exit(t);
		return -ENOMEM;
	}
	return 0;
}

static void __net_exit nl31_net_exit_batch(struct list_head *nets)
{
	struct net *net;

	list_for_each_entry(net, nets, exit_list) {
		struct nl31_table *t = nl31_table_of(net);

		/* what is to be done later may send events, so it ends first */
		nl31_table_release(t);
		netlink_kernel_release(t->sock);
	}
	nl31_table_workqueue_flush();
	list_for_each_entry(net, nets, exit_list)
		nl31_table_exit(nl31_table_of(net));
}

static struct pernet_operations nl31_net_ops = {
	.init = nl31_net_init,
	.exit_batch = nl31_net_exit_batch,
	.id = &nl31_net_id,
	.size = sizeof(struct nl31_table),
};

/* A socket that goes away takes its transaction with it. */
static int nl31_socket_event(struct notifier_block *nb, unsigned long event,
			     void *ptr)
{
	struct netlink_notify *socket = ptr;
	struct nl31_table *t;

	if (event != NETLINK_URELEASE || socket->protocol != NETLINK_NL31)
		return NOTIFY_DONE;

	t = nl31_table_of(socket->net);
	mutex_lock(&t->lock);
	nl31_transaction_closed(t, socket->portid);
	mutex_unlock(&t->lock);
	return NOTIFY_DONE;
}

static struct notifier_block nl31_socket_notifier = {
	.notifier_call = nl31_socket_event,
};

static int __init nl31_init(void)
{
	int err;

	lpm_init_tables();
	err = nl31_table_workqueue_init();
	if (err)
		return err;
	err = register_pernet_subsys(&nl31_net_ops);
	if (err)
		goto err_workqueue;
	err = netlink_register_notifier(&nl31_socket_notifier);
	if (err)
		goto err_pernet;
	err = nl31_device_init();
	if (err)
		goto err_notifier;
	return 0;

err_notifier:
	netlink_unregister_notifier(&nl31_socket_notifier);
err_pernet:
	unregister_pernet_subsys(&nl31_net_ops);
err_workqueue:
	nl31_table_workqueue_exit();
	return err;
}

static void __exit nl31_exit(void)
{
	nl31_device_exit();
	netlink_unregister_notifier(&nl31_socket_notifier);
	unregister_pernet_subsys(&nl31_net_ops);
	rcu_barrier();
	nl31_table_workqueue_exit();
}

module_init(nl31_init);
module_exit(nl31_exit);

MODULE_AUTHOR("The nl31 authors");
MODULE_DESCRIPTION("Compact routing table over netlink protocol 31");
MODULE_LICENSE("GPL");
MODULE_VERSION(NL31_VERSION);
