// SPDX-License-Identifier: GPL-2.0-only
/*
 * The longest match of an address. See lpm_node.h for the layout.
 */
#include <linux/prefetch.h>

#include "lpm_node.h"

/* Begin to load the lines of the block behind @slot that a lookup reads first. */
static __always_inline void lpm_prefetch(u64 slot)
{
	const char *block = lpm_pointer(slot);

	prefetch(block);
	if (lpm_tag(slot) == LPM_NODE)
		prefetch(block + LPM_UNIT);
}

/*
 * The longest prefix in a list that covers @key: the last one, as the list is
 * sorted. All slots are looked at, as the end could not be predicted.
 */
static __always_inline u64 lpm_list_match(const struct lpm_list *list,
					  unsigned int room,
					  const struct lpm_key *key,
					  unsigned int depth)
{
	const unsigned int bits = depth * LPM_STRIDE;
	const u64 tail = lpm_key_tail(key->word, bits);
	const unsigned int left = key->len - bits;
	u64 best = 0;
	unsigned int i;

	for (i = 0; i < room; i++) {
		u64 slot = READ_ONCE(list->slot[i]);
		bool covers;

		if (unlikely(lpm_tag(slot) == LPM_LEAF))
			covers = lpm_leaf_covers(lpm_pointer(slot), key);
		else
			covers = (lpm_tag(slot) == LPM_ENTRY) &
				 lpm_entry_covers(slot, tail) &
				 (lpm_entry_len(slot) <= left);
		best = covers ? slot : best;
	}
	return best;
}

/* The prefix in a list, an entry or a leaf that covers @key; LPM_NO_VALUE: none. */
static __always_inline u32 lpm_match_entries(u64 slot, const struct lpm_key *key,
					     unsigned int depth, u8 *len)
{
	const unsigned int bits = depth * LPM_STRIDE;

	if (lpm_tag(slot) == LPM_LIST3)
		slot = lpm_list_match(lpm_pointer(slot), LPM_SHORT_LIST, key, depth);
	else if (lpm_tag(slot) == LPM_LIST7)
		slot = lpm_list_match(lpm_pointer(slot), LPM_LONG_LIST, key, depth);
	else if (lpm_tag(slot) == LPM_LEAF)
		slot = lpm_leaf_covers(lpm_pointer(slot), key) ? slot : 0;
	else if (lpm_entry_len(slot) > key->len - bits ||
		 !lpm_entry_covers(slot, lpm_key_tail(key->word, bits)))
		slot = 0;
	if (!slot)
		return LPM_NO_VALUE;
	*len = lpm_tag(slot) == LPM_LEAF ? ((struct lpm_leaf *)lpm_pointer(slot))->len :
					   bits + lpm_entry_len(slot);
	return lpm_slot_value(slot);
}

/**
 * nl31_lpm_lookup - longest match
 * @lpm: the trie
 * @key: an address (its length the family's), or a prefix
 * @len: where to put the length of the prefix found
 *
 * Context: RCU read side, or the trie is kept from being freed otherwise
 * Return: value of the longest prefix that covers @key, or LPM_NO_VALUE
 */
u32 nl31_lpm_lookup(const struct lpm *lpm, const struct lpm_key *key, u8 *len)
{
	const struct lpm_node *best = NULL;
	unsigned int depth = 0, best_depth = 0;
	u64 slot = READ_ONCE(lpm->root);
	int best_nr = 0, nr;
	u32 found;
	u8 byte;

	while (slot) {
		const unsigned int left = key->len - depth * LPM_STRIDE;
		const struct lpm_node *node = lpm_pointer(slot);
		const struct lpm_skip *skip = lpm_pointer(slot);

		if (lpm_tag(slot) <= LPM_ARRAY) {
			byte = lpm_key_byte(key->word, depth);
			nr = lpm_node_match(node, byte, left);
			/* now: how far to go back could not be predicted */
			best = nr >= 0 ? node : best;
			best_depth = nr >= 0 ? depth : best_depth;
			best_nr = nr >= 0 ? nr : best_nr;
			if (left < LPM_STRIDE)
				break;
			if (lpm_tag(slot) == LPM_ARRAY) {
				slot = READ_ONCE(node->slot[byte]);
			} else {
				if (!lpm_test_nr(node->child, byte))
					break;
				slot = READ_ONCE(*lpm_packed_child(node, byte));
			}
			lpm_prefetch(slot);
			depth++;
		} else if (lpm_tag(slot) == LPM_SKIP) {
			if (!lpm_skip_leads_to(skip, key))
				break;
			depth = lpm_skip_depth(skip);
			slot = READ_ONCE(skip->slot);
			lpm_prefetch(slot);
		} else {
			found = lpm_match_entries(slot, key, depth, len);
			if (found != LPM_NO_VALUE)
				return found;
			break;
		}
	}
	if (!best)
		return LPM_NO_VALUE;
	*len = best_depth * LPM_STRIDE + nl31_lpm_prefix[best_nr].len;
	return READ_ONCE(*lpm_value_at(best, best_nr));
}
