/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Longest prefix match: a persistent multibit trie.
 *
 * One node covers eight bits of the address. Two bitmaps say which of its 256
 * children and of its 255 prefixes shorter than eight bits exist; children and
 * values stand behind them without gaps, and a population count finds their
 * place. What is alone below a child is kept in the child's slot instead of in
 * a node of its own.
 *
 * An edit copies the nodes on the way to what it changes, and published nodes
 * never change: a reader that holds the root sees one version of the trie for as
 * long as the garbage of the edits that followed is not freed. Where nobody is to
 * see the older version any more, an edit of a single prefix can do with less: it
 * copies the one node that gets another size, and puts it in its place with one
 * store that readers see or do not see yet.
 */
#ifndef _NL31_LPM_H
#define _NL31_LPM_H

#include <linux/kconfig.h>
#include <linux/types.h>

#define LPM_MAX_DEPTH	16	/* most nodes on the way down */

/* No entry has this value. */
#define LPM_NO_VALUE	U32_MAX

/**
 * struct lpm_key - a prefix
 * @word: the address, first bit in the highest bit of word[0]; bits beyond @len
 *	are 0. An IPv4 address takes the upper half of word[0].
 * @len: prefix length in bits
 */
struct lpm_key {
	u64 word[2];
	u8 len;
};

/**
 * struct lpm - one version of a trie
 * @root: slot of the root node, 0 for an empty trie
 * @bytes: allocated for nodes and leaves
 * @entries: prefixes in it
 */
struct lpm {
	u64 root;
	size_t bytes;
	u32 entries;
};

/* Heads what is allocated for a trie. */
struct lpm_block {
	union {
		u64 edit;		/* in a trie: the edit that made it */
		struct lpm_block *next;	/* retired */
	};
};

/**
 * struct lpm_garbage - what an edit took out of a trie
 * @blocks: list of single nodes and leaves
 * @tree: slot of the root of a tree to be freed as a whole
 * @bytes: size of all that
 */
struct lpm_garbage {
	struct lpm_block *blocks;
	u64 tree;
	size_t bytes;
};

/**
 * struct lpm_place - where lpm_get() has ended
 * @key: what it has looked for
 * @ref: refers to the last node on the way that only the edit knows; or NULL
 * @depth: of that node
 */
struct lpm_place {
	struct lpm_key key;
	u64 *ref;
	unsigned int depth;
};

/**
 * struct lpm_edit - changes to a trie, not yet seen by readers
 * @lpm: the trie with the changes
 * @base: the trie that the edit began with
 * @id: marks the blocks that only this edit knows; unique, not 0
 * @in_place: it changes one prefix, where readers of @base may see it
 * @garbage: blocks of @base that @lpm does not use any more
 * @place: from where lpm_set() may go on, until the next change
 */
struct lpm_edit {
	struct lpm lpm;
	struct lpm base;
	u64 id;
	bool in_place;
	struct lpm_garbage garbage;
	struct lpm_place place;
};

/**
 * struct lpm_entry - a prefix in a trie
 * @key: the prefix
 * @value: its value
 */
struct lpm_entry {
	struct lpm_key key;
	u32 value;
};

struct lpm_node;

/**
 * struct lpm_iter - a walk through a trie, ordered by address, then by length
 * @key: what the iterator is at, see lpm_iter_peek()
 * @value: value of the entry it is at
 * @node: the node it is at, or NULL where it is at an entry
 * @depth: frames in use, less one; -1 at the end
 * @frame: the way down; @prefix and @child are what comes next in the node,
 *	@value_at and @slot_at where it stands
 */
struct lpm_iter {
	struct lpm_key key;
	u32 value;
	const struct lpm_node *node;
	int depth;
	struct lpm_iter_frame {
		const struct lpm_node *node;
		u16 prefix;
		u16 child;
		u16 value_at;
		u16 slot_at;
	} frame[LPM_MAX_DEPTH];
	u64 path[2];
};

void lpm_init_tables(void);

bool lpm_key_covers(const struct lpm_key *key, const struct lpm_key *other);
int lpm_key_cmp(const struct lpm_key *a, const struct lpm_key *b);
void lpm_key_truncate(struct lpm_key *key, u8 len);

u32 lpm_lookup(const struct lpm *lpm, const struct lpm_key *key, u8 *len);

void lpm_iter_start(struct lpm_iter *it, const struct lpm *lpm,
		    const struct lpm_key *from, bool after);
bool lpm_iter_next(struct lpm_iter *it);
unsigned int lpm_iter_fill(struct lpm_iter *it, struct lpm_entry *entry,
			   unsigned int room);

typedef int (*lpm_diff_fn)(void *ctx, const struct lpm_key *key, u32 old,
			   u32 new);
int lpm_diff(const struct lpm *old, const struct lpm *new, lpm_diff_fn fn,
	     void *ctx);

/* A slot has 64 bits, and is seen whole only where these are one word. */
#define LPM_CAN_IN_PLACE	IS_ENABLED(CONFIG_64BIT)

void lpm_edit_begin(struct lpm_edit *edit, const struct lpm *base, u64 id);
void lpm_edit_begin_in_place(struct lpm_edit *edit, const struct lpm *base,
			     u64 id);
u32 lpm_get(struct lpm_edit *edit, const struct lpm_key *key);
int lpm_set(struct lpm_edit *edit, const struct lpm_key *key, u32 value);
int lpm_remove(struct lpm_edit *edit, const struct lpm_key *key);
void lpm_clear(struct lpm_edit *edit);
void lpm_edit_abort(struct lpm_edit *edit);
struct lpm_garbage lpm_edit_commit(struct lpm_edit *edit);

void lpm_garbage_add(struct lpm_garbage *garbage, struct lpm_garbage *more);
void lpm_garbage_free(struct lpm_garbage *garbage);
void lpm_free(struct lpm *lpm);

#endif /* _NL31_LPM_H */
