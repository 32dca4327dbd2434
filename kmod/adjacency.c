// SPDX-License-Identifier: GPL-2.0-only
/* Adjacencies: ways out that paths share. See adjacency.h. */
#include <linux/err.h>
#include <linux/netdevice.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <net/dst.h>
#include <uapi/linux/nl31.h>

#include "adjacency.h"
#include "device.h"

/* How often a packet tries to make a dst while devices change beneath it. */
#define MAKE_TRIES	3

static int nl31_adjacency_cmp(const void *key, const struct rb_node *node)
{
	return memcmp(key, &rb_entry(node, struct nl31_adjacency, node)->key,
		      sizeof(struct nl31_adjacency_key));
}

static int nl31_adjacency_cmp_node(struct rb_node *new,
				   const struct rb_node *node)
{
	return nl31_adjacency_cmp(&rb_entry(new, struct nl31_adjacency,
					    node)->key, node);
}

static struct nl31_adjacency *
nl31_adjacency_find(struct nl31_adjacencies *adjacencies,
		    const struct nl31_adjacency_key *key)
{
	struct rb_node *node = rb_find(key, &adjacencies->tree,
				       nl31_adjacency_cmp);

	return node ? rb_entry(node, struct nl31_adjacency, node) : NULL;
}

static void nl31_adjacency_init(struct nl31_adjacency *adjacency,
				struct nl31_adjacencies *adjacencies)
{
	adjacency->adjacencies = adjacencies;
	INIT_LIST_HEAD(&adjacency->active);
	RB_CLEAR_NODE(&adjacency->node);
}

static bool nl31_adjacency_has_dst(const struct nl31_adjacency *adjacency)
{
	return rcu_access_pointer(adjacency->dst[NL31_IPV4]) ||
	       rcu_access_pointer(adjacency->dst[NL31_IPV6]);
}

/*
 * Packets that borrow the dst drop dead behind dst_dev_put(): it lets go of the
 * device at once, however long they are queued. Context: nl31_adjacencies.lock
 */
static void nl31_adjacency_drop_dst(struct nl31_adjacency *adjacency,
				    enum nl31_family family)
{
	struct dst_entry *dst;

	dst = rcu_dereference_protected(adjacency->dst[family],
					lockdep_is_held(&adjacency->adjacencies->lock));
	if (!dst)
		return;
	RCU_INIT_POINTER(adjacency->dst[family], NULL);
	dst_dev_put(dst);
	/* waits for a grace period by itself */
	dst_release(dst);
	if (!nl31_adjacency_has_dst(adjacency))
		list_del_init(&adjacency->active);
}

/**
 * nl31_adjacency_get - find or make the adjacency for one more path
 * @adjacencies: the adjacencies
 * @key: what it is to be; no bytes of it undefined
 *
 * The path's reference to its device keeps the device, too.
 *
 * Context: process
 * Return: the adjacency with a reference, or NULL without memory
 */
struct nl31_adjacency *
nl31_adjacency_get(struct nl31_adjacencies *adjacencies,
		   const struct nl31_adjacency_key *key)
{
	struct nl31_adjacency *adjacency, *new;

	spin_lock_bh(&adjacencies->lock);
	adjacency = nl31_adjacency_find(adjacencies, key);
	if (adjacency)
		adjacency->users++;
	spin_unlock_bh(&adjacencies->lock);
	if (adjacency)
		return adjacency;

	new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!new)
		return NULL;
	nl31_adjacency_init(new, adjacencies);
	new->key = *key;
	spin_lock_bh(&adjacencies->lock);
	adjacency = nl31_adjacency_find(adjacencies, key);
	if (!adjacency) {
		rb_find_add(&new->node, &adjacencies->tree,
			    nl31_adjacency_cmp_node);
		adjacency = new;
		new = NULL;
	}
	adjacency->users++;
	spin_unlock_bh(&adjacencies->lock);
	kfree(new);
	return adjacency;
}

/**
 * nl31_adjacency_hold_locked - one path more has it
 * @adjacency: an adjacency that a path has
 *
 * Context: nl31_adjacencies.lock
 */
void nl31_adjacency_hold_locked(struct nl31_adjacency *adjacency)
{
	adjacency->users++;
}

/**
 * nl31_adjacency_put_locked - one path less has it
 * @adjacency: the adjacency
 *
 * Context: nl31_adjacencies.lock; no reader can reach the path any more
 */
void nl31_adjacency_put_locked(struct nl31_adjacency *adjacency)
{
	enum nl31_family family;

	if (--adjacency->users)
		return;
	for (family = 0; family < NL31_FAMILIES; family++)
		nl31_adjacency_drop_dst(adjacency, family);
	rb_erase(&adjacency->node, &adjacency->adjacencies->tree);
	kfree(adjacency);
}

/*
 * Give the adjacency a dst that was made in @epoch, unless a device has changed since
 * or another packet was first. Returns the dst that it has, or ERR_PTR(-EAGAIN).
 */
static struct dst_entry *nl31_adjacency_set_dst(struct nl31_adjacency *adjacency,
						enum nl31_family family,
						struct dst_entry *new, u32 epoch)
{
	struct nl31_adjacencies *adjacencies = adjacency->adjacencies;
	struct dst_entry *dst;

	spin_lock_bh(&adjacencies->lock);
	dst = rcu_dereference_protected(adjacency->dst[family],
					lockdep_is_held(&adjacencies->lock));
	if (!dst && adjacencies->epoch != epoch) {
		dst = ERR_PTR(-EAGAIN);
	} else if (!dst && !new) {
		WRITE_ONCE(adjacency->failed[family], epoch);
	} else if (!dst) {
		rcu_assign_pointer(adjacency->dst[family], new);
		if (list_empty(&adjacency->active))
			list_add(&adjacency->active, &adjacencies->active);
		dst = new;
		new = NULL;
	}
	spin_unlock_bh(&adjacencies->lock);
	if (new) {
		dst_dev_put(new);
		dst_release(new);
	}
	return dst;
}

/**
 * nl31_adjacency_make_dst - what a packet leaves by, made if there is none
 * @adjacency: the adjacency
 * @family: of the packet
 *
 * Context: RCU read side
 * Return: valid under RCU, no reference is taken; NULL: it cannot leave this way;
 *	ERR_PTR: -ENOMEM, or -EAGAIN where devices keep changing
 */
struct dst_entry *nl31_adjacency_make_dst(struct nl31_adjacency *adjacency,
					  enum nl31_family family)
{
	struct nl31_adjacencies *adjacencies = adjacency->adjacencies;
	struct dst_entry *dst;
	unsigned int try;
	u32 epoch;

	if (nl31_adjacency_has_failed(adjacency, family))
		return NULL;
	for (try = 0; try < MAKE_TRIES; try++) {
		epoch = READ_ONCE(adjacencies->epoch);
		/* what is looked at is not older: pairs with nl31_adjacencies_move_epoch() */
		smp_rmb();
		dst = nl31_adjacency_new_dst(adjacency, family);
		/* the next packet may find memory: nothing has failed for good */
		if (IS_ERR(dst))
			return dst;
		dst = nl31_adjacency_set_dst(adjacency, family, dst, epoch);
		if (!IS_ERR(dst))
			return dst;
	}
	return dst;
}

/* What has failed may be tried again. Context: nl31_adjacencies.lock */
static void nl31_adjacencies_move_epoch(struct nl31_adjacencies *adjacencies)
{
	/* a reader of the number sees the change: pairs with nl31_adjacency_make_dst() */
	smp_wmb();
	WRITE_ONCE(adjacencies->epoch, (adjacencies->epoch + 1) ? : 1);
}

/* Drop the dsts that lead over @dev; or without it those of gateways alone. */
static void nl31_adjacencies_flush(struct nl31_adjacencies *adjacencies,
				   const struct net_device *dev)
{
	struct nl31_adjacency *adjacency, *next;
	enum nl31_family family;

	spin_lock_bh(&adjacencies->lock);
	nl31_adjacencies_move_epoch(adjacencies);
	list_for_each_entry_safe(adjacency, next, &adjacencies->active, active) {
		for (family = 0; family < NL31_FAMILIES; family++) {
			const struct dst_entry *dst;

			dst = rcu_dereference_protected(adjacency->dst[family],
							lockdep_is_held(&adjacencies->lock));
			if (!dst)
				continue;
			if (dev ? dst->dev == dev :
				  adjacency->key.gateway_len &&
				  !adjacency->key.device)
				nl31_adjacency_drop_dst(adjacency, family);
		}
	}
	spin_unlock_bh(&adjacencies->lock);
}

/* With a carrier there is nothing to drop: without one none leads over @dev. */
static void nl31_adjacencies_change(struct nl31_adjacencies *adjacencies,
				    const struct net_device *dev)
{
	if (!netif_carrier_ok(dev)) {
		nl31_adjacencies_flush(adjacencies, dev);
		return;
	}
	spin_lock_bh(&adjacencies->lock);
	nl31_adjacencies_move_epoch(adjacencies);
	spin_unlock_bh(&adjacencies->lock);
}

/**
 * nl31_adjacencies_event - a device has changed
 * @adjacencies: the adjacencies
 * @dev: the device
 * @event: NETDEV_*
 *
 * Comes behind nl31_device_event(): what is made anew sees the new state.
 *
 * Context: process, RTNL
 */
void nl31_adjacencies_event(struct nl31_adjacencies *adjacencies,
			    const struct net_device *dev, unsigned long event)
{
	switch (event) {
	case NETDEV_REGISTER:
	case NETDEV_CHANGENAME:
	case NETDEV_UP:
	case NETDEV_DOWN:
	/* one too small for IPv6, or IPv4, ends it there */
	case NETDEV_CHANGEMTU:
	case NETDEV_UNREGISTER:
		nl31_adjacencies_flush(adjacencies, dev);
		break;
	case NETDEV_CHANGE:
		nl31_adjacencies_change(adjacencies, dev);
	}
}

/**
 * nl31_adjacencies_resolve - routes of Linux have changed
 * @adjacencies: the adjacencies
 *
 * Gateways without a device may be connected elsewhere.
 */
void nl31_adjacencies_resolve(struct nl31_adjacencies *adjacencies)
{
	nl31_adjacencies_flush(adjacencies, NULL);
}

/**
 * nl31_adjacencies_init - no adjacencies yet
 * @adjacencies: zeroed
 * @net: namespace of the devices
 */
void nl31_adjacencies_init(struct nl31_adjacencies *adjacencies, struct net *net)
{
	spin_lock_init(&adjacencies->lock);
	adjacencies->net = net;
	adjacencies->tree = RB_ROOT;
	INIT_LIST_HEAD(&adjacencies->active);
	adjacencies->epoch = 1;
	nl31_adjacency_init(&adjacencies->no_route, adjacencies);
}

/* Context: no packets come any more, no path has one */
void nl31_adjacencies_exit(struct nl31_adjacencies *adjacencies)
{
	enum nl31_family family;

	WARN_ON_ONCE(!RB_EMPTY_ROOT(&adjacencies->tree));
	spin_lock_bh(&adjacencies->lock);
	for (family = 0; family < NL31_FAMILIES; family++)
		nl31_adjacency_drop_dst(&adjacencies->no_route, family);
	spin_unlock_bh(&adjacencies->lock);
}
