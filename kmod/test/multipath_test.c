// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of forwarding over several paths: packets of many flows come in on one device,
 * and what matters is by which of the others they leave.
 */
#include <linux/icmp.h>
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

#define PATHS	3
#define FLOWS	300
#define NOWHERE	0xff

struct multipath_test {
	struct kunit *test;
	struct socket *sock;
	struct net_device *in;
	struct net_device *out[PATHS];
	struct client_message m;
	u8 before[FLOWS];
	u8 after[FLOWS];
};

static void ask(struct multipath_test *t)
{
	client_send(t->test, t->sock, &t->m);
	KUNIT_EXPECT_EQ(t->test, 0, client_answer(t->test, t->sock).error);
}

static void set_multipath(struct multipath_test *t, bool on)
{
	client_message(&t->m, NL31_MSG_NEWTABLE, NLM_F_ACK);
	client_attr_u8(&t->m, NL31_TABLE_MULTIPATH, on);
	ask(t);
}

static void set_port(struct multipath_test *t, struct net_device *dev, u8 urpf)
{
	client_message(&t->m, NL31_MSG_NEWPORT,
		       NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK);
	client_attr_u32(&t->m, NL31_PORT_IFINDEX, dev->ifindex);
	client_attr_u8(&t->m, NL31_PORT_URPF, urpf);
	ask(t);
}

static void append_path(struct multipath_test *t, const void *prefix, u8 size, u8 len,
			const struct net_device *dev)
{
	client_message(&t->m, NL31_MSG_NEWROUTE,
		       NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK);
	client_attr(&t->m, NL31_ROUTE_DST, prefix, size);
	client_attr_u8(&t->m, NL31_ROUTE_DST_LEN, len);
	client_attr_u32(&t->m, NL31_ROUTE_OIF, dev->ifindex);
	ask(t);
}

static void set_forwarding(struct net_device *dev, bool on)
{
	rtnl_lock();
	IN_DEV_CONF_SET(__in_dev_get_rtnl(dev), FORWARDING, on);
	WRITE_ONCE(dev_net(dev)->ipv6.devconf_all->forwarding, on);
	rtnl_unlock();
}

static int set_up(struct kunit *test)
{
	static const u8 to4[4] = { 203, 0, 113 }, from4[4] = { 10 };
	static const u8 to6[16] = { 0x20, 1, 0xd, 0xb9 };
	struct multipath_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	char name[IFNAMSIZ];
	unsigned int i;

	if (!t)
		return -ENOMEM;
	t->test = test;
	test->priv = t;
	t->sock = client_open(test);
	t->in = capture_open(test, &init_net, "in");
	set_forwarding(t->in, true);
	for (i = 0; i < PATHS; i++) {
		snprintf(name, sizeof(name), "out%u", i);
		t->out[i] = capture_open(test, &init_net, name);
		append_path(t, to4, sizeof(to4), 24, t->out[i]);
		append_path(t, to6, sizeof(to6), 48, t->out[i]);
		append_path(t, from4, sizeof(from4), 8, t->out[i]);
	}
	set_port(t, t->in, NL31_URPF_OFF);
	flush_delayed_work(&nl31_ns_find(&init_net)->router.mirror.work);
	set_multipath(t, true);
	return 0;
}

static void tear_down(struct kunit *test)
{
	struct multipath_test *t = test->priv;
	unsigned int i;

	set_multipath(t, false);
	client_message(&t->m, NL31_MSG_DELROUTE, NLM_F_BULK | NLM_F_ACK);
	ask(t);
	set_forwarding(t->in, false);
	capture_close(t->in);
	for (i = 0; i < PATHS; i++)
		capture_close(t->out[i]);
	sock_release(t->sock);
}

static struct sk_buff *packet(struct multipath_test *t, struct net_device *dev,
			      unsigned int len, __be16 protocol)
{
	struct sk_buff *skb = alloc_skb(256, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(t->test, skb);
	skb_reserve(skb, 64);
	skb_put_zero(skb, ETH_HLEN);
	skb_reset_mac_header(skb);
	skb_pull(skb, ETH_HLEN);
	skb_reset_network_header(skb);
	skb_put_zero(skb, len);
	skb->protocol = protocol;
	skb->pkt_type = PACKET_HOST;
	skb->dev = dev;
	return skb;
}

static void fill4(struct iphdr *iph, u32 saddr, u32 daddr, u8 protocol, u16 len)
{
	iph->version = 4;
	iph->ihl = 5;
	iph->tot_len = htons(len);
	iph->ttl = 64;
	iph->protocol = protocol;
	iph->saddr = htonl(saddr);
	iph->daddr = htonl(daddr);
	ip_send_check(iph);
}

/* Flow @flow is from 10.x.x.x to 203.0.113.8, from port 1000 + @flow. */
#define FROM4(flow)	(0x0a000001 + (flow) * 256)
#define TO4		0xcb007108

static struct sk_buff *packet4(struct multipath_test *t, unsigned int flow)
{
	const unsigned int len = sizeof(struct iphdr) + 8;
	struct sk_buff *skb = packet(t, t->in, len, htons(ETH_P_IP));
	struct udphdr *udp = (struct udphdr *)(skb->data + sizeof(struct iphdr));

	fill4(ip_hdr(skb), FROM4(flow), TO4, IPPROTO_UDP, len);
	udp->source = htons(1000 + flow);
	udp->dest = htons(53);
	return skb;
}

static struct sk_buff *packet6(struct multipath_test *t, unsigned int flow)
{
	struct sk_buff *skb = packet(t, t->in, sizeof(struct ipv6hdr) + 8,
				     htons(ETH_P_IPV6));
	struct ipv6hdr *iph = ipv6_hdr(skb);
	struct udphdr *udp = (struct udphdr *)(iph + 1);

	iph->version = 6;
	iph->payload_len = htons(8);
	iph->nexthdr = IPPROTO_UDP;
	iph->hop_limit = 64;
	iph->saddr.s6_addr32[0] = htonl(0x20010db8);
	iph->saddr.s6_addr32[3] = htonl(flow);
	iph->daddr.s6_addr32[0] = htonl(0x20010db9);
	iph->daddr.s6_addr[15] = 8;
	udp->source = htons(1000 + flow);
	udp->dest = htons(53);
	return skb;
}

/* An error about flow @flow, from a router behind the other end, to 203.0.113.8. */
static struct sk_buff *error4(struct multipath_test *t, unsigned int flow)
{
	const unsigned int len = 2 * sizeof(struct iphdr) + sizeof(struct icmphdr) + 8;
	struct sk_buff *skb = packet(t, t->in, len, htons(ETH_P_IP));
	struct icmphdr *icmp = (struct icmphdr *)(skb->data + sizeof(struct iphdr));
	struct iphdr *inner = (struct iphdr *)(icmp + 1);
	struct udphdr *udp = (struct udphdr *)(inner + 1);

	fill4(ip_hdr(skb), 0x0a636363, TO4, IPPROTO_ICMP, len);
	icmp->type = ICMP_DEST_UNREACH;
	icmp->code = ICMP_FRAG_NEEDED;
	/* it was on its way back */
	fill4(inner, TO4, FROM4(flow), IPPROTO_UDP, 1500);
	udp->source = htons(53);
	udp->dest = htons(1000 + flow);
	return skb;
}

static void come_in(struct sk_buff *skb)
{
	local_bh_disable();
	netif_receive_skb(skb);
	local_bh_enable();
}

/* The path that the packet leaves by, alone. Others that are sent do not count. */
static u8 way_of(struct multipath_test *t, struct sk_buff *skb)
{
	const u8 protocol = skb->protocol == htons(ETH_P_IP) ?
			    ip_hdr(skb)->protocol : ipv6_hdr(skb)->nexthdr;
	const __be16 version = skb->protocol;
	u8 way = NOWHERE;
	unsigned int i;

	come_in(skb);
	for (i = 0; i < PATHS; i++) {
		while ((skb = capture_sent(t->out[i]))) {
			u8 is = skb->protocol == htons(ETH_P_IP) ?
				skb->data[ETH_HLEN + 9] : skb->data[ETH_HLEN + 6];

			if (skb->protocol == version && is == protocol) {
				KUNIT_EXPECT_EQ(t->test, way, NOWHERE);
				way = i;
			}
			kfree_skb(skb);
		}
	}
	return way;
}

static void ways_of_flows(struct multipath_test *t, u8 *ways)
{
	unsigned int flow;

	for (flow = 0; flow < FLOWS; flow++)
		ways[flow] = way_of(t, flow % 2 ? packet6(t, flow) :
						  packet4(t, flow));
}

static void first_path_takes_all_without_multipath(struct kunit *test)
{
	struct multipath_test *t = test->priv;
	unsigned int flow;

	set_multipath(t, false);
	ways_of_flows(t, t->before);
	for (flow = 0; flow < FLOWS; flow++)
		KUNIT_EXPECT_EQ(test, 0, t->before[flow]);
}

/* As many as 0.3 of the third that is due to each, which chance does not come near. */
static void flows_go_over_all_paths(struct kunit *test)
{
	struct multipath_test *t = test->priv;
	unsigned int count[2][PATHS] = {}, i;

	ways_of_flows(t, t->before);
	for (i = 0; i < FLOWS; i++) {
		KUNIT_ASSERT_LT(test, t->before[i], PATHS);
		count[i % 2][t->before[i]]++;
	}
	for (i = 0; i < PATHS; i++) {
		KUNIT_EXPECT_GT(test, count[0][i], FLOWS / 20);
		KUNIT_EXPECT_GT(test, count[1][i], FLOWS / 20);
	}
	/* each again over its own */
	ways_of_flows(t, t->after);
	KUNIT_EXPECT_EQ(test, 0, memcmp(t->before, t->after, FLOWS));
}

static void only_flows_of_a_lost_carrier_move(struct kunit *test)
{
	struct multipath_test *t = test->priv;
	unsigned int lost, flow;

	ways_of_flows(t, t->before);
	for (lost = 0; lost < PATHS; lost++) {
		capture_carrier(t->out[lost], false);
		ways_of_flows(t, t->after);
		for (flow = 0; flow < FLOWS; flow++) {
			KUNIT_EXPECT_LT(test, t->after[flow], PATHS);
			KUNIT_EXPECT_NE(test, t->after[flow], lost);
			if (t->before[flow] != lost)
				KUNIT_EXPECT_EQ(test, t->before[flow],
						t->after[flow]);
		}
		capture_carrier(t->out[lost], true);
		ways_of_flows(t, t->after);
		KUNIT_EXPECT_EQ(test, 0, memcmp(t->before, t->after, FLOWS));
	}
}

static void errors_take_the_path_of_their_flow(struct kunit *test)
{
	struct multipath_test *t = test->priv;
	unsigned int flow;

	for (flow = 0; flow < FLOWS; flow++)
		KUNIT_EXPECT_EQ(test, way_of(t, packet4(t, flow)),
				way_of(t, error4(t, flow)));
}

static void fragments_take_one_path(struct kunit *test)
{
	struct multipath_test *t = test->priv;
	unsigned int flow, part;
	u8 ways[3];

	for (flow = 0; flow < FLOWS; flow++) {
		for (part = 0; part < ARRAY_SIZE(ways); part++) {
			struct sk_buff *skb = packet4(t, flow);
			struct iphdr *iph = ip_hdr(skb);

			iph->frag_off = htons(part | (part < 2 ? IP_MF : 0));
			if (part)
				memset(iph + 1, part, 8);
			iph->check = 0;
			ip_send_check(iph);
			ways[part] = way_of(t, skb);
		}
		KUNIT_EXPECT_LT(test, ways[0], PATHS);
		KUNIT_EXPECT_EQ(test, ways[0], ways[1]);
		KUNIT_EXPECT_EQ(test, ways[0], ways[2]);
	}
}

/* Strict: any of the paths back that share the load, but no other device. */
static void source_is_valid_behind_each_path(struct kunit *test)
{
	struct multipath_test *t = test->priv;
	unsigned int i;

	for (i = 0; i < PATHS; i++) {
		struct sk_buff *skb = packet4(t, 1);

		set_forwarding(t->out[i], true);
		set_port(t, t->out[i], NL31_URPF_STRICT);
		skb->dev = t->out[i];
		KUNIT_EXPECT_NE(test, NOWHERE, way_of(t, skb));
	}
	set_port(t, t->in, NL31_URPF_STRICT);
	KUNIT_EXPECT_EQ(test, NOWHERE, way_of(t, packet4(t, 1)));

	set_multipath(t, false);
	for (i = 0; i < PATHS; i++) {
		struct sk_buff *skb = packet4(t, 1);

		skb->dev = t->out[i];
		KUNIT_EXPECT_EQ(test, i == 0, way_of(t, skb) != NOWHERE);
	}
}

static struct kunit_case multipath_cases[] = {
	KUNIT_CASE(first_path_takes_all_without_multipath),
	KUNIT_CASE(flows_go_over_all_paths),
	KUNIT_CASE(only_flows_of_a_lost_carrier_move),
	KUNIT_CASE(errors_take_the_path_of_their_flow),
	KUNIT_CASE(fragments_take_one_path),
	KUNIT_CASE(source_is_valid_behind_each_path),
	{}
};

static struct kunit_suite multipath_suite = {
	.name = "nl31_multipath",
	.init = set_up,
	.exit = tear_down,
	.test_cases = multipath_cases,
};

kunit_test_suite(multipath_suite);
