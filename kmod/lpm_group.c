// SPDX-License-Identifier: GPL-2.0-only
/* Few entries in another form: see lpm_group.h. */
#include <linux/string.h>

#include "lpm_group.h"

/**
 * struct lpm_build - the new form of a group
 * @edit: the edit that it is for
 * @made: slots of the blocks made for it, to be freed if one cannot be made
 * @count: how many
 *
 * The most are LPM_GROUP_MAX leaves, a node, the skip above it, and lists for
 * half of the entries with a skip each.
 */
struct lpm_build {
	struct lpm_edit *edit;
	u64 made[LPM_GROUP_MAX * 2 + 2];
	unsigned int count;
};

static void lpm_group_insert(struct lpm_group *group, const struct lpm_item *item)
{
	unsigned int at = group->count++;

	for (; at && nl31_lpm_key_cmp(&group->item[at - 1].key, &item->key) > 0; at--)
		group->item[at] = group->item[at - 1];
	group->item[at] = *item;
}

static void lpm_group_add_entry(struct lpm_group *group, u64 slot,
				const u64 path[2], unsigned int depth)
{
	struct lpm_item item = {
		.value = lpm_slot_value(slot),
		.leaf = lpm_tag(slot) == LPM_LEAF ? slot : 0,
	};

	nl31_lpm_slot_key(slot, path, depth, &item.key);
	lpm_group_insert(group, &item);
}

/* Add what is in @slot, below @depth bytes: an entry, a leaf or a list. */
void nl31_lpm_group_add(struct lpm_group *group, u64 slot, const u64 path[2],
			unsigned int depth)
{
	const struct lpm_list *list = lpm_pointer(slot);
	unsigned int i;

	if (lpm_is_entry(slot)) {
		lpm_group_add_entry(group, slot, path, depth);
		return;
	}
	for (i = 0; i < lpm_list_room(slot) && list->slot[i]; i++)
		lpm_group_add_entry(group, list->slot[i], path, depth);
}

/*
 * Add all entries of a node but those below child @byte and prefix @nr (LPM_FANOUT:
 * none). False where there are nodes or lists among them or more than @max.
 */
bool nl31_lpm_group_add_node(struct lpm_group *group, const struct lpm_node *node,
			     unsigned int byte, unsigned int nr, unsigned int max,
			     const u64 path[2], unsigned int depth)
{
	struct lpm_item item = {};
	u64 way[2], slot;
	unsigned int i;

	if (lpm_children(node) + lpm_prefixes(node) > max + 1)
		return false;
	for (i = lpm_next_nr(node->prefix, 0); i < LPM_FANOUT;
	     i = lpm_next_nr(node->prefix, i + 1)) {
		if (i == nr)
			continue;
		nl31_lpm_prefix_key(i, path, depth, &item.key);
		item.value = *lpm_value_at(node, i);
		lpm_group_insert(group, &item);
	}
	for (i = lpm_next_nr(node->child, 0); i < LPM_FANOUT;
	     i = lpm_next_nr(node->child, i + 1)) {
		if (i == byte)
			continue;
		slot = *lpm_child(node, i);
		if (!lpm_is_entry(slot))
			return false;
		way[0] = path[0];
		way[1] = path[1];
		way[depth / 8] &= lpm_word_mask(0, depth % 8 * 8);
		way[depth / 8] |= (u64)i << (56 - depth % 8 * 8);
		lpm_group_add_entry(group, slot, way, depth + 1);
	}
	return group->count <= max;
}

/* Add an entry, or give it another value; true if it is new. */
bool nl31_lpm_group_set(struct lpm_group *group, const struct lpm_key *key,
			u32 value)
{
	struct lpm_item item = { .key = *key, .value = value };
	unsigned int i;

	for (i = 0; i < group->count; i++) {
		if (nl31_lpm_key_cmp(&group->item[i].key, key))
			continue;
		group->gone = group->item[i].leaf;
		group->item[i] = item;
		return false;
	}
	lpm_group_insert(group, &item);
	return true;
}

/* Remove an entry that exists. */
void nl31_lpm_group_remove(struct lpm_group *group, const struct lpm_key *key)
{
	unsigned int i = 0;

	while (nl31_lpm_key_cmp(&group->item[i].key, key))
		i++;
	group->gone = group->item[i].leaf;
	group->count--;
	memmove(&group->item[i], &group->item[i + 1],
		(group->count - i) * sizeof(group->item[0]));
}

/* The slot for a key below its first @depth bytes, where it needs no leaf. */
u64 nl31_lpm_make_entry(const struct lpm_key *key, unsigned int depth, u32 value)
{
	const unsigned int bits = depth * LPM_STRIDE;
	const unsigned int len = key->len - bits;
	u64 slot = (u64)value << 8 | len << 3 | LPM_ENTRY;

	if (len)
		slot |= lpm_key_tail(key->word, bits) &
			~(U64_MAX >> LPM_INLINE_BITS);
	return slot;
}

/* The slot for a key below its first @depth bytes; 0 on ENOMEM. */
u64 nl31_lpm_entry_new(struct lpm_edit *edit, const struct lpm_key *key,
		       unsigned int depth, u32 value)
{
	struct lpm_leaf *leaf;

	if (!lpm_needs_leaf(key, depth))
		return nl31_lpm_make_entry(key, depth, value);
	leaf = nl31_lpm_alloc(edit, 32);
	if (!leaf)
		return 0;
	leaf->block.edit = edit->id;
	leaf->word[0] = key->word[0];
	leaf->word[1] = key->word[1];
	leaf->len = key->len;
	leaf->value = value;
	return lpm_slot(leaf, LPM_LEAF);
}

/* Note that a block has been made. */
static u64 lpm_built(struct lpm_build *b, u64 slot)
{
	if (slot)
		b->made[b->count++] = slot;
	return slot;
}

static u64 lpm_build_entry(struct lpm_build *b, struct lpm_item *item,
			   unsigned int depth)
{
	if (!lpm_needs_leaf(&item->key, depth))
		return nl31_lpm_make_entry(&item->key, depth, item->value);
	if (!item->leaf)
		return lpm_built(b, nl31_lpm_entry_new(b->edit, &item->key, depth,
						       item->value));
	item->kept = true;
	return item->leaf;
}

static u64 lpm_build_list(struct lpm_build *b, struct lpm_item *item,
			  unsigned int count, unsigned int depth)
{
	const enum lpm_tag tag = count <= LPM_SHORT_LIST ? LPM_LIST3 : LPM_LIST7;
	const size_t size = tag == LPM_LIST3 ? 32 : 64;
	struct lpm_list *list;
	unsigned int i;

	list = nl31_lpm_alloc(b->edit, size);
	if (!list)
		return 0;
	memset(list, 0, size);
	list->block.edit = b->edit->id;
	lpm_built(b, lpm_slot(list, tag));
	for (i = 0; i < count; i++) {
		list->slot[i] = lpm_build_entry(b, &item[i], depth);
		if (!list->slot[i])
			return 0;
	}
	return lpm_slot(list, tag);
}

/* A skip to what is @depth bytes down the way of @word; 0 on ENOMEM. */
u64 nl31_lpm_skip_new(struct lpm_edit *edit, const u64 word[2], unsigned int depth,
		      u64 below)
{
	const unsigned int bits = depth * LPM_STRIDE;
	struct lpm_skip *skip = nl31_lpm_alloc(edit, sizeof(*skip));

	if (!skip)
		return 0;
	skip->block.edit = edit->id;
	skip->slot = below;
	skip->word[0] = word[0] & lpm_word_mask(0, bits);
	skip->word[1] = (word[1] & lpm_word_mask(1, bits)) | depth;
	return lpm_slot(skip, LPM_SKIP);
}

/* Does a prefix end before the end of this byte? */
static bool lpm_ends_at(const struct lpm_item *item, unsigned int depth)
{
	return item->key.len < (depth + 1) * LPM_STRIDE;
}

/* Entries up to @count from @item on that have the byte of the first in common. */
static unsigned int lpm_same_byte(const struct lpm_item *item, unsigned int count,
				  unsigned int depth)
{
	const u8 byte = lpm_key_byte(item->key.word, depth);
	unsigned int same = 1;

	while (same < count && lpm_key_byte(item[same].key.word, depth) == byte)
		same++;
	return same;
}

static u64 lpm_build_slot(struct lpm_build *b, struct lpm_item *item,
			  unsigned int count, unsigned int depth);

static u64 lpm_build_node(struct lpm_build *b, struct lpm_item *item,
			  unsigned int count, unsigned int depth)
{
	unsigned int i, same, children = 0, prefixes = 0;
	struct lpm_node *node;
	u64 slot;

	for (i = 0; i < count; i += same) {
		same = lpm_ends_at(&item[i], depth) ? 1 :
		       lpm_same_byte(&item[i], count - i, depth);
		if (lpm_ends_at(&item[i], depth))
			prefixes++;
		else
			children++;
	}
	node = nl31_lpm_node_new(b->edit, children, prefixes);
	if (!node)
		return 0;
	lpm_built(b, lpm_slot(node, LPM_NODE));
	for (i = 0; i < count; i += same) {
		const u8 byte = lpm_key_byte(item[i].key.word, depth);

		if (lpm_ends_at(&item[i], depth)) {
			same = 1;
			nl31_lpm_node_set_prefix(node,
						 lpm_prefix_number(byte, item[i].key.len -
								   depth * LPM_STRIDE),
						 item[i].value);
			continue;
		}
		same = lpm_same_byte(&item[i], count - i, depth);
		slot = lpm_build_slot(b, &item[i], same, depth + 1);
		if (!slot)
			return 0;
		nl31_lpm_node_add_child(node, byte, slot);
	}
	return lpm_slot(node, LPM_NODE);
}

/*
 * A slot below @depth bytes with these entries, which have these bytes in common;
 * 0 on ENOMEM. Calls itself once, by lpm_build_node(), with fewer than a list holds.
 */
static u64 lpm_build_slot(struct lpm_build *b, struct lpm_item *item,
			  unsigned int count, unsigned int depth)
{
	const struct lpm_key *first = &item[0].key, *last = &item[count - 1].key;
	unsigned int shortest = first->len, at = depth, i;
	bool fits = !lpm_needs_leaf(first, depth);
	u64 slot;

	if (count == 1)
		return lpm_build_entry(b, item, depth);
	for (i = 1; i < count; i++) {
		shortest = min_t(unsigned int, shortest, item[i].key.len);
		fits = fits && !lpm_needs_leaf(&item[i].key, depth);
	}
	if (!fits || count > LPM_LONG_LIST)
		while ((at + 1) * LPM_STRIDE <= shortest &&
		       lpm_key_byte(first->word, at) == lpm_key_byte(last->word, at))
			at++;
	if (count > LPM_LONG_LIST)
		slot = lpm_build_node(b, item, count, at);
	else
		slot = lpm_build_list(b, item, count, at);
	if (slot && at > depth)
		slot = lpm_built(b, nl31_lpm_skip_new(b->edit, first->word, at, slot));
	return slot;
}

/**
 * nl31_lpm_group_build - make a slot of a group
 * @edit: the edit that it is for
 * @group: the group, not empty
 * @depth: bytes of the address above the slot, which all entries share
 *
 * Return: the slot; or 0 on ENOMEM, with nothing changed
 */
u64 nl31_lpm_group_build(struct lpm_edit *edit, struct lpm_group *group,
			 unsigned int depth)
{
	struct lpm_build b = { .edit = edit };
	u64 slot;

	slot = lpm_build_slot(&b, group->item, group->count, depth);
	if (!slot)
		while (b.count)
			nl31_lpm_unalloc(edit, b.made[--b.count]);
	return slot;
}

/* The new form is in the trie: drop the leaves that it does not use. */
void nl31_lpm_group_drop(struct lpm_edit *edit, struct lpm_group *group)
{
	unsigned int i;

	nl31_lpm_drop(edit, group->gone);
	for (i = 0; i < group->count; i++)
		if (!group->item[i].kept)
			nl31_lpm_drop(edit, group->item[i].leaf);
}
