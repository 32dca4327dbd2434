/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Path lists: the paths of a prefix, each distinct list stored once.
 *
 * A routing table has a million prefixes but only some dozens of distinct lists,
 * so the trie holds 32-bit ids. Lists are immutable; the state of a path is its
 * device's. A change of a prefix's paths gives the prefix another list.
 */
#ifndef _NL31_PATH_LIST_H
#define _NL31_PATH_LIST_H

#include <linux/align.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/rhashtable-types.h>
#include <linux/string.h>
#include <linux/types.h>
#include <uapi/linux/nl31.h>

#include "adjacency.h"
#include "device.h"

/*
 * NL31_ROUTE_TYPE, _GATEWAY, _OIF or _OIF_NAME, _METRIC and _PROTOCOL, copied in
 * blocks
 */
#define NL31_PATH_ATTRS_BLOCK	16
#define NL31_PATH_ATTRS_MAX					\
	ALIGN(8 + 20 + 20 + 8 + 8, NL31_PATH_ATTRS_BLOCK)

/**
 * struct nl31_path - one way to a prefix
 * @device: where packets leave, or NULL
 * @metric: lowest first
 * @gateway: network byte order
 * @gateway_len: 0, 4 or 16
 * @type: enum nl31_route_type
 * @protocol: what installed it, by the numbers of RTPROT_*
 * @attrs_len: bytes in @attrs; from here on not part of its identity
 * @hash: of what is before, by nl31_path_seal()
 * @equals: how many paths from this one on can share the load with it; of paths in a
 *	list only
 * @adjacency: what packets leave by; of paths in a list only
 * @attrs: the path as netlink attributes, for all messages that carry it
 */
struct nl31_path {
	struct nl31_device *device;
	u32 metric;
	u8 gateway[16];
	u8 gateway_len;
	u8 type;
	u8 protocol;
	u8 attrs_len;
	u32 hash;
	u8 equals;
	struct nl31_adjacency *adjacency;
	u8 attrs[NL31_PATH_ATTRS_MAX] __aligned(4);
};

/**
 * struct nl31_path_list - the paths of some prefixes
 * @id: what the trie knows it by
 * @routes: prefixes that use it, in the published table
 * @pending: what the edit in progress adds to @routes
 * @count: paths
 * @hash: of the paths
 * @first: by family: the first usable path, see path_select.c
 * @node: in nl31_path_lists.hash
 * @list: in nl31_path_lists.touched, later in nl31_retired.lists
 * @in_use: in nl31_path_lists.in_use
 * @path: the paths, by metric; among equals the earliest first
 */
struct nl31_path_list {
	u32 id;
	u32 routes;
	int pending;
	u32 count;
	u32 hash;
	u32 first[NL31_FAMILIES];
	struct rhash_head node;
	struct list_head list;
	struct list_head in_use;
	struct nl31_path path[];
};

/**
 * struct nl31_path_key - paths that a list is to be found or made for
 * @count: how many, at most NL31_PATHS_MAX
 * @path: the paths in order; of other lists, or sealed
 */
struct nl31_path_key {
	unsigned int count;
	const struct nl31_path *path[NL31_PATHS_MAX];
};

/* No list has this id. Half of a u32: a bit is needed to mark free ones. */
#define NL31_NO_ID		S32_MAX

/**
 * struct nl31_path_list_ids - lists by id
 * @rcu: frees it when a larger one has taken its place
 * @size: ids
 * @list: the list, or where the id is free the next free one, see free_id()
 */
struct nl31_path_list_ids {
	struct rcu_head rcu;
	u32 size;
	struct nl31_path_list *list[];
};

/**
 * struct nl31_path_lists - the path lists of a table
 * @devices: of their paths
 * @adjacencies: of their paths
 * @hash: by their paths
 * @ids: by id; those that only older versions know are in it, too
 * @ids_lock: guards changes of @ids
 * @free_id: an id that is free, or NL31_NO_ID
 * @in_use: those that are used, or were until the edit in progress
 * @touched: those with changes pending
 * @bytes: allocated for those
 * @count: how many these are
 */
struct nl31_path_lists {
	struct nl31_devices devices;
	struct nl31_adjacencies adjacencies;
	struct rhashtable hash;
	struct nl31_path_list_ids __rcu *ids;
	struct mutex ids_lock; /* see above */
	u32 free_id;
	struct list_head in_use;
	struct list_head touched;
	size_t bytes;
	u32 count;
};

int nl31_path_lists_init(struct nl31_path_lists *lists, struct net *net);
void nl31_path_lists_exit(struct nl31_path_lists *lists);

void nl31_path_seal(struct nl31_path *path);

struct nl31_path_list *nl31_path_list_get(struct nl31_path_lists *lists,
					  const struct nl31_path_key *key);
void nl31_path_list_put(struct nl31_path_lists *lists,
			struct nl31_path_list *list);
void nl31_path_list_forget(struct nl31_path_lists *lists,
			   struct nl31_path_list *list);
void nl31_path_lists_put_all(struct nl31_path_lists *lists);
size_t nl31_path_lists_commit(struct nl31_path_lists *lists,
			      struct list_head *unused);
void nl31_path_lists_abort(struct nl31_path_lists *lists);
void nl31_path_list_free(struct nl31_path_lists *lists,
			 struct nl31_path_list *list);

/**
 * enum nl31_path_change - what became of a path, as one event says it
 * @NL31_PATH_DELETED: it has gone
 * @NL31_PATH_REPLACED: it took the place of the first path of its metric
 * @NL31_PATH_APPENDED: it came, behind those of its metric
 */
enum nl31_path_change {
	NL31_PATH_DELETED,
	NL31_PATH_REPLACED,
	NL31_PATH_APPENDED,
};

typedef void (*nl31_path_change_fn)(void *ctx, enum nl31_path_change change,
				    const struct nl31_path *path);
unsigned int nl31_path_list_diff(const struct nl31_path_list *old,
				 const struct nl31_path_list *new,
				 nl31_path_change_fn fn, void *ctx);

/**
 * nl31_path_list_by_id - what a trie's value stands for
 * @lists: the path lists
 * @id: from a trie that they belong to
 *
 * Context: RCU read side, or the table's lock
 */
static inline struct nl31_path_list *
nl31_path_list_by_id(struct nl31_path_lists *lists, u32 id)
{
	/* an array that has this id: pairs with what publishes the trie */
	smp_rmb();
	return READ_ONCE(rcu_dereference_check(lists->ids, true)->list[id]);
}

#define NL31_PATH_IDENTITY	offsetof(struct nl31_path, attrs_len)

/* Do two paths go the same way, installed by the same with the same metric? */
static inline bool nl31_path_is_equal(const struct nl31_path *a,
				      const struct nl31_path *b)
{
	return a->hash == b->hash && !memcmp(a, b, NL31_PATH_IDENTITY);
}

struct net_device;
void nl31_path_lists_event(struct nl31_path_lists *lists,
			   const struct net_device *dev, unsigned long event);

/* Is the device of its index gone? A path by name waits for its device instead. */
static inline bool nl31_path_is_dead(const struct nl31_path *path)
{
	return path->device && nl31_device_is_gone(path->device);
}

/* May packets of this family go over the path? One in a list. */
static inline bool nl31_path_is_usable(const struct nl31_path *path,
				       enum nl31_family family)
{
	return (!path->device || nl31_device_is_up(path->device)) &&
	       !nl31_adjacency_has_failed(path->adjacency, family);
}

/*
 * The paths of @list that live. Those over a device that has gone are dropped by
 * the next change of the prefix; until then lookups, limits and requests pass
 * over them.
 */
static inline void nl31_path_key_living(struct nl31_path_key *key,
					const struct nl31_path_list *list)
{
	unsigned int i;

	key->count = 0;
	for (i = 0; list && i < list->count; i++)
		if (!nl31_path_is_dead(&list->path[i]))
			key->path[key->count++] = &list->path[i];
}

static inline void nl31_path_key_insert(struct nl31_path_key *key,
					unsigned int at,
					const struct nl31_path *path)
{
	memmove(&key->path[at + 1], &key->path[at],
		(key->count - at) * sizeof(key->path[0]));
	key->path[at] = path;
	key->count++;
}

static inline void nl31_path_key_remove(struct nl31_path_key *key,
					unsigned int at)
{
	key->count--;
	memmove(&key->path[at], &key->path[at + 1],
		(key->count - at) * sizeof(key->path[0]));
}

#endif /* _NL31_PATH_LIST_H */
