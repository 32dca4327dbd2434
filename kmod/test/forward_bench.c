// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long a packet takes from where it comes in until the device behind has freed
 * it, in nanoseconds: by nl31 in this namespace, and by Linux in one of its own with
 * the same routes. They take turns every few packets, so that what else the machine
 * does hits both alike. Linux's functions are not exported, so a module has nothing
 * to compare with.
 */
#include <kunit/test.h>
#include <linux/etherdevice.h>
#include <linux/inetdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/sort.h>
#include <linux/udp.h>
#include <linux/vmalloc.h>
#include <net/ip.h>
#include <net/ip6_fib.h>
#include <net/ip6_route.h>
#include <net/ip_fib.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>

#include "../namespace.h"
#include "capture.h"
#include "client.h"
#include "fill.h"
#include "random.h"

#define OUTS		4	/* devices that the gateways are behind */
#define BURST		64	/* packets between two looks at the clock */
#define TURN		16	/* bursts of one before it is the other's turn */
#define TURNS		32
#define DESTINATIONS	(TURNS * TURN * BURST)
#define RUNS		9
#define LEN		64

/**
 * struct forwarder - a namespace that forwards
 * @net: the namespace
 * @in: where packets come in
 * @out: where they leave
 * @time: of each turn in each run, in ns
 */
struct forwarder {
	struct net *net;
	struct net_device *in;
	struct net_device *out[OUTS];
	u64 time[TURNS][RUNS];
};

struct bench {
	struct kunit *test;
	const struct prefixes *prefixes;
	struct rnd_state random;
	struct socket *sock;
	struct forwarder nl31;
	struct forwarder linux_;
	struct lpm_key *address;
	struct client_message m;
};

static bool is_ipv4(const struct bench *b)
{
	return b->prefixes->family == NL31_IPV4;
}

/* What a module cannot call must not be left in one, which the compiler sees to. */
static bool have_linux(void)
{
	return IS_BUILTIN(CONFIG_NL31) && IS_ENABLED(CONFIG_INET) &&
	       IS_BUILTIN(CONFIG_IPV6) && IS_ENABLED(CONFIG_NET_NS);
}

/* 198.18.N.HOST of the prefixes /24 of the devices, the last one being @in's. */
static void address4(u8 *address, u8 n, u8 host)
{
	const u8 bytes[4] = { 198, 18, n, host };

	memcpy(address, bytes, sizeof(bytes));
}

/* 2001:2:0:N::HOST, of prefixes /64 */
static void address6(u8 *address, u8 n, u8 host)
{
	const u8 bytes[16] = { 0x20, 1, 0, 2, [7] = n, [15] = host };

	memcpy(address, bytes, sizeof(bytes));
}

static void gateway4(u8 *address, unsigned int nr)
{
	address4(address, nr % OUTS, 2 + nr / OUTS);
}

static void gateway6(u8 *address, unsigned int nr)
{
	address6(address, nr % OUTS, 2 + nr / OUTS);
}

static struct net_device *device(struct bench *b, struct forwarder *f,
				 const char *name, u8 n)
{
	struct net_device *dev = capture_open(b->test, f->net, name);
	u8 address[16];

	capture_discard(dev);
	address4(address, n, 1);
	capture_address(b->test, dev, AF_INET, address, 24);
	address6(address, n, 1);
	capture_address(b->test, dev, AF_INET6, address, 64);
	rtnl_lock();
	IN_DEV_CONF_SET(__in_dev_get_rtnl(dev), FORWARDING, true);
	WRITE_ONCE(f->net->ipv6.devconf_all->forwarding, true);
	rtnl_unlock();
	return dev;
}

static void open_forwarder(struct bench *b, struct forwarder *f, struct net *net)
{
	char name[] = "bench0";
	unsigned int i;

	f->net = net;
	for (i = 0; i < OUTS; i++) {
		name[5] = '0' + i;
		f->out[i] = device(b, f, name, i);
	}
	f->in = device(b, f, "benchin", OUTS);
}

/* Its routes go with it. */
static void close_forwarder(struct forwarder *f)
{
	unsigned int i;

	capture_close(f->in);
	for (i = 0; i < OUTS; i++)
		capture_close(f->out[i]);
}

static void ask(struct bench *b)
{
	client_send(b->test, b->sock, &b->m);
	KUNIT_EXPECT_EQ(b->test, 0, client_answer(b->test, b->sock).error);
}

static void open_nl31(struct bench *b)
{
	open_forwarder(b, &b->nl31, &init_net);
	client_message(&b->m, NL31_MSG_NEWPORT, NLM_F_CREATE | NLM_F_ACK);
	client_attr_u32(&b->m, NL31_PORT_IFINDEX, b->nl31.in->ifindex);
	ask(b);
	flush_delayed_work(&nl31_ns_find(&init_net)->router.mirror.work);
	fill_table(b->test, &nl31_ns_find(&init_net)->table, b->prefixes,
		   is_ipv4(b) ? gateway4 : gateway6);
}

static void close_nl31(struct bench *b)
{
	client_message(&b->m, NL31_MSG_DELROUTE, NLM_F_BULK | NLM_F_ACK);
	ask(b);
	close_forwarder(&b->nl31);
}

static int add_linux4(struct bench *b, const struct lpm_key *key,
		      unsigned int nr)
{
	struct fib_config config = {
		.fc_dst = htonl(key->word[0] >> 32),
		.fc_dst_len = key->len,
		.fc_type = RTN_UNICAST,
		.fc_scope = RT_SCOPE_UNIVERSE,
		.fc_protocol = RTPROT_STATIC,
		.fc_table = RT_TABLE_MAIN,
		.fc_gw_family = AF_INET,
		.fc_oif = b->linux_.out[nr % OUTS]->ifindex,
		.fc_nlflags = NLM_F_CREATE | NLM_F_EXCL,
		.fc_nlinfo.nl_net = b->linux_.net,
	};

	gateway4((u8 *)&config.fc_gw4, nr);
	return fib_table_insert(b->linux_.net,
				fib_get_table(b->linux_.net, RT_TABLE_MAIN),
				&config, NULL);
}

static int add_linux6(struct bench *b, const struct lpm_key *key,
		      unsigned int nr)
{
	__be64 word[2] = { cpu_to_be64(key->word[0]), cpu_to_be64(key->word[1]) };
	struct fib6_config config = {
		.fc_table = RT6_TABLE_MAIN,
		.fc_metric = IP6_RT_PRIO_USER,
		.fc_dst_len = key->len,
		.fc_ifindex = b->linux_.out[nr % OUTS]->ifindex,
		.fc_flags = RTF_UP | RTF_GATEWAY,
		.fc_type = RTN_UNICAST,
		.fc_protocol = RTPROT_STATIC,
		.fc_nlinfo.nl_net = b->linux_.net,
	};

	memcpy(&config.fc_dst, word, sizeof(word));
	gateway6((u8 *)&config.fc_gateway, nr);
	return ip6_route_add(&config, GFP_KERNEL, NULL);
}

static void open_linux(struct bench *b)
{
	const struct prefixes *p = b->prefixes;
	const unsigned int *order = prefixes_shuffled(b->test, p);
	unsigned int i, failed = 0;
	struct net *net;

	net = copy_net_ns(CLONE_NEWNET, &init_user_ns, &init_net);
	KUNIT_ASSERT_FALSE(b->test, IS_ERR(net));
	net->ipv6.sysctl.ip6_rt_max_size = INT_MAX;
	open_forwarder(b, &b->linux_, net);
	rtnl_lock();
	for (i = 0; i < p->count; i++) {
		const struct lpm_key *key = &p->key[order[i]];
		const unsigned int nr = order[i] % FILL_GATEWAYS;

		failed += !!(is_ipv4(b) ? add_linux4(b, key, nr) :
					  add_linux6(b, key, nr));
		cond_resched();
	}
	rtnl_unlock();
	KUNIT_ASSERT_EQ(b->test, 0, failed);
}

static void close_linux(struct bench *b)
{
	close_forwarder(&b->linux_);
	put_net(b->linux_.net);
}

static void put_ipv4(struct sk_buff *skb, const struct lpm_key *daddr)
{
	struct iphdr *iph = skb_put_zero(skb, sizeof(*iph));

	iph->version = 4;
	iph->ihl = 5;
	iph->tot_len = htons(LEN);
	iph->ttl = 64;
	iph->protocol = IPPROTO_UDP;
	address4((u8 *)&iph->saddr, OUTS, 9);
	iph->daddr = htonl(daddr->word[0] >> 32);
	ip_send_check(iph);
	skb->protocol = htons(ETH_P_IP);
}

static void put_ipv6(struct sk_buff *skb, const struct lpm_key *daddr)
{
	__be64 word[2] = { cpu_to_be64(daddr->word[0]), cpu_to_be64(daddr->word[1]) };
	struct ipv6hdr *iph = skb_put_zero(skb, sizeof(*iph));

	iph->version = 6;
	iph->payload_len = htons(LEN - sizeof(*iph));
	iph->nexthdr = IPPROTO_UDP;
	iph->hop_limit = 64;
	address6((u8 *)&iph->saddr, OUTS, 9);
	memcpy(&iph->daddr, word, sizeof(word));
	skb->protocol = htons(ETH_P_IPV6);
}

static struct sk_buff *packet(struct bench *b, struct net_device *dev,
			      const struct lpm_key *daddr)
{
	struct sk_buff *skb = alloc_skb(LEN + 128, GFP_KERNEL);
	struct udphdr *udp;

	KUNIT_ASSERT_NOT_NULL(b->test, skb);
	skb_reserve(skb, 64);
	skb_put_zero(skb, ETH_HLEN);
	skb_reset_mac_header(skb);
	__skb_pull(skb, ETH_HLEN);
	skb_reset_network_header(skb);
	if (is_ipv4(b))
		put_ipv4(skb, daddr);
	else
		put_ipv6(skb, daddr);
	udp = skb_put_zero(skb, LEN - skb->len);
	udp->dest = htons(9);
	skb->mark = CAPTURE_MARK;
	skb->pkt_type = PACKET_HOST;
	skb->dev = dev;
	return skb;
}

/* Nanoseconds for the packets to a burst's addresses. */
static u64 time_burst(struct bench *b, struct forwarder *f,
		      const struct lpm_key *address)
{
	struct sk_buff *skb[BURST];
	unsigned int i;
	u64 start;

	for (i = 0; i < BURST; i++)
		skb[i] = packet(b, f->in, &address[i]);
	local_bh_disable();
	start = ktime_get_ns();
	for (i = 0; i < BURST; i++)
		netif_receive_skb(skb[i]);
	start = ktime_get_ns() - start;
	local_bh_enable();
	return start;
}

static void time_turn(struct bench *b, struct forwarder *f, unsigned int turn,
		      unsigned int run)
{
	const struct lpm_key *address = &b->address[turn * TURN * BURST];
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i < TURN; i++)
		sum += time_burst(b, f, &address[i * BURST]);
	f->time[turn][run] = sum;
	cond_resched();
}

static int cmp_u64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/* Nanoseconds a packet: the turns' medians. */
static u32 median_ns(struct forwarder *f)
{
	unsigned int turn;
	u64 sum = 0;

	for (turn = 0; turn < TURNS; turn++) {
		sort(f->time[turn], RUNS, sizeof(u64), cmp_u64, NULL);
		sum += f->time[turn][RUNS / 2];
	}
	return div_u64(sum, DESTINATIONS);
}

static unsigned long left(const struct forwarder *f)
{
	unsigned long sum = 0;
	unsigned int i;

	for (i = 0; i < OUTS; i++)
		sum += capture_discarded(f->out[i]);
	return sum;
}

static void measure(struct bench *b, const char *which)
{
	const unsigned long nl31_before = left(&b->nl31);
	unsigned long linux_before = 0;
	unsigned int run, turn;
	u32 ns, linux_ns;

	if (have_linux())
		linux_before = left(&b->linux_);
	for (run = 0; run < RUNS; run++) {
		for (turn = 0; turn < TURNS; turn++) {
			time_turn(b, &b->nl31, turn, run);
			if (have_linux())
				time_turn(b, &b->linux_, turn, run);
		}
	}
	ns = median_ns(&b->nl31);
	kunit_info(b->test, "figure %s_nl31_ns=%u\n", which, ns);
	/* all of them have a route */
	KUNIT_EXPECT_EQ(b->test, left(&b->nl31) - nl31_before,
			(unsigned long)RUNS * DESTINATIONS);
	if (!have_linux())
		return;
	linux_ns = median_ns(&b->linux_);
	kunit_info(b->test, "figure %s_linux_ns=%u\n", which, linux_ns);
	kunit_info(b->test, "figure %s_forwards_times_faster=%u.%02u\n", which,
		   linux_ns / ns, linux_ns * 100 / ns % 100);
	KUNIT_EXPECT_EQ(b->test, left(&b->linux_) - linux_before,
			(unsigned long)RUNS * DESTINATIONS);
}

/* Is it an address that both forward to? Not special, and not of the links here. */
static bool is_forwarded(const struct bench *b, const struct lpm_key *address)
{
	const u8 first = address->word[0] >> 56;

	if (is_ipv4(b))
		return first && first != 127 && first < 224 &&
		       address->word[0] >> 48 != (198 << 8 | 18);
	return first >> 5 == 1 && address->word[0] >> 16 != 0x200100020000;
}

/* Such an address of any prefix. */
static struct lpm_key any_address(struct bench *b)
{
	const struct prefixes *p = b->prefixes;
	struct lpm_key address;

	do {
		address = prefixes_inside(p, prandom_u32_state(&b->random) %
					  p->count, random_u64(&b->random));
	} while (!is_forwarded(b, &address));
	return address;
}

/* Of @count popular addresses by Zipf's law: the n-th gets a share of 1 / n. */
static u32 popular(struct bench *b, u32 count)
{
	/* count to the power of a random number below 1 */
	u64 log = (u64)prandom_u32_state(&b->random) * (ilog2(count) + 1) >> 16;
	u32 rank = 1U << (log >> 16);

	rank += (u64)rank * (log & 0xffff) >> 16;
	return min(rank, count) - 1;
}

/* All to addresses of the table, of which @count are popular; 0: none is. */
static void measure_popular(struct bench *b, const char *which, u32 count)
{
	struct lpm_key *address;
	unsigned int i;

	address = vmalloc_array(count ? : 1, sizeof(*address));
	KUNIT_ASSERT_NOT_NULL(b->test, address);
	for (i = 0; i < count; i++)
		address[i] = any_address(b);
	for (i = 0; i < DESTINATIONS; i++)
		b->address[i] = count ? address[popular(b, count)] :
					any_address(b);
	vfree(address);
	measure(b, which);
}

static void bench(struct kunit *test, const struct prefixes *p)
{
	struct bench *b = vzalloc(sizeof(*b));

	KUNIT_ASSERT_NOT_NULL(test, b);
	b->test = test;
	b->prefixes = p;
	random_begin(test, &b->random);
	b->address = vmalloc_array(DESTINATIONS, sizeof(*b->address));
	KUNIT_ASSERT_NOT_NULL(test, b->address);
	b->sock = client_open(test);
	open_nl31(b);
	if (have_linux())
		open_linux(b);

	measure_popular(b, "any", 0);
	measure_popular(b, "popular_200000", 200000);
	measure_popular(b, "popular_1000", 1000);

	if (have_linux())
		close_linux(b);
	close_nl31(b);
	sock_release(b->sock);
	vfree(b->address);
	vfree(b);
}

/* The first of them: a table as small offices have. */
static struct prefixes *small(struct prefixes *p)
{
	p->count = min(p->count, 200U);
	return p;
}

static void small_forward_ipv4(struct kunit *test)
{
	bench(test, small(prefixes_make(test, NL31_IPV4)));
}

static void small_forward_ipv6(struct kunit *test)
{
	bench(test, small(prefixes_make(test, NL31_IPV6)));
}

static void real_forward_ipv4(struct kunit *test)
{
	bench(test, prefixes_read(test, NL31_IPV4));
}

static void real_forward_ipv6(struct kunit *test)
{
	bench(test, prefixes_read(test, NL31_IPV6));
}

static struct kunit_case forward_bench_cases[] = {
	KUNIT_CASE_SLOW(small_forward_ipv4),
	KUNIT_CASE_SLOW(small_forward_ipv6),
	KUNIT_CASE_SLOW(real_forward_ipv4),
	KUNIT_CASE_SLOW(real_forward_ipv6),
	{}
};

static struct kunit_suite forward_bench_suite = {
	.name = "nl31_forward_bench",
	.test_cases = forward_bench_cases,
};

kunit_test_suite(forward_bench_suite);
