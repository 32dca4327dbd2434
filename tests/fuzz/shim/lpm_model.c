// SPDX-License-Identifier: GPL-2.0-only
/*
 * The trie beside a plain list of prefixes: any sequence of changes, with allocations
 * that fail, commits, readers that stay with old versions, walks and comparisons. The
 * list is looked through from end to end.
 */
#include "../../../kmod/lpm.h"
#include "shim.h"

#define ENTRIES_MAX	96
#define VERSIONS_MAX	3

struct entry {
	struct lpm_key key;
	u32 value;
};

/* Sorted. */
struct model {
	struct entry entry[ENTRIES_MAX];
	u32 count;
};

/* A version that readers are still in: what it held, and what its successor took out. */
struct version {
	struct lpm lpm;
	struct model model;
	struct lpm_garbage garbage;
};

static const u8 *input;
static size_t left;
static u8 bits_max;

static u8 byte(void)
{
	if (!left)
		return 0;
	left--;
	return *input++;
}

static u32 find(const struct model *m, const struct lpm_key *key)
{
	u32 i = 0;

	while (i < m->count && nl31_lpm_key_cmp(&m->entry[i].key, key) < 0)
		i++;
	return i;
}

static bool is_there(const struct model *m, u32 at, const struct lpm_key *key)
{
	return at < m->count && !nl31_lpm_key_cmp(&m->entry[at].key, key);
}

static bool bit(const struct lpm_key *key, u32 nr)
{
	return key->word[nr / 64] >> (63 - nr % 64) & 1;
}

/* Not nl31_lpm_key_covers(), which is to be tested. */
static bool covers(const struct lpm_key *a, const struct lpm_key *b)
{
	u32 i;

	if (a->len > b->len)
		return false;
	for (i = 0; i < a->len; i++)
		if (bit(a, i) != bit(b, i))
			return false;
	return true;
}

/* A key: a new one, or one like another that is there. */
static struct lpm_key any_key(const struct model *m)
{
	struct lpm_key key = {};
	u8 how = byte(), nr, i;

	if (m->count)
		key = m->entry[(how >> 2) % m->count].key;
	switch (how & 3) {
	case 0:
		memset(&key, 0, sizeof(key));
		key.len = byte() % (bits_max + 1);
		for (i = 0; i < DIV_ROUND_UP(key.len, 8); i++)
			key.word[i / 8] |= (u64)byte() << (56 - i % 8 * 8);
		break;
	case 1:
		nr = byte() % bits_max;
		key.word[nr / 64] ^= BIT_ULL(63 - nr % 64);
		break;
	case 2:
		nr = byte();
		if (nr & 128) /* longer, with ones */
			for (i = key.len; i < bits_max; i++)
				key.word[i / 64] |= BIT_ULL(63 - i % 64);
		key.len = nr % (bits_max + 1);
		break;
	default:
		break;
	}
	for (i = key.len; i < 128; i++)
		key.word[i / 64] &= ~BIT_ULL(63 - i % 64);
	return key;
}

static void check_lookup(const struct lpm *lpm, const struct model *m, const struct lpm_key *key)
{
	u32 value = LPM_NO_VALUE, found, i;
	u8 longest = 0, len = 0;

	for (i = 0; i < m->count; i++) {
		BUG_ON(covers(&m->entry[i].key, key) != nl31_lpm_key_covers(&m->entry[i].key, key));
		if (covers(&m->entry[i].key, key) && m->entry[i].key.len >= longest) {
			value = m->entry[i].value;
			longest = m->entry[i].key.len;
		}
	}
	rcu_read_lock();
	found = nl31_lpm_lookup(lpm, key, &len);
	rcu_read_unlock();
	BUG_ON(found != value);
	BUG_ON(value != LPM_NO_VALUE && len != longest);
}

/* By the entry, and by some at a time. */
static void check_walk(const struct lpm *lpm, const struct model *m, const struct lpm_key *from,
		       bool after)
{
	struct lpm_entry entry[5];
	u32 i = from ? find(m, from) : 0, k, filled;
	struct lpm_iter it;

	if (from && after && is_there(m, i, from))
		i++;
	rcu_read_lock();
	nl31_lpm_iter_start(&it, lpm, from, after);
	k = i;
	do {
		u32 nr;

		filled = nl31_lpm_iter_fill(&it, entry, ARRAY_SIZE(entry));
		BUG_ON(filled > ARRAY_SIZE(entry));
		for (nr = 0; nr < filled; nr++, k++) {
			BUG_ON(k >= m->count);
			BUG_ON(nl31_lpm_key_cmp(&entry[nr].key, &m->entry[k].key));
			BUG_ON(entry[nr].value != m->entry[k].value);
		}
	} while (filled == ARRAY_SIZE(entry));
	BUG_ON(k != m->count);
	nl31_lpm_iter_start(&it, lpm, from, after);
	for (; nl31_lpm_iter_next(&it); i++) {
		BUG_ON(i >= m->count);
		BUG_ON(nl31_lpm_key_cmp(&it.key, &m->entry[i].key));
		BUG_ON(it.value != m->entry[i].value);
	}
	rcu_read_unlock();
	BUG_ON(i != m->count);
}

static void check_get(struct lpm_edit *edit, const struct model *m, const struct lpm_key *key)
{
	u32 at = find(m, key);

	BUG_ON(nl31_lpm_get(edit, key) != (is_there(m, at, key) ? m->entry[at].value : LPM_NO_VALUE));
}

static void check(const struct lpm *lpm, const struct model *m)
{
	struct lpm_edit reader;
	u32 i;

	/* an edit that has made nothing of what is there */
	nl31_lpm_edit_begin(&reader, lpm, U64_MAX);

	BUG_ON(lpm->entries != m->count);
	BUG_ON(!lpm->root && lpm->bytes);
	check_walk(lpm, m, NULL, false);
	for (i = 0; i < m->count; i++) {
		struct lpm_key key = m->entry[i].key;
		u32 b;

		check_get(&reader, m, &key);
		/* the last address in it, and the one before its first */
		for (b = key.len; b < bits_max; b++)
			key.word[b / 64] |= BIT_ULL(63 - b % 64);
		key.len = bits_max;
		check_lookup(lpm, m, &key);
		key = m->entry[i].key;
		if (!key.len)
			continue;
		key.word[(key.len - 1) / 64] ^= BIT_ULL(63 - (key.len - 1) % 64);
		check_lookup(lpm, m, &key);
		check_get(&reader, m, &key);
	}
}

/* What differs between two versions, in order. */
struct diff {
	const struct model *old, *new;
	u32 old_at, new_at;
};

static void expect_diff(struct diff *d, const struct lpm_key *key, u32 old, u32 new)
{
	const struct model *o = d->old, *n = d->new;

	for (;;) {
		bool more_old = d->old_at < o->count, more_new = d->new_at < n->count;
		const struct entry *a = &o->entry[d->old_at], *b = &n->entry[d->new_at];
		int cmp;

		if (!more_old && !more_new) {
			BUG_ON(key);
			return;
		}
		cmp = !more_old ? 1 : !more_new ? -1 : nl31_lpm_key_cmp(&a->key, &b->key);
		d->old_at += cmp <= 0;
		d->new_at += cmp >= 0;
		if (!cmp && a->value == b->value)
			continue;
		BUG_ON(!key);
		BUG_ON(nl31_lpm_key_cmp(key, cmp <= 0 ? &a->key : &b->key));
		BUG_ON(old != (cmp <= 0 ? a->value : LPM_NO_VALUE));
		BUG_ON(new != (cmp >= 0 ? b->value : LPM_NO_VALUE));
		return;
	}
}

static int on_diff(void *ctx, const struct lpm_key *key, u32 old, u32 new)
{
	expect_diff(ctx, key, old, new);
	return 0;
}

static void check_diff(const struct version *old, const struct lpm *lpm, const struct model *m)
{
	struct diff d = { .old = &old->model, .new = m };

	BUG_ON(nl31_lpm_diff(&old->lpm, lpm, on_diff, &d));
	expect_diff(&d, NULL, 0, 0);
}

/* Gives a prefix a value, or removes it with LPM_NO_VALUE, in the trie and in the list. */
static bool change(struct lpm_edit *edit, struct model *m, const struct lpm_key *key, u32 value)
{
	u32 at = find(m, key);
	bool there = is_there(m, at, key), remove = value == LPM_NO_VALUE;
	int err;

	if (!remove && !there && m->count == ENTRIES_MAX)
		return false;
	err = remove ? nl31_lpm_remove(edit, key) : nl31_lpm_set(edit, key, value);
	BUG_ON((err == -ENOENT) != (remove && !there));
	BUG_ON(err && err != -ENOENT && (err != -ENOMEM || !shim_allocation_failed()));
	if (err)
		return false;
	if (remove) {
		m->count--;
		memmove(&m->entry[at], &m->entry[at + 1], (m->count - at) * sizeof(m->entry[0]));
		return true;
	}
	if (!there) {
		memmove(&m->entry[at + 1], &m->entry[at], (m->count - at) * sizeof(m->entry[0]));
		m->count++;
	}
	m->entry[at].key = *key;
	m->entry[at].value = value;
	return true;
}

void shim_lpm(const u8 *data, size_t size)
{
	static struct version versions[VERSIONS_MAX + 1];
	static struct model model, base;
	u32 count = 0, changes = 0;
	struct lpm_garbage garbage = {};
	struct lpm current = {};
	struct lpm_edit edit;
	u64 id = 0;

	input = data;
	left = size;
	bits_max = byte() & 1 ? 128 : 32;
	BUG_ON(nl31_lpm_init());
	model.count = 0;
	base.count = 0;
	nl31_lpm_edit_begin(&edit, &current, ++id);
	while (left) {
		u8 op = byte();
		struct lpm_key key;
		u32 at, value;

		if (op & 0x80)
			shim_fail_allocation(1 + (op >> 4 & 7));
		switch (op & 15) {
		default:
			key = any_key(&model);
			value = byte() | (u32)byte() << 24;
			if (op & 16)
				check_get(&edit, &model, &key);
			change(&edit, &model, &key, value);
			break;
		case 7: /* where readers see it; no reader may be in an older version */
			if (count || edit.lpm.root != current.root || !LPM_CAN_IN_PLACE)
				break;
			key = any_key(&model);
			value = byte();
			nl31_lpm_edit_begin_in_place(&edit, &current, ++id);
			if (change(&edit, &model, &key, value & 1 ? value : LPM_NO_VALUE)) {
				struct lpm_garbage more = nl31_lpm_edit_commit(&edit);

				current = edit.lpm;
				base = model;
				nl31_lpm_garbage_add(&garbage, &more);
			} else {
				nl31_lpm_edit_abort(&edit);
			}
			check(&current, &base);
			nl31_lpm_edit_begin(&edit, &current, ++id);
			break;
		case 8: case 9: case 10:
			key = any_key(&model);
			change(&edit, &model, &key, LPM_NO_VALUE);
			break;
		case 11:
			key = any_key(&model);
			check_walk(&edit.lpm, &model, &key, op & 16);
			check_lookup(&edit.lpm, &model, &key);
			check_get(&edit, &model, &key);
			break;
		case 12:
			nl31_lpm_clear(&edit);
			model.count = 0;
			break;
		case 13:
			nl31_lpm_edit_abort(&edit);
			model = base;
			check(&current, &model);
			nl31_lpm_edit_begin(&edit, &current, ++id);
			break;
		case 14: /* the oldest readers are done */
			nl31_lpm_garbage_free(&garbage);
			if (count) {
				check(&versions[0].lpm, &versions[0].model);
				nl31_lpm_garbage_free(&versions[0].garbage);
				memmove(&versions[0], &versions[1], --count * sizeof(versions[0]));
			}
			break;
		case 15:
			if (count == VERSIONS_MAX)
				break;
			versions[count].lpm = current;
			versions[count].model = base;
			versions[count].garbage = nl31_lpm_edit_commit(&edit);
			current = edit.lpm;
			base = model;
			count++;
			check(&current, &model);
			for (at = 0; at < count; at++)
				check_diff(&versions[at], &current, &model);
			nl31_lpm_edit_begin(&edit, &current, ++id);
			break;
		}
		shim_fail_allocation(0);
		BUG_ON(edit.lpm.entries != model.count);
		/* a mistake is found near the step that made it */
		if (!(++changes % 64))
			check(&edit.lpm, &model);
	}
	check(&edit.lpm, &model);
	check(&current, &base);
	nl31_lpm_edit_abort(&edit);
	check(&current, &base);
	for (changes = 0; changes < count; changes++) {
		check(&versions[changes].lpm, &versions[changes].model);
		nl31_lpm_garbage_free(&versions[changes].garbage);
	}
	nl31_lpm_garbage_free(&garbage);
	nl31_lpm_free(&current);
	BUG_ON(shim_allocations());
	nl31_lpm_exit();
}
