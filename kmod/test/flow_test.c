// SPDX-License-Identifier: GPL-2.0-only
/* Tests of flows: which packets have the same hash. */
#include <kunit/test.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "../flow.h"

#define ROOM		512
#define EXTENSIONS_MAX	8

static const hsiphash_key_t key = { { 0x31, 0x4e4c } };

/* What a packet is made of, from its IP header on. */
struct flow_packet {
	struct kunit *test;
	enum nl31_family family;
	unsigned int len;
	u8 data[ROOM];
};

static struct flow_packet *packet(struct kunit *test, enum nl31_family family)
{
	struct flow_packet *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	p->test = test;
	p->family = family;
	return p;
}

static void *put(struct flow_packet *p, unsigned int len)
{
	void *at = &p->data[p->len];

	p->len += len;
	KUNIT_ASSERT_LE(p->test, p->len, ROOM);
	return at;
}

static struct iphdr *ipv4(struct flow_packet *p)
{
	return (struct iphdr *)p->data;
}

static struct ipv6hdr *ipv6(struct flow_packet *p)
{
	return (struct ipv6hdr *)p->data;
}

/* A header from host @from to host @to; options in IPv4 where there is room for them. */
static void put_header(struct flow_packet *p, u8 from, u8 to, u8 protocol, u8 options)
{
	if (p->family == NL31_IPV4) {
		struct iphdr *iph = put(p, sizeof(*iph) + options * 4);

		iph->version = 4;
		iph->ihl = 5 + options;
		iph->ttl = 64;
		iph->protocol = protocol;
		iph->saddr = htonl(0xcb007100 + from);
		iph->daddr = htonl(0xcb007100 + to);
	} else {
		struct ipv6hdr *iph = put(p, sizeof(*iph));

		iph->version = 6;
		iph->nexthdr = protocol;
		iph->hop_limit = 64;
		iph->saddr.s6_addr32[0] = htonl(0x20010db8);
		iph->saddr.s6_addr[15] = from;
		iph->daddr.s6_addr32[0] = htonl(0x20010db8);
		iph->daddr.s6_addr[15] = to;
	}
}

static void put_ports(struct flow_packet *p, u16 from, u16 to)
{
	__be16 *ports = put(p, 8);

	ports[0] = htons(from);
	ports[1] = htons(to);
}

static struct flow_packet *flow_of(struct kunit *test, enum nl31_family family,
				   u8 protocol, u8 from, u8 to, u16 sport, u16 dport)
{
	struct flow_packet *p = packet(test, family);

	put_header(p, from, to, protocol, 0);
	put_ports(p, sport, dport);
	return p;
}

static struct flow_packet *udp(struct kunit *test, enum nl31_family family)
{
	return flow_of(test, family, IPPROTO_UDP, 1, 2, 1000, 53);
}

static struct flow_packet *fragment4(struct kunit *test, u16 frag_off, u16 sport)
{
	struct flow_packet *p = flow_of(test, NL31_IPV4, IPPROTO_UDP, 1, 2, sport, 53);

	ipv4(p)->frag_off = htons(frag_off);
	return p;
}

static struct flow_packet *fragment6(struct kunit *test, u16 frag_off, u16 sport)
{
	struct flow_packet *p = packet(test, NL31_IPV6);
	struct frag_hdr *header;

	put_header(p, 1, 2, NEXTHDR_FRAGMENT, 0);
	header = put(p, sizeof(*header));
	header->nexthdr = IPPROTO_UDP;
	header->frag_off = htons(frag_off);
	put_ports(p, sport, 53);
	return p;
}

/* An error from a router on the way about @about, to the sender of that. */
static struct flow_packet *error_about(const struct flow_packet *about, u8 type)
{
	struct flow_packet *p = packet(about->test, about->family);
	u8 *icmp;

	put_header(p, 77, 1,
		   about->family == NL31_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, 1);
	icmp = put(p, 8);
	icmp[0] = type;
	memcpy(put(p, about->len), about->data, about->len);
	return p;
}

/* The packet lies in memory in two pieces; its end is followed by bytes of @beyond. */
static u32 hash_in_pieces(const struct flow_packet *p, unsigned int linear, u8 beyond)
{
	struct sk_buff *skb = alloc_skb(ROOM, GFP_KERNEL);
	struct page *page = alloc_page(GFP_KERNEL);
	u32 hash;

	KUNIT_ASSERT_NOT_NULL(p->test, skb);
	KUNIT_ASSERT_NOT_NULL(p->test, page);
	linear = min(linear, p->len);
	/* not at the start of the buffer, and behind another header */
	skb_reserve(skb, 64);
	skb_put_zero(skb, 14);
	skb_set_network_header(skb, 14);
	skb_put_data(skb, p->data, linear);
	memset(page_address(page), beyond, PAGE_SIZE);
	memcpy(page_address(page), p->data + linear, p->len - linear);
	skb_add_rx_frag(skb, 0, page, 0, p->len - linear, PAGE_SIZE);
	hash = nl31_flow_hash(skb, p->family, &key);
	kfree_skb(skb);
	return hash;
}

static u32 hash(const struct flow_packet *p)
{
	return hash_in_pieces(p, p->len, 0);
}

static void packets_of_a_flow_have_one_hash(struct kunit *test)
{
	enum nl31_family f;

	for (f = 0; f < NL31_FAMILIES; f++) {
		struct flow_packet *one = udp(test, f);
		const u32 wanted = hash(one);

		/* whatever else is in it, wherever it lies */
		if (f == NL31_IPV4)
			ipv4(one)->ttl = 3;
		else
			ipv6(one)->flow_lbl[1] = 3;
		one->data[one->len - 1] = 99;
		KUNIT_EXPECT_EQ(test, wanted, hash(one));
		KUNIT_EXPECT_EQ(test, wanted, hash_in_pieces(one, one->len - 8, 0));
		KUNIT_EXPECT_EQ(test, wanted, hash_in_pieces(one, one->len - 6, 0));
		/* and those in the other direction */
		KUNIT_EXPECT_EQ(test, wanted,
				hash(flow_of(test, f, IPPROTO_UDP, 2, 1, 53, 1000)));
	}
}

static void other_flows_have_other_hashes(struct kunit *test)
{
	enum nl31_family f;
	unsigned int i, j;

	for (f = 0; f < NL31_FAMILIES; f++) {
		const u32 hashes[] = {
			hash(udp(test, f)),
			hash(flow_of(test, f, IPPROTO_UDP, 1, 3, 1000, 53)),
			hash(flow_of(test, f, IPPROTO_UDP, 3, 2, 1000, 53)),
			hash(flow_of(test, f, IPPROTO_UDP, 1, 2, 1001, 53)),
			hash(flow_of(test, f, IPPROTO_UDP, 1, 2, 1000, 54)),
			hash(flow_of(test, f, IPPROTO_UDP, 1, 2, 53, 1000)),
			hash(flow_of(test, f, IPPROTO_TCP, 1, 2, 1000, 53)),
			hash(flow_of(test, f, IPPROTO_GRE, 1, 2, 1000, 53)),
		};

		for (i = 0; i < ARRAY_SIZE(hashes); i++)
			for (j = 0; j < i; j++)
				KUNIT_EXPECT_NE_MSG(test, hashes[i], hashes[j],
						    "family %u, flows %u and %u",
						    f, i, j);
	}
}

/* What follows the header of a later one is no port. */
static void fragments_have_one_hash(struct kunit *test)
{
	const u32 whole4 = hash(udp(test, NL31_IPV4));
	const u32 whole6 = hash(udp(test, NL31_IPV6));

	KUNIT_EXPECT_EQ(test, hash(fragment4(test, IP_MF, 1000)),
			hash(fragment4(test, 175, 7)));
	KUNIT_EXPECT_NE(test, hash(fragment4(test, IP_MF, 1000)), whole4);
	KUNIT_EXPECT_EQ(test, hash(fragment4(test, IP_DF, 1000)), whole4);
	KUNIT_EXPECT_EQ(test, hash(fragment6(test, IP6_MF, 1000)),
			hash(fragment6(test, 1400, 7)));
	KUNIT_EXPECT_NE(test, hash(fragment6(test, IP6_MF, 1000)), whole6);
	/* of a packet that is in one piece after all */
	KUNIT_EXPECT_EQ(test, hash(fragment6(test, 0, 1000)), whole6);
}

static void errors_have_the_hash_of_their_flow(struct kunit *test)
{
	static const u8 types[NL31_FAMILIES][4] = {
		[NL31_IPV4] = { ICMP_DEST_UNREACH, ICMP_TIME_EXCEEDED,
				ICMP_PARAMETERPROB, ICMP_SOURCE_QUENCH },
		[NL31_IPV6] = { ICMPV6_DEST_UNREACH, ICMPV6_PKT_TOOBIG,
				ICMPV6_TIME_EXCEED, ICMPV6_PARAMPROB },
	};
	static const u8 echo[NL31_FAMILIES] = {
		[NL31_IPV4] = ICMP_ECHO,
		[NL31_IPV6] = ICMPV6_ECHO_REQUEST,
	};
	struct flow_packet *about, *error;
	enum nl31_family f;
	unsigned int i;

	for (f = 0; f < NL31_FAMILIES; f++) {
		about = udp(test, f);
		for (i = 0; i < ARRAY_SIZE(types[f]); i++) {
			error = error_about(about, types[f][i]);
			KUNIT_EXPECT_EQ_MSG(test, hash(about), hash(error),
					    "family %u, type %u", f, types[f][i]);
			KUNIT_EXPECT_EQ(test, hash(about),
					hash_in_pieces(error, 44, 0));
		}
		KUNIT_EXPECT_NE(test, hash(about),
				hash(error_about(about, echo[f])));
		/* too short to say what it is about */
		error->len -= about->len - 8;
		KUNIT_EXPECT_NE(test, hash(about), hash(error));
	}
}

static void errors_about_fragments_have_their_hash(struct kunit *test)
{
	struct flow_packet *later = fragment4(test, 175, 7);

	KUNIT_EXPECT_EQ(test, hash(later),
			hash(error_about(later, ICMP_TIME_EXCEEDED)));
	later = fragment6(test, 1400, 7);
	KUNIT_EXPECT_EQ(test, hash(later),
			hash(error_about(later, ICMPV6_TIME_EXCEED)));
}

/* UDP behind @count extension headers of 16 bytes. */
static struct flow_packet *extended(struct kunit *test, unsigned int count, u16 sport)
{
	struct flow_packet *p = packet(test, NL31_IPV6);
	struct ipv6_opt_hdr *header;
	unsigned int i;

	put_header(p, 1, 2, count ? NEXTHDR_HOP : IPPROTO_UDP, 0);
	for (i = 0; i < count; i++) {
		header = put(p, 16);
		header->nexthdr = i + 1 < count ? NEXTHDR_DEST : IPPROTO_UDP;
		header->hdrlen = 1;
	}
	put_ports(p, sport, 53);
	return p;
}

static void ports_are_found_behind_extension_headers(struct kunit *test)
{
	const u32 plain = hash(udp(test, NL31_IPV6));
	unsigned int count;

	for (count = 1; count < 2 * EXTENSIONS_MAX; count++) {
		const u32 one = hash(extended(test, count, 1000));
		const u32 other = hash(extended(test, count, 1001));

		if (count <= EXTENSIONS_MAX) {
			KUNIT_EXPECT_EQ(test, plain, one);
			KUNIT_EXPECT_NE(test, one, other);
		} else {
			/* the walk ends before the ports */
			KUNIT_EXPECT_EQ(test, one, other);
		}
	}
}

/* Cut off anywhere, behind any header: what follows its end is not looked at. */
static void hash_stays_within_the_packet(struct kunit *test)
{
	static const u8 protocols[] = {
		NEXTHDR_HOP, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, NEXTHDR_ROUTING,
		NEXTHDR_FRAGMENT, IPPROTO_ESP, IPPROTO_AH, IPPROTO_ICMPV6,
		NEXTHDR_NONE, NEXTHDR_DEST, IPPROTO_SCTP, 255,
	};
	struct flow_packet *p = packet(test, NL31_IPV4);
	unsigned int i, len, header;
	u8 fill;

	for (p->family = 0; p->family < NL31_FAMILIES; p->family++) {
		for (i = 0; i < ARRAY_SIZE(protocols) * 4; i++) {
			/* of an error or not, headers short or long */
			fill = i / ARRAY_SIZE(protocols);
			memset(p->data, fill, sizeof(p->data));
			p->len = 0;
			put_header(p, 1, 2, protocols[i % ARRAY_SIZE(protocols)], 0);
			if (p->family == NL31_IPV4)
				ipv4(p)->frag_off = 0;
			header = p->len;
			for (len = 0; len < 80; len++) {
				p->len = header + len;
				KUNIT_EXPECT_EQ(test, hash_in_pieces(p, header, 0),
						hash_in_pieces(p, header, 0xff));
			}
		}
	}
}

static struct kunit_case flow_cases[] = {
	KUNIT_CASE(packets_of_a_flow_have_one_hash),
	KUNIT_CASE(other_flows_have_other_hashes),
	KUNIT_CASE(fragments_have_one_hash),
	KUNIT_CASE(errors_have_the_hash_of_their_flow),
	KUNIT_CASE(errors_about_fragments_have_their_hash),
	KUNIT_CASE(ports_are_found_behind_extension_headers),
	KUNIT_CASE(hash_stays_within_the_packet),
	{}
};

static struct kunit_suite flow_suite = {
	.name = "nl31_flow",
	.test_cases = flow_cases,
};

kunit_test_suite(flow_suite);
