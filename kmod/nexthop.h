/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Next hops: lists of paths, each distinct list stored once.
 *
 * A routing table has a million prefixes but only some dozens of distinct path
 * lists, so the trie holds 32-bit ids. Lists are immutable but for the state of
 * their devices; a change of a prefix's paths gives the prefix another list.
 */
#ifndef _NL31_NEXTHOP_H
#define _NL31_NEXTHOP_H

#include <linux/align.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/rhashtable-types.h>
#include <linux/string.h>
#include <linux/types.h>

/* NL31_ROUTE_TYPE, _GATEWAY, _OIF, _METRIC and _PROTOCOL, copied in blocks */
#define NL31_PATH_ATTRS_BLOCK	16
#define NL31_PATH_ATTRS_MAX					\
	ALIGN(8 + 20 + 8 + 8 + 8, NL31_PATH_ATTRS_BLOCK)

#define NL31_PATH_DOWN		BIT(0)	/* its device is down */
#define NL31_PATH_DEAD		BIT(1)	/* its device is gone */

/**
 * struct nl31_path - one way to a prefix
 * @oif: device, 0 for none
 * @metric: lowest first
 * @gateway: network byte order
 * @gateway_len: 0, 4 or 16
 * @type: enum nl31_route_type
 * @protocol: who installed it
 * @state: NL31_PATH_DOWN, NL31_PATH_DEAD; from here on not part of its identity
 * @attrs_len: bytes in @attrs
 * @attrs: the path as netlink attributes, for all messages that carry it
 */
struct nl31_path {
	u32 oif;
	u32 metric;
	u8 gateway[16];
	u8 gateway_len;
	u8 type;
	u8 protocol;
	u8 state;
	u8 attrs_len;
	u8 attrs[NL31_PATH_ATTRS_MAX] __aligned(4);
};

/**
 * struct nl31_nexthop - a list of paths
 * @id: what the trie knows it by
 * @routes: prefixes that use it, in the published table
 * @pending: what the edit in progress adds to @routes
 * @hashed: can be found by its paths
 * @count: paths
 * @node: in nl31_nexthops.hash
 * @list: in nl31_nexthops.touched, later in nl31_version.nexthops
 * @in_use: in nl31_nexthops.in_use
 * @path: the paths, by metric; among equals the earliest first
 */
struct nl31_nexthop {
	u32 id;
	u32 routes;
	int pending;
	bool hashed;
	u16 count;
	struct rhash_head node;
	struct list_head list;
	struct list_head in_use;
	struct nl31_path path[];
};

/* No next hop has this id. Half of a u32: a bit is needed to mark free ones. */
#define NL31_NO_ID		S32_MAX

/**
 * struct nl31_nexthop_ids - next hops by id
 * @rcu: frees it when a larger one has taken its place
 * @size: ids
 * @nh: the next hop, or where the id is free the next free one, see free_id()
 */
struct nl31_nexthop_ids {
	struct rcu_head rcu;
	u32 size;
	struct nl31_nexthop *nh[];
};

/**
 * struct nl31_nexthops - the next hops of a table
 * @hash: by their paths
 * @ids: by id; those that only older versions know are in it, too
 * @ids_lock: guards changes of @ids
 * @free_id: an id that is free, or NL31_NO_ID
 * @in_use: those that are used, or were until the edit in progress
 * @touched: those with changes pending
 * @bytes: allocated for those
 * @count: how many these are
 */
struct nl31_nexthops {
	struct rhashtable hash;
	struct nl31_nexthop_ids __rcu *ids;
	struct mutex ids_lock; /* see above */
	u32 free_id;
	struct list_head in_use;
	struct list_head touched;
	size_t bytes;
	u32 count;
};

int nl31_nexthops_init(struct nl31_nexthops *nhs);
void nl31_nexthops_exit(struct nl31_nexthops *nhs);

struct nl31_nexthop *nl31_nexthop_get(struct nl31_nexthops *nhs,
				      const struct nl31_path *path,
				      unsigned int count);
void nl31_nexthop_put(struct nl31_nexthops *nhs, struct nl31_nexthop *nh);
void nl31_nexthop_forget(struct nl31_nexthops *nhs, struct nl31_nexthop *nh);
void nl31_nexthops_put_all(struct nl31_nexthops *nhs);
size_t nl31_nexthops_commit(struct nl31_nexthops *nhs, struct list_head *unused);
void nl31_nexthops_abort(struct nl31_nexthops *nhs);
void nl31_nexthop_free(struct nl31_nexthops *nhs, struct nl31_nexthop *nh);
bool nl31_nexthops_set_device(struct nl31_nexthops *nhs, u32 oif, u8 state);

/**
 * nl31_nexthop_by_id - what a trie's value stands for
 * @nhs: the next hops
 * @id: from a trie that they belong to
 *
 * Context: RCU read side, or the table's lock
 */
static inline struct nl31_nexthop *
nl31_nexthop_by_id(struct nl31_nexthops *nhs, u32 id)
{
	/* an array that has this id: pairs with what publishes the trie */
	smp_rmb();
	return READ_ONCE(rcu_dereference_check(nhs->ids, true)->nh[id]);
}

/* Do two paths go the same way, installed by the same with the same metric? */
static inline bool nl31_path_equal(const struct nl31_path *a,
				   const struct nl31_path *b)
{
	return a->oif == b->oif && a->metric == b->metric &&
	       !memcmp(a->gateway, b->gateway, sizeof(a->gateway)) &&
	       a->gateway_len == b->gateway_len && a->type == b->type &&
	       a->protocol == b->protocol;
}

static inline bool nl31_path_dead(const struct nl31_path *path)
{
	return READ_ONCE(path->state) & NL31_PATH_DEAD;
}

static inline bool nl31_path_usable(const struct nl31_path *path)
{
	return !READ_ONCE(path->state);
}

#endif /* _NL31_NEXTHOP_H */
