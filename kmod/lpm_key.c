// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys, and the prefixes that slots stand for. See lpm_node.h for the layout.
 */
#include <linux/cache.h>
#include <linux/init.h>

#include "lpm_node.h"

u64 nl31_lpm_covering[LPM_FANOUT / 2][LPM_WORDS] __ro_after_init;
struct lpm_prefix nl31_lpm_prefix[LPM_FANOUT] __ro_after_init;

/* Fill the tables above. */
void __init nl31_lpm_init_tables(void)
{
	unsigned int byte, len, nr;

	for (byte = 0; byte < LPM_FANOUT; byte++) {
		for (len = 0; len < LPM_STRIDE; len++) {
			nr = lpm_prefix_number(byte, len);
			nl31_lpm_covering[byte / 2][nr / 64] |= BIT_ULL(nr % 64);
			if (!(byte & (0xff >> len))) {
				nl31_lpm_prefix[nr].byte = byte;
				nl31_lpm_prefix[nr].len = len;
			}
		}
	}
}

/**
 * nl31_lpm_key_truncate - shorten a prefix
 * @key: the prefix
 * @len: its length from now on; bits beyond become 0
 */
void nl31_lpm_key_truncate(struct lpm_key *key, u8 len)
{
	key->word[0] &= lpm_word_mask(0, len);
	key->word[1] &= lpm_word_mask(1, len);
	key->len = len;
}

/**
 * nl31_lpm_key_covers - does a prefix contain another?
 * @key: the prefix
 * @other: the other; each prefix contains itself
 */
bool nl31_lpm_key_covers(const struct lpm_key *key, const struct lpm_key *other)
{
	return key->len <= other->len &&
	       lpm_words_agree(key->word, other->word, key->len);
}

/**
 * nl31_lpm_key_cmp - compare by address, then by length
 * @a: a prefix
 * @b: another
 *
 * Return: less than, equal to or greater than 0, as memcmp()
 */
int nl31_lpm_key_cmp(const struct lpm_key *a, const struct lpm_key *b)
{
	if (a->word[0] != b->word[0])
		return a->word[0] < b->word[0] ? -1 : 1;
	if (a->word[1] != b->word[1])
		return a->word[1] < b->word[1] ? -1 : 1;
	return (int)a->len - (int)b->len;
}

/**
 * nl31_lpm_slot_key - the prefix in a slot
 * @slot: an entry or a leaf
 * @path: an address; what is behind its first @depth bytes does not matter
 * @depth: bytes of the address above the slot
 * @key: where to put the prefix
 */
void nl31_lpm_slot_key(u64 slot, const u64 path[2], unsigned int depth,
		       struct lpm_key *key)
{
	const unsigned int bits = depth * LPM_STRIDE;
	unsigned int len;
	u64 tail;

	if (lpm_tag(slot) == LPM_LEAF) {
		const struct lpm_leaf *leaf = lpm_pointer(slot);

		key->word[0] = leaf->word[0];
		key->word[1] = leaf->word[1];
		key->len = leaf->len;
		return;
	}

	len = lpm_entry_len(slot);
	key->word[0] = path[0] & lpm_word_mask(0, bits);
	key->word[1] = path[1] & lpm_word_mask(1, bits);
	key->len = bits + len;
	if (!len)
		return;
	tail = slot & ~(U64_MAX >> LPM_INLINE_BITS);
	if (bits >= 64) {
		key->word[1] |= tail >> (bits - 64);
	} else {
		key->word[0] |= tail >> bits;
		if (bits > 64 - LPM_INLINE_BITS)
			key->word[1] |= tail << (64 - bits);
	}
}

/**
 * nl31_lpm_prefix_key - a node's own prefix
 * @nr: its number
 * @path: an address; what is behind its first @depth bytes does not matter
 * @depth: bytes of the address above the node
 * @key: where to put the prefix
 */
void nl31_lpm_prefix_key(unsigned int nr, const u64 path[2], unsigned int depth,
			 struct lpm_key *key)
{
	const unsigned int bits = depth * LPM_STRIDE;

	key->word[0] = path[0] & lpm_word_mask(0, bits);
	key->word[1] = path[1] & lpm_word_mask(1, bits);
	key->word[depth / 8] |= (u64)nl31_lpm_prefix[nr].byte <<
				(56 - depth % 8 * 8);
	key->len = bits + nl31_lpm_prefix[nr].len;
}
