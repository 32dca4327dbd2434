// SPDX-License-Identifier: GPL-2.0-only
/* Tests of path selection: the path that serves, while devices come and go. */
#include <kunit/test.h>
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

static struct kunit_case path_select_cases[] = {
	KUNIT_CASE(first_usable_path_serves),
	KUNIT_CASE(path_without_carrier_is_passed_over),
	KUNIT_CASE(list_remembers_the_path_that_serves),
	KUNIT_CASE(path_whose_adjacency_fails_is_passed_over),
	KUNIT_CASE(selection_agrees_with_a_walk),
	{}
};

static struct kunit_suite path_select_suite = {
	.name = "nl31_path_select",
	.init = set_up,
	.exit = tear_down,
	.test_cases = path_select_cases,
};

kunit_test_suite(path_select_suite);
