// SPDX-License-Identifier: GPL-2.0-only
/*
 * What Linux sends packets by, made for an adjacency: its input is ours (forward.h), its
 * output Linux's.
 */
#include <linux/err.h>
#include <linux/inetdevice.h>
#include <linux/netdevice.h>
#include <linux/string.h>
#include <net/addrconf.h>
#include <net/dst.h>
#include <net/ip6_fib.h>
#include <net/ip6_route.h>
#include <net/ip_fib.h>
#include <net/ipv6.h>
#include <net/ipv6_stubs.h>
#include <net/route.h>
#include <uapi/linux/nl31.h>

#include "adjacency.h"
#include "device.h"
#include "forward.h"

/*
 * The device over which an IPv4 gateway is connected. Looks without making a dst, so
 * that it finds the device when memory is short, too. Context: RCU read side
 */
static struct net_device *nl31_connected4(struct nl31_adjacencies *adjacencies,
					  __be32 gateway)
{
	struct flowi4 fl4 = {
		.daddr = gateway,
		.flowi4_iif = LOOPBACK_IFINDEX,
	};
	struct fib_result res;

	if (fib_lookup(adjacencies->net, &fl4, &res, FIB_LOOKUP_NOREF) ||
	    res.type != RTN_UNICAST || FIB_RES_NHC(res)->nhc_gw_family)
		return NULL;
	return FIB_RES_NHC(res)->nhc_dev;
}

#if IS_ENABLED(CONFIG_IPV6)
/* The same of an IPv6 gateway. Context: RCU read side */
static struct net_device *nl31_connected6(struct nl31_adjacencies *adjacencies,
					  const struct in6_addr *gateway)
{
	struct flowi6 fl6 = {
		.daddr = *gateway,
		.flowi6_iif = LOOPBACK_IFINDEX,
	};
	struct fib6_result res = {};

	/* on every link */
	if (ipv6_addr_type(gateway) & IPV6_ADDR_LINKLOCAL)
		return NULL;
	if (ipv6_stub->fib6_lookup(adjacencies->net, 0, &fl6, &res, 0) ||
	    res.fib6_type != RTN_UNICAST || !res.nh ||
	    res.fib6_flags & (RTF_GATEWAY | RTF_REJECT) ||
	    res.nh->fib_nh_gw_family)
		return NULL;
	return res.nh->fib_nh_dev;
}
#endif

/* The device that packets leave by, with a carrier. Context: RCU read side */
static struct net_device *
nl31_adjacency_device(const struct nl31_adjacency *adjacency)
{
	const struct nl31_adjacency_key *key = &adjacency->key;
	struct nl31_adjacencies *adjacencies = adjacency->adjacencies;
	struct net_device *dev = NULL;

	if (key->device) {
		dev = dev_get_by_index_rcu(adjacencies->net,
					   READ_ONCE(key->device->ifindex));
	} else if (key->gateway_len == sizeof(__be32)) {
		__be32 gateway;

		memcpy(&gateway, key->gateway, sizeof(gateway));
		dev = nl31_connected4(adjacencies, gateway);
#if IS_ENABLED(CONFIG_IPV6)
	} else {
		struct in6_addr gateway;

		memcpy(&gateway, key->gateway, sizeof(gateway));
		dev = nl31_connected6(adjacencies, &gateway);
#endif
	}
	if (!dev || dev == READ_ONCE(adjacencies->own) ||
	    (dev->flags & (IFF_UP | IFF_LOOPBACK)) != IFF_UP ||
	    !netif_carrier_ok(dev))
		return NULL;
	return dev;
}

/* What a route that leads nowhere says. */
static int nl31_adjacency_error(const struct nl31_adjacency *adjacency)
{
	switch (adjacency->key.type) {
	case NL31_TYPE_UNICAST:
		return 0;
	case NL31_TYPE_BLACKHOLE:
		return -EINVAL;
	case NL31_TYPE_UNREACHABLE:
		return -EHOSTUNREACH;
	case NL31_TYPE_PROHIBIT:
		return -EACCES;
	default:
		return -ENETUNREACH;
	}
}

static struct dst_entry *nl31_dst4_new(const struct nl31_adjacency *adjacency,
				       struct net_device *dev, int error)
{
	const struct nl31_adjacency_key *key = &adjacency->key;
	struct in_device *in_dev = __in_dev_get_rcu(dev);
	struct rtable *rt;

	/* IPv4 is off there */
	if (!error && !in_dev)
		return NULL;
	rt = rt_dst_alloc(dev, 0, RTN_UNICAST,
			  in_dev && IN_DEV_ORCONF(in_dev, NOXFRM));
	if (!rt)
		return ERR_PTR(-ENOMEM);
	/* so that errors are sent by the rules for what came in */
	rt->rt_is_input = 1;
	if (key->gateway_len) {
		rt->rt_uses_gateway = 1;
		rt->rt_gw_family = AF_INET;
		memcpy(&rt->rt_gw4, key->gateway, sizeof(rt->rt_gw4));
	}
	rt->dst.error = error;
	rt->dst.input = error ? nl31_reject4 : nl31_forward4;
	return &rt->dst;
}

#if IS_ENABLED(CONFIG_IPV6)
static struct dst_entry *nl31_dst6_new(const struct nl31_adjacency *adjacency,
				       struct net_device *dev, int error)
{
	const struct nl31_adjacency_key *key = &adjacency->key;
	struct inet6_dev *idev = in6_dev_get(dev);
	struct rt6_info *rt;

	/* IPv6 is off there, and ip6_output() would drop everything */
	if (!idev)
		return NULL;
	/* not counted: these do not come and go with packets */
	rt = ip6_dst_alloc(dev_net(dev), dev, DST_NOCOUNT);
	if (!rt) {
		in6_dev_put(idev);
		return ERR_PTR(-ENOMEM);
	}
	rt->rt6i_idev = idev;
	/*
	 * As of a copy that has no original: ip6_rt_update_pmtu() sets nothing then.
	 * The path MTU of one destination would be set for all of them otherwise.
	 */
	rt->rt6i_flags = RTF_UP | RTF_PCPU;
	if (key->gateway_len) {
		rt->rt6i_flags |= RTF_GATEWAY;
		memcpy(&rt->rt6i_gateway, key->gateway, sizeof(rt->rt6i_gateway));
	}
	rt->dst.error = error;
	rt->dst.input = error ? nl31_reject6 : nl31_forward6;
	rt->dst.output = ip6_output;
	return &rt->dst;
}
#else
static struct dst_entry *nl31_dst6_new(const struct nl31_adjacency *adjacency,
				       struct net_device *dev, int error)
{
	return NULL;
}
#endif

/**
 * nl31_adjacency_new_dst - make what packets leave by
 * @adjacency: the adjacency
 * @family: of the packets
 *
 * Context: RCU read side
 * Return: the dst; NULL: there is no way out; or ERR_PTR(-ENOMEM)
 */
struct dst_entry *nl31_adjacency_new_dst(const struct nl31_adjacency *adjacency,
					 enum nl31_family family)
{
	const int error = nl31_adjacency_error(adjacency);
	struct net_device *dev;

	dev = error ? adjacency->adjacencies->net->loopback_dev :
		      nl31_adjacency_device(adjacency);
	if (!dev)
		return NULL;
	return family == NL31_IPV4 ? nl31_dst4_new(adjacency, dev, error) :
				     nl31_dst6_new(adjacency, dev, error);
}
