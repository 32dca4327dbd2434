// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adding and removing prefixes. See lpm_node.h for the layout.
 *
 * An edit makes what is new beside the trie, and then stores one slot. It copies
 * the blocks on the way there that the base version has, too; in place, it does
 * not, and the one store is what readers see.
 */
#include <linux/string.h>

#include "lpm_group.h"

/* A node with this many entries, and nothing else, becomes a list. */
#define LPM_COLLAPSE	5

/* Replace the block in @ref by a copy that this edit may change; 0 on ENOMEM. */
static u64 lpm_copy(struct lpm_edit *edit, u64 *ref)
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

/* The block in @ref, on the way to a change below it, made changeable; 0 on ENOMEM. */
static __always_inline u64 lpm_pass(struct lpm_edit *edit, u64 *ref)
{
	if (edit->in_place || lpm_is_private(edit, *ref))
		return *ref;
	return lpm_copy(edit, ref);
}

/* The slot in the block in @ref, @depth bytes down, that leads to @key. */
static __always_inline u64 *lpm_step_down(u64 *ref, const struct lpm_key *key, unsigned int depth)
{
	if (lpm_tag(*ref) == LPM_SKIP)
		return &((struct lpm_skip *)lpm_pointer(*ref))->slot;
	return lpm_child(lpm_pointer(*ref), lpm_key_byte(key->word, depth));
}

/* Number of a prefix that is one of the own ones of a node @depth bytes down. */
static unsigned int lpm_own_number(const struct lpm_key *key, unsigned int depth)
{
	return lpm_prefix_number(lpm_key_byte(key->word, depth),
				 key->len - depth * LPM_STRIDE);
}

/* Value of @key in a list, an entry or nothing; LPM_NO_VALUE if it is not there. */
static u32 lpm_get_entry(u64 slot, const struct lpm_key *key, unsigned int depth)
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
			return lpm_get_entry(slot, key, depth);
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
			return lpm_get_entry(slot, key, depth) != LPM_NO_VALUE;
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
