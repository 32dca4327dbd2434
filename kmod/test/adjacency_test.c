// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of adjacencies: one for all paths that have the same way out, and its dsts
 * come with the first packet and go with their device.
 */
#include <kunit/test.h>
#include <linux/rtnetlink.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>
#include <net/route.h>
#include <uapi/linux/nl31.h>

#include "../adjacency.h"
#include "../device.h"
#include "../forward.h"
#include "capture.h"

struct adjacency_test {
	struct kunit *test;
	struct nl31_devices devices;
	struct nl31_adjacencies adjacencies;
	struct net_device *dev;
	struct nl31_device *device;
	struct nl31_adjacency_key key;
};

static int set_up(struct kunit *test)
{
	struct adjacency_test *a = kunit_kzalloc(test, sizeof(*a), GFP_KERNEL);

	if (!a)
		return -ENOMEM;
	a->test = test;
	test->priv = a;
	nl31_devices_init(&a->devices, &init_net);
	nl31_adjacencies_init(&a->adjacencies, &init_net);
	a->dev = capture_open(test, &init_net, "adjacent");
	a->device = nl31_device_get_by_index(&a->devices, a->dev->ifindex);
	KUNIT_ASSERT_FALSE(test, IS_ERR(a->device));
	a->key.device = a->device;
	a->key.type = NL31_TYPE_UNICAST;
	return 0;
}

static void tear_down(struct kunit *test)
{
	struct adjacency_test *a = test->priv;

	nl31_adjacencies_exit(&a->adjacencies);
	if (a->dev)
		capture_close(a->dev);
	nl31_device_put(&a->devices, a->device);
}

static struct nl31_adjacency *get(struct adjacency_test *a)
{
	struct nl31_adjacency *adjacency;

	adjacency = nl31_adjacency_get(&a->adjacencies, &a->key);
	KUNIT_ASSERT_NOT_NULL(a->test, adjacency);
	return adjacency;
}

static void put(struct adjacency_test *a, struct nl31_adjacency *adjacency)
{
	spin_lock_bh(&a->adjacencies.lock);
	nl31_adjacency_put_locked(adjacency);
	spin_unlock_bh(&a->adjacencies.lock);
}

static void put_gateway(struct adjacency_test *a, u8 last, u8 len)
{
	const u8 gateway[16] = { 198, 51, 100, last, [15] = 1 };

	memset(a->key.gateway, 0, sizeof(a->key.gateway));
	memcpy(a->key.gateway, gateway, len);
	a->key.gateway_len = len;
}

static void event(struct adjacency_test *a, unsigned long event)
{
	rtnl_lock();
	nl31_adjacencies_event(&a->adjacencies, a->dev, event);
	rtnl_unlock();
}

static void same_way_out_is_shared(struct kunit *test)
{
	struct adjacency_test *a = test->priv;
	struct nl31_adjacency *one, *two, *three;

	put_gateway(a, 1, 4);
	one = get(a);
	KUNIT_EXPECT_PTR_EQ(test, one, get(a));
	put_gateway(a, 2, 4);
	two = get(a);
	KUNIT_EXPECT_PTR_NE(test, one, two);
	put_gateway(a, 0, 0);
	three = get(a);
	KUNIT_EXPECT_PTR_NE(test, one, three);
	KUNIT_EXPECT_EQ(test, one->users, 2);
	put(a, one);
	put(a, one);
	put(a, two);
	put(a, three);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&a->adjacencies.tree));
}

/* As a packet is received: bottom halves disabled, on the RCU read side. */
static void read_begin(void)
{
	local_bh_disable();
	rcu_read_lock();
}

static void read_end(void)
{
	rcu_read_unlock();
	local_bh_enable();
}

static void dst_leads_to_its_gateway(struct kunit *test)
{
	struct adjacency_test *a = test->priv;
	struct nl31_adjacency *adjacency;
	struct dst_entry *dst;

	put_gateway(a, 1, 4);
	adjacency = get(a);
	KUNIT_EXPECT_TRUE(test, list_empty(&a->adjacencies.active));
	read_begin();
	dst = nl31_adjacency_dst(adjacency, NL31_IPV4);
	KUNIT_ASSERT_NOT_NULL(test, dst);
	KUNIT_EXPECT_PTR_EQ(test, dst, nl31_adjacency_dst(adjacency, NL31_IPV4));
	KUNIT_EXPECT_PTR_EQ(test, dst->dev, a->dev);
	KUNIT_EXPECT_TRUE(test, dst->input == nl31_forward4);
	KUNIT_EXPECT_EQ(test, ((struct rtable *)dst)->rt_gw4, htonl(0xc6336401));
	read_end();
	KUNIT_EXPECT_FALSE(test, list_empty(&a->adjacencies.active));
	put(a, adjacency);
	KUNIT_EXPECT_TRUE(test, list_empty(&a->adjacencies.active));
}

/* The device could not go while the dst of either family held it. */
static void dsts_go_with_their_device(struct kunit *test)
{
	struct adjacency_test *a = test->priv;
	struct nl31_adjacency *adjacency = get(a);
	enum nl31_family family;
	struct dst_entry *dst;

	read_begin();
	for (family = 0; family < NL31_FAMILIES; family++) {
		dst = nl31_adjacency_dst(adjacency, family);
		KUNIT_EXPECT_NOT_NULL(test, dst);
	}
	read_end();
	rtnl_lock();
	dev_close(a->dev);
	nl31_adjacencies_event(&a->adjacencies, a->dev, NETDEV_DOWN);
	rtnl_unlock();
	KUNIT_EXPECT_TRUE(test, list_empty(&a->adjacencies.active));
	capture_close(a->dev);
	a->dev = NULL;
	read_begin();
	KUNIT_EXPECT_NULL(test, nl31_adjacency_dst(adjacency, NL31_IPV4));
	read_end();
	put(a, adjacency);
}

/* What has failed is not tried again before something has changed. */
static void failure_ends_with_a_change(struct kunit *test)
{
	struct adjacency_test *a = test->priv;
	struct nl31_adjacency *adjacency = get(a);

	rtnl_lock();
	dev_close(a->dev);
	rtnl_unlock();
	read_begin();
	KUNIT_EXPECT_FALSE(test, nl31_adjacency_has_failed(adjacency, NL31_IPV4));
	KUNIT_EXPECT_NULL(test, nl31_adjacency_dst(adjacency, NL31_IPV4));
	KUNIT_EXPECT_TRUE(test, nl31_adjacency_has_failed(adjacency, NL31_IPV4));
	KUNIT_EXPECT_FALSE(test, nl31_adjacency_has_failed(adjacency, NL31_IPV6));
	read_end();
	rtnl_lock();
	KUNIT_EXPECT_EQ(test, 0, dev_open(a->dev, NULL));
	rtnl_unlock();
	read_begin();
	KUNIT_EXPECT_NULL(test, nl31_adjacency_dst(adjacency, NL31_IPV4));
	read_end();
	event(a, NETDEV_UP);
	read_begin();
	KUNIT_EXPECT_FALSE(test, nl31_adjacency_has_failed(adjacency, NL31_IPV4));
	KUNIT_EXPECT_NOT_NULL(test, nl31_adjacency_dst(adjacency, NL31_IPV4));
	read_end();
	put(a, adjacency);
}

/* IPv6 ends on a device whose MTU is too small for it. */
static void dst_goes_when_mtu_ends_ipv6(struct kunit *test)
{
	struct adjacency_test *a = test->priv;
	struct nl31_adjacency *adjacency = get(a);

	read_begin();
	KUNIT_EXPECT_NOT_NULL(test, nl31_adjacency_dst(adjacency, NL31_IPV6));
	read_end();
	rtnl_lock();
	KUNIT_EXPECT_EQ(test, 0, dev_set_mtu(a->dev, IPV6_MIN_MTU - 1));
	nl31_adjacencies_event(&a->adjacencies, a->dev, NETDEV_CHANGEMTU);
	rtnl_unlock();
	read_begin();
	KUNIT_EXPECT_NULL(test, nl31_adjacency_dst(adjacency, NL31_IPV6));
	read_end();
	rtnl_lock();
	KUNIT_EXPECT_EQ(test, 0, dev_set_mtu(a->dev, IPV6_MIN_MTU));
	nl31_adjacencies_event(&a->adjacencies, a->dev, NETDEV_CHANGEMTU);
	rtnl_unlock();
	read_begin();
	KUNIT_EXPECT_NOT_NULL(test, nl31_adjacency_dst(adjacency, NL31_IPV6));
	read_end();
	put(a, adjacency);
}

/* All destinations share the dst: a path MTU of one of them must not be its MTU. */
static void path_mtu_is_not_taken_for_all(struct kunit *test)
{
	struct adjacency_test *a = test->priv;
	struct nl31_adjacency *adjacency = get(a);
	enum nl31_family family;
	struct dst_entry *dst;
	struct sk_buff *skb;

	skb = alloc_skb(128, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reset_network_header(skb);
	skb_put_zero(skb, sizeof(struct ipv6hdr));
	skb->dev = a->dev;
	read_begin();
	for (family = 0; family < NL31_FAMILIES; family++) {
		dst = nl31_adjacency_dst(adjacency, family);
		KUNIT_ASSERT_NOT_NULL(test, dst);
		KUNIT_EXPECT_EQ(test, dst_mtu(dst), ETH_DATA_LEN);
		dst->ops->update_pmtu(dst, NULL, skb, IPV6_MIN_MTU, false);
		KUNIT_EXPECT_EQ(test, dst_mtu(dst), ETH_DATA_LEN);
	}
	read_end();
	kfree_skb(skb);
	put(a, adjacency);
}

static void route_that_leads_nowhere_is_an_error(struct kunit *test)
{
	static const struct {
		u8 type;
		int error;
	} types[] = {
		{ NL31_TYPE_BLACKHOLE, -EINVAL },
		{ NL31_TYPE_UNREACHABLE, -EHOSTUNREACH },
		{ NL31_TYPE_PROHIBIT, -EACCES },
	};
	struct adjacency_test *a = test->priv;
	struct nl31_adjacency *adjacency;
	struct dst_entry *dst;
	unsigned int i;

	a->key.device = NULL;
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		a->key.type = types[i].type;
		adjacency = get(a);
		read_begin();
		dst = nl31_adjacency_dst(adjacency, NL31_IPV4);
		KUNIT_ASSERT_NOT_NULL(test, dst);
		KUNIT_EXPECT_EQ(test, dst->error, types[i].error);
		KUNIT_EXPECT_TRUE(test, dst->input == nl31_reject4);
		read_end();
		put(a, adjacency);
	}
	read_begin();
	dst = nl31_adjacency_dst(&a->adjacencies.no_route, NL31_IPV4);
	KUNIT_ASSERT_NOT_NULL(test, dst);
	KUNIT_EXPECT_EQ(test, dst->error, -ENETUNREACH);
	read_end();
}

static struct kunit_case adjacency_cases[] = {
	KUNIT_CASE(same_way_out_is_shared),
	KUNIT_CASE(dst_leads_to_its_gateway),
	KUNIT_CASE(dsts_go_with_their_device),
	KUNIT_CASE(failure_ends_with_a_change),
	KUNIT_CASE(dst_goes_when_mtu_ends_ipv6),
	KUNIT_CASE(path_mtu_is_not_taken_for_all),
	KUNIT_CASE(route_that_leads_nowhere_is_an_error),
	{}
};

static struct kunit_suite adjacency_suite = {
	.name = "nl31_adjacency",
	.init = set_up,
	.exit = tear_down,
	.test_cases = adjacency_cases,
};

kunit_test_suite(adjacency_suite);
