// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the mirror: what Linux's own routes claim is seen soon after they have
 * changed, and nothing is left of those that have gone.
 */
#include <kunit/test.h>
#include <linux/rtnetlink.h>
#include <net/net_namespace.h>

#include "../mirror.h"
#include "capture.h"

struct mirror_test {
	struct kunit *test;
	struct nl31_adjacencies adjacencies;
	struct nl31_mirror mirror;
	struct net_device *dev;
};

static int set_up(struct kunit *test)
{
	struct mirror_test *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	if (!m)
		return -ENOMEM;
	m->test = test;
	test->priv = m;
	nl31_adjacencies_init(&m->adjacencies, &init_net);
	nl31_mirror_init(&m->mirror, &init_net, &m->adjacencies);
	m->dev = capture_open(test, &init_net, "mirrored");
	return 0;
}

static void tear_down(struct kunit *test)
{
	struct mirror_test *m = test->priv;

	nl31_mirror_exit(&m->mirror);
	capture_close(m->dev);
	nl31_adjacencies_exit(&m->adjacencies);
}

/* What is claimed of an address, now that all notifications are applied. */
static u32 claim(struct mirror_test *m, enum nl31_family family, u64 high,
		 u64 low, u8 *len)
{
	const struct lpm_key key = {
		.word = { high, low },
		.len = family == NL31_IPV4 ? 32 : 128,
	};
	u32 value = 0;

	flush_delayed_work(&m->mirror.work);
	rcu_read_lock();
	if (!nl31_mirror_lookup(&m->mirror, family, &key, &value, len))
		value = U32_MAX;
	rcu_read_unlock();
	return value;
}

static void expect(struct mirror_test *m, enum nl31_family family, u64 high,
		   u64 low, enum nl31_mirror_class class, u8 len)
{
	u8 found_len;
	u32 value;

	value = claim(m, family, high, low, &found_len);
	KUNIT_EXPECT_EQ_MSG(m->test, class, nl31_mirror_class_of(value),
			    "%llx:%llx", high, low);
	KUNIT_EXPECT_EQ_MSG(m->test, len, found_len, "%llx:%llx", high, low);
	if (class == NL31_MIRROR_STRONG)
		KUNIT_EXPECT_EQ(m->test, (int)nl31_mirror_ifindex_of(value),
				m->dev->ifindex);
}

#define V4(address)	((u64)(address) << 32)

static void addresses(struct mirror_test *m)
{
	const u8 ipv6[16] = { 0x20, 1, 0xd, 0xb8, 0, 5, [15] = 1 };
	const u8 ipv4[4] = { 198, 51, 100, 1 };

	capture_address(m->test, m->dev, AF_INET, ipv4, 24);
	capture_address(m->test, m->dev, AF_INET6, ipv6, 64);
}

static void expect_addresses(struct mirror_test *m)
{
	expect(m, NL31_IPV4, V4(0xc6336401), 0, NL31_MIRROR_LOCAL, 32);
	expect(m, NL31_IPV4, V4(0xc63364ff), 0, NL31_MIRROR_STRONG, 32);
	expect(m, NL31_IPV4, V4(0xc6336407), 0, NL31_MIRROR_STRONG, 24);
	expect(m, NL31_IPV4, V4(0xc6336507), 0, NL31_MIRROR_NONE, 0);
	expect(m, NL31_IPV6, 0x20010db800050000, 1, NL31_MIRROR_LOCAL, 128);
	expect(m, NL31_IPV6, 0x20010db800050000, 7, NL31_MIRROR_STRONG, 64);
	expect(m, NL31_IPV6, 0x20010db800050001, 7, NL31_MIRROR_NONE, 0);
}

static void off_is_blind(struct kunit *test)
{
	struct mirror_test *m = test->priv;
	u8 len;

	addresses(m);
	KUNIT_EXPECT_EQ(test, U32_MAX,
			claim(m, NL31_IPV4, V4(0xc6336401), 0, &len));
}

static void start_shows_what_is_there(struct kunit *test)
{
	struct mirror_test *m = test->priv;

	addresses(m);
	KUNIT_ASSERT_EQ(test, 0, nl31_mirror_start(&m->mirror));
	expect_addresses(m);
	/* again: it is on */
	KUNIT_EXPECT_EQ(test, 0, nl31_mirror_start(&m->mirror));
	expect_addresses(m);
}

static void changes_are_followed(struct kunit *test)
{
	struct mirror_test *m = test->priv;
	const u32 epoch = m->adjacencies.epoch;

	KUNIT_ASSERT_EQ(test, 0, nl31_mirror_start(&m->mirror));
	expect(m, NL31_IPV4, V4(0xc6336401), 0, NL31_MIRROR_NONE, 0);
	addresses(m);
	expect_addresses(m);
	KUNIT_EXPECT_NE(test, epoch, m->adjacencies.epoch);

	rtnl_lock();
	dev_close(m->dev);
	rtnl_unlock();
	expect(m, NL31_IPV4, V4(0xc6336407), 0, NL31_MIRROR_NONE, 0);
	expect(m, NL31_IPV6, 0x20010db800050000, 7, NL31_MIRROR_NONE, 0);
}

/* Lost notifications are made good for by having all told again. */
static void loss_is_made_good(struct kunit *test)
{
	struct mirror_test *m = test->priv;
	struct nl31_mirror *mirror = &m->mirror;

	KUNIT_ASSERT_EQ(test, 0, nl31_mirror_start(mirror));
	mirror->queued = U32_MAX;
	addresses(m);
	expect_addresses(m);
	KUNIT_EXPECT_FALSE(test, mirror->has_lost);
}

static void own_device_claims_nothing(struct kunit *test)
{
	struct mirror_test *m = test->priv;

	m->mirror.own = m->dev;
	KUNIT_ASSERT_EQ(test, 0, nl31_mirror_start(&m->mirror));
	addresses(m);
	expect(m, NL31_IPV4, V4(0xc6336401), 0, NL31_MIRROR_LOCAL, 32);
	expect(m, NL31_IPV4, V4(0xc6336407), 0, NL31_MIRROR_NONE, 0);
}

static struct kunit_case mirror_cases[] = {
	KUNIT_CASE(off_is_blind),
	KUNIT_CASE(start_shows_what_is_there),
	KUNIT_CASE(changes_are_followed),
	KUNIT_CASE(loss_is_made_good),
	KUNIT_CASE(own_device_claims_nothing),
	{}
};

static struct kunit_suite mirror_suite = {
	.name = "nl31_mirror",
	.init = set_up,
	.exit = tear_down,
	.test_cases = mirror_cases,
};

kunit_test_suite(mirror_suite);
