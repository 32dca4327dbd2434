// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long a longest match takes, in nanoseconds, beside Linux's own table with
 * the same prefixes: medians of several runs, taken in turns every few
 * milliseconds, so that what else the machine does hits all alike. Linux's
 * functions are not exported, so a module has nothing to compare with.
 */
#include <kunit/test.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/sort.h>
#include <net/addrconf.h>
#include <net/ip6_fib.h>
#include <net/ip6_route.h>
#include <net/ip_fib.h>
#include <net/net_namespace.h>

#include "fill.h"
#include "prefixes.h"
#include "random.h"

#define ADDRESSES	131072
#define CHUNK		16384	/* addresses between two turns */
#define CHUNKS		(ADDRESSES / CHUNK)
#define RUNS		9

/* Table number that nothing in Linux uses. */
#define FIB_TABLE	0x4e4c3331

struct bench {
	struct kunit *test;
	struct prefixes *prefixes;
	struct nl31_table *table;
	struct fib_table *fib;
	struct fib6_table *fib6;
	struct lpm_key *address;
	u64 sum;
};

typedef u32 (*lookup_fn)(struct bench *b, const struct lpm_key *address);

static u32 by_trie(struct bench *b, const struct lpm_key *address)
{
	const enum nl31_family family = b->prefixes->family;
	u8 len = 0;

	nl31_lpm_lookup(&nl31_table_current(b->table)->trie[family], address, &len);
	return len;
}

static u32 by_route(struct bench *b, const struct lpm_key *address)
{
	struct lpm_key prefix;

	if (!nl31_table_lookup(b->table, b->prefixes->family, address, &prefix))
		return 0;
	return prefix.len;
}

static int cmp_u64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/*
 * Nanoseconds for the addresses of a chunk, which are looked up once before: what
 * the others have left in the caches does not count.
 */
static __always_inline u64 time_chunk(struct bench *b, unsigned int chunk,
				      lookup_fn lookup)
{
	const struct lpm_key *address = &b->address[chunk * CHUNK];
	u64 start = 0, sum = 0;
	unsigned int i, pass;

	rcu_read_lock();
	for (pass = 0; pass < 2; pass++) {
		start = ktime_get_ns();
		for (i = 0; i < CHUNK; i++)
			sum += lookup(b, &address[i]);
		start = ktime_get_ns() - start;
	}
	rcu_read_unlock();
	b->sum = sum;
	cond_resched();
	return start;
}

/* Tenths of a nanosecond a lookup: chunks' medians, added up. */
static u32 medians(u64 run[CHUNKS][RUNS])
{
	unsigned int chunk;
	u64 sum = 0;

	for (chunk = 0; chunk < CHUNKS; chunk++) {
		sort(run[chunk], RUNS, sizeof(u64), cmp_u64, NULL);
		sum += run[chunk][RUNS / 2];
	}
	return div_u64(sum * 10, ADDRESSES);
}

/* What a module cannot call must not be left in one, which the compiler sees to. */
static bool have_fib(const struct bench *b)
{
	return IS_BUILTIN(CONFIG_NL31) && IS_ENABLED(CONFIG_INET) &&
	       b->prefixes->family == NL31_IPV4;
}

static bool have_fib6(const struct bench *b)
{
	return IS_BUILTIN(CONFIG_NL31) && IS_BUILTIN(CONFIG_IPV6) &&
	       b->prefixes->family == NL31_IPV6;
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
			.fc_priority = order[i] % FILL_GATEWAYS,
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

static struct in6_addr in6_address(const struct lpm_key *key)
{
	__be64 word[2] = { cpu_to_be64(key->word[0]), cpu_to_be64(key->word[1]) };
	struct in6_addr address;

	memcpy(&address, word, sizeof(address));
	return address;
}

static u32 by_fib6(struct bench *b, const struct lpm_key *address)
{
	struct flowi6 flow = { .daddr = in6_address(address) };
	struct fib6_result result = {};

	fib6_table_lookup(&init_net, b->fib6, 0, &flow, &result, 0);
	if (result.f6i == init_net.ipv6.fib6_null_entry)
		return 0;
	return result.f6i->fib6_dst.plen;
}

static struct fib6_config fib6_config(const struct lpm_key *key)
{
	return (struct fib6_config) {
		.fc_table = RT6_TABLE_MAIN,
		.fc_metric = IP6_RT_PRIO_USER,
		.fc_dst = in6_address(key),
		.fc_dst_len = key->len,
		.fc_flags = RTF_UP | RTF_REJECT,
		.fc_type = RTN_UNREACHABLE,
		.fc_protocol = RTPROT_STATIC,
		.fc_nlinfo.nl_net = &init_net,
	};
}

/* The same routes in Linux's table. */
static void fill_fib6(struct bench *b)
{
	const unsigned int *order = prefixes_shuffled(b->test, b->prefixes);
	unsigned int i, failed = 0;

	b->fib6 = fib6_get_table(&init_net, RT6_TABLE_MAIN);
	KUNIT_ASSERT_NOT_NULL(b->test, b->fib6);
	init_net.ipv6.sysctl.ip6_rt_max_size = INT_MAX;
	rtnl_lock();
	for (i = 0; i < b->prefixes->count; i++) {
		struct fib6_config config = fib6_config(&b->prefixes->key[order[i]]);

		failed += !!ip6_route_add(&config, GFP_KERNEL, NULL);
		cond_resched();
	}
	rtnl_unlock();
	KUNIT_ASSERT_EQ(b->test, 0, failed);
}

static int is_made_here(struct fib6_info *route, void *unused)
{
	/* -1 deletes the route */
	return route->fib6_type == RTN_UNREACHABLE && route->fib6_protocol == RTPROT_STATIC ?
	       -1 : 0;
}

static void empty_fib6(void)
{
	fib6_clean_all(&init_net, is_made_here, NULL);
}

/* An answer that differs from Linux's is wrong. */
static void compare_with_fib(struct bench *b, lookup_fn by_linux)
{
	unsigned int i, wrong = 0;

	rcu_read_lock();
	for (i = 0; i < ADDRESSES; i++)
		wrong += by_linux(b, &b->address[i]) !=
			 by_route(b, &b->address[i]);
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(b->test, 0, wrong);
}

struct times {
	u64 trie[CHUNKS][RUNS];
	u64 route[CHUNKS][RUNS];
	u64 fib[CHUNKS][RUNS];
};

static void measure(struct bench *b, const char *which)
{
	struct times *t = kunit_kzalloc(b->test, sizeof(*t), GFP_KERNEL);
	const char *name = have_fib6(b) ? "fib6" : "fib";
	unsigned int run, i;
	u32 ns, fib_ns;

	KUNIT_ASSERT_NOT_NULL(b->test, t);
	for (run = 0; run < RUNS; run++) {
		for (i = 0; i < CHUNKS; i++) {
			t->trie[i][run] = time_chunk(b, i, by_trie);
			t->route[i][run] = time_chunk(b, i, by_route);
			if (have_fib(b))
				t->fib[i][run] = time_chunk(b, i, by_fib);
			if (have_fib6(b))
				t->fib[i][run] = time_chunk(b, i, by_fib6);
		}
	}
	ns = medians(t->route);
	kunit_info(b->test, "figure %s_nl31_table_lookup_ns=%u.%u\n",
		   which, ns / 10, ns % 10);
	ns = medians(t->trie);
	kunit_info(b->test, "figure %s_lpm_lookup_ns=%u.%u\n", which,
		   ns / 10, ns % 10);
	if (have_fib(b))
		compare_with_fib(b, by_fib);
	else if (have_fib6(b))
		compare_with_fib(b, by_fib6);
	else
		return;
	fib_ns = medians(t->fib);
	kunit_info(b->test, "figure %s_%s_table_lookup_ns=%u.%u\n", which, name,
		   fib_ns / 10, fib_ns % 10);
	kunit_info(b->test, "figure %s_times_faster=%u.%02u\n", which,
		   fib_ns / ns, fib_ns * 100 / ns % 100);
}

static void gateway(u8 *address, unsigned int nr)
{
	const u8 first[4] = { 192, 0, 2, nr };

	memcpy(address, first, sizeof(first));
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
	fill_table(test, b.table, p, gateway);
	if (have_fib(&b))
		fill_fib(&b);
	if (have_fib6(&b))
		fill_fib6(&b);

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
		nl31_lpm_key_truncate(&key, p->bits);
		b.address[i] = key;
	}
	measure(&b, "random");
	for (i = 0; i < ADDRESSES; i++)
		b.address[i] = prefixes_inside(p, prandom_u32_state(&random) %
					       p->count, random_u64(&random));
	measure(&b, "in_table");

	if (have_fib(&b))
		empty_fib(&b);
	if (have_fib6(&b))
		empty_fib6();
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
