// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making and changing nodes. See lpm_node.h for the layout.
 */
#include <linux/string.h>

#include "lpm_node.h"

/*
 * Nodes or lists below a node from which it becomes an array when it grows, and
 * children below which an array becomes a node again. An array takes 2.1 KB or
 * more: at these numbers a KB more than the node, for nodes below that stand for
 * several routes each. A test of few prefixes brings lower numbers.
 */
#ifndef LPM_ARRAY_MIN
#define LPM_ARRAY_MIN	128
#define LPM_ARRAY_KEEP	64
#endif

static size_t lpm_node_bytes(unsigned int children, unsigned int prefixes)
{
	return sizeof(struct lpm_node) + children * sizeof(u64) +
	       prefixes * sizeof(u32);
}

static struct lpm_node *lpm_node_alloc(struct lpm_edit *edit, size_t bytes)
{
	const size_t size = nl31_lpm_node_size(bytes);
	struct lpm_node *node = nl31_lpm_alloc(edit, size);

	if (node)
		node->units = size / LPM_UNIT;
	return node;
}

/* An empty node with room for @children and @prefixes; NULL on ENOMEM. */
struct lpm_node *nl31_lpm_node_new(struct lpm_edit *edit, unsigned int children,
				   unsigned int prefixes)
{
	struct lpm_node *node;
	u8 units;

	node = lpm_node_alloc(edit, lpm_node_bytes(children, prefixes));
	if (!node)
		return NULL;
	units = node->units;
	memset(node, 0, sizeof(*node));
	node->block.edit = edit->id;
	node->units = units;
	return node;
}

static void lpm_set_nr(u64 map[LPM_WORDS], u8 rank[LPM_WORDS - 1],
		       unsigned int nr)
{
	unsigned int word = nr / 64;

	WRITE_ONCE(map[word], map[word] | BIT_ULL(nr % 64));
	for (; word < LPM_WORDS - 1; word++)
		rank[word]++;
}

static void lpm_clear_nr(u64 map[LPM_WORDS], u8 rank[LPM_WORDS - 1],
			 unsigned int nr)
{
	unsigned int word = nr / 64;

	WRITE_ONCE(map[word], map[word] & ~BIT_ULL(nr % 64));
	for (; word < LPM_WORDS - 1; word++)
		rank[word]--;
}

/* Store a slot; readers may be looking, see nl31_lpm_edit_begin_in_place(). */
void nl31_lpm_slot_store(u64 *ref, u64 slot)
{
#ifdef CONFIG_64BIT
	/* a reader that sees the slot sees the block: pairs with READ_ONCE() */
	smp_store_release(ref, slot);
#else
	*ref = slot;
#endif
}

/* Add a child; nl31_lpm_node_prepare() has made room. */
void nl31_lpm_node_add_child(struct lpm_node *node, unsigned int byte, u64 slot)
{
	unsigned int at;
	size_t tail;

	if (node->is_array) {
		nl31_lpm_slot_store(lpm_child(node, byte), slot);
	} else {
		at = lpm_rank(node->child, node->child_rank, byte);
		tail = (lpm_children(node) - at) * sizeof(u64) +
		       lpm_prefixes(node) * sizeof(u32);
		memmove(&node->slot[at + 1], &node->slot[at], tail);
		node->slot[at] = slot;
	}
	lpm_set_nr(node->child, node->child_rank, byte);
}

/* Remove a child that exists. */
void nl31_lpm_node_del_child(struct lpm_node *node, unsigned int byte)
{
	unsigned int at;
	size_t tail;

	if (node->is_array) {
		nl31_lpm_slot_store(lpm_child(node, byte), 0);
	} else {
		at = lpm_rank(node->child, node->child_rank, byte);
		tail = (lpm_children(node) - at - 1) * sizeof(u64) +
		       lpm_prefixes(node) * sizeof(u32);
		memmove(&node->slot[at], &node->slot[at + 1], tail);
	}
	lpm_clear_nr(node->child, node->child_rank, byte);
}

/* Add a prefix, or change its value; nl31_lpm_node_prepare() has made room. */
void nl31_lpm_node_set_prefix(struct lpm_node *node, unsigned int nr, u32 value)
{
	u32 *at = lpm_value_at(node, nr);
	u32 *end = lpm_values(node) + lpm_prefixes(node);

	if (!lpm_test_nr(node->prefix, nr)) {
		memmove(at + 1, at, (end - at) * sizeof(*at));
		lpm_set_nr(node->prefix, node->prefix_rank, nr);
	}
	*at = value;
}

/* Remove a prefix that exists. */
void nl31_lpm_node_del_prefix(struct lpm_node *node, unsigned int nr)
{
	u32 *at = lpm_value_at(node, nr);
	u32 *end = lpm_values(node) + lpm_prefixes(node);

	memmove(at, at + 1, (end - at - 1) * sizeof(*at));
	lpm_clear_nr(node->prefix, node->prefix_rank, nr);
}

/* Shall a copy of the node, with room for @more children, be an array? */
static bool lpm_wants_array(const struct lpm_node *node, unsigned int more)
{
	unsigned int i, below = 0;

	if (node->is_array)
		return lpm_children(node) >= LPM_ARRAY_KEEP;
	if (!more || lpm_children(node) < LPM_ARRAY_MIN)
		return false;
	for (i = 0; i < lpm_children(node); i++)
		below += !lpm_is_entry(node->slot[i]);
	return below >= LPM_ARRAY_MIN;
}

/* Copy the slots of a node into an array, or those of an array into a node. */
static void lpm_convert_slots(struct lpm_node *new, const struct lpm_node *old)
{
	unsigned int byte, i = 0;

	if (new->is_array)
		memset(new->slot, 0, LPM_FANOUT * sizeof(u64));
	for (byte = lpm_next_nr(old->child, 0); byte < LPM_FANOUT;
	     byte = lpm_next_nr(old->child, byte + 1), i++) {
		if (new->is_array)
			new->slot[byte] = old->slot[i];
		else
			new->slot[i] = old->slot[byte];
	}
	memcpy(lpm_values(new), lpm_values(old), lpm_prefixes(old) * sizeof(u32));
}

/**
 * nl31_lpm_node_prepare - a node that the edit may change
 * @edit: the edit
 * @slot: the node or array
 * @children: room for this many more
 * @prefixes: room for this many more
 *
 * Return: slot of the node itself if only the edit knows it, else of a copy, which
 *	nl31_lpm_node_replace() puts in its place; 0 on ENOMEM
 */
u64 nl31_lpm_node_prepare(struct lpm_edit *edit, u64 slot, unsigned int children,
			  unsigned int prefixes)
{
	struct lpm_node *old = lpm_pointer(slot), *new;
	const unsigned int old_children = lpm_children(old);
	const unsigned int old_prefixes = lpm_prefixes(old);
	size_t used, need;
	bool is_array;
	u8 units;

	used = lpm_node_bytes(old->is_array ? LPM_FANOUT : old_children,
			      old_prefixes);
	need = used + (old->is_array ? 0 : children * sizeof(u64)) +
	       prefixes * sizeof(u32);
	if (lpm_is_private(edit, slot) && need <= old->units * LPM_UNIT &&
	    !(old->is_array && old_children < LPM_ARRAY_KEEP))
		return slot;

	is_array = lpm_wants_array(old, children);
	if (is_array != old->is_array)
		need = lpm_node_bytes(is_array ? LPM_FANOUT : old_children + children,
				      old_prefixes + prefixes);
	new = lpm_node_alloc(edit, need);
	if (!new)
		return 0;
	units = new->units;
	memcpy(new, old, is_array == old->is_array ? used : sizeof(*old));
	new->block.edit = edit->id;
	new->units = units;
	new->is_array = is_array;
	if (is_array != old->is_array)
		lpm_convert_slots(new, old);
	return lpm_slot(new, is_array ? LPM_ARRAY : LPM_NODE);
}

/* Put what nl31_lpm_node_prepare() made, finished, in the place of the old one. */
void nl31_lpm_node_replace(struct lpm_edit *edit, u64 *ref, u64 new)
{
	const u64 old = *ref;

	if (new == old)
		return;
	nl31_lpm_slot_store(ref, new);
	nl31_lpm_drop(edit, old);
}
