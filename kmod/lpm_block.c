// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of tries: slab caches, what an edit makes and drops, and freeing.
 * See lpm_node.h for the layout.
 */
#include <linux/cache.h>
#include <linux/init.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "lpm_node.h"

/* A table that grows too large is refused; no process is killed for it. */
#define GFP_LPM		(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/*
 * Sizes of blocks. The first is for leaves, skips and short lists, the second
 * for long lists, the others are for nodes; arrays begin at 2176.
 */
static const u16 lpm_sizes[] = {
	32, 64,
	128, 192, 256, 384, 512,
	640, 768, 896, 1024, 1280, 1536, 1792, 2048,
	2176, 2304, 2560, 3200,
};

static const char *const lpm_cache_names[] = {
	"nl31_lpm_32", "nl31_lpm_64",
	"nl31_lpm_128", "nl31_lpm_192", "nl31_lpm_256",
	"nl31_lpm_384", "nl31_lpm_512",
	"nl31_lpm_640", "nl31_lpm_768", "nl31_lpm_896", "nl31_lpm_1024",
	"nl31_lpm_1280", "nl31_lpm_1536", "nl31_lpm_1792", "nl31_lpm_2048",
	"nl31_lpm_2176", "nl31_lpm_2304", "nl31_lpm_2560", "nl31_lpm_3200",
};

#define LPM_SIZES	ARRAY_SIZE(lpm_sizes)
#define LPM_SIZE_MAX	3200

static struct kmem_cache *lpm_cache[LPM_SIZES] __ro_after_init;

/* By size in units, rounded up: number of the smallest cache that is enough. */
static u8 lpm_class[LPM_SIZE_MAX / LPM_UNIT + 1] __ro_after_init;

static unsigned int lpm_class_of(size_t size)
{
	return size <= 32 ? 0 : lpm_class[DIV_ROUND_UP(size, LPM_UNIT)];
}

/**
 * nl31_lpm_init - make the slab caches and the tables for all tries
 *
 * Context: before the first trie
 * Return: 0 or -ENOMEM
 */
int __init nl31_lpm_init(void)
{
	unsigned int i, units;

	BUILD_BUG_ON(ARRAY_SIZE(lpm_cache_names) != LPM_SIZES);
	BUILD_BUG_ON(sizeof(struct lpm_leaf) > 32);
	BUILD_BUG_ON(sizeof(struct lpm_skip) != 32);
	BUILD_BUG_ON(sizeof(struct lpm_list) + LPM_SHORT_LIST * sizeof(u64) != 32);
	BUILD_BUG_ON(sizeof(struct lpm_list) + LPM_LONG_LIST * sizeof(u64) != 64);

	nl31_lpm_init_tables();
	for (i = 0; i < LPM_SIZES; i++) {
		/* what is no multiple of a cache line must not straddle one */
		lpm_cache[i] = kmem_cache_create(lpm_cache_names[i], lpm_sizes[i],
						 min_t(u16, lpm_sizes[i], LPM_UNIT),
						 SLAB_ACCOUNT, NULL);
		if (!lpm_cache[i]) {
			nl31_lpm_exit();
			return -ENOMEM;
		}
	}
	for (i = 1, units = 0; i < LPM_SIZES; i++)
		for (; units <= lpm_sizes[i] / LPM_UNIT; units++)
			lpm_class[units] = i;
	return 0;
}

/**
 * nl31_lpm_exit - undo nl31_lpm_init()
 *
 * Context: all tries and all garbage are freed
 */
void nl31_lpm_exit(void)
{
	unsigned int i;

	for (i = 0; i < LPM_SIZES; i++)
		kmem_cache_destroy(lpm_cache[i]);
}

/* What a node of @bytes takes, rounded up to a cache's size. */
size_t nl31_lpm_node_size(size_t bytes)
{
	return lpm_sizes[lpm_class_of(max_t(size_t, bytes, 2 * LPM_UNIT))];
}

static size_t lpm_size(u64 slot)
{
	switch (lpm_tag(slot)) {
	case LPM_NODE:
	case LPM_ARRAY:
		return ((struct lpm_node *)lpm_pointer(slot))->units * LPM_UNIT;
	case LPM_LIST7:
		return 64;
	default:
		return 32;
	}
}

static void lpm_free_block(u64 slot)
{
	kmem_cache_free(lpm_cache[lpm_class_of(lpm_size(slot))],
			lpm_pointer(slot));
}

/*
 * Memory for a block of a size that a cache has. The caller marks the block as
 * the edit's. NULL on ENOMEM.
 */
void *nl31_lpm_alloc(struct lpm_edit *edit, size_t size)
{
	void *memory = kmem_cache_alloc(lpm_cache[lpm_class_of(size)], GFP_LPM);

	if (memory)
		edit->lpm.bytes += size;
	return memory;
}

/* Free a block that no reader can know. */
void nl31_lpm_unalloc(struct lpm_edit *edit, u64 slot)
{
	edit->lpm.bytes -= lpm_size(slot);
	lpm_free_block(slot);
}

/*
 * Take a block out of the trie: readers may still be in it, unless it is new.
 * An LPM_ENTRY has none.
 */
void nl31_lpm_drop(struct lpm_edit *edit, u64 slot)
{
	struct lpm_garbage *garbage = &edit->garbage;
	size_t size;

	if (!slot || lpm_tag(slot) == LPM_ENTRY)
		return;
	if (lpm_is_private(edit, slot)) {
		nl31_lpm_unalloc(edit, slot);
		return;
	}
	size = lpm_size(slot);
	edit->lpm.bytes -= size;
	garbage->bytes += size;
	lpm_block(slot)->next = garbage->blocks;
	if (!garbage->blocks)
		garbage->last = slot;
	garbage->blocks = slot;
}

/* Slot @i of those in a block, and how many there are; empty ones among them. */
static unsigned int lpm_slots(u64 slot)
{
	switch (lpm_tag(slot)) {
	case LPM_NODE:
		return lpm_children(lpm_pointer(slot));
	case LPM_ARRAY:
		return LPM_FANOUT;
	case LPM_SKIP:
		return 1;
	default:
		return lpm_list_room(slot);
	}
}

static u64 lpm_slot_at(u64 slot, unsigned int i)
{
	switch (lpm_tag(slot)) {
	case LPM_NODE:
	case LPM_ARRAY:
		return ((struct lpm_node *)lpm_pointer(slot))->slot[i];
	case LPM_SKIP:
		return ((struct lpm_skip *)lpm_pointer(slot))->slot;
	default:
		return ((struct lpm_list *)lpm_pointer(slot))->slot[i];
	}
}

/* Free the tree below @slot, itself included; with @edit, what only that knows. */
static void lpm_free_tree(u64 slot, struct lpm_edit *edit)
{
	struct {
		u64 slot;
		unsigned int next;
		unsigned int count;
	} way[LPM_MAX_DEPTH], *at;
	unsigned int freed = 0;
	int depth = -1;

	for (;;) {
		if (slot && lpm_tag(slot) != LPM_ENTRY &&
		    (!edit || lpm_is_private(edit, slot))) {
			if (lpm_tag(slot) == LPM_LEAF) {
				if (edit)
					edit->lpm.bytes -= lpm_size(slot);
				lpm_free_block(slot);
			} else {
				at = &way[++depth];
				at->slot = slot;
				at->next = 0;
				at->count = lpm_slots(slot);
			}
		}
		while (depth >= 0 && way[depth].next == way[depth].count) {
			if (edit)
				edit->lpm.bytes -= lpm_size(way[depth].slot);
			lpm_free_block(way[depth--].slot);
			if (!(++freed % LPM_CHUNK))
				cond_resched();
		}
		if (depth < 0)
			return;
		slot = lpm_slot_at(way[depth].slot, way[depth].next++);
	}
}

/* The base version keeps the blocks that the edit dropped. */
static void lpm_undrop(struct lpm_edit *edit)
{
	unsigned int steps = 0;
	u64 slot, next;

	for (slot = edit->garbage.blocks; slot; slot = next) {
		next = lpm_block(slot)->next;
		lpm_block(slot)->edit = 0;
		if (!(++steps % LPM_CHUNK))
			cond_resched();
	}
	memset(&edit->garbage, 0, sizeof(edit->garbage));
}

/**
 * nl31_lpm_edit_begin - begin to change a trie
 * @edit: the edit
 * @base: the current version
 * @id: never used before, not 0
 */
void nl31_lpm_edit_begin(struct lpm_edit *edit, const struct lpm *base, u64 id)
{
	edit->lpm = *base;
	edit->base = *base;
	edit->id = id;
	edit->in_place = false;
	edit->place.ref = NULL;
	memset(&edit->garbage, 0, sizeof(edit->garbage));
}

/**
 * nl31_lpm_edit_begin_in_place - begin to change one prefix where readers see it
 * @edit: the edit; takes one call of nl31_lpm_set() or nl31_lpm_remove(), and cannot be
 *	aborted once that has succeeded
 * @base: the current version, which no reader holds for longer than RCU does
 * @id: never used before, not 0
 *
 * A reader finds the old value or the new one. Where LPM_CAN_IN_PLACE only.
 */
void nl31_lpm_edit_begin_in_place(struct lpm_edit *edit, const struct lpm *base,
				  u64 id)
{
	nl31_lpm_edit_begin(edit, base, id);
	edit->in_place = true;
}

/**
 * nl31_lpm_clear - remove all entries
 * @edit: the edit
 *
 * Context: process; calls cond_resched()
 */
void nl31_lpm_clear(struct lpm_edit *edit)
{
	edit->place.ref = NULL;
	lpm_free_tree(edit->lpm.root, edit);
	lpm_undrop(edit);
	edit->garbage.tree = edit->base.root;
	edit->garbage.bytes = edit->base.bytes;
	memset(&edit->lpm, 0, sizeof(edit->lpm));
}

/**
 * nl31_lpm_edit_abort - forget the changes
 * @edit: the edit
 *
 * Context: process; calls cond_resched()
 */
void nl31_lpm_edit_abort(struct lpm_edit *edit)
{
	lpm_free_tree(edit->lpm.root, edit);
	lpm_undrop(edit);
}

/**
 * nl31_lpm_edit_commit - end an edit whose trie is going to be published
 * @edit: the edit
 *
 * Return: what to free once no reader can be in the base version
 */
struct lpm_garbage nl31_lpm_edit_commit(struct lpm_edit *edit)
{
	return edit->garbage;
}

/**
 * nl31_lpm_garbage_add - join the garbage of several edits
 * @garbage: takes all of it
 * @more: what to add, without a whole tree; empty afterwards
 */
void nl31_lpm_garbage_add(struct lpm_garbage *garbage, struct lpm_garbage *more)
{
	if (more->blocks) {
		lpm_block(more->last)->next = garbage->blocks;
		if (!garbage->blocks)
			garbage->last = more->last;
		garbage->blocks = more->blocks;
	}
	garbage->bytes += more->bytes;
	memset(more, 0, sizeof(*more));
}

/**
 * nl31_lpm_garbage_free - free what edits took out
 * @garbage: from nl31_lpm_edit_commit()
 *
 * Context: process; calls cond_resched()
 */
void nl31_lpm_garbage_free(struct lpm_garbage *garbage)
{
	u64 slot = garbage->blocks, next;
	unsigned int freed = 0;

	for (; slot; slot = next) {
		next = lpm_block(slot)->next;
		lpm_free_block(slot);
		if (!(++freed % LPM_CHUNK))
			cond_resched();
	}
	lpm_free_tree(garbage->tree, NULL);
	memset(garbage, 0, sizeof(*garbage));
}

/**
 * nl31_lpm_free - free a whole trie
 * @lpm: the trie, without readers and without an edit
 *
 * Context: process; calls cond_resched()
 */
void nl31_lpm_free(struct lpm *lpm)
{
	lpm_free_tree(lpm->root, NULL);
	memset(lpm, 0, sizeof(*lpm));
}
