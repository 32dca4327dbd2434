// SPDX-License-Identifier: GPL-2.0-only
/* Path lists: the paths of a prefix, each distinct list stored once. See path_list.h. */
#include <linux/jhash.h>
#include <linux/mm.h>
#include <linux/once.h>
#include <linux/random.h>
#include <linux/rhashtable.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <net/netlink.h>
#include <uapi/linux/nl31.h>

#include "path_list.h"

/* A table that grows too large is refused; the OOM killer is not called in. */
#define GFP_PATH_LIST	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* So that paths whose hashes are the same cannot be found in advance. */
static u32 nl31_path_seed __read_mostly;

static u32 hash_key(const void *data, u32 len, u32 seed)
{
	const struct nl31_path_key *key = data;
	unsigned int i;

	for (i = 0; i < key->count; i++)
		seed = jhash_2words(key->path[i]->hash, seed, 0);
	return seed;
}

static u32 hash_list(const void *data, u32 len, u32 seed)
{
	const struct nl31_path_list *list = data;
	unsigned int i;

	for (i = 0; i < list->count; i++)
		seed = jhash_2words(list->path[i].hash, seed, 0);
	return seed;
}

static int cmp_list(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct nl31_path_key *key = arg->key;
	const struct nl31_path_list *list = obj;
	unsigned int i;

	if (key->count != list->count)
		return 1;
	for (i = 0; i < key->count; i++)
		if (!nl31_path_is_equal(key->path[i], &list->path[i]))
			return 1;
	return 0;
}

static const struct rhashtable_params path_list_params = {
	.head_offset = offsetof(struct nl31_path_list, node),
	.hashfn = hash_key,
	.obj_hashfn = hash_list,
	.obj_cmpfn = cmp_list,
	.automatic_shrinking = true,
};

/**
 * nl31_path_seal - make a path ready to be compared
 * @path: all that makes up its identity is set
 */
void nl31_path_seal(struct nl31_path *path)
{
	path->hash = jhash(path, NL31_PATH_IDENTITY, nl31_path_seed);
	path->attrs_len = 0;
	path->adjacency = NULL;
}

static void path_put_attr(struct nl31_path *path, u16 type, const void *data,
			  u16 len)
{
	struct nlattr attr = {
		.nla_len = nla_attr_size(len),
		.nla_type = type,
	};
	u8 *to = path->attrs + path->attrs_len;

	memset(to, 0, nla_total_size(len));
	memcpy(to, &attr, sizeof(attr));
	memcpy(to + NLA_HDRLEN, data, len);
	path->attrs_len += nla_total_size(len);
}

static void encode_path(struct nl31_path *path)
{
	path->attrs_len = 0;
	path_put_attr(path, NL31_ROUTE_TYPE, &path->type, sizeof(path->type));
	if (path->gateway_len)
		path_put_attr(path, NL31_ROUTE_GATEWAY, path->gateway,
			      path->gateway_len);
	/* the index of a device by name changes, and is told by each message */
	if (path->device && path->device->name[0])
		path_put_attr(path, NL31_ROUTE_OIF_NAME, path->device->name,
			      strlen(path->device->name) + 1);
	else if (path->device)
		path_put_attr(path, NL31_ROUTE_OIF, &path->device->ifindex,
			      sizeof(path->device->ifindex));
	path_put_attr(path, NL31_ROUTE_METRIC, &path->metric, sizeof(path->metric));
	path_put_attr(path, NL31_ROUTE_PROTOCOL, &path->protocol,
		      sizeof(path->protocol));
}

/*
 * The ids that are free are a list in the places of their lists: the number
 * of the next one, made odd, as no pointer is.
 */
#define IDS_MIN		32

static struct nl31_path_list *free_id(u32 next)
{
	return (struct nl31_path_list *)((unsigned long)next << 1 | 1);
}

static bool is_free_id(const struct nl31_path_list *list)
{
	return (unsigned long)list & 1;
}

static struct nl31_path_list_ids *ids_of(struct nl31_path_lists *lists)
{
	return rcu_dereference_protected(lists->ids, true);
}

/* Twice the ids. Context: the table's lock */
static int path_list_grow_ids(struct nl31_path_lists *lists)
{
	struct nl31_path_list_ids *old = ids_of(lists), *new;
	u32 from = old ? old->size : 0, size = from ? 2 * from : IDS_MIN, id;

	if (size > NL31_NO_ID)
		return -ENOMEM;
	new = kvmalloc(struct_size(new, list, size), GFP_PATH_LIST);
	if (!new)
		return -ENOMEM;
	new->size = size;
	for (id = from; id < size; id++)
		new->list[id] = free_id(id + 1 < size ? id + 1 : NL31_NO_ID);

	mutex_lock(&lists->ids_lock);
	if (old)
		memcpy(new->list, old->list, from * sizeof(*new->list));
	/* ids may have become free since we saw that none was */
	if (lists->free_id != NL31_NO_ID)
		new->list[size - 1] = free_id(lists->free_id);
	lists->free_id = from;
	rcu_assign_pointer(lists->ids, new);
	mutex_unlock(&lists->ids_lock);
	if (old)
		kvfree_rcu(old, rcu);
	return 0;
}

/* Context: the table's lock */
static int path_list_take_id(struct nl31_path_lists *lists, struct nl31_path_list *list)
{
	struct nl31_path_list_ids *ids;

	if (READ_ONCE(lists->free_id) == NL31_NO_ID && path_list_grow_ids(lists))
		return -ENOMEM;
	mutex_lock(&lists->ids_lock);
	ids = ids_of(lists);
	list->id = lists->free_id;
	lists->free_id = (unsigned long)ids->list[list->id] >> 1;
	WRITE_ONCE(ids->list[list->id], list);
	mutex_unlock(&lists->ids_lock);
	return 0;
}

static void path_list_give_id(struct nl31_path_lists *lists, u32 id)
{
	mutex_lock(&lists->ids_lock);
	WRITE_ONCE(ids_of(lists)->list[id], free_id(lists->free_id));
	lists->free_id = id;
	mutex_unlock(&lists->ids_lock);
}

static size_t list_size(unsigned int count)
{
	struct nl31_path_list *list;

	return kmalloc_size_roundup(struct_size(list, path, count));
}

static void path_list_touch(struct nl31_path_lists *lists, struct nl31_path_list *list,
			    int routes)
{
	list->pending += routes;
	if (list_empty(&list->list))
		list_add_tail(&list->list, &lists->touched);
}

static void path_list_hold_devices(struct nl31_path_lists *lists,
				   const struct nl31_path_list *list)
{
	unsigned int i;

	spin_lock(&lists->devices.lock);
	for (i = 0; i < list->count; i++)
		if (list->path[i].device)
			nl31_device_hold_locked(list->path[i].device);
	spin_unlock(&lists->devices.lock);
}

static void path_list_put_devices(struct nl31_path_lists *lists,
				  const struct nl31_path_list *list)
{
	unsigned int i;

	spin_lock(&lists->devices.lock);
	for (i = 0; i < list->count; i++)
		if (list->path[i].device)
			nl31_device_put_locked(&lists->devices,
					       list->path[i].device);
	spin_unlock(&lists->devices.lock);
}

static struct nl31_adjacency *path_get_adjacency(struct nl31_path_lists *lists,
						 const struct nl31_path *path)
{
	struct nl31_adjacency_key key;

	memset(&key, 0, sizeof(key));
	key.device = path->device;
	memcpy(key.gateway, path->gateway, sizeof(key.gateway));
	key.gateway_len = path->gateway_len;
	key.type = path->type;
	return nl31_adjacency_get(&lists->adjacencies, &key);
}

/* They refer to the devices, which are put behind them. */
static void list_put_adjacencies(struct nl31_path_lists *lists,
				 const struct nl31_path_list *list)
{
	unsigned int i;

	spin_lock_bh(&lists->adjacencies.lock);
	for (i = 0; i < list->count; i++)
		if (list->path[i].adjacency)
			nl31_adjacency_put_locked(list->path[i].adjacency);
	spin_unlock_bh(&lists->adjacencies.lock);
}

/* Those of paths that other lists have are there. Returns 0 or -ENOMEM. */
static int list_get_adjacencies(struct nl31_path_lists *lists,
				struct nl31_path_list *list)
{
	unsigned int i;

	spin_lock_bh(&lists->adjacencies.lock);
	for (i = 0; i < list->count; i++)
		if (list->path[i].adjacency)
			nl31_adjacency_hold_locked(list->path[i].adjacency);
	spin_unlock_bh(&lists->adjacencies.lock);
	for (i = 0; i < list->count; i++) {
		if (list->path[i].adjacency)
			continue;
		list->path[i].adjacency = path_get_adjacency(lists,
							     &list->path[i]);
		if (!list->path[i].adjacency) {
			list_put_adjacencies(lists, list);
			return -ENOMEM;
		}
	}
	return 0;
}

/* To the last unicast path of the same metric; others serve alone. */
static void list_count_equals(struct nl31_path_list *list)
{
	const struct nl31_path *last = NULL;
	unsigned int i;

	for (i = list->count; i--;) {
		struct nl31_path *path = &list->path[i];

		path->equals = 1;
		if (path->type != NL31_TYPE_UNICAST)
			continue;
		if (!last || last->metric != path->metric)
			last = path;
		path->equals = last - path + 1;
	}
}

static struct nl31_path_list *list_alloc(struct nl31_path_lists *lists,
					 const struct nl31_path_key *key)
{
	struct nl31_path_list *list;
	unsigned int i;

	list = kmalloc(list_size(key->count), GFP_PATH_LIST);
	if (!list)
		return NULL;
	memset(list, 0, sizeof(*list));
	INIT_LIST_HEAD(&list->list);
	list->count = key->count;
	for (i = 0; i < key->count; i++) {
		list->path[i] = *key->path[i];
		if (!list->path[i].attrs_len)
			encode_path(&list->path[i]);
	}
	list_count_equals(list);
	if (list_get_adjacencies(lists, list)) {
		kfree(list);
		return NULL;
	}
	return list;
}

/**
 * nl31_path_list_get - find or make the list of some paths for one more prefix
 * @lists: the path lists
 * @key: the paths, at least one
 *
 * Context: the table's lock. Takes effect with nl31_path_lists_commit().
 * Return: the list, or NULL without memory
 */
struct nl31_path_list *nl31_path_list_get(struct nl31_path_lists *lists,
					  const struct nl31_path_key *key)
{
	struct nl31_path_list *list;

	list = rhashtable_lookup_fast(&lists->hash, key, path_list_params);
	if (list) {
		path_list_touch(lists, list, 1);
		return list;
	}

	list = list_alloc(lists, key);
	if (!list)
		return NULL;
	if (path_list_take_id(lists, list))
		goto err_free;
	if (rhashtable_insert_fast(&lists->hash, &list->node,
				   path_list_params))
		goto err_id;
	path_list_hold_devices(lists, list);
	list_add_tail(&list->in_use, &lists->in_use);
	lists->count++;
	lists->bytes += list_size(key->count);
	path_list_touch(lists, list, 1);
	return list;

err_id:
	path_list_give_id(lists, list->id);
err_free:
	list_put_adjacencies(lists, list);
	kfree(list);
	return NULL;
}

/**
 * nl31_path_list_put - one prefix less uses a list
 * @lists: the path lists
 * @list: the list
 *
 * Context: the table's lock. Takes effect with nl31_path_lists_commit().
 */
void nl31_path_list_put(struct nl31_path_lists *lists, struct nl31_path_list *list)
{
	path_list_touch(lists, list, -1);
}

static void path_list_end_use(struct nl31_path_lists *lists, struct nl31_path_list *list)
{
	rhashtable_remove_fast(&lists->hash, &list->node, path_list_params);
	list_del(&list->in_use);
	lists->count--;
	lists->bytes -= list_size(list->count);
}

/**
 * nl31_path_list_forget - free a list that came and went within the edit in progress
 * @lists: the path lists
 * @list: any list; one that is used, or was before the edit, is left alone
 *
 * Or a long transaction would gather all lists that its prefixes ever had.
 *
 * Context: the table's lock
 */
void nl31_path_list_forget(struct nl31_path_lists *lists, struct nl31_path_list *list)
{
	if (list->routes || list->pending)
		return;
	list_del(&list->list);
	path_list_end_use(lists, list);
	nl31_path_list_free(lists, list);
}

/**
 * nl31_path_lists_put_all - no prefix uses any list
 * @lists: the path lists
 *
 * Context: the table's lock. Takes effect with nl31_path_lists_commit().
 */
void nl31_path_lists_put_all(struct nl31_path_lists *lists)
{
	struct nl31_path_list *list, *next;

	list_for_each_entry_safe(list, next, &lists->in_use, in_use) {
		if (list->routes + list->pending)
			path_list_touch(lists, list, -(int)(list->routes + list->pending));
		nl31_path_list_forget(lists, list);
		cond_resched();
	}
}

/**
 * nl31_path_lists_commit - make the counts of an edit the counts
 * @lists: the path lists
 * @unused: takes the lists that no prefix of the new version uses; readers of
 *	older versions may
 *
 * Context: the table's lock
 * Return: bytes of the lists that are in @unused now
 */
size_t nl31_path_lists_commit(struct nl31_path_lists *lists, struct list_head *unused)
{
	struct nl31_path_list *list, *next;
	size_t bytes = 0;

	list_for_each_entry_safe(list, next, &lists->touched, list) {
		list->routes += list->pending;
		list->pending = 0;
		if (list->routes) {
			list_del_init(&list->list);
		} else {
			path_list_end_use(lists, list);
			list_move_tail(&list->list, unused);
			bytes += list_size(list->count);
		}
		cond_resched();
	}
	return bytes;
}

/**
 * nl31_path_lists_abort - forget the counts of an edit
 * @lists: the path lists
 *
 * Context: the table's lock
 */
void nl31_path_lists_abort(struct nl31_path_lists *lists)
{
	struct nl31_path_list *list, *next;

	list_for_each_entry_safe(list, next, &lists->touched, list) {
		list->pending = 0;
		if (list->routes)
			list_del_init(&list->list);
		else
			nl31_path_list_forget(lists, list);
		cond_resched();
	}
}

/**
 * nl31_path_list_free - free a list
 * @lists: the path lists
 * @list: the list, in no version that a reader could hold
 */
void nl31_path_list_free(struct nl31_path_lists *lists, struct nl31_path_list *list)
{
	path_list_give_id(lists, list->id);
	list_put_adjacencies(lists, list);
	path_list_put_devices(lists, list);
	kfree(list);
}

/* The paths of one metric. */
struct group {
	const struct nl31_path *path;
	unsigned int count;
};

static struct group group_at(const struct nl31_path_list *list, unsigned int at)
{
	struct group group = {};

	if (!list || at == list->count)
		return group;
	group.path = &list->path[at];
	while (at + group.count < list->count &&
	       group.path[group.count].metric == group.path[0].metric)
		group.count++;
	return group;
}

static bool group_has(const struct group *group, const struct nl31_path *path)
{
	unsigned int i;

	for (i = 0; i < group->count; i++)
		if (nl31_path_is_equal(&group->path[i], path))
			return true;
	return false;
}

struct diff {
	bool comes;
	unsigned int changes;
	nl31_path_change_fn fn;
	void *ctx;
};

static void diff_add(struct diff *diff, enum nl31_path_change change,
		     const struct nl31_path *path)
{
	diff->changes++;
	if (diff->fn)
		diff->fn(diff->ctx, change, path);
}

/*
 * What is kept are the first paths of @new, as far as @old has them in the same
 * order. All else of @old goes, all else of @new is appended.
 */
static void diff_group(struct diff *diff, const struct group *old,
		       const struct group *new)
{
	unsigned int i = 0, kept = 0;

	if (old->count && new->count && !group_has(new, &old->path[0]) &&
	    !group_has(old, &new->path[0])) {
		if (!diff->comes)
			diff_add(diff, NL31_PATH_REPLACED, &new->path[0]);
		i = 1;
		kept = 1;
	}
	for (; i < old->count; i++) {
		if (kept < new->count &&
		    nl31_path_is_equal(&old->path[i], &new->path[kept]))
			kept++;
		else if (!diff->comes)
			diff_add(diff, NL31_PATH_DELETED, &old->path[i]);
	}
	for (i = kept; diff->comes && i < new->count; i++)
		diff_add(diff, NL31_PATH_APPENDED, &new->path[i]);
}

static void diff_lists(struct diff *diff, const struct nl31_path_list *old,
		       const struct nl31_path_list *new)
{
	static const struct group none;
	unsigned int i = 0, j = 0;

	for (;;) {
		struct group from = group_at(old, i), to = group_at(new, j);

		if (!from.count && !to.count)
			return;
		if (from.count && to.count &&
		    from.path->metric != to.path->metric) {
			if (from.path->metric < to.path->metric)
				to = none;
			else
				from = none;
		}
		diff_group(diff, &from, &to);
		i += from.count;
		j += to.count;
	}
}

/**
 * nl31_path_list_diff - the changes that make one list of another
 * @old: the paths that a prefix had, or NULL
 * @new: the paths that it has, or NULL
 * @fn: called for each change, in order; or NULL
 * @ctx: for @fn
 *
 * Made to @old one after the other, these changes give @new, and never more paths
 * than the longer of the two: all that goes comes before what is appended.
 * Takes time in proportion to the lengths.
 *
 * Return: how many changes that is
 */
unsigned int nl31_path_list_diff(const struct nl31_path_list *old,
				 const struct nl31_path_list *new,
				 nl31_path_change_fn fn, void *ctx)
{
	struct diff diff = { .fn = fn, .ctx = ctx };

	if (old)
		diff_lists(&diff, old, new);
	diff.comes = true;
	if (new)
		diff_lists(&diff, old, new);
	return diff.changes;
}

/**
 * nl31_path_lists_event - a device has changed
 * @lists: the path lists
 * @dev: the device
 * @event: NETDEV_*
 *
 * No list is looked at, as there may be many: each finds out when it is used next,
 * by the epoch of the adjacencies. So that one moves behind the states.
 *
 * Context: process, RTNL
 */
void nl31_path_lists_event(struct nl31_path_lists *lists,
			   const struct net_device *dev, unsigned long event)
{
	nl31_device_event(&lists->devices, dev, event);
	nl31_adjacencies_event(&lists->adjacencies, dev, event);
}

/**
 * nl31_path_lists_init - no lists yet
 * @lists: zeroed
 * @net: namespace of their devices
 *
 * Return: 0 or -ENOMEM
 */
int nl31_path_lists_init(struct nl31_path_lists *lists, struct net *net)
{
	get_random_once(&nl31_path_seed, sizeof(nl31_path_seed));
	nl31_devices_init(&lists->devices, net);
	nl31_adjacencies_init(&lists->adjacencies, net);
	RCU_INIT_POINTER(lists->ids, NULL);
	mutex_init(&lists->ids_lock);
	lists->free_id = NL31_NO_ID;
	INIT_LIST_HEAD(&lists->in_use);
	INIT_LIST_HEAD(&lists->touched);
	return rhashtable_init(&lists->hash, &path_list_params);
}

/* Context: no readers, no edit in progress */
void nl31_path_lists_exit(struct nl31_path_lists *lists)
{
	struct nl31_path_list_ids *ids = ids_of(lists);
	u32 id;

	rhashtable_destroy(&lists->hash);
	for (id = 0; ids && id < ids->size; id++) {
		if (!is_free_id(ids->list[id])) {
			list_put_adjacencies(lists, ids->list[id]);
			path_list_put_devices(lists, ids->list[id]);
			kfree(ids->list[id]);
		}
		cond_resched();
	}
	kvfree(ids);
	nl31_adjacencies_exit(&lists->adjacencies);
}
