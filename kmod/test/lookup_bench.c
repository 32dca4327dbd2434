// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long a longest match takes, in nanoseconds, beside Linux's own table with
 * the same prefixes: medians of several runs, taken in turns. Linux's functions
 * are not exported, so a module has nothing to compare with.
 */
#include <kunit/test.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/sort.h>
#include <net/ip_fib.h>
#include <net/net_namespace.h>

#include "../notify.h"
#include "../route.h"
#include "prefixes.h"
#include "random.h"

#define ADDRESSES	131072
#define RUNS		9
#define NEXTHOPS	48
#define BATCH		1000

/* Table number that nothing in Linux uses. */
#define FIB_TABLE	0x4e4c3331

struct bench {
	struct kunit *test;
	struct prefixes *prefixes;
	struct nl31_table *table;
	struct fib_table *fib;
	struct lpm_key *address;
	u64 sum;
};

typedef u32 (*lookup_fn)(struct bench *b, const struct lpm_key *address);

static u32 by_trie(struct bench *b, const struct lpm_key *address)
{
	const enum nl31_family family = b->prefixes->family;
	u8 len = 0;

	lpm_lookup(&nl31_table_version(b->table)->trie[family], address, &len);
	return len;
}

static u32 by_route(struct bench *b, const struct lpm_key *address)
{
	struct lpm_key prefix;

	if (!nl31_route_lookup(b->table, b->prefixes->family, address, &prefix))
		return 0;
	return prefix.len;
}

static int cmp_u64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/* Tenths of a nanosecond a lookup. */
static __always_inline u64 time_lookups(struct bench *b, lookup_fn lookup)
{
	u64 start, sum = 0;
	unsigned int i;

	rcu_read_lock();
	start = ktime_get_ns();
	for (i = 0; i < ADDRESSES; i++)
		sum += lookup(b, &b->address[i]);
	start = ktime_get_ns() - start;
	rcu_read_unlock();
	b->sum = sum;
	cond_resched();
	return div_u64(start * 10, ADDRESSES);
}

static u32 median(u64 *run)
{
	sort(run, RUNS, sizeof(*run), cmp_u64, NULL);
	return run[RUNS / 2];
}

/* What a module cannot call must not be left in one, which the compiler sees to. */
static bool have_fib(const struct bench *b)
{
	return IS_BUILTIN(CONFIG_NL31) && IS_ENABLED(CONFIG_INET) &&
	       b->prefixes->family == NL31_IPV4;
}

static u32 by_fib(struct bench *b, const struct lpm_key *address)
{
	struct flowi4 flow = {
		.daddr = htonl(address->word[0] >> 32),
		.flowi4_scope = RT_SCOPE_UNIVERSE,
	};
	struct fib_result result;

	if (fib_table_lookup(b->fib, &flow, &result, FIB_LOOKUP_NOREF))
		return 0;
	return result.prefixlen;
}

/* The same routes in Linux's table. */
static void fill_fib(struct bench *b)
{
	const unsigned int *order = prefixes_shuffled(b->test, b->prefixes);
	struct net_device *lo = init_net.loopback_dev;
	unsigned int i, failed = 0;
	int err;

	b->fib = fib_trie_table(FIB_TABLE, NULL);
	KUNIT_ASSERT_NOT_NULL(b->test, b->fib);
	rtnl_lock();
	err = dev_open(lo, NULL);
	for (i = 0; i < b->prefixes->count && !err; i++) {
		const struct lpm_key *key = &b->prefixes->key[order[i]];
		struct fib_config config = {
			.fc_dst = htonl(key->word[0] >> 32),
			.fc_dst_len = key->len,
			.fc_type = RTN_UNICAST,
			.fc_scope = RT_SCOPE_LINK,
			.fc_protocol = RTPROT_STATIC,
			.fc_table = FIB_TABLE,
			.fc_oif = lo->ifindex,
			.fc_priority = order[i] % NEXTHOPS,
			.fc_nlflags = NLM_F_CREATE | NLM_F_EXCL,
			.fc_nlinfo.nl_net = &init_net,
		};

		failed += !!fib_table_insert(&init_net, b->fib, &config, NULL);
		cond_resched();
	}
	rtnl_unlock();
	KUNIT_ASSERT_EQ(b->test, 0, err);
	KUNIT_ASSERT_EQ(b->test, 0, failed);
}

static void empty_fib(struct bench *b)
{
	rtnl_lock();
	/* what was over the device is dead then, and can be flushed */
	dev_close(init_net.loopback_dev);
	fib_table_flush(&init_net, b->fib, true);
	rtnl_unlock();
	fib_free_table(b->fib);
}

/* An answer that differs from Linux's is wrong. */
static void compare_with_fib(struct bench *b)
{
	unsigned int i, wrong = 0;

	rcu_read_lock();
	for (i = 0; i < ADDRESSES; i++)
		wrong += by_fib(b, &b->address[i]) !=
			 by_route(b, &b->address[i]);
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(b->test, 0, wrong);
}

static void measure(struct bench *b, const char *which)
{
	u64 trie[RUNS], route[RUNS], fib[RUNS] = {};
	unsigned int i;
	u32 ns, fib_ns;

	for (i = 0; i < RUNS; i++) {
		trie[i] = time_lookups(b, by_trie);
		route[i] = time_lookups(b, by_route);
		if (have_fib(b))
			fib[i] = time_lookups(b, by_fib);
	}
	ns = median(trie);
	kunit_info(b->test, "figure %s_lpm_lookup_ns=%u.%u\n", which,
		   ns / 10, ns % 10);
	ns = median(route);
	kunit_info(b->test, "figure %s_nl31_route_lookup_ns=%u.%u\n",
		   which, ns / 10, ns % 10);
	if (!have_fib(b))
		return;
	compare_with_fib(b);
	fib_ns = median(fib);
	kunit_info(b->test, "figure %s_fib_table_lookup_ns=%u.%u\n",
		   which, fib_ns / 10, fib_ns % 10);
	kunit_info(b->test, "figure %s_times_faster=%u.%02u\n", which,
		   fib_ns / ns, fib_ns * 100 / ns % 100);
}

static void fill_table(struct bench *b)
{
	const unsigned int *order = prefixes_shuffled(b->test, b->prefixes);
	struct nl31_events nobody = { .table = b->table };
	struct nl31_path path = {
		.type = NL31_TYPE_UNICAST,
		.gateway = { 192, 0, 2 },
		.gateway_len = b->prefixes->bits / 8,
	};
	unsigned int i;

	mutex_lock(&b->table->lock);
	for (i = 0; i < b->prefixes->count; i++) {
		path.gateway[3] = order[i] % NEXTHOPS;
		if (nl31_edit_begin(b->table) ||
		    nl31_edit_set(b->table, b->prefixes->family,
				  &b->prefixes->key[order[i]], NULL, &path, 1))
			break;
		if (i % BATCH == 0 || i == b->prefixes->count - 1)
			nl31_edit_publish(b->table, &nobody);
	}
	mutex_unlock(&b->table->lock);
	KUNIT_ASSERT_EQ(b->test, i, b->prefixes->count);
}

static void bench(struct kunit *test, struct prefixes *p)
{
	struct bench b = { .test = test, .prefixes = p };
	struct rnd_state random;
	unsigned int i;

	random_begin(test, &random);
	b.table = kunit_kzalloc(test, sizeof(*b.table), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, b.table);
	b.address = kvmalloc_array(ADDRESSES, sizeof(*b.address), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, b.address);
	KUNIT_ASSERT_EQ(test, 0, nl31_table_init(b.table, &init_net));
	fill_table(&b);
	if (have_fib(&b))
		fill_fib(&b);

	for (i = 0; i < ADDRESSES; i++) {
		struct lpm_key key = {
			.word = { random_u64(&random), random_u64(&random) },
		};

		/* anywhere in the Internet, but for what is never routed */
		if (p->family == NL31_IPV4)
			key.word[0] = key.word[0] >> 8 |
				      (u64)(prandom_u32_state(&random) % 224)
				      << 56;
		else
			key.word[0] = key.word[0] >> 3 | 1ULL << 61;
		lpm_key_truncate(&key, p->bits);
		b.address[i] = key;
	}
	measure(&b, "random");
	for (i = 0; i < ADDRESSES; i++)
		b.address[i] = prefixes_inside(p, prandom_u32_state(&random) %
					       p->count, random_u64(&random));
	measure(&b, "in_table");

	if (have_fib(&b))
		empty_fib(&b);
	kvfree(b.address);
	nl31_table_release(b.table);
	nl31_table_workqueue_flush();
	nl31_table_exit(b.table);
}

static void made_ipv4(struct kunit *test)
{
	bench(test, prefixes_make(test, NL31_IPV4));
}

static void made_ipv6(struct kunit *test)
{
	bench(test, prefixes_make(test, NL31_IPV6));
}

static void real_ipv4(struct kunit *test)
{
	bench(test, prefixes_read(test, NL31_IPV4));
}

static void real_ipv6(struct kunit *test)
{
	bench(test, prefixes_read(test, NL31_IPV6));
}

static struct kunit_case lookup_bench_cases[] = {
	KUNIT_CASE_SLOW(made_ipv4),
	KUNIT_CASE_SLOW(made_ipv6),
	KUNIT_CASE_SLOW(real_ipv4),
	KUNIT_CASE_SLOW(real_ipv6),
	{}
};

static struct kunit_suite lookup_bench_suite = {
	.name = "nl31_lookup_bench",
	.test_cases = lookup_bench_cases,
};

kunit_test_suite(lookup_bench_suite);
