// SPDX-License-Identifier: GPL-2.0-only
/* Tests of what a table keeps of its past: that is bounded, whichever reader holds it. */
#include <kunit/test.h>
#include <net/net_namespace.h>
#include <uapi/linux/nl31.h>

#include "../notify.h"
#include "../table.h"

/* A table that has no socket, and so no listener. */
static int set_up(struct kunit *test)
{
	struct nl31_table *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	if (!t)
		return -ENOMEM;
	test->priv = t;
	return nl31_table_init(t, &init_net);
}

static void tear_down(struct kunit *test)
{
	struct nl31_table *t = test->priv;

	nl31_table_release(t);
	nl31_table_workqueue_flush();
	nl31_table_exit(t);
}

/* 10.0.0.0/24 and those behind it. */
static struct lpm_key prefix(unsigned int nr)
{
	return (struct lpm_key) {
		.word = { 10ULL << 56 | (u64)nr << 40 },
		.len = 24,
	};
}

/* @count paths, which no other number has. */
static void make_paths(struct nl31_path *path, unsigned int count, u32 number)
{
	unsigned int i;

	memset(path, 0, count * sizeof(*path));
	for (i = 0; i < count; i++) {
		path[i].type = NL31_TYPE_UNICAST;
		path[i].gateway_len = 16;
		path[i].gateway[0] = 0xfe;
		path[i].gateway[1] = 0x80;
		path[i].gateway[15] = i;
		memcpy(&path[i].gateway[8], &number, sizeof(number));
	}
}

static void set(struct kunit *test, const struct lpm_key *key,
		struct nl31_path *path, unsigned int count)
{
	struct nl31_table *t = test->priv;
	struct nl31_path_key *paths;
	unsigned int i;

	paths = kunit_kzalloc(test, sizeof(*paths), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, paths);
	for (i = 0; i < count; i++) {
		nl31_path_seal(&path[i]);
		paths->path[paths->count++] = &path[i];
	}
	KUNIT_ASSERT_EQ(test, 0,
			nl31_edit_set(t, NL31_IPV4, key,
				      nl31_edit_get(t, NL31_IPV4, key), paths));
	kunit_kfree(test, paths);
}

static void publish(struct kunit *test)
{
	struct nl31_table *t = test->priv;
	struct nl31_notify no_listener = {};

	nl31_notify_publish(t, &no_listener);
}

/*
 * A snapshot whose reader has stopped holds no more than it may: path lists count, not
 * the trie alone, which is next to nothing here.
 */
static void snapshot_gives_way(struct kunit *test)
{
	struct nl31_path *path = kunit_kcalloc(test, NL31_PATHS_MAX,
					       sizeof(*path), GFP_KERNEL);
	const size_t size = NL31_PATHS_MAX * sizeof(*path);
	struct nl31_table *t = test->priv;
	const struct lpm_key key = prefix(0);
	struct nl31_version *v;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, path);
	v = nl31_version_pin(t);
	mutex_lock(&t->lock);
	for (i = 0; i < 10000 && !v->is_lost; i++) {
		KUNIT_ASSERT_EQ(test, 0, nl31_edit_begin(t));
		make_paths(path, NL31_PATHS_MAX, i);
		set(test, &key, path, NL31_PATHS_MAX);
		publish(test);
	}
	mutex_unlock(&t->lock);
	KUNIT_EXPECT_TRUE(test, v->is_lost);
	/* some 4 MiB, and not before half of that */
	KUNIT_EXPECT_LE(test, i * size, 5 << 20);
	KUNIT_EXPECT_GE(test, i * size, 2 << 20);
	nl31_version_unpin(v);
	nl31_table_workqueue_flush();
	KUNIT_EXPECT_EQ(test, 0, atomic_long_read(&t->retired));
}

/* Lists that came and went within an edit are not kept until its end. */
static void edit_forgets(struct kunit *test)
{
	struct nl31_path *path = kunit_kcalloc(test, NL31_PATHS_MAX,
					       sizeof(*path), GFP_KERNEL);
	const unsigned int prefixes = 200;
	struct nl31_table *t = test->priv;
	struct lpm_key key;
	unsigned int i, n;

	KUNIT_ASSERT_NOT_NULL(test, path);
	mutex_lock(&t->lock);
	KUNIT_ASSERT_EQ(test, 0, nl31_edit_begin(t));
	for (i = 0; i < prefixes; i++) {
		key = prefix(i);
		make_paths(path, NL31_PATHS_MAX, i);
		for (n = 1; n <= NL31_PATHS_MAX; n++)
			set(test, &key, path, n);
	}
	KUNIT_EXPECT_LE(test, t->path_lists.count, prefixes);
	nl31_edit_clear(t);
	KUNIT_EXPECT_EQ(test, t->path_lists.count, 0);
	for (i = 0; i < prefixes; i++) {
		key = prefix(i);
		make_paths(path, 1, i);
		set(test, &key, path, 1);
	}
	publish(test);
	KUNIT_EXPECT_EQ(test, t->path_lists.count, prefixes);
	KUNIT_EXPECT_EQ(test, prefixes,
			nl31_table_current(t)->trie[NL31_IPV4].entries);
	mutex_unlock(&t->lock);
}

static struct kunit_case table_cases[] = {
	KUNIT_CASE(snapshot_gives_way),
	KUNIT_CASE(edit_forgets),
	{}
};

static struct kunit_suite table_suite = {
	.name = "nl31_table",
	.init = set_up,
	.exit = tear_down,
	.test_cases = table_cases,
};

kunit_test_suite(table_suite);
