// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the trie with full tables. What is the longest match of an address
 * changes only where a prefix begins, and behind where one ends: these addresses,
 * and those before them, are all that have to be looked up, and a walk over the
 * sorted prefixes with a stack of those that are open knows the answers.
 */
#include <kunit/test.h>
#include <linux/sched.h>

#include "prefixes.h"

/* Changes in one edit. */
#define BATCH	1000

/**
 * struct sweep - what a trie is compared with
 * @test: the test
 * @p: the prefixes
 * @absent: those that the trie does not have, or NULL
 * @lpm: the trie
 * @open: numbers of the prefixes that the walk is in; the first stands for none
 */
struct sweep {
	struct kunit *test;
	const struct prefixes *p;
	const bool *absent;
	const struct lpm *lpm;
	int open[1 + 129];
};

static void expect(const struct sweep *s, const struct lpm_key *address, int nr)
{
	u8 len = 255;
	u32 value = nl31_lpm_lookup(s->lpm, address, &len);

	KUNIT_ASSERT_EQ_MSG(s->test, value, nr < 0 ? LPM_NO_VALUE : (u32)nr,
			    "%016llx %016llx", address->word[0],
			    address->word[1]);
	if (nr >= 0)
		KUNIT_ASSERT_EQ(s->test, len, s->p->key[nr].len);
}

static bool same_address(const struct lpm_key *a, const struct lpm_key *b)
{
	return a->word[0] == b->word[0] && a->word[1] == b->word[1];
}

/* The address behind @last; false where it is the last of all. */
static bool next_address(const struct prefixes *p, const struct lpm_key *last,
			 struct lpm_key *next)
{
	*next = *last;
	if (p->family == NL31_IPV4)
		return next->word[0] += 1ULL << 32;
	if (!++next->word[1])
		return ++next->word[0];
	return true;
}

/* Look up all that differs, in a trie with the prefixes that are not @absent. */
static void sweep(struct sweep *s)
{
	const struct prefixes *p = s->p;
	struct lpm_key last, next, outer, address;
	int *open = s->open, top = 0;
	unsigned int i;
	bool more;

	open[0] = -1;
	for (i = 0; i <= p->count; i++) {
		const struct lpm_key *key = i < p->count ? &p->key[i] : NULL;

		if (key && s->absent && s->absent[i])
			continue;
		while (top && !(key && nl31_lpm_key_covers(&p->key[open[top]], key))) {
			last = prefixes_last(p, &p->key[open[top]]);
			expect(s, &last, open[top]);
			more = next_address(p, &last, &next);
			/* prefixes that end here too are not open there either */
			for (top--; top; top--) {
				outer = prefixes_last(p, &p->key[open[top]]);
				if (!same_address(&outer, &last))
					break;
			}
			if (more && !(key && same_address(key, &next)))
				expect(s, &next, open[top]);
		}
		if (!key)
			break;
		open[++top] = i;

		/* the longest of those that begin here serves the beginning */
		address = *key;
		address.len = p->bits;
		for (i++; i < p->count && same_address(&p->key[i], &address);
		     i++)
			if (!(s->absent && s->absent[i]))
				open[++top] = i;
		i--;
		expect(s, &address, open[top]);
		if (i % 1024 == 0)
			cond_resched();
	}
}

static void check_order(struct kunit *test, const struct lpm *lpm,
			const struct prefixes *p, const bool *absent)
{
	unsigned int i, count = 0;
	struct lpm_iter it;

	nl31_lpm_iter_start(&it, lpm, NULL, false);
	for (i = 0; i < p->count; i++) {
		if (absent && absent[i])
			continue;
		KUNIT_ASSERT_TRUE(test, nl31_lpm_iter_next(&it));
		KUNIT_ASSERT_EQ(test, it.value, i);
		KUNIT_ASSERT_EQ(test, 0, nl31_lpm_key_cmp(&it.key, &p->key[i]));
		count++;
	}
	KUNIT_ASSERT_FALSE(test, nl31_lpm_iter_next(&it));
	KUNIT_ASSERT_EQ(test, lpm->entries, count);
}

struct count {
	unsigned int added;
	unsigned int removed;
	unsigned int changed;
};

static int count_one(void *ctx, const struct lpm_key *key, u32 old, u32 new)
{
	struct count *c = ctx;

	c->added += old == LPM_NO_VALUE;
	c->removed += new == LPM_NO_VALUE;
	c->changed += old != LPM_NO_VALUE && new != LPM_NO_VALUE;
	return 0;
}

/* Without readers, what an edit took out can go at once. */
static void commit(struct lpm *lpm, struct lpm_edit *edit)
{
	struct lpm_garbage garbage = nl31_lpm_edit_commit(edit);

	*lpm = edit->lpm;
	nl31_lpm_garbage_free(&garbage);
}

/* Returns bytes a prefix, times 100, when the table is full. */
static unsigned int full_table(struct kunit *test, const struct prefixes *p)
{
	unsigned int *order = prefixes_shuffled(test, p);
	struct sweep *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	struct lpm lpm = {}, empty = {}, half;
	unsigned int i, bytes, left;
	struct lpm_garbage garbage;
	struct lpm_edit edit;
	struct count c = {};
	bool *absent;
	u64 id = 0;

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->test = test;
	s->p = p;
	absent = kvcalloc(p->count, sizeof(*absent), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, absent);

	for (i = 0; i < p->count; i++) {
		if (i % BATCH == 0)
			nl31_lpm_edit_begin(&edit, &lpm, ++id);
		KUNIT_ASSERT_EQ(test, 0, nl31_lpm_set(&edit, &p->key[order[i]],
						      order[i]));
		if (i % BATCH == BATCH - 1 || i == p->count - 1)
			commit(&lpm, &edit);
	}
	s->lpm = &lpm;
	check_order(test, &lpm, p, NULL);
	sweep(s);
	bytes = lpm.bytes * 100 / p->count;
	kunit_info(test, "figure prefixes=%u bytes_per_route=%u.%02u\n",
		   p->count, bytes / 100, bytes % 100);

	/* half of it goes in one edit; the old version stays whole meanwhile */
	nl31_lpm_edit_begin(&edit, &lpm, ++id);
	for (i = 0; i < p->count / 2; i++) {
		KUNIT_ASSERT_EQ(test, 0, nl31_lpm_remove(&edit, &p->key[order[i]]));
		absent[order[i]] = true;
	}
	half = edit.lpm;
	garbage = nl31_lpm_edit_commit(&edit);
	sweep(s);
	s->lpm = &half;
	s->absent = absent;
	check_order(test, &half, p, absent);
	sweep(s);
	KUNIT_ASSERT_EQ(test, 0, nl31_lpm_diff(&lpm, &half, count_one, &c));
	KUNIT_EXPECT_EQ(test, c.removed, p->count / 2);
	KUNIT_EXPECT_EQ(test, c.added, 0);
	KUNIT_EXPECT_EQ(test, c.changed, 0);
	lpm = half;
	nl31_lpm_garbage_free(&garbage);

	/* all of it, and then not: nothing of that stays */
	nl31_lpm_edit_begin(&edit, &lpm, ++id);
	for (i = 0; i < p->count; i++)
		KUNIT_ASSERT_EQ(test, 0, nl31_lpm_set(&edit, &p->key[i], i));
	s->lpm = &edit.lpm;
	s->absent = NULL;
	sweep(s);
	nl31_lpm_edit_abort(&edit);
	s->lpm = &lpm;
	s->absent = absent;
	sweep(s);

	/* the table is replaced as a whole */
	nl31_lpm_edit_begin(&edit, &lpm, ++id);
	nl31_lpm_clear(&edit);
	for (i = 0; i < p->count; i++)
		if (absent[i])
			KUNIT_ASSERT_EQ(test, 0, nl31_lpm_set(&edit, &p->key[i], i));
	memset(&c, 0, sizeof(c));
	KUNIT_ASSERT_EQ(test, 0, nl31_lpm_diff(&lpm, &edit.lpm, count_one, &c));
	KUNIT_EXPECT_EQ(test, c.removed, p->count - p->count / 2);
	KUNIT_EXPECT_EQ(test, c.added, p->count / 2);
	commit(&lpm, &edit);
	for (i = 0; i < p->count; i++)
		absent[i] = !absent[i];
	sweep(s);

	for (i = left = 0; i < p->count; i++) {
		if (left++ % BATCH == 0)
			nl31_lpm_edit_begin(&edit, &lpm, ++id);
		KUNIT_ASSERT_EQ(test, absent[order[i]] ? -ENOENT : 0,
				nl31_lpm_remove(&edit, &p->key[order[i]]));
		if (left % BATCH == 0 || i == p->count - 1)
			commit(&lpm, &edit);
	}
	KUNIT_EXPECT_EQ(test, 0, memcmp(&lpm, &empty, sizeof(lpm)));
	kvfree(absent);
	return bytes;
}

static void made_ipv4(struct kunit *test)
{
	full_table(test, prefixes_make(test, NL31_IPV4));
}

static void made_ipv6(struct kunit *test)
{
	full_table(test, prefixes_make(test, NL31_IPV6));
}

static void hosts_ipv4(struct kunit *test)
{
	full_table(test, prefixes_hosts(test, NL31_IPV4));
}

static void hosts_ipv6(struct kunit *test)
{
	full_table(test, prefixes_hosts(test, NL31_IPV6));
}

/* The bounds are what the table promises for the Internet's. */
static void real_ipv4(struct kunit *test)
{
	unsigned int bytes = full_table(test, prefixes_read(test, NL31_IPV4));

	KUNIT_EXPECT_LE(test, bytes, 1050);
}

static void real_ipv6(struct kunit *test)
{
	unsigned int bytes = full_table(test, prefixes_read(test, NL31_IPV6));

	KUNIT_EXPECT_LE(test, bytes, 1500);
}

/* The most bytes a route that a table may take, times 100, whose nets are hosts'. */
#define ACCESS_BYTES	6400

/* Hosts ::1 and ::2 in each /64. */
static void two_hosts_a_net(struct kunit *test)
{
	unsigned int bytes = full_table(test, prefixes_access(test, 2, false, false));

	KUNIT_EXPECT_LE(test, bytes, ACCESS_BYTES);
}

/* Each /64 with its host ::1. */
static void net_with_one_host(struct kunit *test)
{
	unsigned int bytes = full_table(test, prefixes_access(test, 1, true, false));

	KUNIT_EXPECT_LE(test, bytes, ACCESS_BYTES);
}

/* More hosts in each /64 than a list holds, with addresses that share nothing. */
static void nets_with_random_hosts(struct kunit *test)
{
	unsigned int bytes = full_table(test, prefixes_access(test, 9, true, true));

	KUNIT_EXPECT_LE(test, bytes, ACCESS_BYTES);
}

static struct kunit_case full_table_cases[] = {
	KUNIT_CASE_SLOW(made_ipv4),
	KUNIT_CASE_SLOW(made_ipv6),
	KUNIT_CASE_SLOW(hosts_ipv4),
	KUNIT_CASE_SLOW(hosts_ipv6),
	KUNIT_CASE_SLOW(two_hosts_a_net),
	KUNIT_CASE_SLOW(net_with_one_host),
	KUNIT_CASE_SLOW(nets_with_random_hosts),
	KUNIT_CASE_SLOW(real_ipv4),
	KUNIT_CASE_SLOW(real_ipv6),
	{}
};

static struct kunit_suite full_table_suite = {
	.name = "nl31_full_table",
	.test_cases = full_table_cases,
};

kunit_test_suite(full_table_suite);
