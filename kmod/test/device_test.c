// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the devices that paths refer to: events find their object, one that has
 * gone is not mistaken for the next of its index, names follow renames, and the
 * paths of what has gone are removed.
 */
#include <kunit/test.h>
#include <linux/netdevice.h>
#include <net/net_namespace.h>
#include <uapi/linux/nl31.h>

#include "../purge.h"

#define LOOPBACK	1

struct device_test {
	struct kunit *test;
	struct nl31_table table;
	struct nl31_notify no_listener;
	struct nl31_purge purge;
	struct net_device *dev;
};

static int set_up(struct kunit *test)
{
	struct device_test *d = kunit_kzalloc(test, sizeof(*d), GFP_KERNEL);

	if (!d)
		return -ENOMEM;
	d->test = test;
	d->dev = kunit_kzalloc(test, sizeof(*d->dev), GFP_KERNEL);
	if (!d->dev)
		return -ENOMEM;
	test->priv = d;
	if (nl31_table_init(&d->table, &init_net))
		return -ENOMEM;
	nl31_purge_init(&d->purge, &d->table, &d->no_listener);
	return 0;
}

static void tear_down(struct kunit *test)
{
	struct device_test *d = test->priv;

	nl31_purge_exit(&d->purge);
	nl31_table_release(&d->table);
	nl31_table_workqueue_flush();
	nl31_table_exit(&d->table);
}

static struct nl31_devices *devices(struct device_test *d)
{
	return &d->table.path_lists.devices;
}

/* A device that is not there changes. */
static void event(struct device_test *d, u32 ifindex, const char *name,
		  unsigned long event)
{
	d->dev->ifindex = ifindex;
	strscpy(d->dev->name, name, sizeof(d->dev->name));
	d->dev->flags = event == NETDEV_UP ? IFF_UP : 0;
	nl31_path_lists_event(&d->table.path_lists, d->dev, event);
}

static struct nl31_device *by_index(struct device_test *d)
{
	struct nl31_device *device;

	device = nl31_device_get_by_index(devices(d), LOOPBACK);
	KUNIT_ASSERT_FALSE(d->test, IS_ERR(device));
	return device;
}

static struct nl31_device *by_name(struct device_test *d, const char *name)
{
	struct nl31_device *device = nl31_device_get_by_name(devices(d), name);

	KUNIT_ASSERT_FALSE(d->test, IS_ERR(device));
	return device;
}

static void index_ends_with_its_device(struct kunit *test)
{
	struct device_test *d = test->priv;
	struct nl31_device *old = by_index(d), *new;

	KUNIT_EXPECT_PTR_EQ(test, old, by_index(d));
	KUNIT_EXPECT_PTR_EQ(test, ERR_PTR(-ENODEV),
			    nl31_device_get_by_index(devices(d), 0x7fffffff));
	event(d, LOOPBACK, "lo", NETDEV_UP);
	KUNIT_EXPECT_TRUE(test, nl31_device_is_up(old));
	event(d, LOOPBACK, "lo", NETDEV_DOWN);
	KUNIT_EXPECT_FALSE(test, nl31_device_is_up(old));
	event(d, 99, "other", NETDEV_UNREGISTER);
	KUNIT_EXPECT_FALSE(test, nl31_device_is_gone(old));
	event(d, LOOPBACK, "lo", NETDEV_UNREGISTER);
	KUNIT_EXPECT_TRUE(test, nl31_device_is_gone(old));

	/* the index comes back as another device */
	new = by_index(d);
	KUNIT_EXPECT_PTR_NE(test, old, new);
	event(d, LOOPBACK, "lo", NETDEV_UP);
	KUNIT_EXPECT_TRUE(test, nl31_device_is_gone(old));
	KUNIT_EXPECT_TRUE(test, nl31_device_is_up(new));
	nl31_device_put(devices(d), old);
	nl31_device_put(devices(d), old);
	nl31_device_put(devices(d), new);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&devices(d)->by_index));
}

static void name_waits_for_its_device(struct kunit *test)
{
	struct device_test *d = test->priv;
	struct nl31_device *one = by_name(d, "one"), *two = by_name(d, "two");

	KUNIT_EXPECT_EQ(test, one->state, NL31_DEV_ABSENT);
	event(d, 77, "one", NETDEV_REGISTER);
	KUNIT_EXPECT_EQ(test, one->state, NL31_DEV_DOWN);
	KUNIT_EXPECT_EQ(test, one->ifindex, 77);
	event(d, 77, "one", NETDEV_UP);
	KUNIT_EXPECT_TRUE(test, nl31_device_is_up(one));
	KUNIT_EXPECT_FALSE(test, nl31_device_is_up(two));

	/* renamed: the other name has it now, and then none */
	event(d, 77, "two", NETDEV_CHANGENAME);
	KUNIT_EXPECT_EQ(test, one->state, NL31_DEV_ABSENT);
	KUNIT_EXPECT_EQ(test, one->ifindex, 0);
	KUNIT_EXPECT_EQ(test, two->ifindex, 77);
	event(d, 77, "three", NETDEV_CHANGENAME);
	KUNIT_EXPECT_EQ(test, two->state, NL31_DEV_ABSENT);

	/* comes and goes, with whatever index */
	event(d, 78, "one", NETDEV_REGISTER);
	event(d, 78, "one", NETDEV_UNREGISTER);
	KUNIT_EXPECT_EQ(test, one->state, NL31_DEV_ABSENT);
	event(d, 79, "one", NETDEV_REGISTER);
	KUNIT_EXPECT_EQ(test, one->ifindex, 79);
	nl31_device_put(devices(d), one);
	nl31_device_put(devices(d), two);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&devices(d)->by_index));
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&devices(d)->by_name));
	/* of paths by name none has to be removed */
	KUNIT_EXPECT_EQ(test, devices(d)->gone, 0);
}

#define PREFIXES	5000

static void fill(struct device_test *d, struct nl31_device *device)
{
	struct nl31_path_key *paths = kunit_kzalloc(d->test, sizeof(*paths),
						    GFP_KERNEL);
	struct nl31_path path[2] = {
		{ .type = NL31_TYPE_UNICAST, .device = device },
		{ .type = NL31_TYPE_BLACKHOLE, .metric = 1 },
	};
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(d->test, paths);
	nl31_path_seal(&path[0]);
	nl31_path_seal(&path[1]);
	paths->path[0] = &path[0];
	paths->path[1] = &path[1];
	KUNIT_ASSERT_EQ(d->test, 0, nl31_edit_begin(&d->table));
	for (i = 0; i < PREFIXES; i++) {
		const struct lpm_key key = {
			.word = { (u64)i << 40 },
			.len = 24,
		};

		paths->count = 1 + i % 2;
		KUNIT_ASSERT_EQ(d->test, 0,
				nl31_edit_set(&d->table, i % 3 == 0, &key, NULL,
					      paths));
	}
	nl31_notify_publish(&d->table, &d->no_listener);
}

static unsigned int paths_of(const struct nl31_version *v)
{
	return v->paths[NL31_IPV4] + v->paths[NL31_IPV6];
}

static void purge_removes_what_is_dead(struct kunit *test)
{
	struct device_test *d = test->priv;
	struct nl31_table *t = &d->table;
	struct nl31_device *device = by_index(d);
	struct nl31_version *snapshot;
	u64 generation;

	mutex_lock(&t->lock);
	fill(d, device);
	generation = nl31_table_current(t)->generation;
	mutex_unlock(&t->lock);
	nl31_device_put(devices(d), device);
	snapshot = nl31_version_pin(t);

	/* a transaction is open: the purge waits for its end */
	mutex_lock(&t->lock);
	KUNIT_ASSERT_EQ(test, 0, nl31_edit_begin(t));
	mutex_unlock(&t->lock);
	event(d, LOOPBACK, "lo", NETDEV_UNREGISTER);
	flush_delayed_work(&d->purge.work);
	mutex_lock(&t->lock);
	KUNIT_EXPECT_EQ(test, PREFIXES * 3 / 2, paths_of(nl31_table_current(t)));
	nl31_edit_abort(t);
	nl31_purge_resume(&d->purge);
	mutex_unlock(&t->lock);

	while (READ_ONCE(d->purge.done) != devices(d)->gone)
		flush_delayed_work(&d->purge.work);
	mutex_lock(&t->lock);
	KUNIT_EXPECT_EQ(test, PREFIXES / 2, paths_of(nl31_table_current(t)));
	/* in slices, each of which is a change */
	KUNIT_EXPECT_GT(test, nl31_table_current(t)->generation, generation + 2);
	KUNIT_EXPECT_EQ(test, t->path_lists.count, 1);
	mutex_unlock(&t->lock);
	/* the snapshot is of before, whole */
	KUNIT_EXPECT_FALSE(test, snapshot->is_lost);
	KUNIT_EXPECT_EQ(test, PREFIXES * 3 / 2, paths_of(snapshot));
	nl31_version_unpin(snapshot);
}

static struct kunit_case device_cases[] = {
	KUNIT_CASE(index_ends_with_its_device),
	KUNIT_CASE(name_waits_for_its_device),
	KUNIT_CASE(purge_removes_what_is_dead),
	{}
};

static struct kunit_suite device_suite = {
	.name = "nl31_device",
	.init = set_up,
	.exit = tear_down,
	.test_cases = device_cases,
};

kunit_test_suite(device_suite);
