/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Adjacencies: ways out that paths share, each with what Linux sends packets by.
 *
 * An adjacency is a device and a gateway, or either, or the type of a route that
 * leads nowhere. There is one for all paths that have the same. It has a dst for
 * each family, made by the first packet that needs it and dropped when its device
 * changes, so a table that forwards nothing has none.
 *
 * Packets borrow the dst under RCU and take no reference. Flushes run under RTNL;
 * they look only at adjacencies that have a dst, and take no lock but the spinlock.
 */
#ifndef _NL31_ADJACENCY_H
#define _NL31_ADJACENCY_H

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "family.h"

struct dst_entry;
struct net;
struct net_device;
struct nl31_device;

/**
 * struct nl31_adjacency_key - what makes an adjacency; compared byte by byte
 * @device: where packets leave, or NULL: where the gateway is connected
 * @gateway: network byte order
 * @gateway_len: 0, 4 or 16
 * @type: enum nl31_route_type; 0: there is no route
 */
struct nl31_adjacency_key {
	struct nl31_device *device;
	u8 gateway[16];
	u8 gateway_len;
	u8 type;
};

/**
 * struct nl31_adjacency - a way out
 * @dst: by family; NULL until the first packet
 * @failed: by family: nl31_adjacencies.epoch in which no dst could be made, or 0
 * @adjacencies: those that it belongs to
 * @active: in nl31_adjacencies.active while it has a dst
 * @node: in nl31_adjacencies.tree
 * @users: paths that have it
 * @key: what it is
 */
struct nl31_adjacency {
	struct dst_entry __rcu *dst[NL31_FAMILIES];
	u32 failed[NL31_FAMILIES];
	struct nl31_adjacencies *adjacencies;
	struct list_head active;
	struct rb_node node;
	u64 users;
	struct nl31_adjacency_key key;
};

/**
 * struct nl31_adjacencies - the adjacencies of a table
 * @lock: guards all of this
 * @net: namespace of the devices
 * @tree: the adjacencies, by key
 * @active: those that have a dst
 * @epoch: moves whenever what has failed may be tried again; never 0
 * @own: device nl31, over which no gateway is connected; or NULL
 * @no_route: for packets that no route covers
 */
struct nl31_adjacencies {
	spinlock_t lock; /* see above */
	struct net *net;
	struct rb_root tree;
	struct list_head active;
	u32 epoch;
	const struct net_device *own;
	struct nl31_adjacency no_route;
};

void nl31_adjacencies_init(struct nl31_adjacencies *adjacencies,
			   struct net *net);
void nl31_adjacencies_exit(struct nl31_adjacencies *adjacencies);

struct nl31_adjacency *
nl31_adjacency_get(struct nl31_adjacencies *adjacencies,
		   const struct nl31_adjacency_key *key);
void nl31_adjacency_hold_locked(struct nl31_adjacency *adjacency);
void nl31_adjacency_put_locked(struct nl31_adjacency *adjacency);

void nl31_adjacencies_event(struct nl31_adjacencies *adjacencies,
			    const struct net_device *dev, unsigned long event);
void nl31_adjacencies_resolve(struct nl31_adjacencies *adjacencies);

struct dst_entry *nl31_adjacency_new_dst(const struct nl31_adjacency *adjacency,
					 enum nl31_family family);
struct dst_entry *nl31_adjacency_make_dst(struct nl31_adjacency *adjacency,
					  enum nl31_family family);

/* The epoch that it is in: what was found out in another one may be wrong. */
static inline u32 nl31_adjacency_epoch(const struct nl31_adjacency *adjacency)
{
	return READ_ONCE(adjacency->adjacencies->epoch);
}

/**
 * nl31_adjacency_has_failed - is it known that no packet can leave this way?
 * @adjacency: the adjacency
 * @family: of the packet
 *
 * Known once a packet has tried, and until a device or a route of Linux changes.
 *
 * Context: RCU read side
 */
static inline bool
nl31_adjacency_has_failed(const struct nl31_adjacency *adjacency,
			  enum nl31_family family)
{
	const u32 failed = READ_ONCE(adjacency->failed[family]);

	return unlikely(failed) && failed == nl31_adjacency_epoch(adjacency);
}

/**
 * nl31_adjacency_dst - what a packet leaves by
 * @adjacency: the adjacency
 * @family: of the packet
 *
 * Context: RCU read side, bottom halves disabled
 * Return: valid under RCU, no reference is taken; NULL: it cannot leave this way;
 *	ERR_PTR: -ENOMEM, or -EAGAIN where devices keep changing
 */
static inline struct dst_entry *
nl31_adjacency_dst(struct nl31_adjacency *adjacency, enum nl31_family family)
{
	struct dst_entry *dst = rcu_dereference(adjacency->dst[family]);

	return likely(dst) ? dst : nl31_adjacency_make_dst(adjacency, family);
}

#endif /* _NL31_ADJACENCY_H */
