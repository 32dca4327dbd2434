// SPDX-License-Identifier: GPL-2.0-only
/* Tests of the next hops: sharing, counts over commit and abort, devices. */
#include <kunit/test.h>
#include <linux/slab.h>
#include <net/netlink.h>
#include <uapi/linux/nl31.h>

#include "../nexthop.h"
#include "random.h"

static struct nl31_nexthops *nhs_of(struct kunit *test)
{
	return test->priv;
}

static int nexthop_init(struct kunit *test)
{
	test->priv = kunit_kzalloc(test, sizeof(struct nl31_nexthops),
				   GFP_KERNEL);
	if (!test->priv)
		return -ENOMEM;
	return nl31_nexthops_init(nhs_of(test));
}

static void nexthop_exit(struct kunit *test)
{
	if (test->priv)
		nl31_nexthops_exit(nhs_of(test));
}

static struct nl31_path path_by(u8 host, u32 oif)
{
	return (struct nl31_path) {
		.type = NL31_TYPE_UNICAST,
		.gateway = { 192, 0, 2, host },
		.gateway_len = 4,
		.oif = oif,
	};
}

static struct nl31_nexthop *get(struct kunit *test, const struct nl31_path *path,
				unsigned int count)
{
	struct nl31_nexthop *nh = nl31_nexthop_get(nhs_of(test), path, count);

	KUNIT_ASSERT_NOT_NULL(test, nh);
	KUNIT_ASSERT_PTR_EQ(test, nh, nl31_nexthop_by_id(nhs_of(test), nh->id));
	return nh;
}

/* Commit, and free what became unused. Returns how many lists did. */
static unsigned int commit(struct kunit *test)
{
	struct nl31_nexthop *nh, *next;
	unsigned int freed = 0;
	LIST_HEAD(unused);

	nl31_nexthops_commit(nhs_of(test), &unused);
	list_for_each_entry_safe(nh, next, &unused, list) {
		nl31_nexthop_free(nhs_of(test), nh);
		freed++;
	}
	KUNIT_EXPECT_TRUE(test, list_empty(&nhs_of(test)->touched));
	return freed;
}

/* What is no next hop is an odd number. */
static unsigned int ids_in_use(struct kunit *test)
{
	const struct nl31_nexthop_ids *ids =
		rcu_dereference_protected(nhs_of(test)->ids, true);
	unsigned int id, used = 0;

	for (id = 0; ids && id < ids->size; id++)
		used += !((unsigned long)ids->nh[id] & 1);
	return used;
}

static void expect_empty(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, nhs_of(test)->count, 0);
	KUNIT_EXPECT_EQ(test, nhs_of(test)->bytes, 0);
	KUNIT_EXPECT_EQ(test, ids_in_use(test), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&nhs_of(test)->hash.nelems), 0);
}

static void shared(struct kunit *test)
{
	struct nl31_path path[2] = { path_by(1, 0), path_by(2, 0) };
	struct nl31_path swapped[2] = { path_by(2, 0), path_by(1, 0) };
	struct nl31_nexthop *one, *two;

	one = get(test, path, 2);
	KUNIT_EXPECT_PTR_EQ(test, one, get(test, path, 2));
	/* what is not part of its identity does not matter */
	path[0].attrs_len = 1;
	path[0].attrs[0] = 1;
	path[1].state = NL31_PATH_DOWN;
	KUNIT_EXPECT_PTR_EQ(test, one, get(test, path, 2));
	two = get(test, path, 1);
	KUNIT_EXPECT_PTR_NE(test, one, two);
	KUNIT_EXPECT_PTR_NE(test, one, get(test, swapped, 2));
	KUNIT_EXPECT_EQ(test, commit(test), 0);
	KUNIT_EXPECT_EQ(test, one->routes, 3);
	KUNIT_EXPECT_EQ(test, two->routes, 1);
	KUNIT_EXPECT_EQ(test, nhs_of(test)->count, 3);

	nl31_nexthops_put_all(nhs_of(test));
	KUNIT_EXPECT_EQ(test, commit(test), 3);
	expect_empty(test);
}

/* Each field that tells paths apart makes another list. */
static void identity(struct kunit *test)
{
	struct nl31_path path[7];
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(path); i++)
		path[i] = path_by(1, 0);
	path[1].oif = 1;
	path[2].metric = 1;
	path[3].gateway[15] = 1;
	path[4].gateway_len = 16;
	path[5].type = NL31_TYPE_BLACKHOLE;
	path[6].protocol = 1;
	for (i = 0; i < ARRAY_SIZE(path); i++) {
		get(test, &path[i], 1);
		for (j = 0; j < ARRAY_SIZE(path); j++)
			KUNIT_EXPECT_EQ(test, i == j,
					nl31_path_equal(&path[i], &path[j]));
	}
	KUNIT_EXPECT_EQ(test, nhs_of(test)->count, ARRAY_SIZE(path));
	nl31_nexthops_abort(nhs_of(test));
	expect_empty(test);
}

static void aborted(struct kunit *test)
{
	struct nl31_path kept = path_by(1, 0), new = path_by(2, 0);
	struct nl31_nexthop *nh = get(test, &kept, 1);
	size_t bytes;

	commit(test);
	bytes = nhs_of(test)->bytes;
	KUNIT_EXPECT_GE(test, bytes, struct_size(nh, path, 1));

	get(test, &kept, 1);
	get(test, &new, 1);
	KUNIT_EXPECT_EQ(test, nhs_of(test)->count, 2);
	nl31_nexthops_abort(nhs_of(test));
	KUNIT_EXPECT_EQ(test, nh->routes, 1);
	KUNIT_EXPECT_EQ(test, nh->pending, 0);
	KUNIT_EXPECT_EQ(test, nhs_of(test)->count, 1);
	KUNIT_EXPECT_EQ(test, nhs_of(test)->bytes, bytes);

	/* gone in the edit, and back with it */
	nl31_nexthop_put(nhs_of(test), nh);
	nl31_nexthops_abort(nhs_of(test));
	KUNIT_EXPECT_EQ(test, nh->routes, 1);
	nl31_nexthops_put_all(nhs_of(test));
	get(test, &new, 1);
	nl31_nexthops_put_all(nhs_of(test));
	nl31_nexthops_abort(nhs_of(test));
	KUNIT_EXPECT_EQ(test, nh->routes, 1);
	KUNIT_EXPECT_PTR_EQ(test, nh, get(test, &kept, 1));
	nl31_nexthops_abort(nhs_of(test));

	nl31_nexthop_put(nhs_of(test), nh);
	KUNIT_EXPECT_PTR_EQ(test, nh, get(test, &kept, 1));
	KUNIT_EXPECT_EQ(test, commit(test), 0);
	KUNIT_EXPECT_EQ(test, nh->routes, 1);
	nl31_nexthop_put(nhs_of(test), nh);
	KUNIT_EXPECT_EQ(test, commit(test), 1);
	expect_empty(test);
}

/* Readers of old versions still know a list that no prefix uses any more. */
static void unused_keeps_its_id(struct kunit *test)
{
	struct nl31_path path = path_by(1, 0);
	struct nl31_nexthop *old = get(test, &path, 1), *new;
	u32 id = old->id;
	LIST_HEAD(unused);

	commit(test);
	nl31_nexthop_put(nhs_of(test), old);
	nl31_nexthops_commit(nhs_of(test), &unused);
	KUNIT_EXPECT_PTR_EQ(test, old, nl31_nexthop_by_id(nhs_of(test), id));
	KUNIT_EXPECT_EQ(test, nhs_of(test)->count, 0);
	KUNIT_EXPECT_EQ(test, nhs_of(test)->bytes, 0);

	new = get(test, &path, 1);
	KUNIT_EXPECT_PTR_NE(test, old, new);
	KUNIT_EXPECT_NE(test, new->id, id);
	/* nor is it counted a second time */
	nl31_nexthops_put_all(nhs_of(test));
	nl31_nexthops_abort(nhs_of(test));
	KUNIT_EXPECT_TRUE(test, list_is_singular(&unused));
	nl31_nexthop_free(nhs_of(test), old);
	expect_empty(test);
}

static void devices(struct kunit *test)
{
	struct nl31_path path[2] = { path_by(1, 7), path_by(2, 8) };
	struct nl31_nexthop *both = get(test, path, 2);
	struct nl31_nexthop *other = get(test, &path[1], 1), *again;

	commit(test);
	KUNIT_EXPECT_FALSE(test, nl31_nexthops_set_device(nhs_of(test), 9,
							  NL31_PATH_DOWN));
	KUNIT_EXPECT_TRUE(test, nl31_nexthops_set_device(nhs_of(test), 7,
							 NL31_PATH_DOWN));
	KUNIT_EXPECT_FALSE(test, nl31_path_usable(&both->path[0]));
	KUNIT_EXPECT_TRUE(test, nl31_path_usable(&both->path[1]));
	KUNIT_EXPECT_TRUE(test, nl31_path_usable(&other->path[0]));
	KUNIT_EXPECT_PTR_EQ(test, both, get(test, path, 2));
	commit(test);
	nl31_nexthops_set_device(nhs_of(test), 7, 0);
	KUNIT_EXPECT_TRUE(test, nl31_path_usable(&both->path[0]));

	/* dead is for ever, and no new prefix gets it */
	KUNIT_EXPECT_TRUE(test, nl31_nexthops_set_device(nhs_of(test), 7,
							 NL31_PATH_DEAD));
	KUNIT_EXPECT_FALSE(test, nl31_nexthops_set_device(nhs_of(test), 7, 0));
	KUNIT_EXPECT_TRUE(test, nl31_path_dead(&both->path[0]));
	KUNIT_EXPECT_FALSE(test, nl31_path_usable(&both->path[0]));
	again = get(test, path, 2);
	KUNIT_EXPECT_PTR_NE(test, both, again);
	KUNIT_EXPECT_TRUE(test, nl31_path_usable(&again->path[0]));
	commit(test);

	/* nor a list that was made of a dead path and others */
	both = get(test, (struct nl31_path[]) { both->path[0], path_by(3, 0) },
		   2);
	again = get(test, (struct nl31_path[]) { path[0], path_by(3, 0) }, 2);
	KUNIT_EXPECT_PTR_NE(test, both, again);
	KUNIT_EXPECT_TRUE(test, nl31_path_usable(&again->path[0]));
	commit(test);
	nl31_nexthops_put_all(nhs_of(test));
	commit(test);
	expect_empty(test);
}

/* The attributes that messages carry are those of the path. */
static void attributes(struct kunit *test)
{
	struct nl31_path path = path_by(1, 7);
	struct nlattr *tb[NL31_ROUTE_MAX + 1];
	const struct nl31_path *made;

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
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[NL31_ROUTE_OIF]), 7);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[NL31_ROUTE_METRIC]), 1234567);
	KUNIT_EXPECT_EQ(test, nla_get_u8(tb[NL31_ROUTE_PROTOCOL]), 42);
	KUNIT_EXPECT_EQ(test, nla_get_u8(tb[NL31_ROUTE_TYPE]),
			NL31_TYPE_UNICAST);

	path = (struct nl31_path) { .type = NL31_TYPE_PROHIBIT };
	made = &get(test, &path, 1)->path[0];
	KUNIT_ASSERT_EQ(test, 0,
			nla_parse(tb, NL31_ROUTE_MAX,
				  (const struct nlattr *)made->attrs,
				  made->attrs_len, NULL, NULL));
	KUNIT_EXPECT_NULL(test, tb[NL31_ROUTE_GATEWAY]);
	KUNIT_EXPECT_NULL(test, tb[NL31_ROUTE_OIF]);
	nl31_nexthops_abort(nhs_of(test));
	expect_empty(test);
}

#define LISTS		64
#define OPERATIONS	100000

/* Counts of many lists, in edits that end either way, against plain counters. */
static void random_counts(struct kunit *test)
{
	int *routes = kunit_kcalloc(test, LISTS, sizeof(*routes), GFP_KERNEL);
	int *edited = kunit_kcalloc(test, LISTS, sizeof(*edited), GFP_KERNEL);
	struct nl31_nexthop **nh = kunit_kcalloc(test, LISTS, sizeof(*nh),
						 GFP_KERNEL);
	struct rnd_state random;
	unsigned int i, j;
	int used;

	KUNIT_ASSERT_NOT_NULL(test, routes);
	KUNIT_ASSERT_NOT_NULL(test, edited);
	KUNIT_ASSERT_NOT_NULL(test, nh);
	random_begin(test, &random);
	for (i = 0; i < OPERATIONS; i++) {
		struct nl31_path path[3];
		u32 at = prandom_u32_state(&random) % LISTS;

		for (j = 0; j < ARRAY_SIZE(path); j++)
			path[j] = path_by(at + j, at);
		switch (prandom_u32_state(&random) % 16) {
		case 0 ... 7:
			nh[at] = get(test, path, 1 + at % 3);
			edited[at]++;
			break;
		case 8 ... 13:
			if (!edited[at])
				break;
			nl31_nexthop_put(nhs_of(test), nh[at]);
			edited[at]--;
			break;
		case 14:
			if (prandom_u32_state(&random) % 8)
				break;
			nl31_nexthops_put_all(nhs_of(test));
			memset(edited, 0, LISTS * sizeof(*edited));
			break;
		default:
			if (prandom_u32_state(&random) % 2) {
				commit(test);
				memcpy(routes, edited, LISTS * sizeof(*routes));
			} else {
				nl31_nexthops_abort(nhs_of(test));
				memcpy(edited, routes, LISTS * sizeof(*routes));
			}
			for (j = used = 0; j < LISTS; j++) {
				used += !!routes[j];
				if (routes[j])
					KUNIT_ASSERT_EQ(test, nh[j]->routes,
							routes[j]);
			}
			KUNIT_ASSERT_EQ(test, nhs_of(test)->count, used);
		}
	}
	nl31_nexthops_abort(nhs_of(test));
	nl31_nexthops_put_all(nhs_of(test));
	commit(test);
	expect_empty(test);
}

static struct kunit_case nexthop_cases[] = {
	KUNIT_CASE(shared),
	KUNIT_CASE(identity),
	KUNIT_CASE(aborted),
	KUNIT_CASE(unused_keeps_its_id),
	KUNIT_CASE(devices),
	KUNIT_CASE(attributes),
	KUNIT_CASE_SLOW(random_counts),
	{}
};

static struct kunit_suite nexthop_suite = {
	.name = "nl31_nexthop",
	.init = nexthop_init,
	.exit = nexthop_exit,
	.test_cases = nexthop_cases,
};

kunit_test_suite(nexthop_suite);
