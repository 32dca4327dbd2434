// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finding and setting prefixes. See lpm_node.h for the layout.
 *
 * An edit makes what is new beside the trie, and then stores one slot. It copies
 * the blocks on the way there that the base version has, too; in place, it does
 * not, and the one store is what readers see.
 */
#include <linux/string.h>

#include "lpm_group.h"

/* Replace the block in @ref by a copy that this edit may change; 0 on ENOMEM. */
u64 nl31_lpm_copy(struct lpm_edit *edit, u64 *ref)
{
	const u64 old = *ref;
	const struct lpm_skip *skip;
	u64 new;

	if (lpm_tag(old) == LPM_SKIP) {
		skip = lpm_pointer(old);
		new = nl31_lpm_skip_new(edit, skip->word, lpm_skip_depth(skip),
					skip->slot);
	} else {
		new = nl31_lpm_node_prepare(edit, old, 0, 0);
	}
	if (new)
		nl31_lpm_node_replace(edit, ref, new);
	return new;
}

/* Value of @key in a list, an entry or nothing; LPM_NO_VALUE if it is not there. */
u32 nl31_lpm_get_entry(u64 slot, const struct lpm_key *key, unsigned int depth)
{
	const struct lpm_list *list = lpm_pointer(slot);
	unsigned int i;
	u64 entry;

	if (!slot)
		return LPM_NO_VALUE;
	if (lpm_is_entry(slot))
		return lpm_entry_is(slot, key, depth) ? lpm_slot_value(slot) :
							LPM_NO_VALUE;
	if (lpm_needs_leaf(key, depth)) {
		for (i = 0; i < lpm_list_room(slot); i++)
			if (lpm_entry_is(list->slot[i], key, depth))
				return lpm_slot_value(list->slot[i]);
		return LPM_NO_VALUE;
	}
	/* a leaf in this list is longer than @key */
	entry = nl31_lpm_make_entry(key, depth, 0);
	for (i = 0; i < lpm_list_room(slot); i++)
		if (!((list->slot[i] ^ entry) & ~LPM_VALUE_MASK))
			return lpm_slot_value(list->slot[i]);
	return LPM_NO_VALUE;
}

/**
 * nl31_lpm_get - exact match
 * @edit: the edit
 * @key: the prefix
 *
 * If nl31_lpm_set() of the same prefix comes next, it resumes where this stopped.
 *
 * Return: its value as the edit has it, or LPM_NO_VALUE
 */
u32 nl31_lpm_get(struct lpm_edit *edit, const struct lpm_key *key)
{
	struct lpm_cursor *place = &edit->place;
	u64 *ref = &edit->lpm.root;
	unsigned int depth = 0;

	place->key = *key;
	place->ref = NULL;
	for (;;) {
		const u64 slot = *ref;
		const unsigned int left = key->len - depth * LPM_STRIDE;
		const struct lpm_skip *skip = lpm_pointer(slot);
		const struct lpm_node *node = lpm_pointer(slot);

		if (!lpm_is_node(slot) && lpm_tag(slot) != LPM_SKIP)
			return nl31_lpm_get_entry(slot, key, depth);
		if (lpm_is_private(edit, slot)) {
			place->ref = ref;
			place->depth = depth;
		}
		if (lpm_tag(slot) == LPM_SKIP) {
			if (!lpm_skip_leads_to(skip, key))
				return LPM_NO_VALUE;
			ref = lpm_step_down(ref, key, depth);
			depth = lpm_skip_depth(skip);
			continue;
		}
		if (left < LPM_STRIDE) {
			const unsigned int nr = lpm_own_number(key, depth);

			if (!lpm_test_nr(node->prefix, nr))
				return LPM_NO_VALUE;
			return *lpm_value_at(node, nr);
		}
		if (!lpm_test_nr(node->child, lpm_key_byte(key->word, depth)))
			return LPM_NO_VALUE;
		ref = lpm_step_down(ref, key, depth++);
	}
}

/* Order of an LPM_ENTRY among those of the same list. */
static u32 lpm_entry_order(u64 slot)
{
	return slot >> (64 - LPM_INLINE_BITS) << 5 | lpm_entry_len(slot);
}

/* Store the entries of @old with @entry as number @at into @list. */
static void lpm_list_insert(struct lpm_list *list, const struct lpm_list *old,
			    unsigned int at, unsigned int count, u64 entry)
{
	memmove(&list->slot[at + 1], &old->slot[at], (count - at) * sizeof(u64));
	if (list != old)
		memcpy(list->slot, old->slot, at * sizeof(u64));
	list->slot[at] = entry;
}

/*
 * Set an entry in a list of entries without leaves that has room for it. Returns
 * 1 where the list is not like that.
 */
static int lpm_list_set(struct lpm_edit *edit, u64 *ref, unsigned int depth,
			const struct lpm_key *key, u32 value)
{
	struct lpm_list *list = lpm_pointer(*ref), *new;
	const unsigned int room = lpm_list_room(*ref);
	const bool private = lpm_is_private(edit, *ref);
	unsigned int count, at = 0, size;
	bool exists = false;
	u64 entry;

	if (lpm_needs_leaf(key, depth))
		return 1;
	entry = nl31_lpm_make_entry(key, depth, value);
	for (count = 0; count < room && list->slot[count]; count++) {
		if (lpm_tag(list->slot[count]) == LPM_LEAF)
			return 1;
		at += lpm_entry_order(list->slot[count]) < lpm_entry_order(entry);
		exists |= lpm_entry_order(list->slot[count]) == lpm_entry_order(entry);
	}
	if (exists && (private || edit->in_place)) {
		nl31_lpm_slot_store(&list->slot[at], entry);
		return 0;
	}
	if (exists || count == LPM_LONG_LIST)
		return 1;
	edit->lpm.entries++;
	if (private && count < room) {
		lpm_list_insert(list, list, at, count, entry);
		return 0;
	}
	size = count < LPM_SHORT_LIST ? 32 : 64;
	new = nl31_lpm_alloc(edit, size);
	if (!new) {
		edit->lpm.entries--;
		return -ENOMEM;
	}
	memset(new, 0, size);
	new->block.edit = edit->id;
	lpm_list_insert(new, list, at, count, entry);
	nl31_lpm_node_replace(edit, ref, lpm_slot(new, size == 32 ? LPM_LIST3 : LPM_LIST7));
	return 0;
}

/* Set an entry among those in @ref: a list below a node, one entry, or none. */
static int lpm_set_entry(struct lpm_edit *edit, u64 *ref, unsigned int depth,
			 const struct lpm_key *key, u32 value)
{
	const u64 old = *ref;
	struct lpm_group group;
	bool is_new;
	u64 slot;

	if (lpm_tag(old) == LPM_LEAF &&
	    (edit->in_place || lpm_is_private(edit, old)) &&
	    lpm_entry_is(old, key, depth)) {
		WRITE_ONCE(((struct lpm_leaf *)lpm_pointer(old))->value, value);
		return 0;
	}
	lpm_group_init(&group);
	if (old)
		nl31_lpm_group_add(&group, old, key->word, depth);
	is_new = nl31_lpm_group_set(&group, key, value);
	slot = nl31_lpm_group_build(edit, &group, depth);
	if (!slot)
		return -ENOMEM;
	nl31_lpm_slot_store(ref, slot);
	if (lpm_is_list(old))
		nl31_lpm_drop(edit, old);
	nl31_lpm_group_drop(edit, &group);
	edit->lpm.entries += is_new;
	return 0;
}

/* Set the prefix with number @nr of the node in @ref. */
static int lpm_set_prefix(struct lpm_edit *edit, u64 *ref, unsigned int nr,
			  u32 value)
{
	struct lpm_node *node = lpm_pointer(*ref);
	const bool exists = lpm_test_nr(node->prefix, nr);
	u64 slot;

	if (exists && edit->in_place) {
		/* a reader that sees the value sees what it stands for */
		smp_store_release(lpm_value_at(node, nr), value);
		return 0;
	}
	slot = nl31_lpm_node_prepare(edit, *ref, 0, !exists);
	if (!slot)
		return -ENOMEM;
	nl31_lpm_node_set_prefix(lpm_pointer(slot), nr, value);
	nl31_lpm_node_replace(edit, ref, slot);
	edit->lpm.entries += !exists;
	return 0;
}

/* Add an entry where the node in @ref, @depth bytes down, has no child. */
static int lpm_add_child(struct lpm_edit *edit, u64 *ref, unsigned int depth,
			 const struct lpm_key *key, u32 value)
{
	u64 entry, slot = *ref;

	entry = nl31_lpm_entry_new(edit, key, depth + 1, value);
	if (!entry)
		return -ENOMEM;
	/* an array takes it in place with one store */
	if (!edit->in_place || lpm_tag(slot) != LPM_ARRAY)
		slot = nl31_lpm_node_prepare(edit, slot, 1, 0);
	if (!slot) {
		if (lpm_tag(entry) == LPM_LEAF)
			nl31_lpm_unalloc(edit, entry);
		return -ENOMEM;
	}
	nl31_lpm_node_add_child(lpm_pointer(slot), lpm_key_byte(key->word, depth),
				entry);
	nl31_lpm_node_replace(edit, ref, slot);
	edit->lpm.entries++;
	return 0;
}

/*
 * Set an entry that is to join those in the list that the skip in @ref leads to.
 * Their new form may begin anywhere.
 */
static int lpm_join_list(struct lpm_edit *edit, u64 *ref, unsigned int depth,
			 const struct lpm_key *key, u32 value)
{
	const u64 old = *ref;
	const struct lpm_skip *skip = lpm_pointer(old);
	const u64 list = skip->slot;
	struct lpm_group group;
	bool is_new;
	u64 slot;

	lpm_group_init(&group);
	nl31_lpm_group_add(&group, list, skip->word, lpm_skip_depth(skip));
	is_new = nl31_lpm_group_set(&group, key, value);
	slot = nl31_lpm_group_build(edit, &group, depth);
	if (!slot)
		return -ENOMEM;
	nl31_lpm_slot_store(ref, slot);
	nl31_lpm_drop(edit, list);
	nl31_lpm_drop(edit, old);
	nl31_lpm_group_drop(edit, &group);
	edit->lpm.entries += is_new;
	return 0;
}

/* Set an entry that leaves the skip in @ref, to a node, on the way. */
static int lpm_split_skip(struct lpm_edit *edit, u64 *ref, unsigned int depth,
			  const struct lpm_key *key, u32 value)
{
	const u64 old = *ref;
	const struct lpm_skip *skip = lpm_pointer(old);
	unsigned int at = depth, left;
	u64 entry = 0, slot, below;
	struct lpm_node *node;

	if (lpm_is_list(skip->slot))
		return lpm_join_list(edit, ref, depth, key, value);
	while ((at + 1) * LPM_STRIDE <= key->len &&
	       lpm_key_byte(skip->word, at) == lpm_key_byte(key->word, at))
		at++;
	left = key->len - at * LPM_STRIDE;
	/* the lower part of the skip begins further down */
	below = at + 1 < lpm_skip_depth(skip) ? old : skip->slot;

	if (left >= LPM_STRIDE) {
		entry = nl31_lpm_entry_new(edit, key, at + 1, value);
		if (!entry)
			return -ENOMEM;
	}
	node = nl31_lpm_node_new(edit, 2, 1);
	if (!node)
		goto free_entry;
	slot = lpm_slot(node, LPM_NODE);
	nl31_lpm_node_add_child(node, lpm_key_byte(skip->word, at), below);
	if (entry)
		nl31_lpm_node_add_child(node, lpm_key_byte(key->word, at), entry);
	else
		nl31_lpm_node_set_prefix(node, lpm_own_number(key, at), value);
	if (at > depth) {
		slot = nl31_lpm_skip_new(edit, key->word, at, slot);
		if (!slot)
			goto free_node;
	}
	nl31_lpm_slot_store(ref, slot);
	if (below != old)
		nl31_lpm_drop(edit, old);
	edit->lpm.entries++;
	return 0;

free_node:
	nl31_lpm_unalloc(edit, lpm_slot(node, LPM_NODE));
free_entry:
	if (lpm_tag(entry) == LPM_LEAF)
		nl31_lpm_unalloc(edit, entry);
	return -ENOMEM;
}

/**
 * nl31_lpm_set - add a prefix, or give it another value
 * @edit: the edit
 * @key: the prefix
 * @value: anything but LPM_NO_VALUE
 *
 * Return: 0, or -ENOMEM with the same entries as before
 */
int nl31_lpm_set(struct lpm_edit *edit, const struct lpm_key *key, u32 value)
{
	struct lpm_cursor *place = &edit->place;
	u64 *ref = &edit->lpm.root, *above = NULL;
	unsigned int depth = 0, above_depth = 0;
	int err;

	if (place->ref && !nl31_lpm_key_cmp(&place->key, key)) {
		ref = place->ref;
		depth = place->depth;
	}
	place->ref = NULL;
	for (;;) {
		const u64 slot = *ref;
		const unsigned int left = key->len - depth * LPM_STRIDE;
		const struct lpm_skip *skip = lpm_pointer(slot);
		const struct lpm_node *node = lpm_pointer(slot);

		if (lpm_tag(slot) == LPM_SKIP) {
			if (!lpm_skip_leads_to(skip, key))
				return lpm_split_skip(edit, ref, depth, key, value);
		} else if (lpm_is_list(slot)) {
			err = lpm_list_set(edit, ref, depth, key, value);
			if (err <= 0)
				return err;
			if (above && lpm_tag(*above) == LPM_SKIP)
				return lpm_join_list(edit, above, above_depth, key,
						     value);
			return lpm_set_entry(edit, ref, depth, key, value);
		} else if (!lpm_is_node(slot)) {
			return lpm_set_entry(edit, ref, depth, key, value);
		} else if (left < LPM_STRIDE) {
			return lpm_set_prefix(edit, ref, lpm_own_number(key, depth),
					      value);
		} else if (!lpm_test_nr(node->child, lpm_key_byte(key->word, depth))) {
			return lpm_add_child(edit, ref, depth, key, value);
		}
		if (!lpm_pass(edit, ref))
			return -ENOMEM;
		above = ref;
		above_depth = depth;
		ref = lpm_step_down(ref, key, depth);
		depth = lpm_tag(slot) == LPM_SKIP ? lpm_skip_depth(skip) : depth + 1;
	}
}
