// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the table forwards, Linux would have forwarded in the same way.
 *
 * The same packets, many of them malformed, come in twice: on a port that leaves all to
 * Linux, and when the table has the same routes. What leaves by any device must be the
 * same, byte for byte, errors and fragments included, and so must be Linux's counters.
 *
 * Right differences, which are kept out here:
 * - Redirects are not sent, and the source of what leaves by the device that it came in
 *   by is not checked, as Linux does where it sends them.
 * - Of errors of routes that lead nowhere, Linux allows each sender only some, beside the
 *   limits on all ICMP errors. All limits are off here.
 * - The identification of packets that the router sends itself is a random number.
 */
#include <linux/etherdevice.h>
#include <linux/if_ether.h>
#include <linux/inetdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/moduleparam.h>
#include <linux/rtnetlink.h>
#include <net/icmp.h>
#include <net/inetpeer.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>

#include "../namespace.h"
#include "capture.h"
#include "client.h"
#include "mutant.h"
#include "random.h"

static unsigned int packets = 3000;
module_param(packets, uint, 0444);
MODULE_PARM_DESC(packets, "How many packets are forwarded as Linux does");

/* After so many, more would say no more. */
#define FAILURES_MAX	10

#define OUTCOME_MAX	16384
#define DEVICES		3

#define MIBS	(IPSTATS_MIB_MAX + IPSTATS_MIB_MAX + ICMP_MIB_MAX + ICMP6_MIB_MAX)

/**
 * struct outcome - what became of a packet
 * @mib: by how much Linux's counters have moved
 * @handed_up: by how much the port's have: packets left to Linux
 * @counted: all
 * @len: bytes in @data
 * @data: what has left: by packet its device, priority, length and bytes
 */
struct outcome {
	u64 mib[MIBS];
	u64 handed_up;
	u64 counted;
	unsigned int len;
	u8 data[OUTCOME_MAX];
};

struct differential_test {
	struct kunit *test;
	struct socket *sock;
	struct net_device *dev[DEVICES];
	struct client_message m;
	struct rnd_state random;
	struct mutant mutant;
	struct outcome linux_;
	struct outcome nl31;
	u8 seen[MUTANT_MAX];
	int ratemask4;
	unsigned long ratemask6[BITS_TO_LONGS(ICMPV6_MSG_MAX + 1)];
	bool redirects;
};

static void ask(struct differential_test *d)
{
	client_send(d->test, d->sock, &d->m);
	KUNIT_ASSERT_EQ(d->test, 0, client_answer(d->test, d->sock).error);
}

/* A route of nl31, and the same of Linux unless @len is longer than @linux_len. */
static void route(struct differential_test *d, const u8 *prefix, u8 size, u8 len,
		  u8 linux_len, u8 type, unsigned int dev)
{
	const u8 gateway6[16] = { 0x20, 1, 0xd, 0xb8, 0, dev + 1, [15] = 9 };
	const u8 gateway4[4] = { 198, 51, dev + 1, 9 };
	const u8 *gateway = size == 4 ? gateway4 : gateway6;
	const bool is_unicast = type == NL31_TYPE_UNICAST;

	client_message(&d->m, NL31_MSG_NEWROUTE, NLM_F_CREATE | NLM_F_ACK);
	client_attr(&d->m, NL31_ROUTE_DST, prefix, size);
	client_attr_u8(&d->m, NL31_ROUTE_DST_LEN, len);
	client_attr_u8(&d->m, NL31_ROUTE_TYPE, type);
	if (is_unicast) {
		client_attr(&d->m, NL31_ROUTE_GATEWAY, gateway, size);
		client_attr_u32(&d->m, NL31_ROUTE_OIF, d->dev[dev]->ifindex);
	}
	ask(d);
	/* the types have the same numbers */
	if (linux_len == len)
		capture_route(d->test, &init_net,
			      size == 4 ? AF_INET : AF_INET6, type, prefix, len,
			      is_unicast ? d->dev[dev] : NULL,
			      is_unicast ? gateway : NULL);
}

static void routes(struct differential_test *d, bool is_ipv6)
{
	static const struct {
		u8 type;
		u8 dev;
	} to[] = {
		[1] = { NL31_TYPE_UNICAST, 1 },
		[2] = { NL31_TYPE_UNICAST, 2 },
		[3] = { NL31_TYPE_UNREACHABLE },
		[4] = { NL31_TYPE_PROHIBIT },
		[5] = { NL31_TYPE_BLACKHOLE },
		/* there is none to 6 */
		[7] = { NL31_TYPE_UNICAST, 0 },
		[8] = { NL31_TYPE_UNICAST, 1 },
	};
	const u8 size = is_ipv6 ? 16 : 4, len = is_ipv6 ? 48 : 24;
	u8 prefix[16] = { 203 };
	unsigned int n;

	if (is_ipv6)
		memcpy(prefix, "\x20\x01\x0d\xb9", 4);
	for (n = 1; n < ARRAY_SIZE(to); n++) {
		prefix[is_ipv6 ? 5 : 2] = n;
		if (to[n].type)
			route(d, prefix, size, len, len, to[n].type, to[n].dev);
	}
	/* the last one by a longer prefix of the table's, too */
	route(d, prefix, size, len + 1, len, NL31_TYPE_UNICAST, 1);
	/* back to the senders */
	memset(prefix, 0, sizeof(prefix));
	if (is_ipv6)
		memcpy(prefix, "\x20\x01\x0d\xba", 4);
	else
		prefix[0] = 10;
	route(d, prefix, size, is_ipv6 ? 32 : 8, is_ipv6 ? 32 : 8,
	      NL31_TYPE_UNICAST, 0);
	/* class E is like any other */
	memcpy(prefix, "\xf0\x01\x01\0", 4);
	if (!is_ipv6)
		route(d, prefix, size, 24, 24, NL31_TYPE_UNICAST, 1);
}

static void set_forwarding(struct differential_test *d, bool on)
{
	struct net *net = &init_net;
	unsigned int i;

	rtnl_lock();
	for (i = 0; i < DEVICES; i++) {
		IN_DEV_CONF_SET(__in_dev_get_rtnl(d->dev[i]), FORWARDING, on);
		IN_DEV_CONF_SET(__in_dev_get_rtnl(d->dev[i]), SEND_REDIRECTS, false);
	}
	if (on)
		d->redirects = IPV4_DEVCONF_ALL(net, SEND_REDIRECTS);
	IPV4_DEVCONF_ALL(net, SEND_REDIRECTS) = !on && d->redirects;
	WRITE_ONCE(net->ipv6.devconf_all->forwarding, on);
	rtnl_unlock();
}

/* No limits on errors: what is answered does not depend on what was before. */
static void lift_limits(struct differential_test *d)
{
	struct net *net = &init_net;

	d->ratemask4 = net->ipv4.sysctl_icmp_ratemask;
	net->ipv4.sysctl_icmp_ratemask = 0;
	bitmap_copy(d->ratemask6, net->ipv6.sysctl.icmpv6_ratemask,
		    ICMPV6_MSG_MAX + 1);
	bitmap_zero(net->ipv6.sysctl.icmpv6_ratemask, ICMPV6_MSG_MAX + 1);
}

static void restore_limits(struct differential_test *d)
{
	struct net *net = &init_net;

	net->ipv4.sysctl_icmp_ratemask = d->ratemask4;
	bitmap_copy(net->ipv6.sysctl.icmpv6_ratemask, d->ratemask6,
		    ICMPV6_MSG_MAX + 1);
}

static int set_up(struct kunit *test)
{
	static const char *const names[DEVICES] = { "in", "out", "other" };
	struct differential_test *d;
	unsigned int i;

	d = kunit_kzalloc(test, sizeof(*d), GFP_KERNEL);
	if (!d)
		return -ENOMEM;
	d->test = test;
	test->priv = d;
	d->sock = client_open(test);
	for (i = 0; i < DEVICES; i++) {
		const u8 ipv6[16] = { 0x20, 1, 0xd, 0xb8, 0, i + 1, [15] = 1 };
		const u8 ipv4[4] = { 198, 51, i + 1, 1 };

		d->dev[i] = capture_open(test, &init_net, names[i]);
		capture_address(test, d->dev[i], AF_INET, ipv4, 24);
		capture_address(test, d->dev[i], AF_INET6, ipv6, 64);
	}
	rtnl_lock();
	KUNIT_EXPECT_EQ(test, 0, dev_set_mtu(d->dev[2], 1300));
	rtnl_unlock();
	set_forwarding(d, true);
	lift_limits(d);
	client_message(&d->m, NL31_MSG_NEWPORT, NLM_F_CREATE | NLM_F_ACK);
	client_attr_u32(&d->m, NL31_PORT_IFINDEX, d->dev[0]->ifindex);
	ask(d);
	routes(d, false);
	routes(d, true);
	flush_delayed_work(&nl31_ns_find(&init_net)->router.mirror.work);
	return 0;
}

static void tear_down(struct kunit *test)
{
	struct differential_test *d = test->priv;
	unsigned int i;

	restore_limits(d);
	set_forwarding(d, false);
	client_message(&d->m, NL31_MSG_DELROUTE, NLM_F_BULK | NLM_F_ACK);
	ask(d);
	for (i = 0; i < DEVICES; i++)
		capture_close(d->dev[i]);
	sock_release(d->sock);
}

static struct sk_buff *mutant_skb(struct differential_test *d)
{
	const struct mutant *m = &d->mutant;
	const unsigned int rest = m->len - m->linear;
	struct page *page;
	struct sk_buff *skb;

	skb = alloc_skb(64 + ETH_HLEN + m->linear, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(d->test, skb);
	skb_reserve(skb, 64);
	skb_reset_mac_header(skb);
	memset(skb_put(skb, ETH_HLEN), 0, ETH_HLEN);
	skb_pull(skb, ETH_HLEN);
	skb_reset_network_header(skb);
	skb_put_data(skb, m->data, m->linear);
	if (rest) {
		page = alloc_page(GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(d->test, page);
		memcpy(page_address(page), m->data + m->linear, rest);
		skb_add_rx_frag(skb, 0, page, 0, rest, PAGE_SIZE);
	}
	skb->protocol = m->is_ipv6 ? htons(ETH_P_IPV6) : htons(ETH_P_IP);
	skb->pkt_type = m->pkt_type;
	skb->dev = d->dev[0];
	return skb;
}

static void add_mibs(u64 *at, void __percpu *mib, unsigned int count,
		     size_t syncp, s64 sign)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		at[i] += sign * (syncp ? snmp_fold_field64(mib, i, syncp) :
					 snmp_fold_field(mib, i));
}

/* Called once before and once after. */
static void count(struct differential_test *d, struct outcome *o, s64 sign)
{
	const struct nl31_port *port = nl31_port_of(d->dev[0]);
	struct net *net = &init_net;
	u64 *at = o->mib;
	unsigned int i;

	add_mibs(at, net->mib.ip_statistics, IPSTATS_MIB_MAX,
		 offsetof(struct ipstats_mib, syncp), sign);
	at += IPSTATS_MIB_MAX;
	add_mibs(at, net->mib.ipv6_statistics, IPSTATS_MIB_MAX,
		 offsetof(struct ipstats_mib, syncp), sign);
	at += IPSTATS_MIB_MAX;
	add_mibs(at, net->mib.icmp_statistics, ICMP_MIB_MAX, 0, sign);
	at += ICMP_MIB_MAX;
	add_mibs(at, net->mib.icmpv6_statistics, ICMP6_MIB_MAX, 0, sign);
	for (i = 0; i < NL31_PORT_COUNTS; i++)
		o->counted += sign * nl31_port_counted(port, i);
	o->handed_up += sign * nl31_port_counted(port, NL31_PORT_COUNT_HANDED_UP);
}

/* Of IPv4 and IPv6 themselves, at any time: groups, addresses; and redirects. */
static bool is_noise(const struct sk_buff *skb)
{
	const struct ipv6hdr *ip6 = (const void *)skb->data;
	const struct iphdr *ip4 = (const void *)skb->data;

	if (skb->protocol == htons(ETH_P_IP))
		return ip4->protocol == IPPROTO_IGMP;
	if (skb->protocol != htons(ETH_P_IPV6))
		return true;
	if (ipv6_addr_any(&ip6->saddr))
		return ipv6_addr_is_multicast(&ip6->daddr);
	/* the mutants have another one */
	return ipv6_addr_type(&ip6->saddr) & IPV6_ADDR_LINKLOCAL &&
	       ip6->saddr.s6_addr[8];
}

/* Of the router's own packets the identification is random. */
static void normalise(struct sk_buff *skb)
{
	struct ipv6hdr *ip6 = (void *)skb->data;
	struct iphdr *ip4 = (void *)skb->data;

	if (skb->protocol == htons(ETH_P_IP)) {
		if ((ntohl(ip4->saddr) & 0xffff00ff) != 0xc6330001)
			return;
		ip4->id = 0;
		ip4->check = 0;
	} else if (ip6->nexthdr == NEXTHDR_FRAGMENT &&
		   ip6->saddr.s6_addr32[0] == htonl(0x20010db8)) {
		((struct frag_hdr *)(ip6 + 1))->identification = 0;
	}
}

static void keep(struct differential_test *d, struct outcome *o, unsigned int dev,
		 struct sk_buff *skb)
{
	const u32 head[] = { dev, skb->priority, skb->len };

	KUNIT_ASSERT_EQ(d->test, 0, skb_linearize(skb));
	if (is_noise(skb))
		return;
	normalise(skb);
	if (o->len + sizeof(head) + skb->len > OUTCOME_MAX) {
		KUNIT_FAIL(d->test, "more has left than there is room for");
		return;
	}
	memcpy(o->data + o->len, head, sizeof(head));
	memcpy(o->data + o->len + sizeof(head), skb->data, skb->len);
	o->len += sizeof(head) + skb->len;
}

static void fill_peer(struct inet_peer *peer)
{
	if (!peer)
		return;
	peer->rate_tokens = 0;
	peer->rate_last = jiffies - 60 * HZ;
}

/* As if no error and no redirect had been sent for a minute. */
static void fill_budgets(const struct mutant *m)
{
	const struct ipv6hdr *ip6 = (const void *)m->data;
	const struct iphdr *ip4 = (const void *)m->data;
	struct net *net = &init_net;

	rcu_read_lock();
	if (m->is_ipv6) {
		fill_peer(inet_getpeer_v6(net->ipv6.peers, &ip6->saddr));
		fill_peer(inet_getpeer_v6(net->ipv6.peers, &ip6->daddr));
	} else {
		fill_peer(inet_getpeer_v4(net->ipv4.peers, ip4->saddr, 0));
	}
	rcu_read_unlock();
}

static void run(struct differential_test *d, bool by_table, struct outcome *o)
{
	struct sk_buff *skb = mutant_skb(d), *other = NULL;
	unsigned int i;

	rtnl_lock();
	nl31_port_set(nl31_port_of(d->dev[0]), by_table, NL31_URPF_OFF);
	rtnl_unlock();
	for (i = 0; i < DEVICES; i++)
		capture_flush(d->dev[i]);
	memset(o, 0, offsetof(struct outcome, data));
	if (d->mutant.is_shared)
		other = skb_clone(skb, GFP_KERNEL);
	fill_budgets(&d->mutant);
	local_bh_disable();
	count(d, o, -1);
	netif_receive_skb(skb);
	count(d, o, 1);
	local_bh_enable();
	for (i = 0; i < DEVICES; i++) {
		while ((skb = capture_sent(d->dev[i]))) {
			skb_pull(skb, ETH_HLEN);
			keep(d, o, i, skb);
			kfree_skb(skb);
		}
	}
	if (!other)
		return;
	KUNIT_EXPECT_EQ(d->test, 0, skb_copy_bits(other, 0, d->seen,
						  d->mutant.len));
	KUNIT_EXPECT_MEMEQ(d->test, d->seen, d->mutant.data, d->mutant.len);
	kfree_skb(other);
}

/* Returns what differs, or NULL. */
static const char *difference(const struct differential_test *d)
{
	const struct outcome *a = &d->linux_, *b = &d->nl31;

	if (a->len != b->len || memcmp(a->data, b->data, a->len))
		return "what has left";
	if (memcmp(a->mib, b->mib, sizeof(a->mib)))
		return "Linux's counters";
	if (a->counted != a->handed_up || a->counted != b->counted)
		return "the port's counters";
	return NULL;
}

static void show(struct differential_test *d, const char *what, unsigned int nr)
{
	const struct mutant *m = &d->mutant;
	unsigned int i;

	KUNIT_FAIL(d->test, "packet %u: %s: %u bytes by Linux, %u by nl31", nr,
		   what, d->linux_.len, d->nl31.len);
	kunit_info(d->test, "counted %llu, handed up %llu\n", d->nl31.counted,
		   d->nl31.handed_up);
	kunit_info(d->test, "len %u pkt_type %u: %*ph\n", m->len, m->pkt_type,
		   64, m->data);
	kunit_info(d->test, "linux: %*ph\n", 64, d->linux_.data);
	kunit_info(d->test, "nl31: %*ph\n", 64, d->nl31.data);
	for (i = 0; i < MIBS; i++)
		if (d->linux_.mib[i] != d->nl31.mib[i])
			kunit_info(d->test, "mib %u: %llu by Linux, %llu by nl31\n",
				   i, d->linux_.mib[i], d->nl31.mib[i]);
}

static void packets_leave_as_linux_sends_them(struct kunit *test)
{
	struct differential_test *d = test->priv;
	unsigned int i, failures = 0, left = 0, by_table = 0;

	random_begin(test, &d->random);
	for (i = 0; i < packets && failures < FAILURES_MAX; i++) {
		const char *what;

		mutant_make(&d->mutant, &d->random);
		run(d, false, &d->linux_);
		run(d, true, &d->nl31);
		what = difference(d);
		if (what) {
			show(d, what, i);
			failures++;
		}
		left += !!d->nl31.len;
		by_table += d->nl31.counted - d->nl31.handed_up;
		cond_resched();
	}
	kunit_info(test, "figure packets=%u answered_or_sent=%u by_table=%u\n", i,
		   left, by_table);
	KUNIT_EXPECT_GT(test, left, i / 4);
	KUNIT_EXPECT_GT(test, by_table, i / 4);
}

static struct kunit_case differential_cases[] = {
	KUNIT_CASE(packets_leave_as_linux_sends_them),
	{}
};

static struct kunit_suite differential_suite = {
	.name = "nl31_differential",
	.init = set_up,
	.exit = tear_down,
	.test_cases = differential_cases,
};

kunit_test_suite(differential_suite);
