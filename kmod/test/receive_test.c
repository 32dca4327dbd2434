// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of forwarding: packets come in on one device, and what leaves by another, or
 * comes back as an error, is looked at byte by byte.
 */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/inetdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/rtnetlink.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>

#include "../namespace.h"
#include "capture.h"
#include "client.h"

#define PAYLOAD	64

struct receive_test {
	struct kunit *test;
	int ratelimit;
	u64 handed_up;
	struct socket *sock;
	struct net_device *in;
	struct net_device *out;
	struct net_device *other;
	struct client_message m;
};

/* 198.51.N.1 and 2001:db8:N::1 */
static void address(struct receive_test *r, struct net_device *dev, u8 n)
{
	const u8 ipv6[16] = { 0x20, 1, 0xd, 0xb8, 0, n, [15] = 1 };
	const u8 ipv4[4] = { 198, 51, n, 1 };

	capture_address(r->test, dev, AF_INET, ipv4, 24);
	capture_address(r->test, dev, AF_INET6, ipv6, 64);
}

static void forwarding(struct net_device *dev, bool on)
{
	rtnl_lock();
	IN_DEV_CONF_SET(__in_dev_get_rtnl(dev), FORWARDING, on);
	WRITE_ONCE(dev_net(dev)->ipv6.devconf_all->forwarding, on);
	rtnl_unlock();
}

static void ask(struct receive_test *r)
{
	client_send(r->test, r->sock, &r->m);
	KUNIT_EXPECT_EQ(r->test, 0, client_answer(r->test, r->sock).error);
}

static void port(struct receive_test *r, struct net_device *dev, u8 urpf)
{
	client_message(&r->m, NL31_MSG_NEWPORT,
		       NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK);
	client_attr_u32(&r->m, NL31_PORT_IFINDEX, dev->ifindex);
	client_attr_u8(&r->m, NL31_PORT_URPF, urpf);
	ask(r);
}

/* To 203.0.N.0/24 and 2001:db9:N::/48, by a gateway behind @dev where it is given. */
static void route(struct receive_test *r, u8 n, u8 type, struct net_device *dev,
		  u8 gateway_net, u32 metric)
{
	const u8 dst4[4] = { 203, 0, n }, dst6[16] = { 0x20, 1, 0xd, 0xb9, 0, n };
	const u8 via4[4] = { 198, 51, gateway_net, 9 };
	const u8 via6[16] = { 0x20, 1, 0xd, 0xb8, 0, gateway_net, [15] = 9 };
	bool is_ipv6;
	int i;

	for (i = 0; i < 2; i++) {
		is_ipv6 = i;
		client_message(&r->m, NL31_MSG_NEWROUTE,
			       NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK);
		client_attr(&r->m, NL31_ROUTE_DST, is_ipv6 ? dst6 : dst4,
			    is_ipv6 ? 16 : 4);
		client_attr_u8(&r->m, NL31_ROUTE_DST_LEN, is_ipv6 ? 48 : 24);
		client_attr_u8(&r->m, NL31_ROUTE_TYPE, type);
		client_attr_u32(&r->m, NL31_ROUTE_METRIC, metric);
		if (gateway_net)
			client_attr(&r->m, NL31_ROUTE_GATEWAY,
				    is_ipv6 ? via6 : via4, is_ipv6 ? 16 : 4);
		if (dev)
			client_attr_u32(&r->m, NL31_ROUTE_OIF, dev->ifindex);
		ask(r);
	}
}

static void delete_routes(struct receive_test *r)
{
	client_message(&r->m, NL31_MSG_DELROUTE, NLM_F_BULK | NLM_F_ACK);
	ask(r);
}

static int set_up(struct kunit *test)
{
	struct receive_test *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);

	if (!r)
		return -ENOMEM;
	r->test = test;
	test->priv = r;
	r->ratelimit = init_net.ipv4.sysctl_icmp_ratelimit;
	init_net.ipv4.sysctl_icmp_ratelimit = 0;
	r->sock = client_open(test);
	r->in = capture_open(test, &init_net, "in");
	r->out = capture_open(test, &init_net, "out");
	r->other = capture_open(test, &init_net, "other");
	address(r, r->in, 1);
	address(r, r->out, 2);
	address(r, r->other, 3);
	forwarding(r->in, true);
	port(r, r->in, NL31_URPF_OFF);
	flush_delayed_work(&nl31_ns_find(&init_net)->router.mirror.work);
	return 0;
}

static void tear_down(struct kunit *test)
{
	struct receive_test *r = test->priv;

	forwarding(r->in, false);
	delete_routes(r);
	capture_close(r->in);
	capture_close(r->out);
	capture_close(r->other);
	sock_release(r->sock);
	init_net.ipv4.sysctl_icmp_ratelimit = r->ratelimit;
}

static u64 counted(struct receive_test *r, enum nl31_port_count what)
{
	u64 count;

	rtnl_lock();
	count = nl31_port_counted(nl31_port_of(r->in), what);
	rtnl_unlock();
	return count;
}

static struct sk_buff *packet(struct receive_test *r, unsigned int len,
			      __be16 protocol)
{
	struct sk_buff *skb = alloc_skb(len + 128, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(r->test, skb);
	skb_reserve(skb, 64);
	skb_push(skb, ETH_HLEN);
	skb_reset_mac_header(skb);
	skb_pull(skb, ETH_HLEN);
	skb_reset_network_header(skb);
	skb_put_zero(skb, len);
	skb->protocol = protocol;
	skb->pkt_type = PACKET_HOST;
	skb->dev = r->in;
	return skb;
}

/* From a host behind the gateway of r->in. */
static struct sk_buff *packet4(struct receive_test *r, u32 daddr, u8 ttl,
			       unsigned int len, u8 options)
{
	struct sk_buff *skb = packet(r, len, htons(ETH_P_IP));
	struct iphdr *iph = ip_hdr(skb);

	iph->version = 4;
	iph->ihl = 5 + options;
	iph->tot_len = htons(len);
	iph->frag_off = htons(IP_DF);
	iph->ttl = ttl;
	iph->protocol = IPPROTO_UDP;
	iph->saddr = htonl(0xc6330107);
	iph->daddr = htonl(daddr);
	ip_send_check(iph);
	return skb;
}

static struct sk_buff *packet6(struct receive_test *r, u8 n, u8 hops,
			       unsigned int len)
{
	struct sk_buff *skb = packet(r, len, htons(ETH_P_IPV6));
	struct ipv6hdr *iph = ipv6_hdr(skb);

	iph->version = 6;
	iph->payload_len = htons(len - sizeof(*iph));
	iph->nexthdr = IPPROTO_UDP;
	iph->hop_limit = hops;
	iph->saddr.s6_addr32[0] = htonl(0x20010db8);
	iph->saddr.s6_addr16[2] = htons(1);
	iph->saddr.s6_addr[15] = 7;
	iph->daddr.s6_addr32[0] = htonl(0x20010db9);
	iph->daddr.s6_addr16[2] = htons(n);
	iph->daddr.s6_addr[15] = 8;
	return skb;
}

#define TO4(n)	(0xcb000008 | (n) << 8)	/* 203.0.n.8 */

static void come_in(struct sk_buff *skb)
{
	local_bh_disable();
	netif_receive_skb(skb);
	local_bh_enable();
}

/* The next packet that was sent, at its IP header, but for neighbour discovery. */
static struct sk_buff *next(struct net_device *dev)
{
	struct sk_buff *skb;

	while ((skb = capture_sent(dev))) {
		skb_pull(skb, ETH_HLEN);
		skb_reset_network_header(skb);
		if (skb->protocol != htons(ETH_P_IPV6) ||
		    ipv6_hdr(skb)->nexthdr == IPPROTO_UDP)
			return skb;
		if (ipv6_hdr(skb)->nexthdr == IPPROTO_ICMPV6 &&
		    skb->data[sizeof(struct ipv6hdr)] < ICMPV6_ECHO_REQUEST)
			return skb;
		kfree_skb(skb);
	}
	return NULL;
}

static void expect_nothing(struct receive_test *r, struct net_device *dev)
{
	struct sk_buff *skb = next(dev);

	KUNIT_EXPECT_NULL_MSG(r->test, skb, "on %s", dev->name);
	kfree_skb(skb);
}

static void expect_forwarded(struct receive_test *r, struct net_device *dev,
			     u8 ttl)
{
	struct sk_buff *skb = next(dev);

	KUNIT_EXPECT_NOT_NULL_MSG(r->test, skb, "on %s", dev->name);
	if (!skb)
		return;
	if (skb->protocol == htons(ETH_P_IP)) {
		KUNIT_EXPECT_EQ(r->test, ip_hdr(skb)->ttl, ttl);
		KUNIT_EXPECT_EQ(r->test, 0, ip_fast_csum(skb->data, 5));
	} else {
		KUNIT_EXPECT_EQ(r->test, ipv6_hdr(skb)->hop_limit, ttl);
	}
	kfree_skb(skb);
	expect_nothing(r, dev);
}

/* An error has come back to the sender. Returns what its second word says. */
static u32 expect_error(struct receive_test *r, u8 type, u8 code)
{
	struct sk_buff *skb = next(r->in);
	unsigned int at;
	__be32 value;

	KUNIT_EXPECT_NOT_NULL_MSG(r->test, skb, "error %u, %u", type, code);
	if (!skb)
		return 0;
	at = skb->protocol == htons(ETH_P_IP) ? sizeof(struct iphdr) :
						sizeof(struct ipv6hdr);
	KUNIT_EXPECT_EQ(r->test, skb->data[at], type);
	KUNIT_EXPECT_EQ(r->test, skb->data[at + 1], code);
	memcpy(&value, skb->data + at + 4, sizeof(value));
	kfree_skb(skb);
	return be32_to_cpu(value);
}

static void packet_follows_its_route(struct kunit *test)
{
	struct receive_test *r = test->priv;

	route(r, 1, NL31_TYPE_UNICAST, r->out, 2, 0);
	route(r, 2, NL31_TYPE_UNICAST, r->other, 0, 0);
	come_in(packet4(r, TO4(1), 64, PAYLOAD, 0));
	expect_forwarded(r, r->out, 63);
	come_in(packet4(r, TO4(2), 2, PAYLOAD, 0));
	expect_forwarded(r, r->other, 1);
	come_in(packet6(r, 1, 64, PAYLOAD));
	expect_forwarded(r, r->out, 63);
	come_in(packet6(r, 2, 64, PAYLOAD));
	expect_forwarded(r, r->other, 63);
	KUNIT_EXPECT_EQ(test, 4, counted(r, NL31_PORT_COUNT_FORWARDED));
	KUNIT_EXPECT_EQ(test, 0, counted(r, NL31_PORT_COUNT_HANDED_UP));
	expect_nothing(r, r->in);
}

/* A gateway without a device is behind the connected prefix that covers it. */
static void gateway_is_found_behind_connected_prefix(struct kunit *test)
{
	struct receive_test *r = test->priv;

	route(r, 1, NL31_TYPE_UNICAST, NULL, 2, 0);
	come_in(packet4(r, TO4(1), 64, PAYLOAD, 0));
	expect_forwarded(r, r->out, 63);
	come_in(packet6(r, 1, 64, PAYLOAD));
	expect_forwarded(r, r->out, 63);
	/* to none */
	route(r, 2, NL31_TYPE_UNICAST, NULL, 77, 0);
	come_in(packet4(r, TO4(2), 64, PAYLOAD, 0));
	expect_error(r, ICMP_DEST_UNREACH, ICMP_NET_UNREACH);
	KUNIT_EXPECT_EQ(test, 1, counted(r, NL31_PORT_COUNT_DROP_NO_ROUTE));
}

static void next_path_serves_when_a_device_goes_down(struct kunit *test)
{
	struct receive_test *r = test->priv;

	route(r, 1, NL31_TYPE_UNICAST, r->out, 2, 1);
	route(r, 1, NL31_TYPE_UNICAST, NULL, 77, 2);
	route(r, 1, NL31_TYPE_UNICAST, r->other, 3, 3);
	come_in(packet4(r, TO4(1), 64, PAYLOAD, 0));
	expect_forwarded(r, r->out, 63);
	rtnl_lock();
	dev_close(r->out);
	rtnl_unlock();
	come_in(packet4(r, TO4(1), 64, PAYLOAD, 0));
	expect_forwarded(r, r->other, 63);
	come_in(packet6(r, 1, 64, PAYLOAD));
	expect_forwarded(r, r->other, 63);
	rtnl_lock();
	KUNIT_EXPECT_EQ(test, 0, dev_open(r->out, NULL));
	rtnl_unlock();
	come_in(packet4(r, TO4(1), 64, PAYLOAD, 0));
	expect_forwarded(r, r->out, 63);
}

/* One prefix has a path that names the device, the other one that has to find it. */
static void next_path_serves_when_a_carrier_is_lost(struct kunit *test)
{
	struct receive_test *r = test->priv;

	route(r, 1, NL31_TYPE_UNICAST, r->out, 2, 1);
	route(r, 1, NL31_TYPE_UNICAST, r->other, 3, 2);
	route(r, 2, NL31_TYPE_UNICAST, NULL, 2, 1);
	route(r, 2, NL31_TYPE_UNICAST, r->other, 3, 2);
	come_in(packet4(r, TO4(1), 64, PAYLOAD, 0));
	expect_forwarded(r, r->out, 63);
	come_in(packet4(r, TO4(2), 64, PAYLOAD, 0));
	expect_forwarded(r, r->out, 63);

	capture_carrier(r->out, false);
	come_in(packet4(r, TO4(1), 64, PAYLOAD, 0));
	expect_forwarded(r, r->other, 63);
	come_in(packet6(r, 1, 64, PAYLOAD));
	expect_forwarded(r, r->other, 63);
	come_in(packet4(r, TO4(2), 64, PAYLOAD, 0));
	expect_forwarded(r, r->other, 63);
	come_in(packet6(r, 2, 64, PAYLOAD));
	expect_forwarded(r, r->other, 63);
	expect_nothing(r, r->out);

	capture_carrier(r->out, true);
	come_in(packet4(r, TO4(1), 64, PAYLOAD, 0));
	expect_forwarded(r, r->out, 63);
	come_in(packet6(r, 1, 64, PAYLOAD));
	expect_forwarded(r, r->out, 63);
	come_in(packet4(r, TO4(2), 64, PAYLOAD, 0));
	expect_forwarded(r, r->out, 63);
	come_in(packet6(r, 2, 64, PAYLOAD));
	expect_forwarded(r, r->out, 63);
	expect_nothing(r, r->other);
}

/* One packet more than the last time, and it has not left by r->out. */
static void expect_handed_up(struct receive_test *r, const char *what,
			     unsigned int i)
{
	r->handed_up++;
	KUNIT_EXPECT_EQ_MSG(r->test, r->handed_up,
			    counted(r, NL31_PORT_COUNT_HANDED_UP), "%s %u", what,
			    i);
	r->handed_up = counted(r, NL31_PORT_COUNT_HANDED_UP);
	expect_nothing(r, r->out);
}

static void special_packets_are_left_to_linux(struct kunit *test)
{
	static const u32 daddr[] = {
		0xc6330101, /* our own address */
		0xc63301ff, /* broadcast there */
		0xe0000001, 0xffffffff, 0x7f000001, 0,
	};
	static const u32 saddr[] = {
		0xc6330201, /* our own address */
		0xe0000001, 0xffffffff, 0x7f000001, 0,
	};
	struct receive_test *r = test->priv;
	struct sk_buff *skb;
	unsigned int i;

	route(r, 1, NL31_TYPE_UNICAST, r->out, 2, 0);
	for (i = 0; i < ARRAY_SIZE(daddr); i++) {
		come_in(packet4(r, daddr[i], 64, PAYLOAD, 0));
		expect_handed_up(r, "destination", i);
	}
	for (i = 0; i < ARRAY_SIZE(saddr); i++) {
		skb = packet4(r, TO4(1), 64, PAYLOAD, 0);
		ip_hdr(skb)->saddr = htonl(saddr[i]);
		ip_hdr(skb)->check = 0;
		ip_send_check(ip_hdr(skb));
		come_in(skb);
		expect_handed_up(r, "source", i);
	}
	come_in(packet4(r, TO4(1), 64, PAYLOAD, 1));
	expect_handed_up(r, "options", 0);
	skb = packet4(r, TO4(1), 64, PAYLOAD, 0);
	skb->pkt_type = PACKET_BROADCAST;
	come_in(skb);
	expect_handed_up(r, "broadcast", 0);
	skb = packet6(r, 1, 64, PAYLOAD);
	ipv6_hdr(skb)->saddr.s6_addr32[0] = htonl(0xfe800000);
	come_in(skb);
	expect_handed_up(r, "link-local", 0);

	/* and all of them while it does not forward */
	forwarding(r->in, false);
	come_in(packet4(r, TO4(1), 64, PAYLOAD, 0));
	expect_handed_up(r, "forwarding off", 4);
	come_in(packet6(r, 1, 64, PAYLOAD));
	expect_handed_up(r, "forwarding off", 6);
}

static void exceeded_ttl_is_told(struct kunit *test)
{
	struct receive_test *r = test->priv;

	route(r, 1, NL31_TYPE_UNICAST, r->out, 2, 0);
	come_in(packet4(r, TO4(1), 1, PAYLOAD, 0));
	expect_error(r, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL);
	come_in(packet6(r, 1, 1, PAYLOAD));
	expect_error(r, ICMPV6_TIME_EXCEED, ICMPV6_EXC_HOPLIMIT);
	expect_nothing(r, r->out);
	KUNIT_EXPECT_EQ(test, 2, counted(r, NL31_PORT_COUNT_DROP_TTL));
}

static void too_big_packet_is_told_the_mtu(struct kunit *test)
{
	struct receive_test *r = test->priv;
	struct sk_buff *skb;

	route(r, 1, NL31_TYPE_UNICAST, r->out, 2, 0);
	rtnl_lock();
	KUNIT_EXPECT_EQ(test, 0, dev_set_mtu(r->out, 1300));
	rtnl_unlock();
	come_in(packet4(r, TO4(1), 64, 1301, 0));
	KUNIT_EXPECT_EQ(test, 1300,
			expect_error(r, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED));
	come_in(packet6(r, 1, 64, 1301));
	KUNIT_EXPECT_EQ(test, 1300, expect_error(r, ICMPV6_PKT_TOOBIG, 0));
	KUNIT_EXPECT_EQ(test, 2, counted(r, NL31_PORT_COUNT_DROP_TOO_BIG));
	expect_nothing(r, r->out);
	come_in(packet4(r, TO4(1), 64, 1300, 0));
	expect_forwarded(r, r->out, 63);
	come_in(packet6(r, 1, 64, 1300));
	expect_forwarded(r, r->out, 63);

	/* one that may be fragmented is */
	skb = packet4(r, TO4(1), 64, 1301, 0);
	ip_hdr(skb)->frag_off = 0;
	ip_hdr(skb)->check = 0;
	ip_send_check(ip_hdr(skb));
	come_in(skb);
	skb = next(r->out);
	KUNIT_EXPECT_NOT_NULL(test, skb);
	if (skb)
		KUNIT_EXPECT_TRUE(test, ip_hdr(skb)->frag_off & htons(IP_MF));
	kfree_skb(skb);
	skb = next(r->out);
	KUNIT_EXPECT_NOT_NULL(test, skb);
	kfree_skb(skb);
}

static void route_to_nowhere_is_told_by_type(struct kunit *test)
{
	struct receive_test *r = test->priv;

	route(r, 1, NL31_TYPE_UNREACHABLE, NULL, 0, 0);
	route(r, 2, NL31_TYPE_PROHIBIT, NULL, 0, 0);
	route(r, 3, NL31_TYPE_BLACKHOLE, NULL, 0, 0);
	come_in(packet4(r, TO4(1), 64, PAYLOAD, 0));
	expect_error(r, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH);
	come_in(packet6(r, 1, 64, PAYLOAD));
	expect_error(r, ICMPV6_DEST_UNREACH, ICMPV6_NOROUTE);
	come_in(packet4(r, TO4(2), 64, PAYLOAD, 0));
	expect_error(r, ICMP_DEST_UNREACH, ICMP_PKT_FILTERED);
	come_in(packet6(r, 2, 64, PAYLOAD));
	expect_error(r, ICMPV6_DEST_UNREACH, ICMPV6_ADM_PROHIBITED);
	come_in(packet4(r, TO4(3), 64, PAYLOAD, 0));
	come_in(packet6(r, 3, 64, PAYLOAD));
	expect_nothing(r, r->in);
	come_in(packet4(r, TO4(4), 64, PAYLOAD, 0));
	expect_error(r, ICMP_DEST_UNREACH, ICMP_NET_UNREACH);
	come_in(packet6(r, 4, 64, PAYLOAD));
	expect_error(r, ICMPV6_DEST_UNREACH, ICMPV6_NOROUTE);
	KUNIT_EXPECT_EQ(test, 2, counted(r, NL31_PORT_COUNT_DROP_UNREACHABLE));
	KUNIT_EXPECT_EQ(test, 2, counted(r, NL31_PORT_COUNT_DROP_PROHIBIT));
	KUNIT_EXPECT_EQ(test, 2, counted(r, NL31_PORT_COUNT_DROP_BLACKHOLE));
	KUNIT_EXPECT_EQ(test, 2, counted(r, NL31_PORT_COUNT_DROP_NO_ROUTE));
}

/* By each mode: the source behind the port, behind another one, and nowhere. */
static void source_is_checked_as_the_port_says(struct kunit *test)
{
	static const struct {
		u8 urpf;
		bool here, there, nowhere, feasible;
	} modes[] = {
		{ NL31_URPF_OFF, true, true, true, true },
		{ NL31_URPF_LOOSE, true, true, false, true },
		{ NL31_URPF_STRICT, true, false, false, false },
		{ NL31_URPF_FEASIBLE, true, false, false, true },
	};
	struct receive_test *r = test->priv;
	unsigned int i, j;

	route(r, 1, NL31_TYPE_UNICAST, r->out, 2, 0);
	route(r, 2, NL31_TYPE_UNICAST, r->in, 1, 0);
	route(r, 3, NL31_TYPE_UNICAST, r->other, 3, 0);
	route(r, 5, NL31_TYPE_UNICAST, r->other, 3, 1);
	route(r, 5, NL31_TYPE_UNICAST, r->in, 1, 2);
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		const struct {
			u32 saddr;
			bool passes;
		} from[] = {
			{ 0xc6330107, modes[i].here },	/* connected */
			{ 0xc6330307, modes[i].there },
			{ TO4(2), modes[i].here },
			{ TO4(3), modes[i].there },
			{ TO4(4), modes[i].nowhere },
			{ TO4(5), modes[i].feasible },
		};

		port(r, r->in, modes[i].urpf);
		for (j = 0; j < ARRAY_SIZE(from); j++) {
			const u64 before = counted(r, NL31_PORT_COUNT_DROP_URPF);
			struct sk_buff *skb = packet4(r, TO4(1), 64, PAYLOAD, 0);

			ip_hdr(skb)->saddr = htonl(from[j].saddr);
			ip_hdr(skb)->check = 0;
			ip_send_check(ip_hdr(skb));
			come_in(skb);
			skb = next(r->out);
			KUNIT_EXPECT_EQ_MSG(test, from[j].passes, !!skb,
					    "mode %u, source %u", i, j);
			KUNIT_EXPECT_EQ(test, !from[j].passes,
					counted(r, NL31_PORT_COUNT_DROP_URPF) -
					before);
			kfree_skb(skb);
		}
	}
}

static struct kunit_case receive_cases[] = {
	KUNIT_CASE(packet_follows_its_route),
	KUNIT_CASE(gateway_is_found_behind_connected_prefix),
	KUNIT_CASE(next_path_serves_when_a_device_goes_down),
	KUNIT_CASE(next_path_serves_when_a_carrier_is_lost),
	KUNIT_CASE(special_packets_are_left_to_linux),
	KUNIT_CASE(exceeded_ttl_is_told),
	KUNIT_CASE(too_big_packet_is_told_the_mtu),
	KUNIT_CASE(route_to_nowhere_is_told_by_type),
	KUNIT_CASE(source_is_checked_as_the_port_says),
	{}
};

static struct kunit_suite receive_suite = {
	.name = "nl31_receive",
	.init = set_up,
	.exit = tear_down,
	.test_cases = receive_cases,
};

kunit_test_suite(receive_suite);
