// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the trie against an oracle that is too simple to be wrong: a sorted
 * array of prefixes, searched from end to end, with comparisons of its own.
 */
#include <kunit/test.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "../lpm.h"
#include "random.h"

#define ORACLE_MAX	320

/* Versions kept beside the current one. */
#define PINNED_MAX	4

#define OPERATIONS	500000

struct entry {
	u8 address[16];
	u8 len;
	u32 value;
};

struct oracle {
	struct entry entry[ORACLE_MAX];
	unsigned int count;
};

struct pinned {
	struct lpm lpm;
	struct oracle oracle;
	struct lpm_garbage garbage;
};

/**
 * struct fixture - a trie, what it should hold, and older versions of both
 * @test: the test
 * @random: random numbers
 * @bits: of an address
 * @lpm: the current version
 * @oracle: what it holds
 * @edit: the edit
 * @edited: what its trie should hold
 * @unchanged: what stays under a reader's eyes
 * @pinned: older versions, the oldest first
 * @pins: how many
 * @edits: how many there were
 * @operation: how many operations there were
 */
struct fixture {
	struct kunit *test;
	struct rnd_state random;
	unsigned int bits;
	struct lpm lpm;
	struct oracle oracle;
	struct lpm_edit edit;
	struct oracle edited;
	struct oracle unchanged;
	struct pinned pinned[PINNED_MAX];
	unsigned int pins;
	u64 edits;
	unsigned int operation;
};

static u32 below(struct fixture *f, u32 bound)
{
	return prandom_u32_state(&f->random) % bound;
}

/* The oracle */

static int entry_cmp(const struct entry *a, const struct entry *b)
{
	return memcmp(a->address, b->address, sizeof(a->address)) ? :
	       (int)a->len - (int)b->len;
}

static bool entry_covers(const struct entry *a, const struct entry *b)
{
	unsigned int bytes = a->len / 8, bits = a->len % 8;

	if (a->len > b->len || memcmp(a->address, b->address, bytes))
		return false;
	return !bits ||
	       !((a->address[bytes] ^ b->address[bytes]) >> (8 - bits));
}

static void entry_cut(struct entry *e, unsigned int len)
{
	unsigned int i;

	e->len = len;
	for (i = len; i < 128; i++)
		e->address[i / 8] &= ~(0x80 >> i % 8);
}

static struct lpm_key entry_key(const struct entry *e)
{
	__be64 word[2];

	memcpy(word, e->address, sizeof(word));
	return (struct lpm_key) {
		.word = { be64_to_cpu(word[0]), be64_to_cpu(word[1]) },
		.len = e->len,
	};
}

/* First entry that does not come before @e, or with @after the first behind it. */
static unsigned int oracle_seek(const struct oracle *o, const struct entry *e,
				bool after)
{
	unsigned int i;

	for (i = 0; i < o->count; i++) {
		int cmp = entry_cmp(&o->entry[i], e);

		if (cmp > 0 || (!cmp && !after))
			break;
	}
	return i;
}

static struct entry *oracle_find(struct oracle *o, const struct entry *e)
{
	unsigned int i = oracle_seek(o, e, false);

	if (i < o->count && !entry_cmp(&o->entry[i], e))
		return &o->entry[i];
	return NULL;
}

static void oracle_set(struct oracle *o, const struct entry *e)
{
	struct entry *at = oracle_find(o, e);
	unsigned int i;

	if (at) {
		at->value = e->value;
		return;
	}
	i = oracle_seek(o, e, false);
	memmove(&o->entry[i + 1], &o->entry[i],
		(o->count - i) * sizeof(o->entry[i]));
	o->entry[i] = *e;
	o->count++;
}

static bool oracle_remove(struct oracle *o, const struct entry *e)
{
	struct entry *at = oracle_find(o, e);

	if (!at)
		return false;
	o->count--;
	memmove(at, at + 1, (&o->entry[o->count] - at) * sizeof(*at));
	return true;
}

/* Longest prefix that covers @e. */
static const struct entry *oracle_match(const struct oracle *o,
					const struct entry *e)
{
	const struct entry *longest = NULL;
	unsigned int i;

	for (i = 0; i < o->count; i++)
		if (entry_covers(&o->entry[i], e) &&
		    (!longest || o->entry[i].len > longest->len))
			longest = &o->entry[i];
	return longest;
}

/* Trie against oracle */

/* For where @f is the fixture. */
#define CHECK(condition)						\
	KUNIT_ASSERT_TRUE_MSG(f->test, condition, "operation %u",	\
			      f->operation)

static void check_match(struct fixture *f, const struct lpm *lpm,
			const struct oracle *o, const struct entry *e)
{
	const struct entry *want = oracle_match(o, e);
	struct lpm_key key = entry_key(e);
	u8 len = 255;
	u32 value = nl31_lpm_lookup(lpm, &key, &len);

	CHECK(value == (want ? want->value : LPM_NO_VALUE));
	if (want)
		CHECK(len == want->len);
}

static void check_get(struct fixture *f, const struct lpm *lpm,
		      struct oracle *o, const struct entry *e)
{
	const struct entry *want = oracle_find(o, e);
	struct lpm_key key = entry_key(e);
	struct lpm_edit reader;

	/* an edit that has made nothing of what is there */
	nl31_lpm_edit_begin(&reader, lpm, U64_MAX);
	CHECK(nl31_lpm_get(&reader, &key) == (want ? want->value : LPM_NO_VALUE));
}

static void check_seek(struct fixture *f, const struct lpm *lpm,
		       const struct oracle *o, const struct entry *e,
		       bool after)
{
	unsigned int i = oracle_seek(o, e, after), steps = 3;
	struct lpm_key key = entry_key(e);
	struct lpm_iter it;

	nl31_lpm_iter_start(&it, lpm, &key, after);
	for (; steps; steps--, i++) {
		bool more = nl31_lpm_iter_next(&it);

		CHECK(more == (i < o->count));
		if (!more)
			break;
		key = entry_key(&o->entry[i]);
		CHECK(!nl31_lpm_key_cmp(&it.key, &key));
		CHECK(it.value == o->entry[i].value);
	}
}

/* All entries, in order, and nothing else. */
static void check_entries(struct fixture *f, const struct lpm *lpm,
			  const struct oracle *o)
{
	struct lpm_iter it;
	unsigned int i;

	CHECK(lpm->entries == o->count);
	nl31_lpm_iter_start(&it, lpm, NULL, false);
	for (i = 0; i < o->count; i++) {
		struct lpm_key key = entry_key(&o->entry[i]);

		CHECK(nl31_lpm_iter_next(&it));
		CHECK(!nl31_lpm_key_cmp(&it.key, &key));
		CHECK(it.value == o->entry[i].value);
	}
	CHECK(!nl31_lpm_iter_next(&it));
	if (!o->count)
		CHECK(!lpm->root && !lpm->bytes);
}

/* Everything that can be asked, with each entry and what is next to it. */
static void check_all(struct fixture *f, const struct lpm *lpm,
		      struct oracle *o)
{
	unsigned int i, len;

	check_entries(f, lpm, o);
	for (i = 0; i < o->count; i++) {
		struct entry e = o->entry[i];

		check_get(f, lpm, o, &e);
		check_seek(f, lpm, o, &e, false);
		check_seek(f, lpm, o, &e, true);
		for (len = 0; len <= f->bits; len += 1 + f->bits / 32) {
			struct entry shorter = o->entry[i];

			if (len < e.len)
				entry_cut(&shorter, len);
			shorter.len = len;
			check_get(f, lpm, o, &shorter);
			check_match(f, lpm, o, &shorter);
			check_seek(f, lpm, o, &shorter, true);
		}
		e.len = f->bits;
		check_match(f, lpm, o, &e);
		e.address[f->bits / 8 - 1] ^= 1;
		check_match(f, lpm, o, &e);
	}
}

/* What nl31_lpm_diff() should call next. */
struct difference {
	struct fixture *f;
	const struct oracle *old;
	const struct oracle *new;
	unsigned int at_old;
	unsigned int at_new;
};

/* The next prefix whose values differ; false at the end. */
static bool next_difference(struct difference *d, struct entry *e, u32 *old,
			    u32 *new)
{
	for (;;) {
		const struct entry *a = NULL, *b = NULL;
		int cmp;

		if (d->at_old < d->old->count)
			a = &d->old->entry[d->at_old];
		if (d->at_new < d->new->count)
			b = &d->new->entry[d->at_new];
		if (!a && !b)
			return false;
		cmp = !a ? 1 : !b ? -1 : entry_cmp(a, b);
		*old = cmp <= 0 ? a->value : LPM_NO_VALUE;
		*new = cmp >= 0 ? b->value : LPM_NO_VALUE;
		*e = cmp <= 0 ? *a : *b;
		d->at_old += cmp <= 0;
		d->at_new += cmp >= 0;
		if (*old != *new)
			return true;
	}
}

static int diff_one(void *ctx, const struct lpm_key *key, u32 old, u32 new)
{
	struct difference *d = ctx;
	struct fixture *f = d->f;
	u32 want_old, want_new;
	struct lpm_key want;
	struct entry e;

	CHECK(next_difference(d, &e, &want_old, &want_new));
	want = entry_key(&e);
	CHECK(!nl31_lpm_key_cmp(key, &want));
	CHECK(old == want_old && new == want_new);
	return 0;
}

static void check_diff(struct fixture *f, const struct lpm *old,
		       const struct oracle *old_oracle, const struct lpm *new,
		       const struct oracle *new_oracle)
{
	struct difference d = {
		.f = f,
		.old = old_oracle,
		.new = new_oracle,
	};
	struct entry e;
	u32 a, b;

	CHECK(!nl31_lpm_diff(old, new, diff_one, &d));
	CHECK(!next_difference(&d, &e, &a, &b));
}

/* Changes */

static void begin(struct fixture *f)
{
	nl31_lpm_edit_begin(&f->edit, &f->lpm, ++f->edits);
	f->edited = f->oracle;
}

static void set(struct fixture *f, const struct entry *e)
{
	struct lpm_key key = entry_key(e);

	CHECK(!nl31_lpm_set(&f->edit, &key, e->value));
	oracle_set(&f->edited, e);
}

/* What is asked for is often what is changed next. */
static void ask(struct fixture *f, const struct entry *e)
{
	const struct entry *want = oracle_find(&f->edited, e);
	struct lpm_key key = entry_key(e);

	CHECK(nl31_lpm_get(&f->edit, &key) == (want ? want->value : LPM_NO_VALUE));
}

static void unset(struct fixture *f, const struct entry *e)
{
	struct lpm_key key = entry_key(e);
	bool there = oracle_remove(&f->edited, e);

	CHECK(nl31_lpm_remove(&f->edit, &key) == (there ? 0 : -ENOENT));
}

/* The oldest version must be what it was; then its reader lets go of it. */
static void unpin(struct fixture *f)
{
	struct pinned *p = &f->pinned[0];

	check_entries(f, &p->lpm, &p->oracle);
	nl31_lpm_garbage_free(&p->garbage);
	f->pins--;
	memmove(p, p + 1, f->pins * sizeof(*p));
}

static void commit(struct fixture *f)
{
	struct pinned *p;

	if (f->pins == PINNED_MAX)
		unpin(f);
	p = &f->pinned[f->pins++];
	p->lpm = f->lpm;
	p->oracle = f->oracle;
	p->garbage = nl31_lpm_edit_commit(&f->edit);
	f->lpm = f->edit.lpm;
	f->oracle = f->edited;
	check_entries(f, &f->lpm, &f->oracle);
	check_diff(f, &p->lpm, &p->oracle, &f->lpm, &f->oracle);
	check_diff(f, &f->lpm, &f->oracle, &f->pinned[0].lpm,
		   &f->pinned[0].oracle);
}

/* Set or remove one entry where readers see it; @garbage takes what they may see. */
static void change_in_place(struct fixture *f, const struct entry *e, bool add,
			    struct lpm_garbage *garbage)
{
	struct lpm_garbage more;

	CHECK(!f->pins);
	nl31_lpm_edit_begin_in_place(&f->edit, &f->lpm, ++f->edits);
	f->edited = f->oracle;
	if (add)
		set(f, e);
	else
		unset(f, e);
	more = nl31_lpm_edit_commit(&f->edit);
	nl31_lpm_garbage_add(garbage, &more);
	CHECK(!more.blocks && !more.bytes);
	f->lpm = f->edit.lpm;
	f->oracle = f->edited;
}

static void revert(struct fixture *f)
{
	nl31_lpm_edit_abort(&f->edit);
	check_entries(f, &f->lpm, &f->oracle);
}

/* Random prefixes: most are close to another, and bytes repeat. */
static struct entry random_entry(struct fixture *f)
{
	static const u8 bytes[] = { 0, 1, 2, 127, 128, 129, 254, 255 };
	const struct oracle *o = &f->edited;
	struct entry e = {};
	unsigned int i;

	if (o->count && below(f, 4)) {
		e = o->entry[below(f, o->count)];
		switch (below(f, 4)) {
		case 0:
			/* the same */
			break;
		case 1:
			/* its sibling */
			if (e.len)
				e.address[(e.len - 1) / 8] ^=
					0x80 >> (e.len - 1) % 8;
			break;
		case 2:
			/* above it, or the first below it */
			e.len = below(f, f->bits + 1);
			break;
		default:
			i = below(f, f->bits);
			e.address[i / 8] ^= 0x80 >> i % 8;
			e.len = max_t(u32, e.len, below(f, f->bits + 1));
		}
	} else {
		for (i = 0; i < f->bits / 8; i++)
			e.address[i] = below(f, 8) ?
				bytes[below(f, ARRAY_SIZE(bytes))] :
				below(f, 256);
		e.len = below(f, f->bits + 1);
		/* many end where a byte does */
		if (!below(f, 3))
			e.len &= ~7;
	}
	entry_cut(&e, e.len);
	e.value = below(f, 8) ? below(f, 1 << 20) :
				LPM_NO_VALUE - 1 - below(f, 2);
	return e;
}

static struct entry random_address(struct fixture *f)
{
	struct entry e = random_entry(f);
	unsigned int i;

	for (i = e.len; i < f->bits; i++)
		if (below(f, 2))
			e.address[i / 8] |= 0x80 >> i % 8;
	e.len = f->bits;
	return e;
}

static void random_operation(struct fixture *f)
{
	struct entry e = random_entry(f);

	if (below(f, 2))
		ask(f, &e);
	switch (below(f, 16)) {
	case 0 ... 4:
		if (f->edited.count < ORACLE_MAX)
			set(f, &e);
		break;
	case 5 ... 8:
		unset(f, &e);
		break;
	case 9 ... 11:
		e = random_address(f);
		fallthrough;
	case 12:
		check_match(f, &f->edit.lpm, &f->edited, &e);
		break;
	default:
		check_seek(f, &f->edit.lpm, &f->edited, &e, below(f, 2));
	}
}

/*
 * Changes in place, while a reader walks through the trie: it sees what stays,
 * in order, and of what changes what was or what is.
 */
static void change_under_reader(struct fixture *f)
{
	struct lpm_garbage garbage = {};
	struct entry changed[8];
	unsigned int i, seen, at = 0;
	struct oracle *unchanged = &f->unchanged;
	struct lpm_key last, key;
	struct lpm_iter it;

	while (f->pins)
		unpin(f);
	f->edited = f->oracle;
	*unchanged = f->oracle;
	seen = below(f, f->oracle.count + 1);
	nl31_lpm_iter_start(&it, &f->lpm, NULL, false);
	for (i = 0; i < seen; i++)
		CHECK(nl31_lpm_iter_next(&it));
	last = it.key;

	for (i = 0; i < ARRAY_SIZE(changed); i++) {
		changed[i] = random_entry(f);
		oracle_remove(unchanged, &changed[i]);
		change_in_place(f, &changed[i], below(f, 2) &&
				f->oracle.count < ORACLE_MAX, &garbage);
		check_entries(f, &f->lpm, &f->oracle);
	}

	for (; seen && at < unchanged->count; at++) {
		key = entry_key(&unchanged->entry[at]);
		if (nl31_lpm_key_cmp(&key, &last) > 0)
			break;
	}
	while (nl31_lpm_iter_next(&it)) {
		CHECK(!seen || nl31_lpm_key_cmp(&last, &it.key) < 0);
		last = it.key;
		seen++;
		for (i = 0; i < ARRAY_SIZE(changed); i++) {
			key = entry_key(&changed[i]);
			if (!nl31_lpm_key_cmp(&key, &it.key))
				break;
		}
		if (i < ARRAY_SIZE(changed))
			continue;
		CHECK(at < unchanged->count);
		key = entry_key(&unchanged->entry[at]);
		CHECK(!nl31_lpm_key_cmp(&key, &it.key));
		CHECK(unchanged->entry[at++].value == it.value);
	}
	CHECK(at == unchanged->count);
	nl31_lpm_garbage_free(&garbage);
}

/* Remove everything, in one edit or in several. */
static void empty(struct fixture *f)
{
	while (f->oracle.count) {
		unsigned int left = below(f, f->oracle.count);

		begin(f);
		while (f->edited.count > left)
			unset(f, &f->edited.entry[below(f, f->edited.count)]);
		commit(f);
	}
	CHECK(!f->lpm.root && !f->lpm.bytes && !f->lpm.entries);
}

static struct fixture *new_fixture(struct kunit *test, unsigned int bits)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	f->test = test;
	f->bits = bits;
	random_begin(test, &f->random);
	return f;
}

static void end(struct fixture *f)
{
	empty(f);
	while (f->pins)
		unpin(f);
}

static void lpm_random(struct kunit *test)
{
	const unsigned int bits = *(const unsigned int *)test->param_value;
	struct fixture *f = new_fixture(test, bits);
	unsigned int in_edit;

	while (f->operation < OPERATIONS) {
		begin(f);
		if (!below(f, 200)) {
			nl31_lpm_clear(&f->edit);
			f->edited.count = 0;
		}
		/* from nothing to many times the table */
		in_edit = below(f, 1 << below(f, 12));
		for (; in_edit; in_edit--) {
			random_operation(f);
			f->operation++;
		}
		if (!below(f, 100)) {
			nl31_lpm_clear(&f->edit);
			f->edited.count = 0;
		}
		if (below(f, 4))
			commit(f);
		else
			revert(f);
		if (!below(f, 8))
			while (f->pins)
				unpin(f);
		if (!below(f, 16))
			check_all(f, &f->lpm, &f->oracle);
		if (LPM_CAN_IN_PLACE && !below(f, 4))
			change_under_reader(f);
		cond_resched();
	}
	end(f);
}

/* The same as build_and_remove(), in place. */
static void build_and_remove_in_place(struct fixture *f,
				      const struct entry *list,
				      unsigned int count, bool reverse)
{
	struct lpm_garbage garbage = {};
	unsigned int i;

	while (f->pins)
		unpin(f);
	for (i = 0; i < count; i++) {
		change_in_place(f, &list[i], true, &garbage);
		check_entries(f, &f->lpm, &f->oracle);
		nl31_lpm_garbage_free(&garbage);
	}
	check_all(f, &f->lpm, &f->oracle);
	for (i = 0; i < count; i++) {
		change_in_place(f, &list[reverse ? count - 1 - i : i], false,
				&garbage);
		check_entries(f, &f->lpm, &f->oracle);
		nl31_lpm_garbage_free(&garbage);
	}
	end(f);
}

/* Add all of @list one by one, then remove them in the same or reverse order. */
static void build_and_remove(struct fixture *f, const struct entry *list,
			     unsigned int count, bool reverse)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		begin(f);
		set(f, &list[i]);
		commit(f);
	}
	check_all(f, &f->lpm, &f->oracle);
	for (i = 0; i < count; i++) {
		begin(f);
		unset(f, &list[reverse ? count - 1 - i : i]);
		commit(f);
		if (i % 16 == 0)
			check_all(f, &f->lpm, &f->oracle);
	}
	end(f);
}

static void build_and_remove_both(struct fixture *f, const struct entry *list,
				  unsigned int count)
{
	build_and_remove(f, list, count, false);
	build_and_remove(f, list, count, true);
	if (LPM_CAN_IN_PLACE) {
		build_and_remove_in_place(f, list, count, false);
		build_and_remove_in_place(f, list, count, true);
	}
}

static struct entry *new_list(struct kunit *test)
{
	struct entry *list = kunit_kcalloc(test, ORACLE_MAX, sizeof(*list),
					   GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, list);
	return list;
}

/* All 256 children of one node, in an order that fills the middle last. */
static void lpm_all_children(struct kunit *test)
{
	const unsigned int bits = *(const unsigned int *)test->param_value;
	struct fixture *f = new_fixture(test, bits);
	struct entry *list = new_list(test);
	unsigned int i;

	for (i = 0; i < 256; i++) {
		list[i].address[1] = i % 2 ? 255 - i / 2 : i / 2;
		/* fringe, inline and, in IPv6, leaf */
		list[i].len = 16 + i % 3 * (bits / 2 - 16);
		list[i].value = i;
	}
	build_and_remove_both(f, list, 256);
}

/* All 255 prefixes that end within one node, with what they cover. */
static void lpm_all_prefixes(struct kunit *test)
{
	const unsigned int bits = *(const unsigned int *)test->param_value;
	struct fixture *f = new_fixture(test, bits);
	struct entry *list = new_list(test);
	unsigned int i, len, count = 0;

	for (len = 0; len < 8; len++) {
		for (i = 0; i < 1 << len; i++) {
			list[count].address[0] = i << (8 - len);
			list[count].len = len;
			list[count].value = count;
			count++;
		}
	}
	KUNIT_ASSERT_EQ(test, count, 255);
	build_and_remove_both(f, list, count);
	for (i = 0; i < count; i++) {
		list[i].address[1] = list[i].address[0];
		list[i].address[0] = 10;
		list[i].len += 8;
	}
	build_and_remove_both(f, list, count);
}

/*
 * Two hosts that differ in their last bit, the longest way down there is; then
 * with a prefix of each length above them.
 */
static void lpm_deep(struct kunit *test)
{
	const unsigned int bits = *(const unsigned int *)test->param_value;
	struct fixture *f = new_fixture(test, bits);
	struct entry *list = new_list(test);
	unsigned int len, count = 2;

	memset(list[0].address, 0xa5, bits / 8);
	list[0].len = bits;
	list[0].value = 1000;
	list[1] = list[0];
	list[1].address[bits / 8 - 1] ^= 1;
	build_and_remove_both(f, list, count);

	for (len = 0; len < bits; len++) {
		list[count] = list[0];
		entry_cut(&list[count], len);
		list[count].value = len;
		count++;
	}
	build_and_remove_both(f, list, count);
}

/*
 * What is alone moves up to where others branch off, past the lengths at which
 * it fits into a slot; and down again when it gets company.
 */
static void lpm_collapse(struct kunit *test)
{
	const unsigned int bits = *(const unsigned int *)test->param_value;
	struct fixture *f = new_fixture(test, bits);
	struct entry *list = new_list(test);
	unsigned int len, up;
	size_t alone;

	for (len = 0; len <= bits; len++) {
		memset(list[0].address, 0x5a, bits / 8);
		list[0].value = len;
		entry_cut(&list[0], len);
		begin(f);
		set(f, &list[0]);
		commit(f);
		alone = f->lpm.bytes;
		for (up = 0; up < bits; up++) {
			memset(list[1].address, 0x5a, bits / 8);
			list[1].address[up / 8] ^= 0x80 >> up % 8;
			list[1].len = bits;
			list[1].value = 1000 + up;
			begin(f);
			set(f, &list[1]);
			commit(f);
			check_match(f, &f->lpm, &f->oracle, &list[0]);
			begin(f);
			unset(f, &list[1]);
			commit(f);
			/* as small as if it had never been there */
			CHECK(f->lpm.bytes <= alone + 32);
		}
		empty(f);
	}
	end(f);
}

/* The shortest and the longest prefixes, together and apart. */
static void lpm_ends(struct kunit *test)
{
	const unsigned int bits = *(const unsigned int *)test->param_value;
	struct fixture *f = new_fixture(test, bits);
	struct entry *list = new_list(test);
	unsigned int i;

	for (i = 0; i < 4; i++) {
		list[1 + i].len = bits;
		list[1 + i].value = 1 + i;
		if (i % 2)
			memset(list[1 + i].address, 0xff, bits / 8);
		if (i / 2)
			list[1 + i].address[bits / 8 - 1] ^= 1;
	}
	build_and_remove_both(f, list, 1);
	build_and_remove_both(f, list, 5);
	build_and_remove_both(f, list + 1, 4);
}

/*
 * A node with nodes below most of its bytes, which becomes an array and a node
 * again; with entries beside them, and with prefixes of its own.
 */
static void lpm_array(struct kunit *test)
{
	const unsigned int bits = *(const unsigned int *)test->param_value;
	struct fixture *f = new_fixture(test, bits);
	struct entry *list = new_list(test);
	unsigned int i, count = 0;

	for (i = 0; i < 140; i++) {
		list[count].address[1] = i;
		list[count++].len = 17;
		list[count].address[1] = i;
		list[count].address[2] = 128 + i;
		list[count++].len = 24;
	}
	for (i = 0; i < 20; i++) {
		list[count].address[1] = 200 + i;
		list[count++].len = i % 2 ? 16 : bits;
	}
	for (i = 8; i < 16; i++)
		list[count++].len = i;
	for (i = 0; i < count; i++)
		list[i].value = i;
	build_and_remove_both(f, list, count);
}

/* Ways on which nothing branches, split at each byte and joined again. */
static void lpm_skip(struct kunit *test)
{
	const unsigned int bits = *(const unsigned int *)test->param_value;
	struct fixture *f = new_fixture(test, bits);
	struct entry *list = new_list(test);
	unsigned int i, at, count;

	/* below it a list, then a node */
	for (i = 2; i <= 12; i += 10) {
		for (count = 0; count < i; count++) {
			memset(list[count].address, 0x33, bits / 8);
			list[count].address[bits / 8 - 1] = count * 16;
			list[count].len = bits;
			list[count].value = count;
		}
		for (at = 0; at < bits / 8 - 1; at++) {
			memset(list[count].address, 0x33, bits / 8);
			list[count].address[at] = 0x77;
			list[count].len = bits;
			list[count].value = count;
			build_and_remove_both(f, list, count + 1);
			/* one that ends there */
			entry_cut(&list[count], at * 8 + 5);
			build_and_remove_both(f, list, count + 1);
			list[count].address[at] = 0x30;
			build_and_remove_both(f, list, count + 1);
			entry_cut(&list[count], at * 8);
			build_and_remove_both(f, list, count + 1);
		}
	}
}

/* What is left of a longer list under a skip shares more than the list did. */
static void lpm_list_below_skip(struct kunit *test)
{
	const unsigned int bits = *(const unsigned int *)test->param_value;
	struct fixture *f = new_fixture(test, bits);
	struct entry *list = new_list(test);
	unsigned int i;

	for (i = 0; i < 6; i++) {
		memset(list[i].address, 0x33, bits / 8);
		list[i].address[bits / 8 - 1] = i;
		list[i].len = bits;
		list[i].value = i;
	}
	entry_cut(&list[0], bits / 2);
	entry_cut(&list[1], bits / 2 + 8);
	entry_cut(&list[2], bits / 2 + 16);
	begin(f);
	for (i = 0; i < 5; i++)
		set(f, &list[i]);
	unset(f, &list[0]);
	unset(f, &list[1]);
	set(f, &list[5]);
	set(f, &list[1]);
	unset(f, &list[2]);
	set(f, &list[0]);
	commit(f);
	check_all(f, &f->lpm, &f->oracle);
	end(f);
}

/* A table of ten routes takes a few hundred bytes. */
static void lpm_small(struct kunit *test)
{
	const unsigned int bits = *(const unsigned int *)test->param_value;
	struct fixture *f = new_fixture(test, bits);
	struct entry *list = new_list(test);
	unsigned int i;

	begin(f);
	for (i = 0; i < 10; i++) {
		list[i].address[0] = 10;
		list[i].address[bits / 8 - 2] = i;
		list[i].len = bits - 8;
		list[i].value = i;
		set(f, &list[i]);
	}
	commit(f);
	CHECK(f->lpm.bytes <= 1024);
	end(f);
}

/* Without a change there is nothing to free, and nothing is different. */
static void lpm_no_change(struct kunit *test)
{
	const unsigned int bits = *(const unsigned int *)test->param_value;
	struct fixture *f = new_fixture(test, bits);
	struct entry e = { .len = 8, .value = 1 };

	begin(f);
	unset(f, &e);
	commit(f);
	CHECK(!f->pinned[0].garbage.blocks && !f->pinned[0].garbage.bytes);
	begin(f);
	set(f, &e);
	unset(f, &e);
	commit(f);
	CHECK(!f->lpm.bytes);
	begin(f);
	nl31_lpm_clear(&f->edit);
	commit(f);
	begin(f);
	set(f, &e);
	nl31_lpm_clear(&f->edit);
	nl31_lpm_clear(&f->edit);
	f->edited.count = 0;
	commit(f);
	end(f);
}

static const unsigned int families[] = { 32, 128 };

static void family_name(const unsigned int *bits, char *name)
{
	strscpy(name, *bits == 32 ? "IPv4" : "IPv6", KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(family, families, family_name);

static struct kunit_case lpm_cases[] = {
	KUNIT_CASE_PARAM_ATTR(lpm_random, family_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_PARAM(lpm_all_children, family_gen_params),
	KUNIT_CASE_PARAM_ATTR(lpm_all_prefixes, family_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_PARAM(lpm_deep, family_gen_params),
	KUNIT_CASE_PARAM(lpm_collapse, family_gen_params),
	KUNIT_CASE_PARAM(lpm_ends, family_gen_params),
	KUNIT_CASE_PARAM_ATTR(lpm_array, family_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_PARAM(lpm_skip, family_gen_params),
	KUNIT_CASE_PARAM(lpm_list_below_skip, family_gen_params),
	KUNIT_CASE_PARAM(lpm_small, family_gen_params),
	KUNIT_CASE_PARAM(lpm_no_change, family_gen_params),
	{}
};

static struct kunit_suite lpm_suite = {
	.name = "nl31_lpm",
	.test_cases = lpm_cases,
};

kunit_test_suite(lpm_suite);
