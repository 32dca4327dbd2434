// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets that come in on a port.
 *
 * Linux has checked the header and done PREROUTING, and would look up the route
 * now. A packet that the table forwards gets its dst here, and Linux goes on with
 * dst_input(). What is special is left to Linux, which then looks up by itself:
 * that is where martians are found, options are read and local sockets are.
 */
#include <linux/err.h>
#include <linux/inetdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <net/addrconf.h>
#include <net/dst_metadata.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "port.h"
#include "router.h"

static struct lpm_key nl31_key4(__be32 address)
{
	return (struct lpm_key){
		.word[0] = (u64)be32_to_cpu(address) << 32,
		.len = 32,
	};
}

/* What is for every host, or for none. */
static bool nl31_is_special4(__be32 address)
{
	return ipv4_is_multicast(address) || ipv4_is_lbcast(address) ||
	       ipv4_is_zeronet(address) || ipv4_is_loopback(address);
}

/* To another host's address, and no route has been chosen for it yet. */
static bool nl31_is_undecided(const struct sk_buff *skb)
{
#ifdef CONFIG_NET_SWITCHDEV
	/* hardware has sent it by Linux's routes; Linux drops this copy */
	if (unlikely(skb->offload_l3_fwd_mark))
		return false;
#endif
	return skb->pkt_type == PACKET_HOST && !skb->sk && !skb_valid_dst(skb);
}

static bool nl31_is_for_linux4(const struct sk_buff *skb)
{
	struct in_device *in_dev = __in_dev_get_rcu(skb->dev);
	const struct iphdr *iph = ip_hdr(skb);

	return !in_dev || !IN_DEV_FORWARD(in_dev) || iph->ihl > 5 ||
	       nl31_is_special4(iph->daddr) || nl31_is_special4(iph->saddr);
}

#if IS_ENABLED(CONFIG_IPV6)
static struct lpm_key nl31_key6(const struct in6_addr *address)
{
	struct lpm_key key = { .len = 128 };
	__be64 word[2];

	memcpy(word, address, sizeof(word));
	key.word[0] = be64_to_cpu(word[0]);
	key.word[1] = be64_to_cpu(word[1]);
	return key;
}

static bool nl31_is_special6(const struct in6_addr *address)
{
	return ipv6_addr_type(address) &
	       (IPV6_ADDR_MULTICAST | IPV6_ADDR_LOOPBACK | IPV6_ADDR_LINKLOCAL) ||
	       ipv6_addr_any(address);
}

static bool nl31_is_for_linux6(const struct sk_buff *skb)
{
	const struct net *net = dev_net(skb->dev);
	const struct ipv6hdr *iph = ipv6_hdr(skb);

	return !READ_ONCE(net->ipv6.devconf_all->forwarding) ||
	       READ_ONCE(net->ipv6.devconf_all->proxy_ndp) ||
	       IP6CB(skb)->flags & IP6SKB_ROUTERALERT ||
	       nl31_is_special6(&iph->daddr) || nl31_is_special6(&iph->saddr);
}
#endif

/* The packet has got a dst that the ones behind it must not take over unseen. */
static void nl31_set_dst(struct sk_buff *skb, enum nl31_family family,
			 struct dst_entry *dst)
{
	skb_dst_drop(skb);
	skb_dst_set_noref(skb, dst);
	if (family == NL31_IPV4)
		IPCB(skb)->flags |= IPSKB_MULTIPATH;
#if IS_ENABLED(CONFIG_IPV6)
	else
		IP6CB(skb)->flags |= IP6SKB_MULTIPATH;
#endif
}

/* Returns the packet for Linux to go on with, or NULL where it was dropped. */
static struct sk_buff *nl31_receive_from(struct nl31_port *port,
					 struct sk_buff *skb,
					 enum nl31_family family,
					 const struct lpm_key *source,
					 const struct lpm_key *destination)
{
	struct nl31_router *router = nl31_router_of(port);
	struct dst_entry *dst;

	/* also of what is for this machine, or for a neighbour of it */
	switch (nl31_router_check_source(router, family, source, port)) {
	case NL31_SOURCE_LOCAL:
		goto hand_up;
	case NL31_SOURCE_SPOOFED:
		nl31_port_count(port, NL31_PORT_COUNT_DROP_URPF);
		kfree_skb_reason(skb, SKB_DROP_REASON_IP_RPFILTER);
		return NULL;
	case NL31_SOURCE_VALID:
		break;
	}
	dst = nl31_router_dst(router, family, destination, skb);
	if (!dst)
		goto hand_up;
	if (IS_ERR(dst)) {
		nl31_port_count(port, NL31_PORT_COUNT_DROP_OTHER);
		kfree_skb_reason(skb, SKB_DROP_REASON_NOMEM);
		return NULL;
	}
	nl31_set_dst(skb, family, dst);
	return skb;

hand_up:
	nl31_port_count(port, NL31_PORT_COUNT_HANDED_UP);
	return skb;
}

struct sk_buff *nl31_port_receive(struct net_device *dev, struct sk_buff *skb,
				  u16 proto)
{
	struct nl31_port *port = nl31_port_of(dev);
	struct lpm_key source, destination;

	if (unlikely(!port))
		return skb;
	if (unlikely(!READ_ONCE(port->forwarding) || !nl31_is_undecided(skb)))
		goto hand_up;
	if (proto == AF_INET) {
		if (unlikely(nl31_is_for_linux4(skb)))
			goto hand_up;
		source = nl31_key4(ip_hdr(skb)->saddr);
		destination = nl31_key4(ip_hdr(skb)->daddr);
		return nl31_receive_from(port, skb, NL31_IPV4, &source,
					 &destination);
	}
#if IS_ENABLED(CONFIG_IPV6)
	if (proto == AF_INET6) {
		if (unlikely(nl31_is_for_linux6(skb)))
			goto hand_up;
		source = nl31_key6(&ipv6_hdr(skb)->saddr);
		destination = nl31_key6(&ipv6_hdr(skb)->daddr);
		return nl31_receive_from(port, skb, NL31_IPV6, &source,
					 &destination);
	}
#endif

hand_up:
	nl31_port_count(port, NL31_PORT_COUNT_HANDED_UP);
	return skb;
}
