/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The trie's nodes; private to lpm_*.c.
 *
 * The trie branches on one byte of the address at a time. Key bits of an IPv6
 * prefix, and what resolves them in a table of the Internet:
 *
 *	 0       8       16      24      32      40      48
 *	 +-------+-------+-------+-------+-------+-------+-------- ...
 *	 | node  | node  | array | node  | list: the next 24 bits
 *	 +-------+-------+-------+-------+-------+-------+-------- ...
 *
 * and of an IPv4 prefix:
 *
 *	 0       8       16      24      32
 *	 +-------+-------+-------+-------+
 *	 | array | array | node  | entry |
 *	 +-------+-------+-------+-------+
 *
 * Everything below a byte of the address is reached by one slot of 64 bits. Its
 * lowest three bits are a tag; 0 is an empty slot:
 *
 *	node	pointer to a struct lpm_node, that branches on the next byte: two
 *		bitmaps say which of 256 children and of 255 prefixes shorter than
 *		eight bits exist; slots and values stand behind them without gaps,
 *		and a population count finds their places
 *	array	pointer to a node with many nodes below it, whose slots are an array
 *		indexed by the byte: a step needs no population count
 *	list	pointer to a struct lpm_list: up to 3 (short) or 7 (long) entries
 *	skip	pointer to a struct lpm_skip: bytes that all prefixes below share
 *	entry	bits 40..63 address, 8..39 value, 3..7 length: a prefix that ends
 *		0 to 24 bits further on
 *	leaf	pointer to a struct lpm_leaf: a prefix that ends further away
 *
 * A list becomes a node when it is full, a node a list again when few enough
 * entries remain. A node holds at least two entries, or one and a node. A prefix
 * that ends on a byte boundary is an entry of length 0 in a child's slot of the
 * node above; once there is a node at that boundary, it is that node's prefix
 * number 0.
 *
 * The prefixes of length 0 to 7 within a node are numbered in pre-order of the
 * binary tree they form: a prefix comes before those it covers, and addresses
 * ascend. So the longest match is the highest bit set among those that cover an
 * address, and walking the bitmap yields them sorted. The number has a closed
 * form, see lpm_prefix_number().
 *
 * Sources: bitmaps over a stride of eight bits with in-stride prefixes follow
 * Knuth's allotment routing table (Y. Hariguchi, 2002; gaissmai/bart); skipped
 * bits follow Linux's net/ipv4/fib_trie.c (S. Nilsson, G. Karlsson, "IP-address
 * lookup using LC-tries", 1999); arrays over the dense upper bits follow DXR
 * (M. Zec, L. Rizzo, M. Mikuc, 2012); node types that adapt to the number of
 * children follow V. Leis, A. Kemper, T. Neumann, "The adaptive radix tree", 2013.
 */
#ifndef _NL31_LPM_NODE_H
#define _NL31_LPM_NODE_H

#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/limits.h>
#include <linux/minmax.h>

#include "lpm.h"

#define LPM_STRIDE	8
#define LPM_FANOUT	256
#define LPM_WORDS	(LPM_FANOUT / 64)
#define LPM_INLINE_BITS	24

#define LPM_SHORT_LIST	3
#define LPM_LONG_LIST	7

#define LPM_UNIT	64	/* sizes of nodes are multiples of this */

/* Steps of long work between two calls of cond_resched(). */
#define LPM_CHUNK	256

/* An x86 kernel patches the instruction in; others call a function for it. */
#ifdef __POPCNT__
#define lpm_popcount(word)	__builtin_popcountll(word)
#else
#define lpm_popcount(word)	hweight64(word)
#endif

/* Nodes, then entries, then the others: see lpm_is_node() and lpm_is_entry(). */
enum lpm_tag {
	LPM_NODE,
	LPM_ARRAY,
	LPM_ENTRY,
	LPM_LEAF,
	LPM_LIST3,
	LPM_LIST7,
	LPM_SKIP,
};

#define LPM_TAG_MASK	7
#define LPM_VALUE_MASK	((u64)U32_MAX << 8)	/* in an entry */

struct lpm_leaf {
	struct lpm_block block;
	u64 word[2];
	u32 value;
	u8 len;
};

/**
 * struct lpm_list - few entries, in order
 * @block: see there
 * @slot: entries and leaves, then zeros up to the capacity
 */
struct lpm_list {
	struct lpm_block block;
	u64 slot[];
};

/**
 * struct lpm_skip - bytes of the address in which nothing branches or ends
 * @block: see there
 * @slot: the node or list below
 * @word: the address up to that node; the lowest byte of @word[1] is its depth
 *
 * Where the skip begins is not written in it: it may come to begin further up or
 * down without a change.
 */
struct lpm_skip {
	struct lpm_block block;
	u64 slot;
	u64 word[2];
};

/**
 * struct lpm_node - eight bits of the address
 * @block: see there
 * @child_rank: children in the words of @child before word 1, 2 and 3
 * @prefix_rank: the same for @prefix
 * @units: size of the memory in units of LPM_UNIT bytes
 * @is_array: the node is an array
 * @child: which children exist, by the byte of the address
 * @prefix: which prefixes exist, by lpm_prefix_number()
 * @slot: the children, in an array LPM_FANOUT slots; then the values of the
 *	prefixes, a u32 each
 *
 * Whatever leads to a child's slot is in the first cache line.
 */
struct lpm_node {
	struct lpm_block block;
	u8 child_rank[LPM_WORDS - 1];
	u8 prefix_rank[LPM_WORDS - 1];
	u8 units;
	bool is_array;
	u64 child[LPM_WORDS];
	u64 prefix[LPM_WORDS];
	u64 slot[];
};

/* By the upper seven bits of a byte: the prefixes that cover it. */
extern u64 nl31_lpm_covering[LPM_FANOUT / 2][LPM_WORDS];

struct lpm_prefix {
	u8 byte;
	u8 len;
};

/* By prefix number: first byte and length. */
extern struct lpm_prefix nl31_lpm_prefix[LPM_FANOUT];

/*
 * Number of the prefix made of the first @len bits of @byte, @len < 8. Going
 * down to a left child adds 1; to a right child, 1 and the size of the left
 * subtree, which is the value of the bit in @byte.
 */
static inline unsigned int lpm_prefix_number(u8 byte, unsigned int len)
{
	u8 bits = byte & (0xff00 >> len);

	return bits + len - hweight8(bits);
}

/* Keys */

static inline u8 lpm_key_byte(const u64 word[2], unsigned int depth)
{
	return word[depth / 8] >> (56 - depth % 8 * 8);
}

/* The first @len bits of word @nr of an address. */
static inline u64 lpm_word_mask(unsigned int nr, unsigned int len)
{
	if (len <= nr * 64)
		return 0;
	if (len >= nr * 64 + 64)
		return U64_MAX;
	return ~(U64_MAX >> (len - nr * 64));
}

/* Do the first @len bits of two addresses agree? */
static inline bool lpm_words_agree(const u64 a[2], const u64 b[2],
				   unsigned int len)
{
	return !((a[0] ^ b[0]) & lpm_word_mask(0, len)) &&
	       !((a[1] ^ b[1]) & lpm_word_mask(1, len));
}

/* The bits of an address behind its first @bits; arbitrary where none are left. */
static inline u64 lpm_key_tail(const u64 word[2], unsigned int bits)
{
	if (bits >= 64)
		return word[1] << (bits - 64) % 64;
	return word[0] << bits | word[1] >> 1 >> (63 - bits);
}

/* Slots */

static inline enum lpm_tag lpm_tag(u64 slot)
{
	return slot & LPM_TAG_MASK;
}

static inline void *lpm_pointer(u64 slot)
{
	return (void *)(unsigned long)(slot & ~(u64)LPM_TAG_MASK);
}

static inline u64 lpm_slot(const void *pointer, enum lpm_tag tag)
{
	return (unsigned long)pointer | tag;
}

/* A node or an array. */
static inline bool lpm_is_node(u64 slot)
{
	return slot && lpm_tag(slot) <= LPM_ARRAY;
}

/* One prefix. */
static inline bool lpm_is_entry(u64 slot)
{
	return lpm_tag(slot) == LPM_ENTRY || lpm_tag(slot) == LPM_LEAF;
}

static inline bool lpm_is_list(u64 slot)
{
	return lpm_tag(slot) == LPM_LIST3 || lpm_tag(slot) == LPM_LIST7;
}

static inline unsigned int lpm_list_room(u64 slot)
{
	return lpm_tag(slot) == LPM_LIST3 ? LPM_SHORT_LIST : LPM_LONG_LIST;
}

static inline unsigned int lpm_skip_depth(const struct lpm_skip *skip)
{
	return skip->word[1] & 0xff;
}

/* Does the way that @skip describes lead to @key? */
static inline bool lpm_skip_leads_to(const struct lpm_skip *skip,
				     const struct lpm_key *key)
{
	const unsigned int bits = lpm_skip_depth(skip) * LPM_STRIDE;

	return key->len >= bits && lpm_words_agree(skip->word, key->word, bits);
}

/* Length of an LPM_ENTRY behind the depth of its slot. */
static inline unsigned int lpm_entry_len(u64 slot)
{
	return slot >> 3 & 0x1f;
}

static inline u32 lpm_slot_value(u64 slot)
{
	if (lpm_tag(slot) == LPM_LEAF)
		return READ_ONCE(((struct lpm_leaf *)lpm_pointer(slot))->value);
	return slot >> 8;
}

/* Does an LPM_ENTRY cover the bits @tail behind the depth of its slot? */
static inline bool lpm_entry_covers(u64 slot, u64 tail)
{
	return !((tail ^ slot) >> 1 >> (63 - lpm_entry_len(slot)));
}

static inline bool lpm_leaf_covers(const struct lpm_leaf *leaf,
				   const struct lpm_key *key)
{
	return leaf->len <= key->len &&
	       lpm_words_agree(leaf->word, key->word, leaf->len);
}

/* Is the prefix in @slot, below the first @depth bytes of @key, @key itself? */
static inline bool lpm_entry_is(u64 slot, const struct lpm_key *key,
				unsigned int depth)
{
	const unsigned int bits = depth * LPM_STRIDE;

	if (lpm_tag(slot) == LPM_LEAF) {
		const struct lpm_leaf *leaf = lpm_pointer(slot);

		return leaf->len == key->len && lpm_leaf_covers(leaf, key);
	}
	return lpm_tag(slot) == LPM_ENTRY &&
	       bits + lpm_entry_len(slot) == key->len &&
	       lpm_entry_covers(slot, lpm_key_tail(key->word, bits));
}

/* Not for an LPM_ENTRY. */
static inline struct lpm_block *lpm_block(u64 slot)
{
	return lpm_pointer(slot);
}

/* Does only this edit know what @slot points to? Not for an LPM_ENTRY. */
static inline bool lpm_is_private(const struct lpm_edit *edit, u64 slot)
{
	return lpm_block(slot)->edit == edit->id;
}

/* Nodes */

static inline bool lpm_test_nr(const u64 map[LPM_WORDS], unsigned int nr)
{
	return map[nr / 64] >> (nr % 64) & 1;
}

static __always_inline unsigned int lpm_rank(const u64 map[LPM_WORDS],
					     const u8 rank[LPM_WORDS - 1],
					     unsigned int nr)
{
	unsigned int word = nr / 64;

	return (word ? rank[word - 1] : 0) +
	       lpm_popcount(map[word] & (BIT_ULL(nr % 64) - 1));
}

/* First bit set at or behind @nr, LPM_FANOUT if there is none. */
static inline unsigned int lpm_next_nr(const u64 map[LPM_WORDS],
				       unsigned int nr)
{
	unsigned int word = nr / 64;
	u64 bits;

	if (nr >= LPM_FANOUT)
		return LPM_FANOUT;
	bits = READ_ONCE(map[word]) & (U64_MAX << (nr % 64));
	while (!bits) {
		if (++word == LPM_WORDS)
			return LPM_FANOUT;
		bits = READ_ONCE(map[word]);
	}
	return word * 64 + __ffs64(bits);
}

static inline unsigned int lpm_children(const struct lpm_node *node)
{
	return node->child_rank[LPM_WORDS - 2] +
	       lpm_popcount(node->child[LPM_WORDS - 1]);
}

static inline unsigned int lpm_prefixes(const struct lpm_node *node)
{
	return node->prefix_rank[LPM_WORDS - 2] +
	       lpm_popcount(node->prefix[LPM_WORDS - 1]);
}

static inline u32 *lpm_values(const struct lpm_node *node)
{
	return (u32 *)&node->slot[node->is_array ? LPM_FANOUT : lpm_children(node)];
}

static inline u32 *lpm_value_at(const struct lpm_node *node, unsigned int nr)
{
	return &lpm_values(node)[lpm_rank(node->prefix, node->prefix_rank, nr)];
}

static __always_inline u64 *lpm_packed_child(const struct lpm_node *node,
					     unsigned int byte)
{
	return (u64 *)&node->slot[lpm_rank(node->child, node->child_rank, byte)];
}

/* The slot of a child that exists; in an array, of any. */
static __always_inline u64 *lpm_child(const struct lpm_node *node,
				      unsigned int byte)
{
	if (node->is_array)
		return (u64 *)&node->slot[byte];
	return lpm_packed_child(node, byte);
}

/*
 * Longest of the node's own prefixes that covers the first @len bits of @byte.
 * All words are looked at, as the branch to a word could not be predicted.
 */
static __always_inline int lpm_node_match(const struct lpm_node *node, u8 byte,
					  unsigned int len)
{
	const u64 *covering = nl31_lpm_covering[byte / 2];
	u64 match[LPM_WORDS];
	unsigned int word, best;

	for (word = 0; word < LPM_WORDS; word++)
		match[word] = node->prefix[word] & covering[word];
	if (len < LPM_STRIDE - 1) {
		unsigned int last = lpm_prefix_number(byte, len);

		match[last / 64] &= U64_MAX >> (63 - last % 64);
		for (word = last / 64 + 1; word < LPM_WORDS; word++)
			match[word] = 0;
	}
	best = match[1] ? 1 : 0;
	best = match[2] ? 2 : best;
	best = match[3] ? 3 : best;
	return (int)(best * 64 + fls64(match[best])) - 1;
}

/* lpm_key.c */
void nl31_lpm_init_tables(void);
void nl31_lpm_slot_key(u64 slot, const u64 path[2], unsigned int depth,
		       struct lpm_key *key);
void nl31_lpm_prefix_key(unsigned int nr, const u64 path[2], unsigned int depth,
			 struct lpm_key *key);

/* lpm_iter.c */
bool nl31_lpm_iter_peek(struct lpm_iter *it);
void nl31_lpm_iter_skip(struct lpm_iter *it);
void nl31_lpm_iter_enter(struct lpm_iter *it);

/* lpm_block.c */
void *nl31_lpm_alloc(struct lpm_edit *edit, size_t size);
size_t nl31_lpm_node_size(size_t bytes);
void nl31_lpm_unalloc(struct lpm_edit *edit, u64 slot);
void nl31_lpm_drop(struct lpm_edit *edit, u64 slot);

/* lpm_node.c */
struct lpm_node *nl31_lpm_node_new(struct lpm_edit *edit, unsigned int children,
				   unsigned int prefixes);
void nl31_lpm_slot_store(u64 *ref, u64 slot);
void nl31_lpm_node_add_child(struct lpm_node *node, unsigned int byte, u64 slot);
void nl31_lpm_node_del_child(struct lpm_node *node, unsigned int byte);
void nl31_lpm_node_set_prefix(struct lpm_node *node, unsigned int nr, u32 value);
void nl31_lpm_node_del_prefix(struct lpm_node *node, unsigned int nr);
u64 nl31_lpm_node_prepare(struct lpm_edit *edit, u64 slot, unsigned int children,
			  unsigned int prefixes);
void nl31_lpm_node_replace(struct lpm_edit *edit, u64 *ref, u64 new);

#endif /* _NL31_LPM_NODE_H */
