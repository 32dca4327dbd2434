// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of path selection: the path that serves, while devices come and go, and the
 * paths that share the load.
 */
#include <kunit/test.h>
#include <linux/hash.h>
#include <linux/netdevice.h>
#include <net/net_namespace.h>
#include <uapi/linux/nl31.h>

#include "../path_select.h"
#include "random.h"

#define PATHS	NL31_PATHS_MAX
#define CHANGES	20000

struct path_select_test {
	struct kunit *test;
	struct nl31_path_lists lists;
	struct nl31_path_key key;
	struct nl31_device *device[PATHS];
	struct nl31_path path[PATHS];
	struct nl31_path_list *list;
	struct net_device *dev;
};

/* The device of the path goes up or down, gains or loses its carrier. */
static void event(struct path_select_test *s, unsigned int i, unsigned long event,
		  bool is_up, bool has_carrier)
{
	s->dev->ifindex = 1000 + i;
	s->dev->flags = is_up ? IFF_UP : 0;
	s->dev->state = has_carrier ? 0 : BIT(__LINK_STATE_NOCARRIER);
	snprintf(s->dev->name, sizeof(s->dev->name), "select%u", i);
	nl31_path_lists_event(&s->lists, s->dev, event);
}

static void go_up(struct path_select_test *s, unsigned int i)
{
	event(s, i, NETDEV_UP, true, true);
}

static void go_down(struct path_select_test *s, unsigned int i)
{
	event(s, i, NETDEV_DOWN, false, true);
}

/* A list of paths over as many devices, all of them up. */
static int set_up(struct kunit *test)
{
	struct path_select_test *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	unsigned int i;
	char name[IFNAMSIZ];

	if (!s)
		return -ENOMEM;
	s->test = test;
	test->priv = s;
	s->dev = kunit_kzalloc(test, sizeof(*s->dev), GFP_KERNEL);
	if (!s->dev || nl31_path_lists_init(&s->lists, &init_net))
		return -ENOMEM;
	for (i = 0; i < PATHS; i++) {
		snprintf(name, sizeof(name), "select%u", i);
		s->device[i] = nl31_device_get_by_name(&s->lists.devices, name);
		KUNIT_ASSERT_FALSE(test, IS_ERR(s->device[i]));
		event(s, i, NETDEV_REGISTER, true, true);
		s->path[i].type = NL31_TYPE_UNICAST;
		s->path[i].device = s->device[i];
		s->path[i].metric = i / 2;
		nl31_path_seal(&s->path[i]);
		s->key.path[s->key.count++] = &s->path[i];
	}
	s->list = nl31_path_list_get(&s->lists, &s->key);
	KUNIT_ASSERT_NOT_NULL(test, s->list);
	return 0;
}

static void tear_down(struct kunit *test)
{
	struct path_select_test *s = test->priv;
	unsigned int i;

	nl31_path_lists_abort(&s->lists);
	for (i = 0; i < PATHS; i++)
		nl31_device_put(&s->lists.devices, s->device[i]);
	nl31_path_lists_exit(&s->lists);
}

static int selected(struct path_select_test *s, enum nl31_family family)
{
	const struct nl31_path *path;

	rcu_read_lock();
	path = nl31_path_select(s->list, family);
	rcu_read_unlock();
	return path ? path - s->list->path : -1;
}

static void first_usable_path_serves(struct kunit *test)
{
	struct path_select_test *s = test->priv;

	KUNIT_EXPECT_EQ(test, 0, selected(s, NL31_IPV4));
	go_down(s, 0);
	KUNIT_EXPECT_EQ(test, 1, selected(s, NL31_IPV4));
	go_down(s, 2);
	KUNIT_EXPECT_EQ(test, 1, selected(s, NL31_IPV4));
	go_down(s, 1);
	KUNIT_EXPECT_EQ(test, 3, selected(s, NL31_IPV4));
	KUNIT_EXPECT_EQ(test, 3, selected(s, NL31_IPV6));
	go_up(s, 1);
	KUNIT_EXPECT_EQ(test, 1, selected(s, NL31_IPV4));
	go_up(s, 0);
	KUNIT_EXPECT_EQ(test, 0, selected(s, NL31_IPV4));
}

static void path_without_carrier_is_passed_over(struct kunit *test)
{
	struct path_select_test *s = test->priv;

	event(s, 0, NETDEV_CHANGE, true, false);
	KUNIT_EXPECT_EQ(test, 1, selected(s, NL31_IPV4));
	event(s, 1, NETDEV_CHANGE, true, false);
	KUNIT_EXPECT_EQ(test, 2, selected(s, NL31_IPV4));
	event(s, 1, NETDEV_CHANGE, true, true);
	KUNIT_EXPECT_EQ(test, 1, selected(s, NL31_IPV4));
	/* up again, but the cable is out */
	go_down(s, 0);
	event(s, 0, NETDEV_UP, true, false);
	KUNIT_EXPECT_EQ(test, 1, selected(s, NL31_IPV4));
	event(s, 0, NETDEV_CHANGE, true, true);
	KUNIT_EXPECT_EQ(test, 0, selected(s, NL31_IPV4));
}

/* Until something changes; then all are looked at again. */
static void list_remembers_the_path_that_serves(struct kunit *test)
{
	struct path_select_test *s = test->priv;
	unsigned int i;

	for (i = 0; i < PATHS - 1; i++)
		go_down(s, i);
	KUNIT_EXPECT_EQ(test, PATHS - 1, selected(s, NL31_IPV4));
	/* not seen, as there is no event */
	WRITE_ONCE(s->device[5]->state, NL31_DEV_UP);
	KUNIT_EXPECT_EQ(test, PATHS - 1, selected(s, NL31_IPV4));
	go_down(s, 4);
	KUNIT_EXPECT_EQ(test, 5, selected(s, NL31_IPV4));
	go_down(s, 5);
	go_down(s, PATHS - 1);
	KUNIT_EXPECT_EQ(test, -1, selected(s, NL31_IPV4));
	go_up(s, PATHS - 2);
	KUNIT_EXPECT_EQ(test, PATHS - 2, selected(s, NL31_IPV4));
}

static void path_whose_adjacency_fails_is_passed_over(struct kunit *test)
{
	struct path_select_test *s = test->priv;

	go_down(s, 0);
	KUNIT_EXPECT_EQ(test, 1, selected(s, NL31_IPV4));
	KUNIT_EXPECT_EQ(test, 1, selected(s, NL31_IPV6));
	WRITE_ONCE(s->list->path[1].adjacency->failed[NL31_IPV6],
		   s->lists.adjacencies.epoch);
	KUNIT_EXPECT_EQ(test, 1, selected(s, NL31_IPV4));
	KUNIT_EXPECT_EQ(test, 2, selected(s, NL31_IPV6));
	KUNIT_EXPECT_EQ(test, 2, selected(s, NL31_IPV6));
	/* it may be tried again */
	nl31_adjacencies_resolve(&s->lists.adjacencies);
	KUNIT_EXPECT_EQ(test, 1, selected(s, NL31_IPV6));
}

/* Whatever changes, it is the one that looking at all of them finds. */
static void selection_agrees_with_a_walk(struct kunit *test)
{
	struct path_select_test *s = test->priv;
	unsigned int change, i, wrong = 0;
	struct rnd_state random;
	bool is_up[PATHS];

	random_begin(test, &random);
	memset(is_up, true, sizeof(is_up));
	for (change = 0; change < CHANGES; change++) {
		/* mostly those that matter */
		i = prandom_u32_state(&random) %
		    (1 + prandom_u32_state(&random) % PATHS);
		is_up[i] = !is_up[i];
		if (prandom_u32_state(&random) % 2)
			event(s, i, NETDEV_CHANGE, true, is_up[i]);
		else if (is_up[i])
			go_up(s, i);
		else
			go_down(s, i);
		for (i = 0; i < PATHS; i++)
			if (is_up[i])
				break;
		wrong += selected(s, change % 2) != (i < PATHS ? (int)i : -1);
	}
	KUNIT_EXPECT_EQ(test, 0, wrong);
}

#define SHARING	8
#define FLOWS	65536

/* A list of @count paths of the same metric over the first devices, without @left_out. */
static struct nl31_path_list *sharing_list(struct path_select_test *s,
					   unsigned int count, int left_out)
{
	struct nl31_path_list *list;
	unsigned int i;

	s->key.count = 0;
	for (i = 0; i < count; i++) {
		if ((int)i == left_out)
			continue;
		s->path[i].metric = 0;
		nl31_path_seal(&s->path[i]);
		s->key.path[s->key.count++] = &s->path[i];
	}
	list = nl31_path_list_get(&s->lists, &s->key);
	KUNIT_ASSERT_NOT_NULL(s->test, list);
	return list;
}

/* The index of the device that each flow leaves by. */
static void select_flows(struct path_select_test *s, struct nl31_path_list *list,
			 u8 *by)
{
	const struct nl31_path *first, *path;
	struct rnd_state random;
	unsigned int i;

	random_begin(s->test, &random);
	rcu_read_lock();
	first = nl31_path_select(list, NL31_IPV4);
	for (i = 0; i < FLOWS; i++) {
		path = nl31_path_select_flow(first, NL31_IPV4,
					     prandom_u32_state(&random));
		by[i] = path->device->ifindex - 1000;
	}
	rcu_read_unlock();
}

static u8 *flows_alloc(struct kunit *test)
{
	u8 *by = kunit_kzalloc(test, FLOWS, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, by);
	return by;
}

/* Each has its share of the flows, give or take a tenth: nine times what chance does. */
static void flows_are_shared_equally(struct kunit *test)
{
	struct path_select_test *s = test->priv;
	unsigned int count[SHARING] = {}, i;
	u8 *by = flows_alloc(test);

	select_flows(s, sharing_list(s, SHARING, -1), by);
	for (i = 0; i < FLOWS; i++)
		count[by[i]]++;
	for (i = 0; i < SHARING; i++) {
		KUNIT_EXPECT_GT(test, count[i], FLOWS / SHARING * 9 / 10);
		KUNIT_EXPECT_LT(test, count[i], FLOWS / SHARING * 11 / 10);
	}
}

/* Flows that moved from a path that is still there, or to one that is not. */
static unsigned int moved_needlessly(const u8 *before, const u8 *after, u8 gone)
{
	unsigned int i, wrong = 0;

	for (i = 0; i < FLOWS; i++)
		wrong += after[i] == gone ||
			 (before[i] != gone && after[i] != before[i]);
	return wrong;
}

static void only_flows_of_a_lost_path_move(struct kunit *test)
{
	struct path_select_test *s = test->priv;
	u8 *before = flows_alloc(test), *after = flows_alloc(test);
	struct nl31_path_list *list = sharing_list(s, SHARING, -1);
	unsigned int gone;

	select_flows(s, list, before);
	for (gone = 0; gone < SHARING; gone++) {
		event(s, gone, NETDEV_CHANGE, true, false);
		select_flows(s, list, after);
		KUNIT_EXPECT_EQ(test, 0, moved_needlessly(before, after, gone));
		event(s, gone, NETDEV_CHANGE, true, true);
		select_flows(s, list, after);
		KUNIT_EXPECT_EQ(test, 0, memcmp(before, after, FLOWS));
		/* and where the prefix has lost it altogether */
		select_flows(s, sharing_list(s, SHARING, gone), after);
		KUNIT_EXPECT_EQ(test, 0, moved_needlessly(before, after, gone));
	}
}

static void last_of_the_paths_takes_all_flows(struct kunit *test)
{
	struct path_select_test *s = test->priv;
	struct nl31_path_list *list = sharing_list(s, SHARING, -1);
	unsigned int i, wrong = 0;
	u8 *by = flows_alloc(test);

	for (i = 0; i < SHARING; i++)
		if (i != SHARING / 2)
			go_down(s, i);
	select_flows(s, list, by);
	for (i = 0; i < FLOWS; i++)
		wrong += by[i] != SHARING / 2;
	KUNIT_EXPECT_EQ(test, 0, wrong);
}

/* Those of another metric and those that lead nowhere do not, wherever they are. */
static void unicast_paths_of_a_metric_share(struct kunit *test)
{
	static const struct {
		u8 type;
		u8 metric;
		u8 equals;
	} paths[] = {
		{ NL31_TYPE_UNICAST, 1, 4 },
		{ NL31_TYPE_BLACKHOLE, 1, 1 },
		{ NL31_TYPE_UNICAST, 1, 2 },
		{ NL31_TYPE_UNICAST, 1, 1 },
		{ NL31_TYPE_PROHIBIT, 1, 1 },
		{ NL31_TYPE_UNICAST, 2, 1 },
		{ NL31_TYPE_UNICAST, 3, 2 },
		{ NL31_TYPE_UNICAST, 3, 1 },
	};
	struct path_select_test *s = test->priv;
	const struct nl31_path *path;
	struct nl31_path_list *list;
	unsigned int i;

	s->key.count = ARRAY_SIZE(paths);
	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		const bool is_unicast = paths[i].type == NL31_TYPE_UNICAST;

		s->path[i].type = paths[i].type;
		s->path[i].metric = paths[i].metric;
		s->path[i].device = is_unicast ? s->device[i] : NULL;
		nl31_path_seal(&s->path[i]);
	}
	list = nl31_path_list_get(&s->lists, &s->key);
	KUNIT_ASSERT_NOT_NULL(test, list);
	for (i = 0; i < ARRAY_SIZE(paths); i++)
		KUNIT_EXPECT_EQ_MSG(test, list->path[i].equals, paths[i].equals,
				    "path %u", i);
	rcu_read_lock();
	for (i = 0; i < FLOWS; i++) {
		path = nl31_path_select_flow(&list->path[0], NL31_IPV4,
					     i * GOLDEN_RATIO_32);
		if (path->type != NL31_TYPE_UNICAST || path->metric != 1)
			break;
	}
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, i, FLOWS);
}

static struct kunit_case path_select_cases[] = {
	KUNIT_CASE(first_usable_path_serves),
	KUNIT_CASE(path_without_carrier_is_passed_over),
	KUNIT_CASE(list_remembers_the_path_that_serves),
	KUNIT_CASE(path_whose_adjacency_fails_is_passed_over),
	KUNIT_CASE(selection_agrees_with_a_walk),
	KUNIT_CASE(flows_are_shared_equally),
	KUNIT_CASE(only_flows_of_a_lost_path_move),
	KUNIT_CASE(last_of_the_paths_takes_all_flows),
	KUNIT_CASE(unicast_paths_of_a_metric_share),
	{}
};

static struct kunit_suite path_select_suite = {
	.name = "nl31_path_select",
	.init = set_up,
	.exit = tear_down,
	.test_cases = path_select_cases,
};

kunit_test_suite(path_select_suite);
