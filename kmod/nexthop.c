// SPDX-License-Identifier: GPL-2.0-only
/* Next hops: lists of paths, each distinct list stored once. See nexthop.h. */
#include <linux/jhash.h>
#include <linux/mm.h>
#include <linux/rhashtable.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <net/netlink.h>
#include <uapi/linux/nl31.h>

#include "lpm.h"
#include "nexthop.h"

#define PATH_IDENTITY	offsetof(struct nl31_path, state)

/* A table that grows too large is refused; nobody is killed for it. */
#define GFP_NEXTHOP	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* What a list is looked up by. */
struct path_list {
	const struct nl31_path *path;
	unsigned int count;
};

static u32 hash_paths(const struct nl31_path *path, unsigned int count,
		      u32 seed)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		seed = jhash(&path[i], PATH_IDENTITY, seed);
	return seed;
}

static u32 hash_key(const void *data, u32 len, u32 seed)
{
	const struct path_list *key = data;

	return hash_paths(key->path, key->count, seed);
}

static u32 hash_nexthop(const void *data, u32 len, u32 seed)
{
	const struct nl31_nexthop *nh = data;

	return hash_paths(nh->path, nh->count, seed);
}

static int cmp_nexthop(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct path_list *key = arg->key;
	const struct nl31_nexthop *nh = obj;
	unsigned int i;

	if (key->count != nh->count)
		return 1;
	for (i = 0; i < key->count; i++)
		if (!nl31_path_equal(&key->path[i], &nh->path[i]))
			return 1;
	return 0;
}

static const struct rhashtable_params nexthop_params = {
	.head_offset = offsetof(struct nl31_nexthop, node),
	.hashfn = hash_key,
	.obj_hashfn = hash_nexthop,
	.obj_cmpfn = cmp_nexthop,
	.automatic_shrinking = true,
};

static void put_attr(struct nl31_path *path, u16 type, const void *data,
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
	put_attr(path, NL31_ROUTE_TYPE, &path->type, sizeof(path->type));
	if (path->gateway_len)
		put_attr(path, NL31_ROUTE_GATEWAY, path->gateway,
			 path->gateway_len);
	if (path->oif)
		put_attr(path, NL31_ROUTE_OIF, &path->oif, sizeof(path->oif));
	put_attr(path, NL31_ROUTE_METRIC, &path->metric, sizeof(path->metric));
	put_attr(path, NL31_ROUTE_PROTOCOL, &path->protocol,
		 sizeof(path->protocol));
}

/*
 * The ids that are free are a list in the places of their next hops: the number
 * of the next one, made odd, as no pointer is.
 */
#define IDS_MIN		32

static struct nl31_nexthop *free_id(u32 next)
{
	return (struct nl31_nexthop *)((unsigned long)next << 1 | 1);
}

static bool is_free_id(const struct nl31_nexthop *nh)
{
	return (unsigned long)nh & 1;
}

static struct nl31_nexthop_ids *ids_of(struct nl31_nexthops *nhs)
{
	return rcu_dereference_protected(nhs->ids, true);
}

/* Twice the ids. Context: the table's lock */
static int grow_ids(struct nl31_nexthops *nhs)
{
	struct nl31_nexthop_ids *old = ids_of(nhs), *new;
	u32 from = old ? old->size : 0, size = from ? 2 * from : IDS_MIN, id;

	if (size > NL31_NO_ID)
		return -ENOMEM;
	new = kvmalloc(struct_size(new, nh, size), GFP_NEXTHOP);
	if (!new)
		return -ENOMEM;
	new->size = size;
	for (id = from; id < size; id++)
		new->nh[id] = free_id(id + 1 < size ? id + 1 : NL31_NO_ID);

	mutex_lock(&nhs->ids_lock);
	if (old)
		memcpy(new->nh, old->nh, from * sizeof(*new->nh));
	/* ids may have become free since we saw that none was */
	if (nhs->free_id != NL31_NO_ID)
		new->nh[size - 1] = free_id(nhs->free_id);
	nhs->free_id = from;
	rcu_assign_pointer(nhs->ids, new);
	mutex_unlock(&nhs->ids_lock);
	if (old)
		kvfree_rcu(old, rcu);
	return 0;
}

/* Context: the table's lock */
static int take_id(struct nl31_nexthops *nhs, struct nl31_nexthop *nh)
{
	struct nl31_nexthop_ids *ids;

	if (READ_ONCE(nhs->free_id) == NL31_NO_ID && grow_ids(nhs))
		return -ENOMEM;
	mutex_lock(&nhs->ids_lock);
	ids = ids_of(nhs);
	nh->id = nhs->free_id;
	nhs->free_id = (unsigned long)ids->nh[nh->id] >> 1;
	WRITE_ONCE(ids->nh[nh->id], nh);
	mutex_unlock(&nhs->ids_lock);
	return 0;
}

static void give_id(struct nl31_nexthops *nhs, u32 id)
{
	mutex_lock(&nhs->ids_lock);
	WRITE_ONCE(ids_of(nhs)->nh[id], free_id(nhs->free_id));
	nhs->free_id = id;
	mutex_unlock(&nhs->ids_lock);
}

static size_t nexthop_size(unsigned int count)
{
	struct nl31_nexthop *nh;

	return kmalloc_size_roundup(struct_size(nh, path, count));
}

static void touch(struct nl31_nexthops *nhs, struct nl31_nexthop *nh,
		  int routes)
{
	nh->pending += routes;
	if (list_empty(&nh->list))
		list_add_tail(&nh->list, &nhs->touched);
}

/**
 * nl31_nexthop_get - find or make a list of paths for one more prefix
 * @nhs: the next hops
 * @path: the paths in order; only what makes up their identity and the state
 *	of their device need be set
 * @count: how many, 1 to NL31_PATHS_MAX
 *
 * Context: the table's lock. Takes effect with nl31_nexthops_commit().
 * Return: the list, or NULL without memory
 */
struct nl31_nexthop *nl31_nexthop_get(struct nl31_nexthops *nhs,
				      const struct nl31_path *path,
				      unsigned int count)
{
	struct path_list key = { .path = path, .count = count };
	struct nl31_nexthop *nh = NULL;
	bool dead = false;
	unsigned int i;

	/* a path that is dead is another than one like it over a new device */
	for (i = 0; i < count; i++)
		dead |= nl31_path_dead(&path[i]);
	if (!dead)
		nh = rhashtable_lookup_fast(&nhs->hash, &key, nexthop_params);
	if (nh) {
		touch(nhs, nh, 1);
		return nh;
	}

	nh = kzalloc(nexthop_size(count), GFP_NEXTHOP);
	if (!nh)
		return NULL;
	INIT_LIST_HEAD(&nh->list);
	nh->count = count;
	for (i = 0; i < count; i++) {
		nh->path[i] = path[i];
		encode_path(&nh->path[i]);
	}

	if (take_id(nhs, nh))
		goto err_free;
	if (!dead) {
		if (rhashtable_insert_fast(&nhs->hash, &nh->node,
					   nexthop_params))
			goto err_id;
		nh->hashed = true;
	}
	list_add_tail(&nh->in_use, &nhs->in_use);
	nhs->count++;
	nhs->bytes += nexthop_size(count);
	touch(nhs, nh, 1);
	return nh;

err_id:
	give_id(nhs, nh->id);
err_free:
	kfree(nh);
	return NULL;
}

/**
 * nl31_nexthop_put - one prefix less uses a list
 * @nhs: the next hops
 * @nh: the list
 *
 * Context: the table's lock. Takes effect with nl31_nexthops_commit().
 */
void nl31_nexthop_put(struct nl31_nexthops *nhs, struct nl31_nexthop *nh)
{
	touch(nhs, nh, -1);
}

static void unhash(struct nl31_nexthops *nhs, struct nl31_nexthop *nh)
{
	if (!nh->hashed)
		return;
	rhashtable_remove_fast(&nhs->hash, &nh->node, nexthop_params);
	nh->hashed = false;
}

static void end_use(struct nl31_nexthops *nhs, struct nl31_nexthop *nh)
{
	unhash(nhs, nh);
	list_del(&nh->in_use);
	nhs->count--;
	nhs->bytes -= nexthop_size(nh->count);
}

/**
 * nl31_nexthop_forget - free a list that came and went within the edit in progress
 * @nhs: the next hops
 * @nh: any list; one that is used, or was before the edit, is left alone
 *
 * Or a long transaction would gather all lists that its prefixes ever had.
 *
 * Context: the table's lock
 */
void nl31_nexthop_forget(struct nl31_nexthops *nhs, struct nl31_nexthop *nh)
{
	if (nh->routes || nh->pending)
		return;
	list_del(&nh->list);
	end_use(nhs, nh);
	nl31_nexthop_free(nhs, nh);
}

/**
 * nl31_nexthops_put_all - no prefix uses any list
 * @nhs: the next hops
 *
 * Context: the table's lock. Takes effect with nl31_nexthops_commit().
 */
void nl31_nexthops_put_all(struct nl31_nexthops *nhs)
{
	struct nl31_nexthop *nh, *next;

	list_for_each_entry_safe(nh, next, &nhs->in_use, in_use) {
		if (nh->routes + nh->pending)
			touch(nhs, nh, -(int)(nh->routes + nh->pending));
		nl31_nexthop_forget(nhs, nh);
		cond_resched();
	}
}

/**
 * nl31_nexthops_commit - make the counts of an edit the counts
 * @nhs: the next hops
 * @unused: takes the lists that no prefix of the new version uses; readers of
 *	older versions may
 *
 * Context: the table's lock
 * Return: bytes of the lists that are in @unused now
 */
size_t nl31_nexthops_commit(struct nl31_nexthops *nhs, struct list_head *unused)
{
	struct nl31_nexthop *nh, *next;
	size_t bytes = 0;

	list_for_each_entry_safe(nh, next, &nhs->touched, list) {
		nh->routes += nh->pending;
		nh->pending = 0;
		if (nh->routes) {
			list_del_init(&nh->list);
		} else {
			end_use(nhs, nh);
			list_move_tail(&nh->list, unused);
			bytes += nexthop_size(nh->count);
		}
		cond_resched();
	}
	return bytes;
}

/**
 * nl31_nexthops_abort - forget the counts of an edit
 * @nhs: the next hops
 *
 * Context: the table's lock
 */
void nl31_nexthops_abort(struct nl31_nexthops *nhs)
{
	struct nl31_nexthop *nh, *next;

	list_for_each_entry_safe(nh, next, &nhs->touched, list) {
		nh->pending = 0;
		if (nh->routes)
			list_del_init(&nh->list);
		else
			nl31_nexthop_forget(nhs, nh);
		cond_resched();
	}
}

/**
 * nl31_nexthop_free - free a list
 * @nhs: the next hops
 * @nh: the list, in no version that a reader could hold
 */
void nl31_nexthop_free(struct nl31_nexthops *nhs, struct nl31_nexthop *nh)
{
	give_id(nhs, nh->id);
	kfree(nh);
}

/**
 * nl31_nexthops_set_device - tell the paths what became of their device
 * @nhs: the next hops
 * @oif: the device
 * @state: 0, NL31_PATH_DOWN or NL31_PATH_DEAD
 *
 * Context: the table's lock
 * Return: whether there are paths over that device
 */
bool nl31_nexthops_set_device(struct nl31_nexthops *nhs, u32 oif, u8 state)
{
	struct nl31_nexthop *nh;
	bool found = false;
	unsigned int i;

	list_for_each_entry(nh, &nhs->in_use, in_use) {
		for (i = 0; i < nh->count; i++) {
			struct nl31_path *path = &nh->path[i];

			if (path->oif != oif || nl31_path_dead(path))
				continue;
			WRITE_ONCE(path->state, state);
			found = true;
			/* the index may come back as another device */
			if (state & NL31_PATH_DEAD)
				unhash(nhs, nh);
		}
		cond_resched();
	}
	return found;
}

int nl31_nexthops_init(struct nl31_nexthops *nhs)
{
	RCU_INIT_POINTER(nhs->ids, NULL);
	mutex_init(&nhs->ids_lock);
	nhs->free_id = NL31_NO_ID;
	INIT_LIST_HEAD(&nhs->in_use);
	INIT_LIST_HEAD(&nhs->touched);
	return rhashtable_init(&nhs->hash, &nexthop_params);
}

/* Context: no readers, no edit in progress */
void nl31_nexthops_exit(struct nl31_nexthops *nhs)
{
	struct nl31_nexthop_ids *ids = ids_of(nhs);
	u32 id;

	rhashtable_destroy(&nhs->hash);
	for (id = 0; ids && id < ids->size; id++) {
		if (!is_free_id(ids->nh[id]))
			kfree(ids->nh[id]);
		cond_resched();
	}
	kvfree(ids);
}
