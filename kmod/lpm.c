// SPDX-License-Identifier: GPL-2.0-only
/*
 * Longest prefix match: a persistent multibit trie. See lpm.h for the idea.
 *
 * The prefixes of length 0 to 7 within a node are numbered in pre-order of the
 * binary tree they form: a prefix comes before what it covers, and addresses
 * ascend. So the numbers along one path ascend with the length, the longest
 * match among them is the highest bit set, and walking the bitmap yields the
 * entries sorted. The number has a closed form, see prefix_number().
 *
 * A slot is 64 bits wide on every machine; its two lowest bits are a tag:
 *
 *	node	pointer to the node that continues the address
 *	fringe	bits 8..39 value; the prefix ends with the child's byte
 *	inline	bits 8..39 value, 3..7 length, 40..63 address: a prefix that goes
 *		on for 1 to 24 bits behind the child's byte
 *	leaf	pointer to a struct lpm_leaf: a prefix that goes on further
 *
 * A prefix that ends with a child's byte is a fringe only as long as there is
 * no node below that child; there it is the node's prefix number 0. So a /128
 * is a fringe of a node 15 bytes down, and no node is deeper than that.
 *
 * Other than at the root, a node holds at least two entries.
 */
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/minmax.h>
#include <linux/prefetch.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "lpm.h"

#define LPM_STRIDE	8
#define LPM_FANOUT	256
#define LPM_WORDS	(LPM_FANOUT / 64)
#define LPM_INLINE_BITS	24

/* A table that grows too large is refused; nobody is killed for it. */
#define GFP_LPM		(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* One chunk of a long work before others get the CPU. */
#define LPM_CHUNK	256

/* An x86 kernel patches the instruction in; others call a function for it. */
#ifdef __POPCNT__
#define popcount(word)	__builtin_popcountll(word)
#else
#define popcount(word)	hweight64(word)
#endif

enum lpm_tag {
	LPM_NODE,
	LPM_FRINGE,
	LPM_INLINE,
	LPM_LEAF,
};

#define LPM_TAG_MASK	3

struct lpm_leaf {
	struct lpm_block block;
	u64 word[2];
	u32 value;
	u8 len;
};

/**
 * struct lpm_node - eight bits of the address
 * @block: must be first
 * @child_rank: children in the words of @child before word 1, 2 and 3
 * @prefix_rank: the same for @prefix
 * @size: allocated
 * @child: which children exist, by the byte of the address
 * @prefix: which prefixes exist, by prefix_number()
 * @slot: the children, then the values of the prefixes, a u32 each
 */
struct lpm_node {
	struct lpm_block block;
	u8 child_rank[LPM_WORDS - 1];
	u8 prefix_rank[LPM_WORDS - 1];
	u16 size;
	u64 child[LPM_WORDS];
	u64 prefix[LPM_WORDS];
	u64 slot[];
};

/* By the upper seven bits of a byte: the prefixes that cover it. */
static u64 lpm_covering[LPM_FANOUT / 2][LPM_WORDS] __ro_after_init;

/* By prefix number: first byte and length. */
static struct {
	u8 byte;
	u8 len;
} lpm_prefix[LPM_FANOUT] __ro_after_init;

/*
 * Number of the prefix made of the first @len bits of @byte, @len < 8. Going
 * down to a left child adds 1; to a right child, 1 and the size of the left
 * subtree, which is the value of the bit in @byte.
 */
static unsigned int prefix_number(u8 byte, unsigned int len)
{
	u8 bits = byte & (0xff00 >> len);

	return bits + len - hweight8(bits);
}

void lpm_init_tables(void)
{
	unsigned int byte, len, nr;

	for (byte = 0; byte < LPM_FANOUT; byte++) {
		for (len = 0; len < LPM_STRIDE; len++) {
			nr = prefix_number(byte, len);
			lpm_covering[byte / 2][nr / 64] |= BIT_ULL(nr % 64);
			if (!(byte & (0xff >> len))) {
				lpm_prefix[nr].byte = byte;
				lpm_prefix[nr].len = len;
			}
		}
	}
}

/* Keys */

static u8 key_byte(const u64 word[2], unsigned int depth)
{
	return word[depth / 8] >> (56 - depth % 8 * 8);
}

/* The first @len bits of word @nr of an address. */
static u64 word_mask(unsigned int nr, unsigned int len)
{
	if (len <= nr * 64)
		return 0;
	if (len >= nr * 64 + 64)
		return U64_MAX;
	return ~(U64_MAX >> (len - nr * 64));
}

void lpm_key_truncate(struct lpm_key *key, u8 len)
{
	key->word[0] &= word_mask(0, len);
	key->word[1] &= word_mask(1, len);
	key->len = len;
}

bool lpm_key_covers(const struct lpm_key *key, const struct lpm_key *other)
{
	return key->len <= other->len &&
	       !((key->word[0] ^ other->word[0]) & word_mask(0, key->len)) &&
	       !((key->word[1] ^ other->word[1]) & word_mask(1, key->len));
}

int lpm_key_cmp(const struct lpm_key *a, const struct lpm_key *b)
{
	if (a->word[0] != b->word[0])
		return a->word[0] < b->word[0] ? -1 : 1;
	if (a->word[1] != b->word[1])
		return a->word[1] < b->word[1] ? -1 : 1;
	return (int)a->len - (int)b->len;
}

/* Slots */

static enum lpm_tag slot_tag(u64 slot)
{
	return slot & LPM_TAG_MASK;
}

static struct lpm_node *slot_node(u64 slot)
{
	return (struct lpm_node *)(unsigned long)slot;
}

static struct lpm_leaf *slot_leaf(u64 slot)
{
	return (struct lpm_leaf *)(unsigned long)(slot & ~(u64)LPM_TAG_MASK);
}

static u64 node_slot(const struct lpm_node *node)
{
	return (unsigned long)node;
}

static u64 leaf_slot(const struct lpm_leaf *leaf)
{
	return (unsigned long)leaf | LPM_LEAF;
}

static u32 slot_value(u64 slot)
{
	if (slot_tag(slot) == LPM_LEAF)
		return slot_leaf(slot)->value;
	return slot >> 8;
}

/* Key of an entry found in a slot below the first @depth bytes of @path. */
static void slot_key(u64 slot, const u64 path[2], unsigned int depth,
		     struct lpm_key *key)
{
	unsigned int bits = depth * LPM_STRIDE;

	if (slot_tag(slot) == LPM_LEAF) {
		const struct lpm_leaf *leaf = slot_leaf(slot);

		key->word[0] = leaf->word[0];
		key->word[1] = leaf->word[1];
		key->len = leaf->len;
		return;
	}

	key->word[0] = path[0] & word_mask(0, bits);
	key->word[1] = path[1] & word_mask(1, bits);
	key->len = bits;
	if (slot_tag(slot) == LPM_INLINE) {
		u64 tail = slot & ~(U64_MAX >> LPM_INLINE_BITS);

		key->len += slot >> 3 & 0x1f;
		if (bits >= 64) {
			key->word[1] |= tail >> (bits - 64);
		} else {
			key->word[0] |= tail >> bits;
			if (bits > 64 - LPM_INLINE_BITS)
				key->word[1] |= tail << (64 - bits);
		}
	}
}

/* Key of the prefix with number @nr in the node below the first @depth bytes. */
static void prefix_key(unsigned int nr, const u64 path[2], unsigned int depth,
		       struct lpm_key *key)
{
	const unsigned int bits = depth * LPM_STRIDE;

	key->word[0] = path[0] & word_mask(0, bits);
	key->word[1] = path[1] & word_mask(1, bits);
	key->word[depth / 8] |= (u64)lpm_prefix[nr].byte <<
				(56 - depth % 8 * 8);
	key->len = bits + lpm_prefix[nr].len;
}

/* The 64 bits of an address behind its first @bits, which are 1 to 127. */
static u64 key_tail(const u64 word[2], unsigned int bits)
{
	if (bits >= 64)
		return word[1] << (bits - 64);
	return word[0] << bits | word[1] >> (64 - bits);
}

/* The slot for a key below its first @depth bytes, where it needs no leaf. */
static u64 make_slot(const struct lpm_key *key, unsigned int depth, u32 value)
{
	unsigned int bits = depth * LPM_STRIDE;

	if (key->len == bits)
		return (u64)value << 8 | LPM_FRINGE;

	return (key_tail(key->word, bits) & ~(U64_MAX >> LPM_INLINE_BITS)) |
	       (u64)value << 8 | (key->len - bits) << 3 | LPM_INLINE;
}

static bool needs_leaf(const struct lpm_key *key, unsigned int depth)
{
	return key->len > depth * LPM_STRIDE + LPM_INLINE_BITS;
}

/* Does the prefix in @slot, which is no node, cover @key? */
static bool slot_covers(u64 slot, const struct lpm_key *key,
			unsigned int depth, u8 *len)
{
	unsigned int bits = depth * LPM_STRIDE;
	const struct lpm_leaf *leaf;
	u64 tail;

	switch (slot_tag(slot)) {
	case LPM_FRINGE:
		*len = bits;
		return true;
	case LPM_INLINE:
		*len = bits + (slot >> 3 & 0x1f);
		if (*len > key->len)
			return false;
		tail = key_tail(key->word, bits) ^ slot;
		return !(tail & ~(U64_MAX >> (*len - bits)));
	case LPM_LEAF:
		leaf = slot_leaf(slot);
		*len = leaf->len;
		return leaf->len <= key->len &&
		       !((key->word[0] ^ leaf->word[0]) &
			 word_mask(0, leaf->len)) &&
		       !((key->word[1] ^ leaf->word[1]) &
			 word_mask(1, leaf->len));
	default:
		return false;
	}
}

/* Nodes */

static bool test_nr(const u64 map[LPM_WORDS], unsigned int nr)
{
	return map[nr / 64] >> (nr % 64) & 1;
}

/* Inlined, as each step down the trie needs it. */
static __always_inline unsigned int rank_of(const u64 map[LPM_WORDS],
					    const u8 rank[LPM_WORDS - 1],
					    unsigned int nr)
{
	unsigned int word = nr / 64;

	return (word ? rank[word - 1] : 0) +
	       popcount(map[word] & (BIT_ULL(nr % 64) - 1));
}

/* First bit set at or behind @nr, LPM_FANOUT if there is none. */
static unsigned int next_nr(const u64 map[LPM_WORDS], unsigned int nr)
{
	unsigned int word = nr / 64;
	u64 bits;

	if (nr >= LPM_FANOUT)
		return LPM_FANOUT;
	bits = map[word] & (U64_MAX << (nr % 64));
	while (!bits) {
		if (++word == LPM_WORDS)
			return LPM_FANOUT;
		bits = map[word];
	}
	return word * 64 + __ffs64(bits);
}

static unsigned int count_all(const u64 map[LPM_WORDS],
			      const u8 rank[LPM_WORDS - 1])
{
	return rank[LPM_WORDS - 2] + popcount(map[LPM_WORDS - 1]);
}

static unsigned int node_children(const struct lpm_node *node)
{
	return count_all(node->child, node->child_rank);
}

static unsigned int node_prefixes(const struct lpm_node *node)
{
	return count_all(node->prefix, node->prefix_rank);
}

static u32 *node_values(const struct lpm_node *node)
{
	return (u32 *)&node->slot[node_children(node)];
}

static u64 *node_child(const struct lpm_node *node, unsigned int byte)
{
	return (u64 *)&node->slot[rank_of(node->child, node->child_rank, byte)];
}

static u32 *node_value(const struct lpm_node *node, unsigned int nr)
{
	return &node_values(node)[rank_of(node->prefix, node->prefix_rank, nr)];
}

static size_t node_bytes(unsigned int children, unsigned int prefixes)
{
	return sizeof(struct lpm_node) + children * sizeof(u64) +
	       prefixes * sizeof(u32);
}

static void set_nr(u64 map[LPM_WORDS], u8 rank[LPM_WORDS - 1], unsigned int nr)
{
	unsigned int word = nr / 64;

	map[word] |= BIT_ULL(nr % 64);
	for (; word < LPM_WORDS - 1; word++)
		rank[word]++;
}

static void clear_nr(u64 map[LPM_WORDS], u8 rank[LPM_WORDS - 1],
		     unsigned int nr)
{
	unsigned int word = nr / 64;

	map[word] &= ~BIT_ULL(nr % 64);
	for (; word < LPM_WORDS - 1; word++)
		rank[word]--;
}

/* The caller has made sure that there is room. */
static void node_add_child(struct lpm_node *node, unsigned int byte, u64 slot)
{
	unsigned int at = rank_of(node->child, node->child_rank, byte);
	size_t tail = (node_children(node) - at) * sizeof(u64) +
		      node_prefixes(node) * sizeof(u32);

	memmove(&node->slot[at + 1], &node->slot[at], tail);
	node->slot[at] = slot;
	set_nr(node->child, node->child_rank, byte);
}

static void node_del_child(struct lpm_node *node, unsigned int byte)
{
	unsigned int at = rank_of(node->child, node->child_rank, byte);
	size_t tail = (node_children(node) - at - 1) * sizeof(u64) +
		      node_prefixes(node) * sizeof(u32);

	memmove(&node->slot[at], &node->slot[at + 1], tail);
	clear_nr(node->child, node->child_rank, byte);
}

static void node_add_prefix(struct lpm_node *node, unsigned int nr, u32 value)
{
	u32 *at = node_value(node, nr);
	u32 *end = node_values(node) + node_prefixes(node);

	memmove(at + 1, at, (end - at) * sizeof(*at));
	*at = value;
	set_nr(node->prefix, node->prefix_rank, nr);
}

static void node_del_prefix(struct lpm_node *node, unsigned int nr)
{
	u32 *at = node_value(node, nr);
	u32 *end = node_values(node) + node_prefixes(node);

	memmove(at, at + 1, (end - at - 1) * sizeof(*at));
	clear_nr(node->prefix, node->prefix_rank, nr);
}

/*
 * Longest of the node's own prefixes that covers the first @len bits of @byte.
 * All words are looked at, as where the match is cannot be predicted.
 */
static int node_match(const struct lpm_node *node, u8 byte, unsigned int len)
{
	const u64 *covering = lpm_covering[byte / 2];
	u64 match[LPM_WORDS];
	unsigned int word, best;

	for (word = 0; word < LPM_WORDS; word++)
		match[word] = node->prefix[word] & covering[word];
	if (len < LPM_STRIDE - 1) {
		unsigned int last = prefix_number(byte, len);

		match[last / 64] &= U64_MAX >> (63 - last % 64);
		for (word = last / 64 + 1; word < LPM_WORDS; word++)
			match[word] = 0;
	}
	best = match[1] ? 1 : 0;
	best = match[2] ? 2 : best;
	best = match[3] ? 3 : best;
	return (int)(best * 64 + fls64(match[best])) - 1;
}

/* Reading */

/**
 * lpm_lookup - longest match
 * @lpm: the trie
 * @key: an address (its length the family's), or a prefix
 * @len: where to put the length of the prefix found
 *
 * Context: RCU read side, or the trie is pinned otherwise.
 * Return: value of the longest prefix that covers @key, or LPM_NO_VALUE
 */
u32 lpm_lookup(const struct lpm *lpm, const struct lpm_key *key, u8 *len)
{
	const struct lpm_node *node = slot_node(READ_ONCE(lpm->root));
	const struct lpm_node *best = NULL;
	unsigned int depth, best_depth = 0;
	int best_nr = 0;

	if (!node)
		return LPM_NO_VALUE;

	for (depth = 0;; depth++) {
		unsigned int left = key->len - depth * LPM_STRIDE;
		u8 byte = key_byte(key->word, depth);
		int nr = node_match(node, byte, left);
		u64 slot;

		/* now, as how far one would have to go back cannot be predicted */
		best = nr >= 0 ? node : best;
		best_depth = nr >= 0 ? depth : best_depth;
		best_nr = nr >= 0 ? nr : best_nr;
		if (left < LPM_STRIDE || !test_nr(node->child, byte))
			break;
		slot = READ_ONCE(*node_child(node, byte));
		if (slot_tag(slot) != LPM_NODE) {
			if (slot_covers(slot, key, depth + 1, len))
				return slot_value(slot);
			break;
		}
		node = slot_node(slot);
		/* its other cache line */
		prefetch(&node->slot[0]);
	}

	if (!best)
		return LPM_NO_VALUE;
	*len = best_depth * LPM_STRIDE + lpm_prefix[best_nr].len;
	return READ_ONCE(*node_value(best, best_nr));
}

static void iter_push(struct lpm_iter *it, const struct lpm_node *node)
{
	struct lpm_iter_frame *frame = &it->frame[++it->depth];

	frame->node = node;
	frame->prefix = next_nr(node->prefix, 0);
	frame->child = next_nr(node->child, 0);
	frame->value_at = 0;
	frame->slot_at = 0;
}

/* Go on in the node of @frame at the first prefix and child from these on. */
static void frame_seek(struct lpm_iter_frame *frame, unsigned int prefix,
		       unsigned int child)
{
	const struct lpm_node *node = frame->node;

	frame->prefix = next_nr(node->prefix, prefix);
	frame->child = next_nr(node->child, child);
	frame->value_at = frame->prefix == LPM_FANOUT ? 0 :
			  rank_of(node->prefix, node->prefix_rank,
				  frame->prefix);
	frame->slot_at = frame->child == LPM_FANOUT ? 0 :
			 rank_of(node->child, node->child_rank, frame->child);
}

/*
 * Describe what comes next without going there: an entry (@node NULL) or a node
 * with the prefix that all in it is covered by. False at the end.
 */
static bool lpm_iter_peek(struct lpm_iter *it)
{
	struct lpm_iter_frame *frame;
	unsigned int shift;
	u64 slot;

	for (;; it->depth--) {
		if (it->depth < 0)
			return false;
		frame = &it->frame[it->depth];
		if (frame->prefix < LPM_FANOUT || frame->child < LPM_FANOUT)
			break;
	}

	shift = 56 - it->depth % 8 * 8;
	it->node = NULL;

	if (frame->prefix < LPM_FANOUT &&
	    lpm_prefix[frame->prefix].byte <= frame->child) {
		prefix_key(frame->prefix, it->path, it->depth, &it->key);
		it->value = READ_ONCE(node_values(frame->node)[frame->value_at]);
		return true;
	}

	it->path[it->depth / 8] &= word_mask(0, it->depth % 8 * 8);
	if (it->depth < 8)
		it->path[1] = 0;
	it->path[it->depth / 8] |= (u64)frame->child << shift;

	slot = READ_ONCE(frame->node->slot[frame->slot_at]);
	if (slot_tag(slot) == LPM_NODE) {
		it->node = slot_node(slot);
		it->key.word[0] = it->path[0];
		it->key.word[1] = it->path[1];
		it->key.len = (it->depth + 1) * LPM_STRIDE;
	} else {
		slot_key(slot, it->path, it->depth + 1, &it->key);
		it->value = slot_value(slot);
	}
	return true;
}

/* Go past what lpm_iter_peek() showed. */
static void lpm_iter_skip(struct lpm_iter *it)
{
	struct lpm_iter_frame *frame = &it->frame[it->depth];

	if (frame->prefix < LPM_FANOUT &&
	    lpm_prefix[frame->prefix].byte <= frame->child) {
		frame->prefix = next_nr(frame->node->prefix,
					frame->prefix + 1);
		frame->value_at++;
	} else {
		frame->child = next_nr(frame->node->child, frame->child + 1);
		frame->slot_at++;
	}
}

/* Go into the node that lpm_iter_peek() showed. */
static void lpm_iter_enter(struct lpm_iter *it)
{
	const struct lpm_node *node = it->node;

	lpm_iter_skip(it);
	iter_push(it, node);
}

/**
 * lpm_iter_start - begin a walk
 * @it: the iterator
 * @lpm: the trie, which must not change under the walk
 * @from: where to begin, or NULL for the first entry
 * @after: begin behind @from instead of at it
 */
void lpm_iter_start(struct lpm_iter *it, const struct lpm *lpm,
		    const struct lpm_key *from, bool after)
{
	const struct lpm_node *node = slot_node(READ_ONCE(lpm->root));

	it->depth = -1;
	it->path[0] = 0;
	it->path[1] = 0;
	if (!node)
		return;
	if (!from) {
		iter_push(it, node);
		return;
	}

	it->path[0] = from->word[0];
	it->path[1] = from->word[1];
	for (;;) {
		struct lpm_iter_frame *frame = &it->frame[++it->depth];
		unsigned int left = from->len - it->depth * LPM_STRIDE;
		u8 byte = key_byte(from->word, it->depth);
		u64 slot;

		frame->node = node;
		if (left < LPM_STRIDE) {
			frame_seek(frame, prefix_number(byte, left) + after,
				   byte);
			return;
		}

		/* what covers @from comes before it */
		frame_seek(frame, prefix_number(byte, LPM_STRIDE - 1) + 1, byte);
		if (frame->child != byte)
			return;
		slot = READ_ONCE(node->slot[frame->slot_at]);
		if (slot_tag(slot) != LPM_NODE) {
			int cmp;

			slot_key(slot, from->word, it->depth + 1, &it->key);
			cmp = lpm_key_cmp(&it->key, from);
			if (cmp > 0 || (cmp == 0 && !after))
				return;
		}
		frame->child = next_nr(node->child, byte + 1);
		frame->slot_at++;
		if (slot_tag(slot) != LPM_NODE)
			return;
		node = slot_node(slot);
	}
}

/*
 * A walk over the bits of a map: @nr is the one it is at, LPM_FANOUT at the end,
 * and @bits those from there on in its word.
 */
struct bit_walk {
	const u64 *map;
	u64 bits;
	unsigned int nr;
};

static inline void walk_at(struct bit_walk *w, const u64 map[LPM_WORDS],
			   unsigned int nr)
{
	w->map = map;
	w->nr = nr;
	w->bits = nr < LPM_FANOUT ? map[nr / 64] & (U64_MAX << (nr % 64)) : 0;
}

static inline void walk_on(struct bit_walk *w)
{
	unsigned int word = w->nr / 64;

	w->bits &= w->bits - 1;
	while (!w->bits) {
		if (++word == LPM_WORDS) {
			w->nr = LPM_FANOUT;
			return;
		}
		w->bits = w->map[word];
	}
	w->nr = word * 64 + __ffs64(w->bits);
}

/* The entries of the node that the iterator is in, up to the next node. */
static unsigned int fill_from_node(struct lpm_iter *it, struct lpm_entry *entry,
				   unsigned int room)
{
	struct lpm_iter_frame *frame = &it->frame[it->depth];
	const struct lpm_node *node = frame->node, *below = NULL;
	const unsigned int depth = it->depth, bits = depth * LPM_STRIDE;
	const unsigned int shift = 56 - depth % 8 * 8;
	const u32 *const values = node_values(node);
	const u32 *value = values + frame->value_at;
	const u64 *slot_at = node->slot + frame->slot_at;
	struct bit_walk prefix, child;
	unsigned int filled;
	u64 base, slot;

	base = it->path[depth / 8] & ~(U64_MAX >> bits % 64);
	if (depth < 8)
		it->path[1] = 0;
	walk_at(&prefix, node->prefix, frame->prefix);
	walk_at(&child, node->child, frame->child);
	for (filled = 0; filled < room; filled++, entry++) {
		if (prefix.nr < LPM_FANOUT &&
		    lpm_prefix[prefix.nr].byte <= child.nr) {
			it->path[depth / 8] = base;
			prefix_key(prefix.nr, it->path, depth, &entry->key);
			entry->value = READ_ONCE(*value++);
			walk_on(&prefix);
			continue;
		}
		if (child.nr == LPM_FANOUT)
			break;
		it->path[depth / 8] = base | (u64)child.nr << shift;
		slot = READ_ONCE(*slot_at++);
		walk_on(&child);
		if (slot_tag(slot) == LPM_NODE) {
			below = slot_node(slot);
			break;
		}
		entry->value = slot_value(slot);
		if (likely(slot_tag(slot) == LPM_FRINGE)) {
			entry->key.word[0] = it->path[0];
			entry->key.word[1] = it->path[1];
			entry->key.len = bits + LPM_STRIDE;
		} else {
			slot_key(slot, it->path, depth + 1, &entry->key);
		}
	}
	frame->prefix = prefix.nr;
	frame->child = child.nr;
	frame->value_at = value - values;
	frame->slot_at = slot_at - node->slot;
	if (below)
		iter_push(it, below);
	else if (filled < room)
		it->depth--;
	return filled;
}

/**
 * lpm_iter_fill - go over the next entries
 * @it: the iterator
 * @entry: where to put them
 * @room: how many there is room for
 *
 * Return: how many there were; less than @room at the end only
 */
unsigned int lpm_iter_fill(struct lpm_iter *it, struct lpm_entry *entry,
			   unsigned int room)
{
	unsigned int filled = 0;

	while (filled < room && it->depth >= 0)
		filled += fill_from_node(it, entry + filled, room - filled);
	return filled;
}

/**
 * lpm_iter_next - go to the next entry
 * @it: the iterator; on success its key and value are those of the entry
 *
 * Return: false at the end
 */
bool lpm_iter_next(struct lpm_iter *it)
{
	struct lpm_entry entry;

	if (!lpm_iter_fill(it, &entry, 1))
		return false;
	it->key = entry.key;
	it->value = entry.value;
	return true;
}

/**
 * lpm_diff - compare two versions of a trie
 * @old: the one
 * @new: the other
 * @fn: called in order for each prefix whose values differ, LPM_NO_VALUE
 *	standing for its absence; a non-zero return ends the walk
 * @ctx: passed to @fn
 *
 * Nodes that both versions share are not looked into, so the cost is that of
 * the change, not of the table.
 *
 * Context: process; takes its time in chunks
 * Return: what @fn returned last, or 0
 */
int lpm_diff(const struct lpm *old, const struct lpm *new, lpm_diff_fn fn,
	     void *ctx)
{
	unsigned int steps = 0;
	struct lpm_iter a, b;
	int err = 0;

	if (old->root == new->root)
		return 0;
	lpm_iter_start(&a, old, NULL, false);
	lpm_iter_start(&b, new, NULL, false);
	while (!err) {
		bool more_a = lpm_iter_peek(&a);
		bool more_b = lpm_iter_peek(&b);
		int cmp;

		if (!(++steps % LPM_CHUNK))
			cond_resched();
		if (!more_a && !more_b)
			break;
		if (!more_a || !more_b)
			cmp = more_a ? -1 : 1;
		else
			cmp = lpm_key_cmp(&a.key, &b.key);

		if (more_a && more_b && a.node && a.node == b.node) {
			lpm_iter_skip(&a);
			lpm_iter_skip(&b);
		} else if (more_a && a.node && cmp <= 0) {
			lpm_iter_enter(&a);
		} else if (more_b && b.node && cmp >= 0) {
			lpm_iter_enter(&b);
		} else if (cmp < 0) {
			err = fn(ctx, &a.key, a.value, LPM_NO_VALUE);
			lpm_iter_skip(&a);
		} else if (cmp > 0) {
			err = fn(ctx, &b.key, LPM_NO_VALUE, b.value);
			lpm_iter_skip(&b);
		} else {
			if (a.value != b.value)
				err = fn(ctx, &a.key, a.value, b.value);
			lpm_iter_skip(&a);
			lpm_iter_skip(&b);
		}
	}
	return err;
}

/* Editing */

static bool is_private(const struct lpm_edit *edit,
		       const struct lpm_block *block)
{
	return block->edit == edit->id;
}

static struct lpm_node *node_alloc(struct lpm_edit *edit, size_t bytes)
{
	size_t size = kmalloc_size_roundup(bytes);
	struct lpm_node *node;

	node = kmalloc(size, GFP_LPM);
	if (!node)
		return NULL;
	memset(node, 0, sizeof(*node));
	node->block.edit = edit->id;
	node->size = size;
	edit->lpm.bytes += size;
	return node;
}

static size_t leaf_size(void)
{
	return kmalloc_size_roundup(sizeof(struct lpm_leaf));
}

static struct lpm_leaf *leaf_alloc(struct lpm_edit *edit)
{
	struct lpm_leaf *leaf;

	leaf = kmalloc(sizeof(*leaf), GFP_LPM);
	if (!leaf)
		return NULL;
	leaf->block.edit = edit->id;
	edit->lpm.bytes += leaf_size();
	return leaf;
}

/* Take a block out of the trie: readers may still be in it, unless it is new. */
static void block_drop(struct lpm_edit *edit, struct lpm_block *block,
		       size_t size)
{
	edit->lpm.bytes -= size;
	if (is_private(edit, block)) {
		kfree(block);
	} else {
		block->next = edit->garbage.blocks;
		edit->garbage.blocks = block;
		edit->garbage.bytes += size;
	}
}

static void node_drop(struct lpm_edit *edit, struct lpm_node *node)
{
	block_drop(edit, &node->block, node->size);
}

static void slot_drop_leaf(struct lpm_edit *edit, u64 slot)
{
	if (slot_tag(slot) == LPM_LEAF)
		block_drop(edit, &slot_leaf(slot)->block, leaf_size());
}

/*
 * A node that this edit may change in the place of @old, with room for @children
 * and @prefixes more: @old itself if only this edit knows it, else a copy. NULL
 * on ENOMEM.
 */
static struct lpm_node *node_prepare(struct lpm_edit *edit,
				     struct lpm_node *old,
				     unsigned int children,
				     unsigned int prefixes)
{
	struct lpm_node *new;
	size_t used, need;

	used = node_bytes(node_children(old), node_prefixes(old));
	need = used + children * sizeof(u64) + prefixes * sizeof(u32);
	if (is_private(edit, &old->block) && need <= old->size)
		return old;

	new = node_alloc(edit, need);
	if (!new)
		return NULL;
	memcpy(new->child_rank, old->child_rank, sizeof(new->child_rank));
	memcpy(new->prefix_rank, old->prefix_rank, sizeof(new->prefix_rank));
	memcpy(new->child, old->child, sizeof(new->child));
	memcpy(new->prefix, old->prefix, sizeof(new->prefix));
	memcpy(new->slot, old->slot, used - sizeof(*old));
	return new;
}

/* Readers may be looking, with lpm_edit_begin_in_place(). */
static void slot_store(u64 *ref, u64 slot)
{
#ifdef CONFIG_64BIT
	/* who sees the slot sees what it leads to: pairs with READ_ONCE() */
	smp_store_release(ref, slot);
#else
	*ref = slot;
#endif
}

/* Put what node_prepare() made, finished, where @ref has the node it is for. */
static void node_replace(struct lpm_edit *edit, u64 *ref, struct lpm_node *new)
{
	struct lpm_node *old = slot_node(*ref);

	if (new == old)
		return;
	slot_store(ref, node_slot(new));
	node_drop(edit, old);
}

/*
 * The node in @ref on the way to a change below it: one that only this edit
 * knows. Changes in place go through what everybody knows. NULL on ENOMEM.
 */
static struct lpm_node *node_pass(struct lpm_edit *edit, u64 *ref)
{
	struct lpm_node *node = slot_node(*ref);

	if (edit->in_place || is_private(edit, &node->block))
		return node;
	node = node_prepare(edit, node, 0, 0);
	if (node)
		node_replace(edit, ref, node);
	return node;
}

/* Slot for an entry below the first @depth bytes of its key; 0 on ENOMEM. */
static u64 entry_slot(struct lpm_edit *edit, const struct lpm_key *key,
		      unsigned int depth, u32 value)
{
	struct lpm_leaf *leaf;

	if (!needs_leaf(key, depth))
		return make_slot(key, depth, value);

	leaf = leaf_alloc(edit);
	if (!leaf)
		return 0;
	leaf->word[0] = key->word[0];
	leaf->word[1] = key->word[1];
	leaf->len = key->len;
	leaf->value = value;
	return leaf_slot(leaf);
}

/* Put an entry into a node that is @depth bytes down and has room for it. */
static int node_add_entry(struct lpm_edit *edit, struct lpm_node *node,
			  const struct lpm_key *key, unsigned int depth,
			  u32 value)
{
	unsigned int left = key->len - depth * LPM_STRIDE;
	u8 byte = key_byte(key->word, depth);
	u64 slot;

	if (left < LPM_STRIDE) {
		node_add_prefix(node, prefix_number(byte, left), value);
		return 0;
	}
	slot = entry_slot(edit, key, depth + 1, value);
	if (!slot)
		return -ENOMEM;
	node_add_child(node, byte, slot);
	return 0;
}

/* Free what only this edit knows of the tree below @slot, itself included. */
static void free_private(struct lpm_edit *edit, u64 slot)
{
	struct {
		struct lpm_node *node;
		unsigned int next;
	} way[LPM_MAX_DEPTH];
	unsigned int freed = 0;
	int depth = 0;

	way[0].node = slot_node(slot);
	way[0].next = 0;
	if (!slot || !is_private(edit, &way[0].node->block))
		return;

	while (depth >= 0) {
		struct lpm_node *node = way[depth].node, *child;

		if (way[depth].next == node_children(node)) {
			edit->lpm.bytes -= node->size;
			kfree(node);
			depth--;
			if (!(++freed % LPM_CHUNK))
				cond_resched();
			continue;
		}
		slot = node->slot[way[depth].next++];
		if (slot_tag(slot) == LPM_LEAF) {
			if (is_private(edit, &slot_leaf(slot)->block)) {
				edit->lpm.bytes -= leaf_size();
				kfree(slot_leaf(slot));
			}
		} else if (slot_tag(slot) == LPM_NODE) {
			child = slot_node(slot);
			if (is_private(edit, &child->block)) {
				depth++;
				way[depth].node = child;
				way[depth].next = 0;
			}
		}
	}
}

/*
 * A tree for two keys that share their first @depth bytes, the deepest node of
 * it where they part. Returns its slot, 0 on ENOMEM.
 */
static u64 split(struct lpm_edit *edit, unsigned int depth,
		 const struct lpm_key *a, u32 value_a,
		 const struct lpm_key *b, u32 value_b)
{
	unsigned int shorter = min(a->len, b->len);
	unsigned int at = depth;
	struct lpm_node *node;
	u64 slot;

	while (shorter >= (at + 1) * LPM_STRIDE &&
	       key_byte(a->word, at) == key_byte(b->word, at))
		at++;

	node = node_alloc(edit, node_bytes(2, 0));
	if (!node)
		return 0;
	slot = node_slot(node);
	if (node_add_entry(edit, node, a, at, value_a) ||
	    node_add_entry(edit, node, b, at, value_b))
		goto fail;

	while (at-- > depth) {
		node = node_alloc(edit, node_bytes(1, 0));
		if (!node)
			goto fail;
		node_add_child(node, key_byte(a->word, at), slot);
		slot = node_slot(node);
	}
	return slot;

fail:
	free_private(edit, slot);
	return 0;
}

/* Give the node in @ref its prefix with number @nr, or another value for it. */
static int lpm_set_prefix(struct lpm_edit *edit, u64 *ref, unsigned int nr,
			  u32 value)
{
	struct lpm_node *node = slot_node(*ref);
	bool there = test_nr(node->prefix, nr);

	if (there && edit->in_place) {
		/* who sees the value sees what it stands for, as in slot_store() */
		smp_store_release(node_value(node, nr), value);
		return 0;
	}
	node = node_prepare(edit, node, 0, !there);
	if (!node)
		return -ENOMEM;
	if (there) {
		*node_value(node, nr) = value;
	} else {
		node_add_prefix(node, nr, value);
		edit->lpm.entries++;
	}
	node_replace(edit, ref, node);
	return 0;
}

/* Give the node in @ref, @depth bytes down, an entry where it has no child. */
static int add_entry(struct lpm_edit *edit, u64 *ref, const struct lpm_key *key,
		     unsigned int depth, u32 value)
{
	u64 slot = entry_slot(edit, key, depth + 1, value);
	struct lpm_node *node;

	if (!slot)
		return -ENOMEM;
	node = node_prepare(edit, slot_node(*ref), 1, 0);
	if (!node) {
		slot_drop_leaf(edit, slot);
		return -ENOMEM;
	}
	node_add_child(node, key_byte(key->word, depth), slot);
	node_replace(edit, ref, node);
	edit->lpm.entries++;
	return 0;
}

/**
 * lpm_get - exact match
 * @edit: the edit
 * @key: the prefix
 *
 * An lpm_set() of the same prefix that comes next does not go all the way again.
 *
 * Return: its value as the edit has it, or LPM_NO_VALUE
 */
u32 lpm_get(struct lpm_edit *edit, const struct lpm_key *key)
{
	struct lpm_place *place = &edit->place;
	u64 *ref = &edit->lpm.root;
	unsigned int depth;

	place->key = *key;
	place->ref = NULL;
	if (!*ref)
		return LPM_NO_VALUE;
	for (depth = 0;; depth++) {
		struct lpm_node *node = slot_node(*ref);
		unsigned int left = key->len - depth * LPM_STRIDE;
		u8 byte = key_byte(key->word, depth);
		u8 len;

		if (is_private(edit, &node->block)) {
			place->ref = ref;
			place->depth = depth;
		}
		if (left < LPM_STRIDE) {
			unsigned int nr = prefix_number(byte, left);

			if (!test_nr(node->prefix, nr))
				return LPM_NO_VALUE;
			return *node_value(node, nr);
		}
		if (!test_nr(node->child, byte))
			return LPM_NO_VALUE;
		ref = node_child(node, byte);
		if (slot_tag(*ref) != LPM_NODE) {
			if (slot_covers(*ref, key, depth + 1, &len) &&
			    len == key->len)
				return slot_value(*ref);
			return LPM_NO_VALUE;
		}
	}
}

/**
 * lpm_set - add a prefix, or give it another value
 * @edit: the edit
 * @key: the prefix
 * @value: anything but LPM_NO_VALUE
 *
 * Return: 0, or -ENOMEM with the same entries as before
 */
int lpm_set(struct lpm_edit *edit, const struct lpm_key *key, u32 value)
{
	const struct lpm_place place = edit->place;
	u64 *ref = &edit->lpm.root;
	unsigned int depth = 0;

	edit->place.ref = NULL;
	if (place.ref && !lpm_key_cmp(&place.key, key)) {
		ref = place.ref;
		depth = place.depth;
	}
	if (!*ref) {
		struct lpm_node *root = node_alloc(edit, node_bytes(1, 0));

		if (!root)
			return -ENOMEM;
		*ref = node_slot(root);
	}

	for (;; depth++) {
		unsigned int left = key->len - depth * LPM_STRIDE;
		u8 byte = key_byte(key->word, depth);
		struct lpm_node *node = slot_node(*ref);
		struct lpm_key other;
		u64 slot, new;

		if (left < LPM_STRIDE)
			return lpm_set_prefix(edit, ref, prefix_number(byte, left),
					      value);
		if (!test_nr(node->child, byte))
			return add_entry(edit, ref, key, depth, value);

		node = node_pass(edit, ref);
		if (!node)
			return -ENOMEM;
		ref = node_child(node, byte);
		slot = *ref;
		if (slot_tag(slot) == LPM_NODE)
			continue;

		slot_key(slot, key->word, depth + 1, &other);
		if (lpm_key_cmp(&other, key)) {
			new = split(edit, depth + 1, &other, slot_value(slot),
				    key, value);
			if (!new)
				return -ENOMEM;
			edit->lpm.entries++;
		} else {
			new = entry_slot(edit, key, depth + 1, value);
			if (!new)
				return -ENOMEM;
		}
		slot_store(ref, new);
		slot_drop_leaf(edit, slot);
		return 0;
	}
}

/**
 * struct removal - what lpm_remove() has found
 * @ref: where the nodes on the way are referred to
 * @node: these nodes
 * @depth: of the last one, which has the entry
 * @byte: of the entry in it, where it is in a child's slot
 * @nr: number of the prefix that it is else, or LPM_FANOUT
 * @slot: what the child's slot holds, or 0
 */
struct removal {
	u64 *ref[LPM_MAX_DEPTH];
	struct lpm_node *node[LPM_MAX_DEPTH];
	unsigned int depth;
	u8 byte;
	unsigned int nr;
	u64 slot;
};

static bool removal_find(struct lpm_edit *edit, const struct lpm_key *key,
			 struct removal *r)
{
	unsigned int left;
	u8 len;

	r->ref[0] = &edit->lpm.root;
	if (!edit->lpm.root)
		return false;
	for (r->depth = 0;; r->depth++) {
		struct lpm_node *node = slot_node(*r->ref[r->depth]);

		r->node[r->depth] = node;
		r->byte = key_byte(key->word, r->depth);
		r->nr = LPM_FANOUT;
		r->slot = 0;
		left = key->len - r->depth * LPM_STRIDE;
		if (left < LPM_STRIDE) {
			r->nr = prefix_number(r->byte, left);
			return test_nr(node->prefix, r->nr);
		}
		if (!test_nr(node->child, r->byte))
			return false;
		r->slot = *node_child(node, r->byte);
		if (slot_tag(r->slot) != LPM_NODE)
			return slot_covers(r->slot, key, r->depth + 1, &len) &&
			       len == key->len;
		r->ref[r->depth + 1] = node_child(node, r->byte);
	}
}

/*
 * If a single entry remains in the node: its key and value, the leaf that it is
 * in or 0, and true.
 */
static bool removal_leaves_one(const struct removal *r,
			       const struct lpm_key *removed,
			       struct lpm_key *key, u32 *value, u64 *leaf)
{
	const struct lpm_node *node = r->node[r->depth];
	unsigned int prefixes = node_prefixes(node);
	unsigned int byte, nr;
	u64 path[2], slot;

	if (node_children(node) + prefixes != 2)
		return false;

	*leaf = 0;
	if (r->nr == LPM_FANOUT ? prefixes : prefixes > 1) {
		nr = next_nr(node->prefix, 0);
		if (nr == r->nr)
			nr = next_nr(node->prefix, nr + 1);
		prefix_key(nr, removed->word, r->depth, key);
		*value = *node_value(node, nr);
		return true;
	}

	byte = next_nr(node->child, 0);
	if (r->nr == LPM_FANOUT && byte == r->byte)
		byte = next_nr(node->child, byte + 1);
	slot = *node_child(node, byte);
	if (slot_tag(slot) == LPM_NODE)
		return false;
	path[0] = removed->word[0] & word_mask(0, r->depth * LPM_STRIDE);
	path[1] = removed->word[1] & word_mask(1, r->depth * LPM_STRIDE);
	path[r->depth / 8] |= (u64)byte << (56 - r->depth % 8 * 8);
	slot_key(slot, path, r->depth + 1, key);
	*value = slot_value(slot);
	if (slot_tag(slot) == LPM_LEAF)
		*leaf = slot;
	return true;
}

/* Make what is above number @to of the way changeable. */
static int removal_pass(struct lpm_edit *edit, const struct lpm_key *key,
			struct removal *r, unsigned int to)
{
	struct lpm_node *node;
	unsigned int i;

	for (i = 0; i < to; i++) {
		node = node_pass(edit, r->ref[i]);
		if (!node)
			return -ENOMEM;
		r->node[i] = node;
		r->ref[i + 1] = node_child(node, key_byte(key->word, i));
	}
	return 0;
}

/* The entry goes, and the one that remains in the node moves up with it. */
static int remove_node(struct lpm_edit *edit, const struct lpm_key *key,
		       struct removal *r, const struct lpm_key *last,
		       u32 value, u64 leaf)
{
	unsigned int top = r->depth, i;
	u64 slot = leaf;

	/* nodes that only lead here go, too */
	while (top > 1 && node_children(r->node[top - 1]) == 1 &&
	       !node_prefixes(r->node[top - 1]))
		top--;
	if (!slot) {
		slot = entry_slot(edit, last, top, value);
		if (!slot)
			return -ENOMEM;
	}
	if (removal_pass(edit, key, r, top)) {
		if (!leaf)
			slot_drop_leaf(edit, slot);
		return -ENOMEM;
	}
	slot_store(r->ref[top], slot);
	for (i = top; i <= r->depth; i++)
		node_drop(edit, r->node[i]);
	return 0;
}

/* The entry goes, and its node stays, unless that is the root and empty now. */
static int remove_entry(struct lpm_edit *edit, const struct lpm_key *key,
			struct removal *r)
{
	struct lpm_node *node;

	if (edit->lpm.entries == 1) {
		slot_store(&edit->lpm.root, 0);
		node_drop(edit, r->node[0]);
		return 0;
	}
	if (removal_pass(edit, key, r, r->depth))
		return -ENOMEM;
	node = node_prepare(edit, slot_node(*r->ref[r->depth]), 0, 0);
	if (!node)
		return -ENOMEM;
	if (r->nr != LPM_FANOUT)
		node_del_prefix(node, r->nr);
	else
		node_del_child(node, r->byte);
	node_replace(edit, r->ref[r->depth], node);
	return 0;
}

/**
 * lpm_remove - remove a prefix
 * @edit: the edit
 * @key: the prefix
 *
 * Return: 0, -ENOENT if it is not there, or -ENOMEM with the same entries as
 *	before
 */
int lpm_remove(struct lpm_edit *edit, const struct lpm_key *key)
{
	struct removal r;
	struct lpm_key last;
	u32 value;
	u64 leaf;
	int err;

	edit->place.ref = NULL;
	if (!removal_find(edit, key, &r))
		return -ENOENT;
	if (r.depth && removal_leaves_one(&r, key, &last, &value, &leaf))
		err = remove_node(edit, key, &r, &last, value, leaf);
	else
		err = remove_entry(edit, key, &r);
	if (err)
		return err;
	slot_drop_leaf(edit, r.slot);
	edit->lpm.entries--;
	return 0;
}

/* The blocks stay in the base version after all. */
static void unretire(struct lpm_edit *edit)
{
	struct lpm_block *block, *next;
	unsigned int steps = 0;

	for (block = edit->garbage.blocks; block; block = next) {
		next = block->next;
		block->edit = 0;
		if (!(++steps % LPM_CHUNK))
			cond_resched();
	}
	edit->garbage.blocks = NULL;
	edit->garbage.bytes = 0;
}

/**
 * lpm_edit_begin - begin to change a trie
 * @edit: the edit
 * @base: the current version
 * @id: never used before, not 0
 */
void lpm_edit_begin(struct lpm_edit *edit, const struct lpm *base, u64 id)
{
	edit->lpm = *base;
	edit->base = *base;
	edit->id = id;
	edit->in_place = false;
	edit->place.ref = NULL;
	memset(&edit->garbage, 0, sizeof(edit->garbage));
}

/**
 * lpm_edit_begin_in_place - begin to change one prefix where readers see it
 * @edit: the edit; takes one call of lpm_set() or lpm_remove(), and cannot be
 *	aborted once that has succeeded
 * @base: the current version, which nobody may want to see unchanged
 * @id: never used before, not 0
 *
 * Readers find what was, or what is. Where LPM_CAN_IN_PLACE only.
 */
void lpm_edit_begin_in_place(struct lpm_edit *edit, const struct lpm *base,
			     u64 id)
{
	lpm_edit_begin(edit, base, id);
	edit->in_place = true;
}

/**
 * lpm_clear - remove all entries
 * @edit: the edit
 */
void lpm_clear(struct lpm_edit *edit)
{
	edit->place.ref = NULL;
	free_private(edit, edit->lpm.root);
	unretire(edit);
	edit->garbage.tree = edit->base.root;
	edit->garbage.bytes = edit->base.bytes;
	memset(&edit->lpm, 0, sizeof(edit->lpm));
}

/**
 * lpm_edit_abort - forget the changes
 * @edit: the edit
 */
void lpm_edit_abort(struct lpm_edit *edit)
{
	free_private(edit, edit->lpm.root);
	unretire(edit);
}

/**
 * lpm_edit_commit - end an edit whose trie is going to be published
 * @edit: the edit
 *
 * Return: to be freed when no reader can be in the base version any more
 */
struct lpm_garbage lpm_edit_commit(struct lpm_edit *edit)
{
	return edit->garbage;
}

/**
 * lpm_garbage_add - gather the garbage of several edits
 * @garbage: to this
 * @more: what to add, without a whole tree; empty then
 */
void lpm_garbage_add(struct lpm_garbage *garbage, struct lpm_garbage *more)
{
	struct lpm_block **end = &more->blocks;

	if (garbage->blocks) {
		while (*end)
			end = &(*end)->next;
		*end = garbage->blocks;
	}
	garbage->blocks = more->blocks;
	garbage->bytes += more->bytes;
	memset(more, 0, sizeof(*more));
}

/**
 * lpm_garbage_free - free what an edit took out
 * @garbage: from lpm_edit_commit()
 *
 * Context: process; takes its time in chunks
 */
void lpm_garbage_free(struct lpm_garbage *garbage)
{
	struct lpm_block *block = garbage->blocks;
	struct lpm tree = { .root = garbage->tree };
	unsigned int freed = 0;

	while (block) {
		struct lpm_block *next = block->next;

		kfree(block);
		block = next;
		if (!(++freed % LPM_CHUNK))
			cond_resched();
	}
	lpm_free(&tree);
	memset(garbage, 0, sizeof(*garbage));
}

/**
 * lpm_free - free a whole trie
 * @lpm: the trie, without readers and without an edit
 *
 * Context: as lpm_garbage_free()
 */
void lpm_free(struct lpm *lpm)
{
	struct {
		struct lpm_node *node;
		unsigned int next;
	} way[LPM_MAX_DEPTH];
	unsigned int freed = 0;
	int depth = -1;
	u64 slot = lpm->root;

	for (;;) {
		if (slot && slot_tag(slot) == LPM_NODE) {
			depth++;
			way[depth].node = slot_node(slot);
			way[depth].next = 0;
		} else if (slot_tag(slot) == LPM_LEAF) {
			kfree(slot_leaf(slot));
		}

		while (depth >= 0 && way[depth].next ==
				     node_children(way[depth].node)) {
			kfree(way[depth--].node);
			if (!(++freed % LPM_CHUNK))
				cond_resched();
		}
		if (depth < 0)
			break;
		slot = way[depth].node->slot[way[depth].next++];
	}
	memset(lpm, 0, sizeof(*lpm));
}
