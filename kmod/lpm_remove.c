// SPDX-License-Identifier: GPL-2.0-only
/*
 * Removing prefixes. See lpm_node.h for the layout, lpm_edit.c for how edits work.
 */
#include <linux/string.h>

#include "lpm_group.h"

/* A node with this many entries, and nothing else, becomes a list. */
#define LPM_COLLAPSE	5

/**
 * struct lpm_way - the way to a prefix that is to be removed
 * @ref: the slots on it, the last one being that of the prefix or of its node
 * @depth: bytes of the address above each
 * @last: number of the last
 * @nr: number of the prefix in its node; LPM_FANOUT where it is in a slot
 */
struct lpm_way {
	u64 *ref[LPM_MAX_DEPTH + 1];
	u8 depth[LPM_MAX_DEPTH + 1];
	unsigned int last;
	unsigned int nr;
};

static bool lpm_find_way(struct lpm_edit *edit, const struct lpm_key *key,
			 struct lpm_way *way)
{
	u64 *ref = &edit->lpm.root;
	unsigned int depth = 0;

	way->nr = LPM_FANOUT;
	for (way->last = 0;; way->last++) {
		const u64 slot = *ref;
		const unsigned int left = key->len - depth * LPM_STRIDE;
		const struct lpm_skip *skip = lpm_pointer(slot);
		const struct lpm_node *node = lpm_pointer(slot);

		way->ref[way->last] = ref;
		way->depth[way->last] = depth;
		if (lpm_tag(slot) == LPM_SKIP) {
			if (!lpm_skip_leads_to(skip, key))
				return false;
		} else if (!lpm_is_node(slot)) {
			return nl31_lpm_get_entry(slot, key, depth) != LPM_NO_VALUE;
		} else if (left < LPM_STRIDE) {
			way->nr = lpm_own_number(key, depth);
			return lpm_test_nr(node->prefix, way->nr);
		} else if (!lpm_test_nr(node->child, lpm_key_byte(key->word, depth))) {
			return false;
		}
		ref = lpm_step_down(ref, key, depth);
		depth = lpm_tag(slot) == LPM_SKIP ? lpm_skip_depth(skip) : depth + 1;
	}
}

/* Make what is above number @to of the way changeable. */
static int lpm_pass_way(struct lpm_edit *edit, const struct lpm_key *key,
			struct lpm_way *way, unsigned int to)
{
	unsigned int i;

	for (i = 0; i < to; i++) {
		if (!lpm_pass(edit, way->ref[i]))
			return -ENOMEM;
		way->ref[i + 1] = lpm_step_down(way->ref[i], key, way->depth[i]);
	}
	return 0;
}

/* What replaces number @i of the way replaces the skip that leads there, too. */
static unsigned int lpm_way_top(const struct lpm_way *way, unsigned int i)
{
	return i && lpm_tag(*way->ref[i - 1]) == LPM_SKIP ? i - 1 : i;
}

/* Store @slot as number @top of the way, and drop what the way led through. */
static void lpm_replace_way(struct lpm_edit *edit, struct lpm_way *way,
			    unsigned int top, u64 slot)
{
	u64 old[4];
	unsigned int i;

	for (i = top; i <= way->last; i++)
		old[i - top] = *way->ref[i];
	nl31_lpm_slot_store(way->ref[top], slot);
	for (i = top; i <= way->last; i++)
		if (!lpm_is_entry(old[i - top]))
			nl31_lpm_drop(edit, old[i - top]);
}

/* Let @group take the place of number @at of the way and of all below it. */
static int lpm_regroup(struct lpm_edit *edit, const struct lpm_key *key,
		       struct lpm_way *way, unsigned int at, struct lpm_group *group)
{
	const unsigned int top = lpm_way_top(way, at);
	u64 slot;

	if (lpm_pass_way(edit, key, way, top))
		return -ENOMEM;
	slot = nl31_lpm_group_build(edit, group, way->depth[top]);
	if (!slot)
		return -ENOMEM;
	lpm_replace_way(edit, way, top, slot);
	nl31_lpm_group_drop(edit, group);
	return 0;
}

/*
 * Only child @byte remains of the node that is number @at of the way, and there is a
 * node or list below it, which takes the place.
 */
static int lpm_lift_child(struct lpm_edit *edit, const struct lpm_key *key,
			  struct lpm_way *way, unsigned int at, unsigned int byte)
{
	const struct lpm_node *node = lpm_pointer(*way->ref[at]);
	const unsigned int top = lpm_way_top(way, at), depth = way->depth[at];
	u64 child = *lpm_child(node, byte), slot = child;
	const u64 gone = *way->ref[way->last];
	u64 path[2] = { key->word[0], key->word[1] };

	path[depth / 8] &= lpm_word_mask(0, depth % 8 * 8);
	path[depth / 8] |= (u64)byte << (56 - depth % 8 * 8);
	if (lpm_is_list(child)) {
		struct lpm_group group;

		lpm_group_init(&group);
		group.gone = lpm_tag(gone) == LPM_LEAF ? gone : 0;
		nl31_lpm_group_add(&group, child, path, depth + 1);
		if (lpm_regroup(edit, key, way, at, &group))
			return -ENOMEM;
		nl31_lpm_drop(edit, child);
		return 0;
	}
	if (lpm_pass_way(edit, key, way, top))
		return -ENOMEM;
	if (lpm_is_node(child))
		slot = nl31_lpm_skip_new(edit, path, depth + 1, child);
	if (!slot)
		return -ENOMEM;
	lpm_replace_way(edit, way, top, slot);
	if (lpm_tag(gone) == LPM_LEAF)
		nl31_lpm_drop(edit, gone);
	return 0;
}

/* Remove prefix @nr, or else child @byte, from number @at of the way. */
static int lpm_remove_from_node(struct lpm_edit *edit, const struct lpm_key *key,
				struct lpm_way *way, unsigned int at,
				unsigned int byte, unsigned int nr)
{
	const struct lpm_node *node = lpm_pointer(*way->ref[at]);
	const u64 gone = *way->ref[way->last];
	unsigned int child;
	u64 slot;

	if (lpm_children(node) + lpm_prefixes(node) == 2) {
		child = lpm_next_nr(node->child, 0);
		if (child == byte)
			child = lpm_next_nr(node->child, child + 1);
		return lpm_lift_child(edit, key, way, at, child);
	}
	if (lpm_pass_way(edit, key, way, at))
		return -ENOMEM;
	slot = *way->ref[at];
	/* an array loses a child in place with one store */
	if (!edit->in_place || lpm_tag(slot) != LPM_ARRAY || nr < LPM_FANOUT)
		slot = nl31_lpm_node_prepare(edit, slot, 0, 0);
	if (!slot)
		return -ENOMEM;
	if (nr < LPM_FANOUT)
		nl31_lpm_node_del_prefix(lpm_pointer(slot), nr);
	else
		nl31_lpm_node_del_child(lpm_pointer(slot), byte);
	nl31_lpm_node_replace(edit, way->ref[at], slot);
	if (lpm_tag(gone) == LPM_LEAF)
		nl31_lpm_drop(edit, gone);
	return 0;
}

/* Remove a prefix that is one of its node's own. */
static int lpm_remove_prefix(struct lpm_edit *edit, const struct lpm_key *key,
			     struct lpm_way *way)
{
	const unsigned int at = way->last;
	struct lpm_group group;

	lpm_group_init(&group);
	if (nl31_lpm_group_add_node(&group, lpm_pointer(*way->ref[at]), LPM_FANOUT,
				    way->nr, LPM_COLLAPSE, key->word, way->depth[at]))
		return lpm_regroup(edit, key, way, at, &group);
	return lpm_remove_from_node(edit, key, way, at, LPM_FANOUT, way->nr);
}

/* Does a node stay one without one of its entries? */
static bool lpm_has_many(u64 slot)
{
	const struct lpm_node *node = lpm_pointer(slot);

	return lpm_children(node) + lpm_prefixes(node) > LPM_COLLAPSE + 1;
}

/*
 * Remove an entry from a list that only the edit knows and that stays one. False
 * where the list is not like that.
 */
static bool lpm_list_remove(struct lpm_edit *edit, u64 slot,
			    const struct lpm_key *key, unsigned int depth)
{
	struct lpm_list *list = lpm_pointer(slot);
	unsigned int count, at = 0;
	u64 entry;

	if (edit->in_place || !lpm_is_private(edit, slot) || lpm_needs_leaf(key, depth))
		return false;
	entry = nl31_lpm_make_entry(key, depth, 0);
	for (count = 0; count < lpm_list_room(slot) && list->slot[count]; count++)
		if (!((list->slot[count] ^ entry) & ~LPM_VALUE_MASK))
			at = count;
	if (count < LPM_SHORT_LIST || (lpm_tag(slot) == LPM_LIST7 &&
				       count <= LPM_SHORT_LIST + 1))
		return false;
	count--;
	memmove(&list->slot[at], &list->slot[at + 1], (count - at) * sizeof(u64));
	list->slot[count] = 0;
	return true;
}

/* Remove a prefix that is in a slot or in a list. */
static int lpm_remove_entry(struct lpm_edit *edit, const struct lpm_key *key,
			    struct lpm_way *way)
{
	const unsigned int at = way->last, top = lpm_way_top(way, at);
	const unsigned int above = top - 1;
	const u64 slot = *way->ref[at];
	struct lpm_group group, joined;
	u8 byte;

	if (lpm_is_list(slot) && lpm_list_remove(edit, slot, key, way->depth[at]))
		return 0;
	if (lpm_is_entry(slot) && at && lpm_has_many(*way->ref[above])) {
		byte = lpm_key_byte(key->word, way->depth[above]);
		return lpm_remove_from_node(edit, key, way, above, byte, LPM_FANOUT);
	}
	lpm_group_init(&group);
	nl31_lpm_group_add(&group, slot, key->word, way->depth[at]);
	nl31_lpm_group_remove(&group, key);
	if (!at && !group.count) {
		nl31_lpm_slot_store(way->ref[0], 0);
		nl31_lpm_drop(edit, slot);
		return 0;
	}
	if (group.count > 1 || !top)
		return lpm_regroup(edit, key, way, at, &group);

	/* what remains may do without the node above */
	byte = lpm_key_byte(key->word, way->depth[above]);
	joined = group;
	if (nl31_lpm_group_add_node(&joined, lpm_pointer(*way->ref[above]), byte,
				    LPM_FANOUT, LPM_COLLAPSE, key->word,
				    way->depth[above]))
		return lpm_regroup(edit, key, way, above, &joined);
	if (group.count)
		return lpm_regroup(edit, key, way, at, &group);
	return lpm_remove_from_node(edit, key, way, above, byte, LPM_FANOUT);
}

/**
 * nl31_lpm_remove - remove a prefix
 * @edit: the edit
 * @key: the prefix
 *
 * Return: 0, -ENOENT if it is not there, or -ENOMEM with the same entries as
 *	before
 */
int nl31_lpm_remove(struct lpm_edit *edit, const struct lpm_key *key)
{
	struct lpm_way way;
	int err;

	edit->place.ref = NULL;
	if (!lpm_find_way(edit, key, &way))
		return -ENOENT;
	if (way.nr < LPM_FANOUT)
		err = lpm_remove_prefix(edit, key, &way);
	else
		err = lpm_remove_entry(edit, key, &way);
	if (!err)
		edit->lpm.entries--;
	return err;
}
