// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making and changing nodes. See lpm_node.h for the layout.
 */
#include <linux/string.h>

#include "lpm_node.h"

/*
 * Nodes or lists below a node from which it becomes an array, and below which an
 * array becomes a node again. An array takes 4.6 KB: at these numbers some tens
 * of bytes for each node below, which stands for several routes.
 */
#define LPM_ARRAY_MIN	128
#define LPM_ARRAY_KEEP	64

static size_t lpm_node_bytes(unsigned int children, unsigned int prefixes)
{
	return sizeof(struct lpm_node) + children * sizeof(u64) +
	       prefixes * sizeof(u32);
}

static size_t lpm_array_bytes(unsigned int prefixes)
{
	return sizeof(struct lpm_node) + LPM_ARRAY_WORDS * sizeof(u64) +
	       prefixes * sizeof(u32);
}

static struct lpm_node *lpm_node_alloc(struct lpm_edit *edit, size_t bytes)
{
	const size_t size = nl31_lpm_node_size(bytes);
	struct lpm_node *node = nl31_lpm_alloc(edit, size);

	if (!node)
		return NULL;
	memset(node, 0, sizeof(*node));
	node->block.edit = edit->id;
	node->size = size;
	return node;
}

/* An empty node with room for @children and @prefixes; NULL on ENOMEM. */
struct lpm_node *nl31_lpm_node_new(struct lpm_edit *edit, unsigned int children,
				   unsigned int prefixes)
{
	return lpm_node_alloc(edit, lpm_node_bytes(children, prefixes));
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

	if (lpm_is_array(node)) {
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

	if (lpm_is_array(node)) {
		nl31_lpm_slot_store(lpm_child(node, byte), 0);
	} else {
		at = lpm_rank(node->child, node->child_rank, byte);
		tail = (lpm_children(node) - at - 1) * sizeof(u64) +
		       lpm_prefixes(node) * sizeof(u32);
		memmove(&node->slot[at], &node->slot[at + 1], tail);
	}
	lpm_clear_nr(node->child, node->child_rank, byte);
}

/* Let prefix @nr, of this value, be the match where no longer one is. */
static void lpm_array_cover(struct lpm_node *array, unsigned int nr, u32 value)
{
	const struct lpm_prefix *prefix = &nl31_lpm_prefix[nr];
	struct lpm_step *step = &lpm_steps(array)[prefix->byte];
	struct lpm_step *end = step + (LPM_FANOUT >> prefix->len);

	for (; step < end; step++) {
		if (step->len > prefix->len + 1)
			continue;
		step->value = value;
		step->len = prefix->len + 1;
	}
}

/* Where prefix @nr, no longer there, was the match, take the next shorter one. */
static void lpm_array_uncover(struct lpm_node *array, unsigned int nr)
{
	const struct lpm_prefix *prefix = &nl31_lpm_prefix[nr];
	struct lpm_step *step = &lpm_steps(array)[prefix->byte];
	struct lpm_step *end = step + (LPM_FANOUT >> prefix->len);
	const int match = lpm_node_match(array, prefix->byte, prefix->len);
	const u32 value = match < 0 ? 0 : *lpm_value_at(array, match);
	const u32 len = match < 0 ? 0 : nl31_lpm_prefix[match].len + 1;

	for (; step < end; step++) {
		if (step->len != prefix->len + 1)
			continue;
		step->value = value;
		step->len = len;
	}
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
	if (lpm_is_array(node))
		lpm_array_cover(node, nr, value);
}

/* Remove a prefix that exists. */
void nl31_lpm_node_del_prefix(struct lpm_node *node, unsigned int nr)
{
	u32 *at = lpm_value_at(node, nr);
	u32 *end = lpm_values(node) + lpm_prefixes(node);

	memmove(at, at + 1, (end - at - 1) * sizeof(*at));
	lpm_clear_nr(node->prefix, node->prefix_rank, nr);
	if (lpm_is_array(node))
		lpm_array_uncover(node, nr);
}

/* Are there enough nodes and lists below for an array? */
static bool lpm_wants_array(const struct lpm_node *node)
{
	const bool is_array = lpm_is_array(node);
	const unsigned int enough = is_array ? LPM_ARRAY_KEEP : LPM_ARRAY_MIN;
	const unsigned int step = is_array ? LPM_STEP_WORDS : 1;
	const unsigned int slots = is_array ? LPM_FANOUT : lpm_children(node);
	unsigned int i, below = 0;

	if (lpm_children(node) < enough)
		return false;
	for (i = 0; i < slots; i++) {
		u64 slot = node->slot[i * step];

		below += slot && !lpm_is_entry(slot);
	}
	return below >= enough;
}

/* Fill an array from a node or from another array. */
static void lpm_fill_array(struct lpm_node *new, const struct lpm_node *old)
{
	struct lpm_step *step = lpm_steps(new);
	const u32 *value = lpm_values(old);
	const u64 *slot = old->slot;
	unsigned int nr;

	if (lpm_is_array(old)) {
		memcpy(step, lpm_steps(old), LPM_FANOUT * sizeof(*step));
		return;
	}
	memset(step, 0, LPM_FANOUT * sizeof(*step));
	for (nr = lpm_next_nr(old->child, 0); nr < LPM_FANOUT;
	     nr = lpm_next_nr(old->child, nr + 1))
		step[nr].slot = *slot++;
	for (nr = lpm_next_nr(old->prefix, 0); nr < LPM_FANOUT;
	     nr = lpm_next_nr(old->prefix, nr + 1))
		lpm_array_cover(new, nr, *value++);
}

/* Fill the slots of a node from another node or from an array. */
static void lpm_fill_packed(struct lpm_node *new, const struct lpm_node *old)
{
	u64 *slot = new->slot;
	unsigned int nr;

	if (!lpm_is_array(old)) {
		memcpy(slot, old->slot, lpm_children(old) * sizeof(*slot));
		return;
	}
	for (nr = lpm_next_nr(old->child, 0); nr < LPM_FANOUT;
	     nr = lpm_next_nr(old->child, nr + 1))
		*slot++ = lpm_steps(old)[nr].slot;
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
	const bool is_array = lpm_is_array(old);
	bool to_array;
	size_t bytes;

	children += lpm_children(old);
	prefixes += lpm_prefixes(old);
	bytes = is_array ? lpm_array_bytes(prefixes) :
			   lpm_node_bytes(children, prefixes);
	if (lpm_is_private(edit, slot) && bytes <= old->size &&
	    !(is_array && lpm_children(old) < LPM_ARRAY_KEEP))
		return slot;

	to_array = lpm_wants_array(old);
	new = lpm_node_alloc(edit, to_array ? lpm_array_bytes(prefixes) :
					      lpm_node_bytes(children, prefixes));
	if (!new)
		return 0;
	memcpy(new->child_rank, old->child_rank, sizeof(new->child_rank));
	memcpy(new->prefix_rank, old->prefix_rank, sizeof(new->prefix_rank));
	memcpy(new->child, old->child, sizeof(new->child));
	memcpy(new->prefix, old->prefix, sizeof(new->prefix));
	memcpy(lpm_values(new), lpm_values(old), lpm_prefixes(old) * sizeof(u32));
	if (to_array)
		lpm_fill_array(new, old);
	else
		lpm_fill_packed(new, old);
	return lpm_slot(new, to_array ? LPM_ARRAY : LPM_NODE);
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
