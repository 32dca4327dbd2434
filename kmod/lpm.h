/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Longest prefix match: a persistent multibit trie. lpm_node.h describes its nodes.
 *
 * An edit copies the nodes on the way to its change, and published nodes never
 * change: a reader that holds the root sees one version of the trie until the
 * garbage of the edits after that version is freed. While no reader holds an
 * older version, an edit of a single prefix may work in place: it replaces one
 * node, and readers see its one 64-bit store or do not see it yet.
 *
 * Writers exclude each other; the caller's lock sees to that. Readers need RCU,
 * or a version that is kept from being freed.
 */
#ifndef _NL31_LPM_H
#define _NL31_LPM_H

#include <linux/kconfig.h>
#include <linux/types.h>

#define LPM_MAX_DEPTH	16	/* most blocks on the way down, leaves not counted */

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
 * @root: slot of the first node, 0 for an empty trie
 * @bytes: memory of its blocks
 * @entries: number of prefixes
 */
struct lpm {
	u64 root;
	size_t bytes;
	u32 entries;
};

/* Heads everything that is allocated for a trie. */
struct lpm_block {
	union {
		u64 edit;	/* in a trie: the edit that made it */
		u64 next;	/* in garbage: slot of the next block, or 0 */
	};
};

/**
 * struct lpm_garbage - blocks that an edit took out of a trie
 * @blocks: slot of the first of a list of single blocks, or 0
 * @last: slot of the last of them
 * @tree: slot of a tree to be freed as a whole, or 0
 * @bytes: size of all of them
 */
struct lpm_garbage {
	u64 blocks;
	u64 last;
	u64 tree;
	size_t bytes;
};

/**
 * struct lpm_cursor - where nl31_lpm_get() stopped
 * @key: the key it looked for
 * @ref: slot of the last node on the way that only the edit knows; or NULL
 * @depth: bytes of the address above that node
 */
struct lpm_cursor {
	struct lpm_key key;
	u64 *ref;
	unsigned int depth;
};

/**
 * struct lpm_edit - changes to a trie, not yet seen by readers
 * @lpm: the trie with the changes
 * @base: the trie that the edit began with
 * @id: marks the blocks that only this edit knows; unique, not 0
 * @in_place: the edit changes one prefix, and readers of @base may see it
 * @garbage: blocks of @base that @lpm no longer uses
 * @place: where nl31_lpm_get() stopped; nl31_lpm_set() resumes here
 */
struct lpm_edit {
	struct lpm lpm;
	struct lpm base;
	u64 id;
	bool in_place;
	struct lpm_garbage garbage;
	struct lpm_cursor place;
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
 * @key: the prefix the iterator is at
 * @value: its value
 * @below: see nl31_lpm_iter_peek()
 * @root: slot of the root, as it was at the start
 * @depth: frames in use, less one; -1 at the end
 * @path: the address of the current frame; bytes behind its depth mean nothing
 * @frame: the way down, one frame for each node or list
 *
 * In a frame, @node is NULL for a list. @slot are the slots. @prefix and @child
 * are the next prefix and child of a node, @value_at and @slot_at their places;
 * in a list @slot_at is the next slot and @child their number. @depth counts the
 * bytes of the address above the node.
 */
struct lpm_iter {
	struct lpm_key key;
	u32 value;
	u64 below;
	u64 root;
	u64 path[2];
	int depth;
	struct lpm_iter_frame {
		const struct lpm_node *node;
		const u64 *slot;
		u16 prefix;
		u16 child;
		u16 value_at;
		u16 slot_at;
		u8 depth;
	} frame[LPM_MAX_DEPTH];
};

int nl31_lpm_init(void);
void nl31_lpm_exit(void);

bool nl31_lpm_key_covers(const struct lpm_key *key, const struct lpm_key *other);
int nl31_lpm_key_cmp(const struct lpm_key *a, const struct lpm_key *b);
void nl31_lpm_key_truncate(struct lpm_key *key, u8 len);

u32 nl31_lpm_lookup(const struct lpm *lpm, const struct lpm_key *key, u8 *len);

void nl31_lpm_iter_start(struct lpm_iter *it, const struct lpm *lpm,
			 const struct lpm_key *from, bool after);
bool nl31_lpm_iter_next(struct lpm_iter *it);
unsigned int nl31_lpm_iter_fill(struct lpm_iter *it, struct lpm_entry *entry,
				unsigned int room);

typedef int (*nl31_lpm_diff_fn)(void *ctx, const struct lpm_key *key, u32 old,
				u32 new);
int nl31_lpm_diff(const struct lpm *old, const struct lpm *new, nl31_lpm_diff_fn fn,
		  void *ctx);

/* A slot has 64 bits, and is seen whole only where these are one word. */
#define LPM_CAN_IN_PLACE	IS_ENABLED(CONFIG_64BIT)

void nl31_lpm_edit_begin(struct lpm_edit *edit, const struct lpm *base, u64 id);
void nl31_lpm_edit_begin_in_place(struct lpm_edit *edit, const struct lpm *base,
				  u64 id);
u32 nl31_lpm_get(struct lpm_edit *edit, const struct lpm_key *key);
int nl31_lpm_set(struct lpm_edit *edit, const struct lpm_key *key, u32 value);
int nl31_lpm_remove(struct lpm_edit *edit, const struct lpm_key *key);
void nl31_lpm_clear(struct lpm_edit *edit);
void nl31_lpm_edit_abort(struct lpm_edit *edit);
struct lpm_garbage nl31_lpm_edit_commit(struct lpm_edit *edit);

void nl31_lpm_garbage_add(struct lpm_garbage *garbage, struct lpm_garbage *more);
void nl31_lpm_garbage_free(struct lpm_garbage *garbage);
void nl31_lpm_free(struct lpm *lpm);

#endif /* _NL31_LPM_H */
