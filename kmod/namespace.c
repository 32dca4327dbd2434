// SPDX-License-Identifier: GPL-2.0-only
/* What a network namespace has of nl31: next to nothing until it is used. */
#include <linux/slab.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "namespace.h"
#include "netdev.h"
#include "port_request.h"

unsigned int nl31_net_id __read_mostly;

struct nl31_pernet *nl31_pernet(const struct net *net)
{
	return net_generic(net, nl31_net_id);
}

/**
 * nl31_ns_find - what a namespace uses of nl31
 * @net: the namespace
 *
 * Return: NULL if it has not been used yet
 */
struct nl31_ns *nl31_ns_find(const struct net *net)
{
	/* pairs with cmpxchg() in nl31_ns_get(): what it points to is set up */
	return smp_load_acquire(&nl31_pernet(net)->ns);
}

static struct nl31_ns *ns_alloc(struct net *net, struct sock *sock)
{
	struct nl31_ns *ns;

	ns = kzalloc(sizeof(*ns), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!ns)
		return NULL;
	if (nl31_table_init(&ns->table, net)) {
		kfree(ns);
		return NULL;
	}
	ns->notify.sock = sock;
	nl31_purge_init(&ns->purge, &ns->table, &ns->notify);
	nl31_transactions_init(&ns->transactions, &ns->table, &ns->notify,
			       &ns->purge);
	nl31_router_init(&ns->router, &ns->table, sock, nl31_port_ended);
	return ns;
}

/**
 * nl31_ns_get - what a namespace uses of nl31, made for the first that asks
 * @net: the namespace
 * @sock: the kernel's socket there
 *
 * Accounted to the caller. Devices that have changed before need not be known: the
 * table looks them up when a path refers to them.
 *
 * Context: process
 * Return: NULL without memory
 */
struct nl31_ns *nl31_ns_get(struct net *net, struct sock *sock)
{
	struct nl31_ns *ns = nl31_ns_find(net), *other;

	if (likely(ns))
		return ns;
	ns = ns_alloc(net, sock);
	if (!ns)
		return NULL;
	other = cmpxchg(&nl31_pernet(net)->ns, NULL, ns);
	if (!other)
		return ns;
	nl31_ns_release(ns);
	nl31_ns_free(ns);
	return other;
}

/**
 * nl31_ns_release - no requests and no device events come any more
 * @ns: what the namespace uses, or NULL
 *
 * nl31_table_workqueue_flush() and nl31_ns_free() follow.
 */
void nl31_ns_release(struct nl31_ns *ns)
{
	if (!ns)
		return;
	nl31_netdev_release(&ns->router);
	nl31_router_exit(&ns->router);
	nl31_transactions_exit(&ns->transactions);
	nl31_purge_exit(&ns->purge);
	nl31_table_release(&ns->table);
}

/**
 * nl31_ns_free - free what is left
 * @ns: what the namespace used, or NULL
 */
void nl31_ns_free(struct nl31_ns *ns)
{
	if (!ns)
		return;
	nl31_table_exit(&ns->table);
	kfree(ns);
}
