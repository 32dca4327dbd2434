// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walks through a trie in order. See lpm_node.h for the layout.
 *
 * A change in place may put another block where the iterator has already read
 * a slot, and set or clear a slot of an array under it: the iterator finds what
 * did not change, and of what did the old or the new.
 */
#include "lpm_node.h"

/* Go down to the node or list in @slot, which begins below @depth bytes. */
static void lpm_iter_push(struct lpm_iter *it, u64 slot, unsigned int depth)
{
	struct lpm_iter_frame *frame = &it->frame[++it->depth];

	if (lpm_tag(slot) == LPM_SKIP) {
		const struct lpm_skip *skip = lpm_pointer(slot);

		it->path[0] = skip->word[0];
		it->path[1] = skip->word[1];
		depth = lpm_skip_depth(skip);
		slot = READ_ONCE(skip->slot);
	}
	frame->depth = depth;
	frame->value_at = 0;
	frame->slot_at = 0;
	if (lpm_is_node(slot)) {
		const struct lpm_node *node = lpm_pointer(slot);

		frame->node = node;
		frame->slot = node->slot;
		frame->prefix = lpm_next_nr(node->prefix, 0);
		frame->child = lpm_next_nr(node->child, 0);
		if (node->is_array)
			frame->slot_at = frame->child;
		return;
	}
	frame->node = NULL;
	frame->slot = ((struct lpm_list *)lpm_pointer(slot))->slot;
	frame->prefix = LPM_FANOUT;
	frame->child = lpm_list_room(slot);
}

/* Go on in the node of @frame at the first prefix and child from these on. */
static void lpm_frame_seek(struct lpm_iter_frame *frame, unsigned int prefix,
			   unsigned int child)
{
	const struct lpm_node *node = frame->node;

	frame->prefix = lpm_next_nr(node->prefix, prefix);
	frame->child = lpm_next_nr(node->child, child);
	frame->value_at = frame->prefix == LPM_FANOUT ? 0 :
			  lpm_rank(node->prefix, node->prefix_rank,
				   frame->prefix);
	if (node->is_array)
		frame->slot_at = frame->child;
	else
		frame->slot_at = frame->child == LPM_FANOUT ? 0 :
				 lpm_rank(node->child, node->child_rank,
					  frame->child);
}

/* Go past the child that @frame is at. */
static void lpm_frame_next_child(struct lpm_iter_frame *frame)
{
	frame->slot_at++;
	if (!frame->node)
		return;
	frame->child = lpm_next_nr(frame->node->child, frame->child + 1);
	if (frame->node->is_array)
		frame->slot_at = frame->child;
}

/* Is one of the node's own prefixes the next? */
static bool lpm_frame_at_prefix(const struct lpm_iter_frame *frame)
{
	return frame->prefix < LPM_FANOUT &&
	       nl31_lpm_prefix[frame->prefix].byte <= frame->child;
}

/* The child's slot that is next; 0 at the end of the frame. */
static u64 lpm_frame_slot(struct lpm_iter_frame *frame)
{
	u64 slot;

	if (!frame->node)
		return frame->slot_at < frame->child ?
		       READ_ONCE(frame->slot[frame->slot_at]) : 0;
	while (frame->child < LPM_FANOUT) {
		slot = READ_ONCE(frame->slot[frame->slot_at]);
		if (slot)
			return slot;
		/* removed from an array in place */
		lpm_frame_next_child(frame);
	}
	return 0;
}

static void lpm_iter_set_byte(struct lpm_iter *it, unsigned int depth, u8 byte)
{
	it->path[depth / 8] &= lpm_word_mask(0, depth % 8 * 8);
	it->path[depth / 8] |= (u64)byte << (56 - depth % 8 * 8);
}

/*
 * Describe what comes next without going there: an entry (@below 0), or a node or
 * list in the slot @below, with the prefix that covers all in it. False at the end.
 */
bool nl31_lpm_iter_peek(struct lpm_iter *it)
{
	struct lpm_iter_frame *frame;
	unsigned int depth;
	u64 slot;

	it->below = 0;
	for (;; it->depth--) {
		if (it->depth < 0)
			return false;
		frame = &it->frame[it->depth];
		depth = frame->depth;
		slot = lpm_frame_slot(frame);
		if (lpm_frame_at_prefix(frame)) {
			nl31_lpm_prefix_key(frame->prefix, it->path, depth,
					    &it->key);
			it->value = READ_ONCE(lpm_values(frame->node)[frame->value_at]);
			return true;
		}
		if (slot)
			break;
	}

	if (frame->node)
		lpm_iter_set_byte(it, depth++, frame->child);
	if (lpm_is_entry(slot)) {
		nl31_lpm_slot_key(slot, it->path, depth, &it->key);
		it->value = lpm_slot_value(slot);
		return true;
	}
	it->below = slot;
	it->key.word[0] = it->path[0];
	it->key.word[1] = it->path[1];
	if (lpm_tag(slot) == LPM_SKIP) {
		const struct lpm_skip *skip = lpm_pointer(slot);

		it->key.word[0] = skip->word[0];
		it->key.word[1] = skip->word[1];
		depth = lpm_skip_depth(skip);
		it->below = READ_ONCE(skip->slot);
	}
	nl31_lpm_key_truncate(&it->key, depth * LPM_STRIDE);
	return true;
}

/* Go past what nl31_lpm_iter_peek() showed. */
void nl31_lpm_iter_skip(struct lpm_iter *it)
{
	struct lpm_iter_frame *frame = &it->frame[it->depth];

	if (lpm_frame_at_prefix(frame)) {
		frame->prefix = lpm_next_nr(frame->node->prefix,
					    frame->prefix + 1);
		frame->value_at++;
	} else {
		lpm_frame_next_child(frame);
	}
}

/* Go into the node or list that nl31_lpm_iter_peek() showed. */
void nl31_lpm_iter_enter(struct lpm_iter *it)
{
	nl31_lpm_iter_skip(it);
	it->path[0] = it->key.word[0];
	it->path[1] = it->key.word[1];
	lpm_iter_push(it, it->below, it->key.len / LPM_STRIDE);
}

/* A trie of one entry has no node: walk over its slot as over a list. */
static void lpm_iter_push_root(struct lpm_iter *it)
{
	if (!it->root)
		return;
	if (!lpm_is_entry(it->root)) {
		lpm_iter_push(it, it->root, 0);
		return;
	}
	it->depth = 0;
	it->frame[0] = (struct lpm_iter_frame) {
		.slot = &it->root,
		.prefix = LPM_FANOUT,
		.child = 1,
	};
}

/* Go past the entries of the list in @frame that come before @from. */
static void lpm_iter_seek_list(struct lpm_iter *it, const struct lpm_key *from,
			       bool after)
{
	struct lpm_iter_frame *frame = &it->frame[it->depth];
	struct lpm_key key;
	u64 slot;
	int cmp;

	while ((slot = lpm_frame_slot(frame))) {
		nl31_lpm_slot_key(slot, it->path, frame->depth, &key);
		cmp = nl31_lpm_key_cmp(&key, from);
		if (cmp > 0 || (cmp == 0 && !after))
			return;
		frame->slot_at++;
	}
}

/*
 * Go to the first entry of the node in @frame that does not come before @from.
 * Returns the slot of the node or list that @from leads to below it, or 0.
 */
static u64 lpm_iter_seek_node(struct lpm_iter *it, const struct lpm_key *from,
			      bool after)
{
	struct lpm_iter_frame *frame = &it->frame[it->depth];
	const unsigned int left = from->len - frame->depth * LPM_STRIDE;
	const u8 byte = lpm_key_byte(from->word, frame->depth);
	u64 slot;

	if (left < LPM_STRIDE) {
		lpm_frame_seek(frame, lpm_prefix_number(byte, left) + after, byte);
		return 0;
	}
	/* what covers @from comes before it */
	lpm_frame_seek(frame, lpm_prefix_number(byte, LPM_STRIDE - 1) + 1, byte);
	slot = lpm_frame_slot(frame);
	if (frame->child != byte)
		return 0;
	if (lpm_is_entry(slot)) {
		struct lpm_key key;
		int cmp;

		nl31_lpm_slot_key(slot, from->word, frame->depth + 1, &key);
		cmp = nl31_lpm_key_cmp(&key, from);
		if (cmp < 0 || (cmp == 0 && after))
			lpm_frame_next_child(frame);
		return 0;
	}
	lpm_frame_next_child(frame);
	return slot;
}

/**
 * nl31_lpm_iter_start - begin a walk
 * @it: the iterator
 * @lpm: the trie
 * @from: where to begin, or NULL for the first entry
 * @after: begin behind @from instead of at it
 *
 * Context: RCU read side, or the trie is kept from being freed otherwise, for as
 *	long as the walk lasts
 */
void nl31_lpm_iter_start(struct lpm_iter *it, const struct lpm *lpm,
			 const struct lpm_key *from, bool after)
{
	unsigned int depth = 0;
	u64 slot;

	it->depth = -1;
	it->root = READ_ONCE(lpm->root);
	it->path[0] = 0;
	it->path[1] = 0;
	if (!from || !it->root || lpm_is_entry(it->root)) {
		lpm_iter_push_root(it);
		if (from && it->root)
			lpm_iter_seek_list(it, from, after);
		return;
	}

	for (slot = it->root; slot;) {
		const struct lpm_skip *skip = lpm_pointer(slot);

		it->path[0] = from->word[0];
		it->path[1] = from->word[1];
		if (lpm_tag(slot) == LPM_SKIP && !lpm_skip_leads_to(skip, from)) {
			struct lpm_key key = {
				.word = { skip->word[0], skip->word[1] },
			};

			/* all below comes after @from, or all before it */
			nl31_lpm_key_truncate(&key, lpm_skip_depth(skip) * LPM_STRIDE);
			if (nl31_lpm_key_cmp(&key, from) > 0)
				lpm_iter_push(it, slot, depth);
			return;
		}
		lpm_iter_push(it, slot, depth);
		if (!it->frame[it->depth].node) {
			lpm_iter_seek_list(it, from, after);
			return;
		}
		slot = lpm_iter_seek_node(it, from, after);
		depth = it->frame[it->depth].depth + 1;
	}
}

/*
 * A walk over the bits of a map: @nr is the one it is at, LPM_FANOUT at the end,
 * and @bits those from there on in its word.
 */
struct lpm_bit_walk {
	const u64 *map;
	u64 bits;
	unsigned int nr;
};

static inline void lpm_walk_at(struct lpm_bit_walk *w, const u64 map[LPM_WORDS],
			       unsigned int nr)
{
	w->map = map;
	w->nr = nr;
	w->bits = nr < LPM_FANOUT ? map[nr / 64] & (U64_MAX << (nr % 64)) : 0;
}

static inline void lpm_walk_on(struct lpm_bit_walk *w)
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
static unsigned int lpm_fill_from_node(struct lpm_iter *it,
				       struct lpm_entry *entry,
				       unsigned int room)
{
	struct lpm_iter_frame *frame = &it->frame[it->depth];
	const struct lpm_node *node = frame->node;
	const unsigned int depth = frame->depth, bits = depth * LPM_STRIDE;
	const unsigned int shift = 56 - depth % 8 * 8;
	const u32 *const values = lpm_values(node);
	const u32 *value = values + frame->value_at;
	const bool is_array = node->is_array;
	const u64 *packed = frame->slot + frame->slot_at;
	struct lpm_bit_walk prefix, child;
	unsigned int filled = 0;
	u64 base, slot, below = 0;

	base = it->path[depth / 8] & ~(U64_MAX >> bits % 64);
	if (depth < 8)
		it->path[1] = 0;
	lpm_walk_at(&prefix, node->prefix, frame->prefix);
	lpm_walk_at(&child, node->child, frame->child);
	while (filled < room) {
		if (prefix.nr < LPM_FANOUT &&
		    nl31_lpm_prefix[prefix.nr].byte <= child.nr) {
			it->path[depth / 8] = base;
			nl31_lpm_prefix_key(prefix.nr, it->path, depth,
					    &entry->key);
			entry->value = READ_ONCE(*value++);
			lpm_walk_on(&prefix);
			filled++;
			entry++;
			continue;
		}
		if (child.nr == LPM_FANOUT)
			break;
		it->path[depth / 8] = base | (u64)child.nr << shift;
		slot = READ_ONCE(*(is_array ? &frame->slot[child.nr] : packed++));
		lpm_walk_on(&child);
		if (unlikely(!slot))
			continue;
		if (!lpm_is_entry(slot)) {
			below = slot;
			break;
		}
		entry->value = lpm_slot_value(slot);
		if (likely(lpm_tag(slot) == LPM_ENTRY && !lpm_entry_len(slot))) {
			entry->key.word[0] = it->path[0];
			entry->key.word[1] = it->path[1];
			entry->key.len = bits + LPM_STRIDE;
		} else {
			nl31_lpm_slot_key(slot, it->path, depth + 1, &entry->key);
		}
		filled++;
		entry++;
	}
	frame->prefix = prefix.nr;
	frame->child = child.nr;
	frame->value_at = value - values;
	frame->slot_at = is_array ? child.nr : packed - frame->slot;
	if (below)
		lpm_iter_push(it, below, depth + 1);
	else if (filled < room)
		it->depth--;
	return filled;
}

/* The entries of the list that the iterator is in. */
static unsigned int lpm_fill_from_list(struct lpm_iter *it,
				       struct lpm_entry *entry,
				       unsigned int room)
{
	struct lpm_iter_frame *frame = &it->frame[it->depth];
	unsigned int filled;
	u64 slot;

	for (filled = 0; filled < room; filled++, entry++) {
		slot = lpm_frame_slot(frame);
		if (!slot) {
			it->depth--;
			break;
		}
		nl31_lpm_slot_key(slot, it->path, frame->depth, &entry->key);
		entry->value = lpm_slot_value(slot);
		frame->slot_at++;
	}
	return filled;
}

/**
 * nl31_lpm_iter_fill - go over the next entries
 * @it: the iterator
 * @entry: where to put them
 * @room: how many there is room for
 *
 * Return: how many there were; less than @room at the end only
 */
unsigned int nl31_lpm_iter_fill(struct lpm_iter *it, struct lpm_entry *entry,
				unsigned int room)
{
	unsigned int filled = 0;

	while (filled < room && it->depth >= 0) {
		if (it->frame[it->depth].node)
			filled += lpm_fill_from_node(it, entry + filled,
						     room - filled);
		else
			filled += lpm_fill_from_list(it, entry + filled,
						     room - filled);
	}
	return filled;
}

/**
 * nl31_lpm_iter_next - go to the next entry
 * @it: the iterator; on success its key and value are those of the entry
 *
 * Return: false at the end
 */
bool nl31_lpm_iter_next(struct lpm_iter *it)
{
	struct lpm_entry entry;

	if (!nl31_lpm_iter_fill(it, &entry, 1))
		return false;
	it->key = entry.key;
	it->value = entry.value;
	return true;
}
