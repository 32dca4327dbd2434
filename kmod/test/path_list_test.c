// SPDX-License-Identifier: GPL-2.0-only
/* Tests of the path lists: sharing, counts over commit and abort, differences. */
#include <kunit/test.h>
#include <linux/slab.h>
#include <net/net_namespace.h>
#include <net/netlink.h>
#include <uapi/linux/nl31.h>

#include "../path_list.h"
#include "random.h"

static struct nl31_path_lists *lists_of(struct kunit *test)
{
	return test->priv;
}

static int path_list_init(struct kunit *test)
{
	test->priv = kunit_kzalloc(test, sizeof(struct nl31_path_lists),
				   GFP_KERNEL);
	if (!test->priv)
		return -ENOMEM;
	return nl31_path_lists_init(lists_of(test), &init_net);
}

static void path_list_exit(struct kunit *test)
{
	if (test->priv)
		nl31_path_lists_exit(lists_of(test));
}

static struct nl31_path path_by(u8 host, u32 metric)
{
	return (struct nl31_path) {
		.type = NL31_TYPE_UNICAST,
		.gateway = { 192, 0, 2, host },
		.gateway_len = 4,
		.metric = metric,
	};
}

static struct nl31_path_list *get(struct kunit *test, struct nl31_path *path,
				  unsigned int count)
{
	struct nl31_path_key *key = kunit_kzalloc(test, sizeof(*key),
						  GFP_KERNEL);
	struct nl31_path_list *list;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, key);
	for (i = 0; i < count; i++) {
		nl31_path_seal(&path[i]);
		key->path[key->count++] = &path[i];
	}
	list = nl31_path_list_get(lists_of(test), key);
	kunit_kfree(test, key);
	KUNIT_ASSERT_NOT_NULL(test, list);
	KUNIT_ASSERT_PTR_EQ(test, list,
			    nl31_path_list_by_id(lists_of(test), list->id));
	return list;
}

/* Commit, and free what became unused. Returns how many lists did. */
static unsigned int commit(struct kunit *test)
{
	struct nl31_path_list *list, *next;
	unsigned int freed = 0;
	LIST_HEAD(unused);

	nl31_path_lists_commit(lists_of(test), &unused);
	list_for_each_entry_safe(list, next, &unused, list) {
		nl31_path_list_free(lists_of(test), list);
		freed++;
	}
	KUNIT_EXPECT_TRUE(test, list_empty(&lists_of(test)->touched));
	return freed;
}

/* What is no list is an odd number. */
static unsigned int ids_in_use(struct kunit *test)
{
	const struct nl31_path_list_ids *ids =
		rcu_dereference_protected(lists_of(test)->ids, true);
	unsigned int id, used = 0;

	for (id = 0; ids && id < ids->size; id++)
		used += !((unsigned long)ids->list[id] & 1);
	return used;
}

static void expect_empty(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, lists_of(test)->count, 0);
	KUNIT_EXPECT_EQ(test, lists_of(test)->bytes, 0);
	KUNIT_EXPECT_EQ(test, ids_in_use(test), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&lists_of(test)->hash.nelems), 0);
}

static void shared(struct kunit *test)
{
	struct nl31_path path[2] = { path_by(1, 0), path_by(2, 0) };
	struct nl31_path swapped[2] = { path_by(2, 0), path_by(1, 0) };
	struct nl31_path_list *one, *two;

	one = get(test, path, 2);
	KUNIT_EXPECT_PTR_EQ(test, one, get(test, path, 2));
	/* what is not part of its identity does not matter */
	path[0].attrs[0] = 1;
	KUNIT_EXPECT_PTR_EQ(test, one, get(test, path, 2));
	two = get(test, path, 1);
	KUNIT_EXPECT_PTR_NE(test, one, two);
	KUNIT_EXPECT_PTR_NE(test, one, get(test, swapped, 2));
	KUNIT_EXPECT_EQ(test, commit(test), 0);
	KUNIT_EXPECT_EQ(test, one->routes, 3);
	KUNIT_EXPECT_EQ(test, two->routes, 1);
	KUNIT_EXPECT_EQ(test, lists_of(test)->count, 3);

	nl31_path_lists_put_all(lists_of(test));
	KUNIT_EXPECT_EQ(test, commit(test), 3);
	expect_empty(test);
}

/* Each field that tells paths apart makes another list. */
static void identity(struct kunit *test)
{
	struct nl31_device *device;
	struct nl31_path path[7];
	unsigned int i, j;

	device = nl31_device_get_by_name(&lists_of(test)->devices, "no such");
	KUNIT_ASSERT_FALSE(test, IS_ERR(device));

	for (i = 0; i < ARRAY_SIZE(path); i++)
		path[i] = path_by(1, 0);
	path[1].device = device;
	path[2].metric = 1;
	path[3].gateway[15] = 1;
	path[4].gateway_len = 16;
	path[5].type = NL31_TYPE_BLACKHOLE;
	path[6].protocol = 1;
	for (i = 0; i < ARRAY_SIZE(path); i++)
		nl31_path_seal(&path[i]);
	for (i = 0; i < ARRAY_SIZE(path); i++) {
		get(test, &path[i], 1);
		for (j = 0; j < ARRAY_SIZE(path); j++)
			KUNIT_EXPECT_EQ(test, i == j,
					nl31_path_is_equal(&path[i], &path[j]));
	}
	KUNIT_EXPECT_EQ(test, lists_of(test)->count, ARRAY_SIZE(path));
	KUNIT_EXPECT_EQ(test, device->users, 2);
	nl31_path_lists_abort(lists_of(test));
	KUNIT_EXPECT_EQ(test, device->users, 1);
	nl31_device_put(&lists_of(test)->devices, device);
	expect_empty(test);
}

static void aborted(struct kunit *test)
{
	struct nl31_path kept = path_by(1, 0), new = path_by(2, 0);
	struct nl31_path_list *list = get(test, &kept, 1);
	size_t bytes;

	commit(test);
	bytes = lists_of(test)->bytes;
	KUNIT_EXPECT_GE(test, bytes, struct_size(list, path, 1));

	get(test, &kept, 1);
	get(test, &new, 1);
	KUNIT_EXPECT_EQ(test, lists_of(test)->count, 2);
	nl31_path_lists_abort(lists_of(test));
	KUNIT_EXPECT_EQ(test, list->routes, 1);
	KUNIT_EXPECT_EQ(test, list->pending, 0);
	KUNIT_EXPECT_EQ(test, lists_of(test)->count, 1);
	KUNIT_EXPECT_EQ(test, lists_of(test)->bytes, bytes);

	/* gone in the edit, and back with it */
	nl31_path_list_put(lists_of(test), list);
	nl31_path_lists_abort(lists_of(test));
	KUNIT_EXPECT_EQ(test, list->routes, 1);
	nl31_path_lists_put_all(lists_of(test));
	get(test, &new, 1);
	nl31_path_lists_put_all(lists_of(test));
	nl31_path_lists_abort(lists_of(test));
	KUNIT_EXPECT_EQ(test, list->routes, 1);
	KUNIT_EXPECT_PTR_EQ(test, list, get(test, &kept, 1));
	nl31_path_lists_abort(lists_of(test));

	nl31_path_list_put(lists_of(test), list);
	KUNIT_EXPECT_PTR_EQ(test, list, get(test, &kept, 1));
	KUNIT_EXPECT_EQ(test, commit(test), 0);
	KUNIT_EXPECT_EQ(test, list->routes, 1);
	nl31_path_list_put(lists_of(test), list);
	KUNIT_EXPECT_EQ(test, commit(test), 1);
	expect_empty(test);
}

/* Readers of old versions still know a list that no prefix uses any more. */
static void unused_keeps_its_id(struct kunit *test)
{
	struct nl31_path path = path_by(1, 0);
	struct nl31_path_list *old = get(test, &path, 1), *new;
	u32 id = old->id;
	LIST_HEAD(unused);

	commit(test);
	nl31_path_list_put(lists_of(test), old);
	nl31_path_lists_commit(lists_of(test), &unused);
	KUNIT_EXPECT_PTR_EQ(test, old, nl31_path_list_by_id(lists_of(test), id));
	KUNIT_EXPECT_EQ(test, lists_of(test)->count, 0);
	KUNIT_EXPECT_EQ(test, lists_of(test)->bytes, 0);

	new = get(test, &path, 1);
	KUNIT_EXPECT_PTR_NE(test, old, new);
	KUNIT_EXPECT_NE(test, new->id, id);
	/* nor is it counted a second time */
	nl31_path_lists_put_all(lists_of(test));
	nl31_path_lists_abort(lists_of(test));
	KUNIT_EXPECT_TRUE(test, list_is_singular(&unused));
	nl31_path_list_free(lists_of(test), old);
	expect_empty(test);
}

/* The attributes that messages carry are those of the path. */
static void attributes(struct kunit *test)
{
	struct nl31_devices *devices = &lists_of(test)->devices;
	struct nl31_path path = path_by(1, 0);
	struct nlattr *tb[NL31_ROUTE_MAX + 1];
	const struct nl31_path *made;

	path.device = nl31_device_get_by_index(devices, 1);
	KUNIT_ASSERT_FALSE(test, IS_ERR(path.device));
	path.metric = 1234567;
	path.protocol = 42;
	path.gateway_len = 16;
	path.gateway[15] = 99;
	made = &get(test, &path, 1)->path[0];
	KUNIT_ASSERT_LE(test, made->attrs_len, NL31_PATH_ATTRS_MAX);
	KUNIT_ASSERT_EQ(test, 0,
			nla_parse(tb, NL31_ROUTE_MAX,
				  (const struct nlattr *)made->attrs,
				  made->attrs_len, NULL, NULL));
	KUNIT_ASSERT_NOT_NULL(test, tb[NL31_ROUTE_GATEWAY]);
	KUNIT_EXPECT_EQ(test, nla_len(tb[NL31_ROUTE_GATEWAY]), 16);
	KUNIT_EXPECT_EQ(test, 0, nla_memcmp(tb[NL31_ROUTE_GATEWAY],
					    path.gateway, 16));
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[NL31_ROUTE_OIF]), 1);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[NL31_ROUTE_METRIC]), 1234567);
	KUNIT_EXPECT_EQ(test, nla_get_u8(tb[NL31_ROUTE_PROTOCOL]), 42);
	KUNIT_EXPECT_EQ(test, nla_get_u8(tb[NL31_ROUTE_TYPE]),
			NL31_TYPE_UNICAST);
	nl31_device_put(devices, path.device);

	path.device = nl31_device_get_by_name(devices, "123456789012345");
	KUNIT_ASSERT_FALSE(test, IS_ERR(path.device));
	made = &get(test, &path, 1)->path[0];
	KUNIT_ASSERT_LE(test, made->attrs_len, NL31_PATH_ATTRS_MAX);
	KUNIT_ASSERT_EQ(test, 0,
			nla_parse(tb, NL31_ROUTE_MAX,
				  (const struct nlattr *)made->attrs,
				  made->attrs_len, NULL, NULL));
	KUNIT_ASSERT_NOT_NULL(test, tb[NL31_ROUTE_OIF_NAME]);
	KUNIT_EXPECT_STREQ(test, nla_data(tb[NL31_ROUTE_OIF_NAME]),
			   "123456789012345");
	KUNIT_EXPECT_NULL(test, tb[NL31_ROUTE_OIF]);
	nl31_device_put(devices, path.device);

	path = (struct nl31_path) { .type = NL31_TYPE_PROHIBIT };
	made = &get(test, &path, 1)->path[0];
	KUNIT_ASSERT_EQ(test, 0,
			nla_parse(tb, NL31_ROUTE_MAX,
				  (const struct nlattr *)made->attrs,
				  made->attrs_len, NULL, NULL));
	KUNIT_EXPECT_NULL(test, tb[NL31_ROUTE_GATEWAY]);
	KUNIT_EXPECT_NULL(test, tb[NL31_ROUTE_OIF]);
	nl31_path_lists_abort(lists_of(test));
	expect_empty(test);
}

#define REPLICA_MAX	16

/* A listener that knows the paths of a prefix by what it is told. */
struct replica {
	struct kunit *test;
	struct nl31_path path[REPLICA_MAX];
	unsigned int count, most, events;
};

static void replica_insert(struct replica *r, unsigned int at,
			   const struct nl31_path *path)
{
	KUNIT_ASSERT_LT(r->test, r->count, REPLICA_MAX);
	memmove(&r->path[at + 1], &r->path[at],
		(r->count - at) * sizeof(*path));
	r->path[at] = *path;
	r->most = max(r->most, ++r->count);
}

static void replica_change(void *ctx, enum nl31_path_change change,
			   const struct nl31_path *path)
{
	struct replica *r = ctx;
	unsigned int at = 0;

	r->events++;
	switch (change) {
	case NL31_PATH_DELETED:
		while (at < r->count && !nl31_path_is_equal(&r->path[at], path))
			at++;
		KUNIT_ASSERT_LT(r->test, at, r->count);
		r->count--;
		memmove(&r->path[at], &r->path[at + 1],
			(r->count - at) * sizeof(*path));
		break;
	case NL31_PATH_REPLACED:
		while (at < r->count && r->path[at].metric != path->metric)
			at++;
		KUNIT_ASSERT_LT(r->test, at, r->count);
		r->path[at] = *path;
		break;
	case NL31_PATH_APPENDED:
		while (at < r->count && r->path[at].metric <= path->metric)
			at++;
		replica_insert(r, at, path);
	}
}

/* Up to 6 paths of 3 metrics in any order that a list can have. */
static unsigned int random_paths(struct rnd_state *random, struct nl31_path *path)
{
	unsigned int count = 0, host, at;

	for (host = 1; host <= 6; host++) {
		struct nl31_path new = path_by(host, prandom_u32_state(random) % 3);

		if (prandom_u32_state(random) % 3 == 0)
			continue;
		nl31_path_seal(&new);
		for (at = 0; at < count && path[at].metric < new.metric;)
			at++;
		while (at < count && path[at].metric == new.metric &&
		       prandom_u32_state(random) % 2)
			at++;
		memmove(&path[at + 1], &path[at], (count - at) * sizeof(new));
		path[at] = new;
		count++;
	}
	return count;
}

static struct nl31_path_list *plain_list(struct kunit *test,
					 struct rnd_state *random)
{
	struct nl31_path_list *list;

	list = kunit_kzalloc(test, struct_size(list, path, 8), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, list);
	list->count = random_paths(random, list->path);
	return list;
}

/* The changes that are told, made one after the other, give the new list, order included. */
static void differences(struct kunit *test)
{
	struct replica *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	struct rnd_state random;
	unsigned int i, j;

	KUNIT_ASSERT_NOT_NULL(test, r);
	r->test = test;
	random_begin(test, &random);
	for (i = 0; i < 50000; i++) {
		struct nl31_path_list *old = plain_list(test, &random);
		struct nl31_path_list *new = plain_list(test, &random);
		const unsigned int longer = max(old->count, new->count);

		r->events = 0;
		r->count = old->count;
		r->most = 0;
		memcpy(r->path, old->path, old->count * sizeof(old->path[0]));
		KUNIT_ASSERT_EQ(test, r->events,
				nl31_path_list_diff(old, old, replica_change, r));
		KUNIT_ASSERT_EQ(test, nl31_path_list_diff(old, new, NULL, NULL),
				nl31_path_list_diff(old->count ? old : NULL,
						    new->count ? new : NULL,
						    replica_change, r));
		KUNIT_ASSERT_EQ(test, r->count, new->count);
		for (j = 0; j < new->count; j++)
			KUNIT_ASSERT_TRUE(test,
					  nl31_path_is_equal(&r->path[j],
							     &new->path[j]));
		KUNIT_ASSERT_LE(test, r->most, longer);
		kunit_kfree(test, old);
		kunit_kfree(test, new);
	}
}

#define LISTS		64
#define OPERATIONS	100000

/* Counts of many lists, in edits that end either way, against plain counters. */
static void random_counts(struct kunit *test)
{
	int *routes = kunit_kcalloc(test, LISTS, sizeof(*routes), GFP_KERNEL);
	int *edited = kunit_kcalloc(test, LISTS, sizeof(*edited), GFP_KERNEL);
	struct nl31_path_list **list = kunit_kcalloc(test, LISTS, sizeof(*list),
						 GFP_KERNEL);
	struct rnd_state random;
	unsigned int i, j;
	int used;

	KUNIT_ASSERT_NOT_NULL(test, routes);
	KUNIT_ASSERT_NOT_NULL(test, edited);
	KUNIT_ASSERT_NOT_NULL(test, list);
	random_begin(test, &random);
	for (i = 0; i < OPERATIONS; i++) {
		struct nl31_path path[3];
		u32 at = prandom_u32_state(&random) % LISTS;

		for (j = 0; j < ARRAY_SIZE(path); j++)
			path[j] = path_by(at + j, at);
		switch (prandom_u32_state(&random) % 16) {
		case 0 ... 7:
			list[at] = get(test, path, 1 + at % 3);
			edited[at]++;
			break;
		case 8 ... 13:
			if (!edited[at])
				break;
			nl31_path_list_put(lists_of(test), list[at]);
			edited[at]--;
			break;
		case 14:
			if (prandom_u32_state(&random) % 8)
				break;
			nl31_path_lists_put_all(lists_of(test));
			memset(edited, 0, LISTS * sizeof(*edited));
			break;
		default:
			if (prandom_u32_state(&random) % 2) {
				commit(test);
				memcpy(routes, edited, LISTS * sizeof(*routes));
			} else {
				nl31_path_lists_abort(lists_of(test));
				memcpy(edited, routes, LISTS * sizeof(*routes));
			}
			for (j = used = 0; j < LISTS; j++) {
				used += !!routes[j];
				if (routes[j])
					KUNIT_ASSERT_EQ(test, list[j]->routes,
							routes[j]);
			}
			KUNIT_ASSERT_EQ(test, lists_of(test)->count, used);
		}
	}
	nl31_path_lists_abort(lists_of(test));
	nl31_path_lists_put_all(lists_of(test));
	commit(test);
	expect_empty(test);
}

static struct kunit_case path_list_cases[] = {
	KUNIT_CASE(shared),
	KUNIT_CASE(identity),
	KUNIT_CASE(aborted),
	KUNIT_CASE(unused_keeps_its_id),
	KUNIT_CASE(differences),
	KUNIT_CASE(attributes),
	KUNIT_CASE_SLOW(random_counts),
	{}
};

static struct kunit_suite path_list_suite = {
	.name = "nl31_path_list",
	.init = path_list_init,
	.exit = path_list_exit,
	.test_cases = path_list_cases,
};

kunit_test_suite(path_list_suite);
