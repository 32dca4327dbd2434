// SPDX-License-Identifier: GPL-2.0-only
/* Hash tables that do not grow. */
#include "kernel.h"
#include "shim.h"

int rhashtable_init(struct rhashtable *ht, const struct rhashtable_params *params)
{
	memset(ht, 0, sizeof(*ht));
	if (shim_fails(GFP_KERNEL))
		return -ENOMEM;
	ht->params = *params;
	ht->seed = 0x31;
	return 0;
}

/* What is left in it belongs to its user. */
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
