// SPDX-License-Identifier: GPL-2.0-only
/* Flows. See flow.h. */
#include <linux/bitops.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/minmax.h>
#include <linux/skbuff.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "flow.h"

/* A sender can put as many extension headers into a packet as fit. */
#define EXTENSIONS_MAX	8

/* Source and destination port, or what is in their place; 0 where there are none. */
static u32 nl31_flow_ports(const struct sk_buff *skb, unsigned int offset,
			   u8 protocol)
{
	const int at = proto_ports_offset(protocol);
	__be32 *ports, buffer;

	if (at < 0)
		return 0;
	ports = skb_header_pointer(skb, offset + at, sizeof(buffer), &buffer);
	return ports ? be32_to_cpu(*ports) : 0;
}

/* The header in an ICMP error at @offset, or NULL where it is none. */
static const struct iphdr *nl31_flow_inner4(const struct sk_buff *skb,
					    unsigned int offset,
					    struct iphdr *buffer)
{
	struct icmphdr *icmp, icmp_buffer;
	const struct iphdr *inner;

	icmp = skb_header_pointer(skb, offset, sizeof(icmp_buffer), &icmp_buffer);
	if (!icmp || !icmp_is_err(icmp->type))
		return NULL;
	inner = skb_header_pointer(skb, offset + sizeof(*icmp), sizeof(*buffer),
				   buffer);
	return inner && inner->version == 4 && inner->ihl >= 5 ? inner : NULL;
}

static u32 nl31_flow_hash4(const struct sk_buff *skb, const hsiphash_key_t *key)
{
	const struct iphdr *iph = ip_hdr(skb), *inner;
	unsigned int offset = skb_network_offset(skb) + iph->ihl * 4;
	u32 source, destination, ports = 0, protocol = 0;
	struct iphdr buffer;

	if (unlikely(iph->protocol == IPPROTO_ICMP) && !ip_is_fragment(iph)) {
		inner = nl31_flow_inner4(skb, offset, &buffer);
		if (inner) {
			offset += sizeof(struct icmphdr) + inner->ihl * 4;
			iph = inner;
		}
	}
	source = be32_to_cpu(iph->saddr);
	destination = be32_to_cpu(iph->daddr);
	if (likely(!ip_is_fragment(iph))) {
		protocol = iph->protocol;
		ports = nl31_flow_ports(skb, offset, protocol);
	}
	if (source > destination) {
		swap(source, destination);
		ports = rol32(ports, 16);
	}
	return hsiphash_4u32(source, destination, ports, protocol, key);
}

#if IS_ENABLED(CONFIG_IPV6)
/*
 * Behind the extension headers, to the header of the protocol that is returned with
 * its @offset; 0: a fragment, or too many of them.
 */
static u8 nl31_flow_protocol6(const struct sk_buff *skb, u8 protocol,
			      unsigned int *offset)
{
	unsigned int i;

	for (i = 0; i <= EXTENSIONS_MAX; i++) {
		union {
			struct ipv6_opt_hdr option;
			struct frag_hdr fragment;
		} *header, buffer;

		switch (protocol) {
		case NEXTHDR_HOP:
		case NEXTHDR_ROUTING:
		case NEXTHDR_DEST:
		case NEXTHDR_FRAGMENT:
			break;
		default:
			return protocol;
		}
		/* none is shorter than a fragment's */
		header = skb_header_pointer(skb, *offset, sizeof(buffer), &buffer);
		if (!header)
			break;
		if (protocol == NEXTHDR_FRAGMENT) {
			if (header->fragment.frag_off & htons(IP6_OFFSET | IP6_MF))
				break;
			*offset += sizeof(header->fragment);
		} else {
			*offset += ipv6_optlen(&header->option);
		}
		protocol = header->option.nexthdr;
	}
	return 0;
}

/* The header in an ICMPv6 error at @offset, or NULL where it is none. */
static const struct ipv6hdr *nl31_flow_inner6(const struct sk_buff *skb,
					      unsigned int offset,
					      struct ipv6hdr *buffer)
{
	struct icmp6hdr *icmp, icmp_buffer;
	const struct ipv6hdr *inner;

	icmp = skb_header_pointer(skb, offset, sizeof(icmp_buffer), &icmp_buffer);
	if (!icmp || !icmpv6_is_err(icmp->icmp6_type))
		return NULL;
	inner = skb_header_pointer(skb, offset + sizeof(*icmp), sizeof(*buffer),
				   buffer);
	return inner && inner->version == 6 ? inner : NULL;
}

static u32 nl31_flow_hash6(const struct sk_buff *skb, const hsiphash_key_t *key)
{
	const struct ipv6hdr *iph = ipv6_hdr(skb), *inner;
	unsigned int offset = skb_network_offset(skb) + sizeof(*iph);
	struct {
		struct in6_addr source;
		struct in6_addr destination;
		u32 ports;
		u32 protocol;
	} flow __aligned(HSIPHASH_ALIGNMENT);
	struct ipv6hdr buffer;

	flow.protocol = nl31_flow_protocol6(skb, iph->nexthdr, &offset);
	if (unlikely(flow.protocol == IPPROTO_ICMPV6)) {
		inner = nl31_flow_inner6(skb, offset, &buffer);
		if (inner) {
			offset += sizeof(struct icmp6hdr) + sizeof(*inner);
			iph = inner;
			flow.protocol = nl31_flow_protocol6(skb, iph->nexthdr,
							    &offset);
		}
	}
	flow.ports = nl31_flow_ports(skb, offset, flow.protocol);
	if (memcmp(&iph->saddr, &iph->daddr, sizeof(iph->saddr)) <= 0) {
		flow.source = iph->saddr;
		flow.destination = iph->daddr;
	} else {
		flow.source = iph->daddr;
		flow.destination = iph->saddr;
		flow.ports = rol32(flow.ports, 16);
	}
	return hsiphash(&flow, sizeof(flow), key);
}
#else
static u32 nl31_flow_hash6(const struct sk_buff *skb, const hsiphash_key_t *key)
{
	return 0;
}
#endif

/**
 * nl31_flow_hash - a number that all packets of a flow have in common
 * @skb: an IP packet; its header is checked and linear
 * @family: of the packet
 * @key: secret, so that a sender cannot choose flows by their numbers
 *
 * Return: the number; each bit of it is as good as any other
 */
u32 nl31_flow_hash(const struct sk_buff *skb, enum nl31_family family,
		   const hsiphash_key_t *key)
{
	return family == NL31_IPV4 ? nl31_flow_hash4(skb, key) :
				     nl31_flow_hash6(skb, key);
}
