// SPDX-License-Identifier: GPL-2.0-only
/* What becomes of a packet that has got a dst of ours. See forward.h. */
#include <linux/icmpv6.h>
#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/route.h>
/* for skb_gso_validate_network_len(): it has moved since 6.1 */
#include <net/udp.h>
#include <net/xfrm.h>

#include "forward.h"
#include "port.h"

static void nl31_count(const struct sk_buff *skb, enum nl31_port_count what)
{
	struct nl31_port *port = nl31_port_of(skb->dev);

	if (likely(port))
		nl31_port_count(port, what);
}

/* Returns what dst_input() returns for a packet that is dropped. */
static int nl31_drop(struct sk_buff *skb, enum nl31_port_count what,
		     enum skb_drop_reason reason)
{
	nl31_count(skb, what);
	kfree_skb_reason(skb, reason);
	return NET_RX_DROP;
}

static enum nl31_port_count nl31_reject_count(const struct dst_entry *dst)
{
	switch (dst->error) {
	case -EHOSTUNREACH:
		return NL31_PORT_COUNT_DROP_UNREACHABLE;
	case -EACCES:
		return NL31_PORT_COUNT_DROP_PROHIBIT;
	case -EINVAL:
		return NL31_PORT_COUNT_DROP_BLACKHOLE;
	default:
		return NL31_PORT_COUNT_DROP_NO_ROUTE;
	}
}

/* What neither family forwards, as both functions of Linux say. */
static bool nl31_is_forwardable(struct sk_buff *skb)
{
	return skb->pkt_type == PACKET_HOST && !skb->sk && !skb_warn_if_lro(skb);
}

static bool nl31_exceeds_mtu(const struct sk_buff *skb, unsigned int mtu,
			     unsigned int frag_max_size)
{
	/* conntrack has put it together, of fragments that were larger */
	if (unlikely(frag_max_size > mtu))
		return true;
	if (skb->ignore_df)
		return false;
	return !skb_is_gso(skb) || !skb_gso_validate_network_len(skb, mtu);
}

static int nl31_forward_finish(struct net *net, struct sock *sk,
			       struct sk_buff *skb)
{
#ifdef CONFIG_NET_SWITCHDEV
	if (skb->offload_l3_fwd_mark) {
		consume_skb(skb);
		return 0;
	}
#endif
	skb_clear_tstamp(skb);
	return dst_output(net, sk, skb);
}

/**
 * nl31_forward4 - send an IPv4 packet on
 * @skb: the packet; its header has no options
 *
 * As ip_forward(), but for redirects, which are not sent.
 *
 * Context: RCU read side, bottom halves disabled
 */
int nl31_forward4(struct sk_buff *skb)
{
	struct net *net = dev_net(skb->dev);
	struct net_device *dev;
	unsigned int mtu;
	struct iphdr *iph;
	struct rtable *rt;

	if (unlikely(!nl31_is_forwardable(skb)))
		return nl31_drop(skb, NL31_PORT_COUNT_DROP_OTHER,
				 SKB_DROP_REASON_NOT_SPECIFIED);
	if (!xfrm4_policy_check(NULL, XFRM_POLICY_FWD, skb))
		return nl31_drop(skb, NL31_PORT_COUNT_DROP_POLICY,
				 SKB_DROP_REASON_XFRM_POLICY);
	skb_forward_csum(skb);
	if (unlikely(ip_hdr(skb)->ttl <= 1)) {
		__IP_INC_STATS(net, IPSTATS_MIB_INHDRERRORS);
		icmp_send(skb, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, 0);
		return nl31_drop(skb, NL31_PORT_COUNT_DROP_TTL,
				 SKB_DROP_REASON_IP_INHDR);
	}
	if (!xfrm4_route_forward(skb))
		return nl31_drop(skb, NL31_PORT_COUNT_DROP_POLICY,
				 SKB_DROP_REASON_XFRM_POLICY);

	/* a policy may have given it another one */
	rt = skb_rtable(skb);
	dev = rt->dst.dev;
	__IP_INC_STATS(net, IPSTATS_MIB_OUTFORWDATAGRAMS);
	IPCB(skb)->flags |= IPSKB_FORWARDED;
	mtu = ip_dst_mtu_maybe_forward(&rt->dst, true);
	if (unlikely(skb->len > mtu && ip_hdr(skb)->frag_off & htons(IP_DF) &&
		     nl31_exceeds_mtu(skb, mtu, IPCB(skb)->frag_max_size))) {
		IP_INC_STATS(net, IPSTATS_MIB_FRAGFAILS);
		icmp_send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, htonl(mtu));
		return nl31_drop(skb, NL31_PORT_COUNT_DROP_TOO_BIG,
				 SKB_DROP_REASON_PKT_TOO_BIG);
	}
	if (skb_cow(skb, LL_RESERVED_SPACE(dev) + rt->dst.header_len))
		return nl31_drop(skb, NL31_PORT_COUNT_DROP_OTHER,
				 SKB_DROP_REASON_NOMEM);
	iph = ip_hdr(skb);
	ip_decrease_ttl(iph);
	if (READ_ONCE(net->ipv4.sysctl_ip_fwd_update_priority))
		skb->priority = rt_tos2priority(iph->tos);
	nl31_count(skb, NL31_PORT_COUNT_FORWARDED);
	return NF_HOOK(NFPROTO_IPV4, NF_INET_FORWARD, net, NULL, skb, skb->dev,
		       dev, nl31_forward_finish);
}

/**
 * nl31_reject4 - drop an IPv4 packet whose route leads nowhere
 * @skb: the packet; the error of its dst says why
 *
 * As ip_error(), but the rate of errors is limited by icmp_send() alone.
 *
 * Context: RCU read side, bottom halves disabled
 */
int nl31_reject4(struct sk_buff *skb)
{
	const struct dst_entry *dst = skb_dst(skb);
	enum skb_drop_reason reason = SKB_DROP_REASON_NOT_SPECIFIED;

	switch (dst->error) {
	case -EHOSTUNREACH:
		icmp_send(skb, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0);
		break;
	case -EACCES:
		icmp_send(skb, ICMP_DEST_UNREACH, ICMP_PKT_FILTERED, 0);
		break;
	case -ENETUNREACH:
		__IP_INC_STATS(dev_net(skb->dev), IPSTATS_MIB_INNOROUTES);
		icmp_send(skb, ICMP_DEST_UNREACH, ICMP_NET_UNREACH, 0);
		reason = SKB_DROP_REASON_IP_INNOROUTES;
		break;
	}
	return nl31_drop(skb, nl31_reject_count(dst), reason);
}

#if IS_ENABLED(CONFIG_IPV6)

/**
 * nl31_forward6 - send an IPv6 packet on
 * @skb: the packet; no router alert, its addresses are of global scope
 *
 * As ip6_forward(), but for redirects, which are not sent.
 *
 * Context: RCU read side, bottom halves disabled
 */
int nl31_forward6(struct sk_buff *skb)
{
	struct inet6_dev *idev = __in6_dev_get(skb->dev);
	struct net *net = dev_net(skb->dev);
	struct net_device *dev;
	struct dst_entry *dst;
	unsigned int mtu;

	if (unlikely(!nl31_is_forwardable(skb)))
		return nl31_drop(skb, NL31_PORT_COUNT_DROP_OTHER,
				 SKB_DROP_REASON_NOT_SPECIFIED);
	if (!READ_ONCE(net->ipv6.devconf_all->disable_policy) &&
	    (!idev || !READ_ONCE(idev->cnf.disable_policy)) &&
	    !xfrm6_policy_check(NULL, XFRM_POLICY_FWD, skb)) {
		__IP6_INC_STATS(net, idev, IPSTATS_MIB_INDISCARDS);
		return nl31_drop(skb, NL31_PORT_COUNT_DROP_POLICY,
				 SKB_DROP_REASON_XFRM_POLICY);
	}
	skb_forward_csum(skb);
	if (unlikely(ipv6_hdr(skb)->hop_limit <= 1)) {
		icmpv6_send(skb, ICMPV6_TIME_EXCEED, ICMPV6_EXC_HOPLIMIT, 0);
		__IP6_INC_STATS(net, idev, IPSTATS_MIB_INHDRERRORS);
		return nl31_drop(skb, NL31_PORT_COUNT_DROP_TTL,
				 SKB_DROP_REASON_IP_INHDR);
	}
	if (!xfrm6_route_forward(skb)) {
		__IP6_INC_STATS(net, idev, IPSTATS_MIB_INDISCARDS);
		return nl31_drop(skb, NL31_PORT_COUNT_DROP_POLICY,
				 SKB_DROP_REASON_XFRM_POLICY);
	}

	/* a policy may have given it another one */
	dst = skb_dst(skb);
	dev = dst->dev;
	__IP6_INC_STATS(net, ip6_dst_idev(dst), IPSTATS_MIB_OUTFORWDATAGRAMS);
	mtu = max_t(unsigned int, ip6_dst_mtu_maybe_forward(dst, true),
		    IPV6_MIN_MTU);
	if (unlikely(skb->len > mtu &&
		     nl31_exceeds_mtu(skb, mtu, IP6CB(skb)->frag_max_size))) {
		struct net_device *in = skb->dev;

		/* the address of the way out is the source of the error */
		skb->dev = dev;
		icmpv6_send(skb, ICMPV6_PKT_TOOBIG, 0, mtu);
		skb->dev = in;
		__IP6_INC_STATS(net, idev, IPSTATS_MIB_INTOOBIGERRORS);
		__IP6_INC_STATS(net, ip6_dst_idev(dst), IPSTATS_MIB_FRAGFAILS);
		return nl31_drop(skb, NL31_PORT_COUNT_DROP_TOO_BIG,
				 SKB_DROP_REASON_PKT_TOO_BIG);
	}
	if (skb_cow(skb, dev->hard_header_len)) {
		__IP6_INC_STATS(net, ip6_dst_idev(dst), IPSTATS_MIB_OUTDISCARDS);
		return nl31_drop(skb, NL31_PORT_COUNT_DROP_OTHER,
				 SKB_DROP_REASON_NOMEM);
	}
	ipv6_hdr(skb)->hop_limit--;
	nl31_count(skb, NL31_PORT_COUNT_FORWARDED);
	return NF_HOOK(NFPROTO_IPV6, NF_INET_FORWARD, net, NULL, skb, skb->dev,
		       dev, nl31_forward_finish);
}

/**
 * nl31_reject6 - drop an IPv6 packet whose route leads nowhere
 * @skb: the packet; the error of its dst says why
 *
 * As ip6_pkt_discard() and ip6_pkt_prohibit().
 *
 * Context: RCU read side, bottom halves disabled
 */
int nl31_reject6(struct sk_buff *skb)
{
	const struct dst_entry *dst = skb_dst(skb);
	enum skb_drop_reason reason = SKB_DROP_REASON_NOT_SPECIFIED;
	struct inet6_dev *idev = __in6_dev_get(skb->dev);

	if (dst->error != -EINVAL) {
		IP6_INC_STATS(dev_net(skb->dev), idev, IPSTATS_MIB_INNOROUTES);
		reason = SKB_DROP_REASON_IP_INNOROUTES;
		icmpv6_send(skb, ICMPV6_DEST_UNREACH,
			    dst->error == -EACCES ? ICMPV6_ADM_PROHIBITED :
						    ICMPV6_NOROUTE, 0);
	}
	return nl31_drop(skb, nl31_reject_count(dst), reason);
}

#endif
