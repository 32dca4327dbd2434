// SPDX-License-Identifier: GPL-2.0-only
/* xarray and rhashtable, the plain way. Their memory does not count as the module's. */
#include "kernel.h"
#include "shim.h"

void xa_init_flags(struct xarray *xa, gfp_t flags)
{
	(void)flags;
	memset(xa, 0, sizeof(*xa));
}

int xa_alloc(struct xarray *xa, u32 *id, void *entry, struct xa_limit limit, gfp_t gfp)
{
	u32 at = limit.min;

	if (shim_fails(gfp))
		return -ENOMEM;
	while (at < xa->room && xa->entry[at])
		at++;
	if (at > limit.max)
		return -EBUSY;
	if (at >= xa->room) {
		unsigned long room = xa->room;

		xa->room = at * 2 + 8;
		xa->entry = realloc(xa->entry, xa->room * sizeof(void *));
		memset(xa->entry + room, 0, (xa->room - room) * sizeof(void *));
	}
	xa->entry[at] = entry;
	*id = at;
	return 0;
}

void *xa_load(struct xarray *xa, unsigned long index)
{
	return index < xa->room ? xa->entry[index] : NULL;
}

void *xa_erase(struct xarray *xa, unsigned long index)
{
	void *entry = xa_load(xa, index);

	if (entry)
		xa->entry[index] = NULL;
	return entry;
}

void *xa_next(struct xarray *xa, unsigned long *index)
{
	while (*index < xa->room && !xa->entry[*index])
		++*index;
	return xa_load(xa, *index);
}

void xa_destroy(struct xarray *xa)
{
	free(xa->entry);
	memset(xa, 0, sizeof(*xa));
}

int rhashtable_init(struct rhashtable *ht, const struct rhashtable_params *params)
{
	memset(ht, 0, sizeof(*ht));
	if (shim_fails(GFP_KERNEL))
		return -ENOMEM;
	ht->params = *params;
	ht->seed = 0x31;
	return 0;
}

/* What is left in it is somebody else's. */
void rhashtable_destroy(struct rhashtable *ht)
{
	might_sleep();
	memset(ht, 0, sizeof(*ht));
}

static void *object(const struct rhashtable *ht, struct rhash_head *head)
{
	return (char *)head - ht->params.head_offset;
}

void *rhashtable_lookup_fast(struct rhashtable *ht, const void *key,
			     const struct rhashtable_params params)
{
	struct rhashtable_compare_arg arg = { .ht = ht, .key = key };
	u32 hash = params.hashfn(key, params.key_len, ht->seed);
	struct rhash_head *head = ht->bucket[hash % SHIM_BUCKETS];

	for (; head; head = head->next)
		if (!params.obj_cmpfn(&arg, object(ht, head)))
			return object(ht, head);
	return NULL;
}

static struct rhash_head **bucket_of(struct rhashtable *ht, struct rhash_head *head)
{
	u32 hash = ht->params.obj_hashfn(object(ht, head), ht->params.key_len, ht->seed);

	return &ht->bucket[hash % SHIM_BUCKETS];
}

int rhashtable_insert_fast(struct rhashtable *ht, struct rhash_head *obj,
			   const struct rhashtable_params params)
{
	struct rhash_head **bucket = bucket_of(ht, obj);

	(void)params;
	/* where a bucket has grown too long the kernel allocates */
	if (shim_fails(GFP_ATOMIC))
		return -ENOMEM;
	obj->next = *bucket;
	*bucket = obj;
	ht->count++;
	return 0;
}

int rhashtable_remove_fast(struct rhashtable *ht, struct rhash_head *obj,
			   const struct rhashtable_params params)
{
	struct rhash_head **at = bucket_of(ht, obj);

	(void)params;
	for (; *at; at = &(*at)->next) {
		if (*at == obj) {
			*at = obj->next;
			ht->count--;
			return 0;
		}
	}
	shim_bug("an object is removed from a hash table that it is not in");
}
