// SPDX-License-Identifier: GPL-2.0-only
/*
 * IP packets of any kind, well formed and not.
 *
 * The networks are those of differential_test.c: the router is 198.51.N.1 and
 * 2001:db8:N::1, and has routes to 203.0.N.0/24 and 2001:db9:N::/48.
 */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/string.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>

#include "mutant.h"

static u32 below(struct rnd_state *random, u32 limit)
{
	return prandom_u32_state(random) % limit;
}

static bool one_in(struct rnd_state *random, u32 limit)
{
	return !below(random, limit);
}

static u32 pick(struct rnd_state *random, const u32 *from, unsigned int count)
{
	return from[below(random, count)];
}

/* Around the MTUs on the way, which are 1300 and 1500. */
static unsigned int some_length(struct rnd_state *random, unsigned int least)
{
	static const u32 lengths[] = {
		1280, 1281, 1299, 1300, 1301, 1400, 1499, 1500, 1501, 2800,
	};
	const unsigned int len = one_in(random, 3) ?
		pick(random, lengths, ARRAY_SIZE(lengths)) : below(random, 200);

	return max(len, least);
}

/* Is it the router's own, or for all? Linux puts fragments of these together. */
static bool is_local4(u32 address)
{
	return (address & 0xffff00ff) == 0xc6330001 ||
	       (address & 0xffff00ff) == 0xc63300ff || address >= 0xe0000000 ||
	       address >> 24 == 127 || !(address >> 24);
}

static u32 some_source4(struct rnd_state *random)
{
	static const u32 special[] = {
		0xc6330101, 0xc6330201,		/* the router */
		0xc63301ff, 0xc6330100, 0xc63302ff, 0xffffffff, 0, 0x00000001,
		0x7f000001, 0xe0000001, 0xef000001, 0xf0010101,
		0xcb000308, 0xcb000408, 0xcb000508, 0xcb000608, 0xa9fe0101,
	};

	if (one_in(random, 4))
		return pick(random, special, ARRAY_SIZE(special));
	/* each has its own budget of errors */
	return 0x0a000000 | below(random, 1 << 24);
}

static u32 some_destination4(struct rnd_state *random)
{
	static const u32 special[] = {
		0xc6330101, 0xc6330201,		/* the router */
		0xc63301ff, 0xc63302ff, 0xffffffff, 0, 0x00000001, 0x7f000001,
		0xe0000001, 0xef000001, 0xf0010101, 0xfffffffe, 0xa9fe0101,
		0xc6330209, 0xc6330277,		/* connected */
		0x0a010203,			/* back */
	};

	if (one_in(random, 3))
		return pick(random, special, ARRAY_SIZE(special));
	return 0xcb000008 | (1 + below(random, 8)) << 8;
}

static void fill_icmp4(struct rnd_state *random, u8 *data, unsigned int len)
{
	static const u32 types[] = {
		ICMP_ECHO, ICMP_ECHOREPLY, ICMP_DEST_UNREACH, ICMP_TIME_EXCEEDED,
		ICMP_PARAMETERPROB,
	};
	struct icmphdr *icmp = (void *)data;

	if (len < sizeof(*icmp))
		return;
	icmp->type = pick(random, types, ARRAY_SIZE(types));
	icmp->code = below(random, 4);
	icmp->checksum = 0;
	icmp->checksum = ip_compute_csum(data, len);
}

static unsigned int fill_options4(struct rnd_state *random, u8 *data)
{
	static const u8 known[][8] = {
		{ IPOPT_RA, 4, 0, 0 },
		{ IPOPT_RR, 7, 4, 0, 0, 0, 0 },
		{ IPOPT_TIMESTAMP, 8, 5, 0 },
		{ IPOPT_LSRR, 7, 4, 198, 51, 2, 9 },
		{ IPOPT_SSRR, 7, 8, 198, 51, 2, 9 },
		{ IPOPT_NOOP, IPOPT_NOOP, IPOPT_END },
	};
	unsigned int i;

	if (one_in(random, 3)) {
		for (i = 0; i < 8; i++)
			data[i] = below(random, 256);
		return 8;
	}
	/* Linux writes the time into the one of a timestamp */
	i = below(random, ARRAY_SIZE(known));
	if (known[i][0] == IPOPT_TIMESTAMP)
		i = 0;
	memcpy(data, known[i], 8);
	return 8;
}

static void make4(struct mutant *m, struct rnd_state *random)
{
	static const u32 protocols[] = {
		IPPROTO_UDP, IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMP, 99, IPPROTO_IPIP,
	};
	static const u32 fragments[] = {
		0, 0, 0, IP_DF, IP_DF, IP_DF, IP_CE, IP_MF, IP_MF | 100, 100,
		IP_DF | IP_MF, IP_OFFSET,
	};
	static const u32 ttls[] = { 0, 1, 1, 2, 64, 64, 64, 255 };
	struct iphdr *iph = (void *)m->data;
	unsigned int options = 0, i;

	iph->version = 4;
	iph->tos = below(random, 4) ? 0 : below(random, 256);
	iph->id = below(random, 1 << 16);
	iph->ttl = pick(random, ttls, ARRAY_SIZE(ttls));
	iph->protocol = pick(random, protocols, ARRAY_SIZE(protocols));
	iph->saddr = htonl(some_source4(random));
	iph->daddr = htonl(some_destination4(random));
	iph->frag_off = htons(pick(random, fragments, ARRAY_SIZE(fragments)));
	if (is_local4(ntohl(iph->daddr)))
		iph->frag_off &= htons(IP_DF);
	if (one_in(random, 12))
		options = fill_options4(random, m->data + sizeof(*iph));
	iph->ihl = 5 + options / 4;
	m->len = some_length(random, iph->ihl * 4);
	for (i = iph->ihl * 4; i < m->len; i++)
		m->data[i] = below(random, 256);
	if (iph->protocol == IPPROTO_ICMP)
		fill_icmp4(random, m->data + iph->ihl * 4, m->len - iph->ihl * 4);
	iph->tot_len = htons(m->len);

	/* what is wrong with it */
	switch (below(random, 40)) {
	case 0:
		iph->version = below(random, 16);
		break;
	case 1:
		iph->ihl = below(random, 16);
		break;
	case 2:
		iph->tot_len = htons(below(random, 1 << 16));
		break;
	case 3:
		iph->tot_len = htons(m->len - below(random, 8));
		break;
	}
	iph->check = 0;
	iph->check = ip_fast_csum(iph, max_t(u8, iph->ihl, 5));
	switch (below(random, 40)) {
	case 0:
		m->len = below(random, m->len);
		break;
	case 1:
		m->data[below(random, sizeof(*iph))] ^= 1 << below(random, 8);
		break;
	}
}

static void some_address6(struct rnd_state *random, struct in6_addr *address,
			  bool is_source)
{
	static const u8 special[][16] = {
		{ 0x20, 1, 0xd, 0xb8, 0, 1, [15] = 1 },		/* the router */
		{ 0x20, 1, 0xd, 0xb8, 0, 2, [15] = 1 },
		{ 0x20, 1, 0xd, 0xb8, 0, 2, [15] = 9 },		/* connected */
		{ 0x20, 1, 0xd, 0xb8, 0, 2 },			/* anycast */
		{ 0 }, { [15] = 1 }, { 0xff, 2, [15] = 1 }, { 0xff, 0x0e, [15] = 99 },
		{ 0xfe, 0x80, [15] = 9 }, { 0xfe, 0xc0, [15] = 9 },
		{ [10] = 0xff, 0xff, 198, 51, 2, 9 },		/* IPv4-mapped */
		{ [12] = 198, 51, 2, 9 },
		{ 0xfd, 0, [15] = 9 },				/* no route */
	};

	if (one_in(random, 4)) {
		memcpy(address, special[below(random, ARRAY_SIZE(special))], 16);
		return;
	}
	memset(address, 0, sizeof(*address));
	address->s6_addr32[0] = htonl(is_source ? 0x20010dba : 0x20010db9);
	if (is_source)
		address->s6_addr32[1] = prandom_u32_state(random);
	else
		address->s6_addr16[2] = htons(1 + below(random, 8));
	address->s6_addr[15] = 8;
}

static bool is_local6(const struct in6_addr *address)
{
	return address->s6_addr32[0] != htonl(0x20010db9);
}

/* Extension headers at @data. Returns their length. */
static unsigned int fill_extensions(struct rnd_state *random, u8 *data, u8 *next,
				    bool is_local)
{
	static const u8 options[][6] = {
		{ 5, 2, 0, 0, 0, 0 },		/* router alert */
		{ 1, 4, 0, 0, 0, 0 },		/* padding */
		{ 0xc2, 4, 0, 1, 0, 0 },	/* jumbo */
		{ 0x1e, 4, 0, 0, 0, 0 },	/* unknown: passed over */
		{ 0x5e, 4, 0, 0, 0, 0 },	/* unknown: dropped */
		{ 0x9e, 4, 0, 0, 0, 0 },	/* unknown: told */
		{ 0xde, 4, 0, 0, 0, 0 },
		{ 1, 200, 0, 0, 0, 0 },		/* too long */
	};
	static const u32 headers[] = {
		NEXTHDR_HOP, NEXTHDR_DEST, NEXTHDR_ROUTING, NEXTHDR_FRAGMENT,
		NEXTHDR_NONE, NEXTHDR_AUTH,
	};
	u8 header = pick(random, headers, ARRAY_SIZE(headers));

	/* fragments for the router are put together, and told of later */
	if (is_local && header == NEXTHDR_FRAGMENT)
		header = NEXTHDR_DEST;
	memset(data, 0, 8);
	data[0] = *next;
	*next = header;
	switch (header) {
	case NEXTHDR_HOP:
	case NEXTHDR_DEST:
		memcpy(data + 2, options[below(random, ARRAY_SIZE(options))], 6);
		return 8;
	case NEXTHDR_ROUTING:
		data[2] = below(random, 5);
		data[3] = below(random, 3);
		return 8;
	case NEXTHDR_FRAGMENT:
		data[2] = below(random, 8);
		data[3] = below(random, 2);
		return 8;
	case NEXTHDR_AUTH:
		return 8;
	default:
		return 0;
	}
}

static void fill_icmp6(struct rnd_state *random, struct ipv6hdr *iph, u8 *data,
		       unsigned int len)
{
	static const u32 types[] = {
		ICMPV6_ECHO_REQUEST, ICMPV6_ECHO_REPLY, ICMPV6_DEST_UNREACH,
		ICMPV6_TIME_EXCEED, ICMPV6_PARAMPROB,
	};
	struct icmp6hdr *icmp = (void *)data;

	if (len < sizeof(*icmp))
		return;
	icmp->icmp6_type = pick(random, types, ARRAY_SIZE(types));
	icmp->icmp6_code = below(random, 4);
	icmp->icmp6_cksum = 0;
	icmp->icmp6_cksum = csum_ipv6_magic(&iph->saddr, &iph->daddr, len,
					    IPPROTO_ICMPV6,
					    csum_partial(data, len, 0));
}

static void make6(struct mutant *m, struct rnd_state *random)
{
	static const u32 protocols[] = {
		IPPROTO_UDP, IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMPV6, 99,
		IPPROTO_IPV6,
	};
	static const u32 limits[] = { 0, 1, 1, 2, 64, 64, 64, 255 };
	struct ipv6hdr *iph = (void *)m->data;
	unsigned int at = sizeof(*iph), i;
	bool is_local;
	u8 protocol;

	iph->version = 6;
	iph->priority = below(random, 16);
	iph->hop_limit = pick(random, limits, ARRAY_SIZE(limits));
	protocol = pick(random, protocols, ARRAY_SIZE(protocols));
	iph->nexthdr = protocol;
	some_address6(random, &iph->saddr, true);
	some_address6(random, &iph->daddr, false);
	is_local = is_local6(&iph->daddr);
	if (one_in(random, 4))
		at += fill_extensions(random, m->data + at, &iph->nexthdr,
				      is_local);
	m->len = some_length(random, at);
	for (i = at; i < m->len; i++)
		m->data[i] = below(random, 256);
	if (protocol == IPPROTO_ICMPV6)
		fill_icmp6(random, iph, m->data + at, m->len - at);
	iph->payload_len = htons(m->len - sizeof(*iph));

	/* what is wrong with it */
	switch (below(random, 40)) {
	case 0:
		iph->version = below(random, 16);
		break;
	case 1:
		iph->payload_len = htons(below(random, 1 << 16));
		break;
	case 2:
		iph->payload_len = htons(m->len - sizeof(*iph) - below(random, 8));
		break;
	case 3:
		iph->payload_len = 0;
		break;
	case 4:
		m->len = below(random, m->len);
		break;
	case 5:
		if (!is_local)
			m->data[below(random, 8)] ^= 1 << below(random, 8);
		break;
	}
}

/**
 * mutant_make - make the next packet
 * @m: the packet
 * @random: what it comes from
 */
void mutant_make(struct mutant *m, struct rnd_state *random)
{
	static const u32 types[] = {
		PACKET_BROADCAST, PACKET_MULTICAST, PACKET_OTHERHOST,
	};

	memset(m, 0, sizeof(*m));
	m->is_ipv6 = one_in(random, 2);
	m->pkt_type = one_in(random, 20) ?
		pick(random, types, ARRAY_SIZE(types)) : PACKET_HOST;
	if (m->is_ipv6)
		make6(m, random);
	else
		make4(m, random);
	m->linear = one_in(random, 3) ? below(random, min(m->len + 1, 80u)) : m->len;
	m->is_shared = one_in(random, 5);
}
