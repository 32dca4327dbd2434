/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Few entries, taken out of a trie to be put back in another form; private to
 * lpm_*.c. Whatever gets or loses its node goes through here: entries that come
 * to share a slot, a list that overflows, a node that is down to few entries.
 */
#ifndef _NL31_LPM_GROUP_H
#define _NL31_LPM_GROUP_H

#include "lpm_node.h"

/* One more than a list holds. */
#define LPM_GROUP_MAX	(LPM_LONG_LIST + 1)

/**
 * struct lpm_item - an entry of a group
 * @key: the prefix
 * @value: its value
 * @leaf: slot of its leaf in the trie, or 0
 * @kept: the new form uses @leaf
 */
struct lpm_item {
	struct lpm_key key;
	u32 value;
	bool kept;
	u64 leaf;
};

/**
 * struct lpm_group - few entries
 * @count: how many
 * @item: the entries, in order
 * @gone: leaf of an entry that was removed or got another value, or 0
 */
struct lpm_group {
	unsigned int count;
	struct lpm_item item[LPM_GROUP_MAX];
	u64 gone;
};

void nl31_lpm_group_add(struct lpm_group *group, u64 slot, const u64 path[2],
			unsigned int depth);
bool nl31_lpm_group_add_node(struct lpm_group *group, const struct lpm_node *node,
			     unsigned int byte, unsigned int nr, unsigned int max,
			     const u64 path[2], unsigned int depth);
bool nl31_lpm_group_set(struct lpm_group *group, const struct lpm_key *key,
			u32 value);
void nl31_lpm_group_remove(struct lpm_group *group, const struct lpm_key *key);
u64 nl31_lpm_group_build(struct lpm_edit *edit, struct lpm_group *group,
			 unsigned int depth);
void nl31_lpm_group_drop(struct lpm_edit *edit, struct lpm_group *group);

u64 nl31_lpm_skip_new(struct lpm_edit *edit, const u64 word[2], unsigned int depth,
		      u64 below);
u64 nl31_lpm_entry_new(struct lpm_edit *edit, const struct lpm_key *key,
		       unsigned int depth, u32 value);
u64 nl31_lpm_make_entry(const struct lpm_key *key, unsigned int depth, u32 value);

static inline void lpm_group_init(struct lpm_group *group)
{
	group->count = 0;
	group->gone = 0;
}

/* Is a prefix too long for an LPM_ENTRY below @depth bytes? */
static inline bool lpm_needs_leaf(const struct lpm_key *key, unsigned int depth)
{
	return key->len > depth * LPM_STRIDE + LPM_INLINE_BITS;
}

/* lpm_edit.c */
u64 nl31_lpm_copy(struct lpm_edit *edit, u64 *ref);
u32 nl31_lpm_get_entry(u64 slot, const struct lpm_key *key, unsigned int depth);

/* The block in @ref, on the way to a change below it, made changeable; 0 on ENOMEM. */
static __always_inline u64 lpm_pass(struct lpm_edit *edit, u64 *ref)
{
	if (edit->in_place || lpm_is_private(edit, *ref))
		return *ref;
	return nl31_lpm_copy(edit, ref);
}

/* The slot in the block in @ref, @depth bytes down, that leads to @key. */
static __always_inline u64 *lpm_step_down(u64 *ref, const struct lpm_key *key, unsigned int depth)
{
	if (lpm_tag(*ref) == LPM_SKIP)
		return &((struct lpm_skip *)lpm_pointer(*ref))->slot;
	return lpm_child(lpm_pointer(*ref), lpm_key_byte(key->word, depth));
}

/* Number of a prefix that is one of the own ones of a node @depth bytes down. */
static inline unsigned int lpm_own_number(const struct lpm_key *key, unsigned int depth)
{
	return lpm_prefix_number(lpm_key_byte(key->word, depth),
				 key->len - depth * LPM_STRIDE);
}

#endif /* _NL31_LPM_GROUP_H */
