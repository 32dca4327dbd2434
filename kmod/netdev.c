// SPDX-License-Identifier: GPL-2.0-only
/* Device nl31. See netdev.h. */
#include <linux/err.h>
#include <linux/if_arp.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/rtnetlink.h>
#include <net/addrconf.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/ip_tunnels.h>
#include <net/ipv6.h>
#include <net/rtnetlink.h>

#include "netdev.h"

#define NETDEV_NAME	"nl31"

/* As a tunnel: segments and checksums are made by the device behind. */
#define NETDEV_FEATURES							\
	(NETIF_F_HW_CSUM | NETIF_F_RXCSUM | NETIF_F_SG | NETIF_F_FRAGLIST | \
	 NETIF_F_GSO | NETIF_F_GSO_SOFTWARE | NETIF_F_HIGHDMA)

/**
 * struct netdev - private data of the device
 * @router: by whose table it sends; NULL once it has gone, or to another namespace
 * @mtu: the MTU that it was given last, unless by the user
 */
struct netdev {
	struct nl31_router *router;
	unsigned int mtu;
};

static struct dst_entry *nl31_netdev_dst4(struct nl31_router *router,
					  const struct sk_buff *skb)
{
	const struct lpm_key key = {
		.word[0] = (u64)be32_to_cpu(ip_hdr(skb)->daddr) << 32,
		.len = 32,
	};

	return nl31_router_table_dst(router, NL31_IPV4, &key, skb);
}

static struct dst_entry *nl31_netdev_dst6(struct nl31_router *router,
					  const struct sk_buff *skb)
{
	struct lpm_key key = { .len = 128 };
	__be64 word[2];

	memcpy(word, &ipv6_hdr(skb)->daddr, sizeof(word));
	key.word[0] = be64_to_cpu(word[0]);
	key.word[1] = be64_to_cpu(word[1]);
	return nl31_router_table_dst(router, NL31_IPV6, &key, skb);
}

/* Only neighbours are to be reached by these, and nl31 has none. */
static bool nl31_netdev_is_link_scope(const struct sk_buff *skb, bool is_ipv6)
{
	if (!is_ipv6)
		return ipv4_is_multicast(ip_hdr(skb)->daddr) ||
		       ipv4_is_lbcast(ip_hdr(skb)->daddr);
	return ipv6_addr_type(&ipv6_hdr(skb)->daddr) &
	       (IPV6_ADDR_MULTICAST | IPV6_ADDR_LINKLOCAL);
}

/*
 * Linux may forward here what came in on any device, but nothing is forwarded that
 * did not come in on a port. Context: RCU read side
 */
static bool nl31_netdev_serves(const struct net_device *dev,
			       const struct sk_buff *skb)
{
	const struct nl31_port *port = NULL;
	struct net_device *in;

	/* this machine's own */
	if (!skb->skb_iif)
		return true;
	in = dev_get_by_index_rcu(dev_net(dev), skb->skb_iif);
	if (in)
		port = nl31_port_of(in);
	return port && READ_ONCE(port->forwarding);
}

/* Anyone may write to the device what Linux would not send; fragmenting trusts this. */
static bool nl31_netdev_has_header(struct sk_buff *skb, bool is_ipv6)
{
	if (is_ipv6)
		return true;
	return ip_hdr(skb)->ihl >= 5 &&
	       pskb_network_may_pull(skb, ip_hdrlen(skb));
}

/* Tell the sender that there is no way. */
static void nl31_netdev_reject(struct sk_buff *skb, bool is_ipv6, int error)
{
	if (error == -EINVAL)
		return;
	if (is_ipv6)
		icmpv6_ndo_send(skb, ICMPV6_DEST_UNREACH,
				error == -EACCES ? ICMPV6_ADM_PROHIBITED :
						   ICMPV6_NOROUTE, 0);
	else
		icmp_ndo_send(skb, ICMP_DEST_UNREACH,
			      error == -EACCES ? ICMP_PKT_FILTERED :
			      error == -EHOSTUNREACH ? ICMP_HOST_UNREACH :
						       ICMP_NET_UNREACH, 0);
}

/*
 * Context: RCU read side, bottom halves disabled
 * Return: the packet has left; else the caller drops it
 */
static bool nl31_netdev_send(struct sk_buff *skb, struct net_device *dev)
{
	const bool is_ipv6 = skb->protocol == htons(ETH_P_IPV6);
	const struct netdev *netdev = netdev_priv(dev);
	struct nl31_router *router = READ_ONCE(netdev->router);
	const unsigned int len = skb->len;
	struct dst_entry *dst;

	if (!router || skb->protocol != ip_tunnel_parse_protocol(skb) ||
	    !nl31_netdev_has_header(skb, is_ipv6) ||
	    nl31_netdev_is_link_scope(skb, is_ipv6) ||
	    !nl31_netdev_serves(dev, skb))
		return false;
	dst = is_ipv6 ? nl31_netdev_dst6(router, skb) :
			nl31_netdev_dst4(router, skb);
	if (IS_ERR_OR_NULL(dst))
		return false;
	if (dst->error) {
		nl31_netdev_reject(skb, is_ipv6, dst->error);
		return false;
	}
	/* what is in it is of the layers behind IP */
	memset(skb->cb, 0, sizeof(skb->cb));
	skb_dst_drop(skb);
	skb_dst_set_noref(skb, dst);
	dev_sw_netstats_tx_add(dev, 1, len);
	dst_output(dev_net(dev), skb->sk, skb);
	return true;
}

/* Context: bottom halves disabled, but not every caller is on the RCU read side */
static netdev_tx_t nl31_netdev_xmit(struct sk_buff *skb, struct net_device *dev)
{
	bool is_sent;

	rcu_read_lock();
	is_sent = nl31_netdev_send(skb, dev);
	rcu_read_unlock();
	if (!is_sent) {
		dev_core_stats_tx_dropped_inc(dev);
		kfree_skb(skb);
	}
	return NETDEV_TX_OK;
}

static int nl31_netdev_init_dev(struct net_device *dev)
{
	dev->tstats = netdev_alloc_pcpu_stats(struct pcpu_sw_netstats);
	return dev->tstats ? 0 : -ENOMEM;
}

static void nl31_netdev_uninit_dev(struct net_device *dev)
{
	free_percpu(dev->tstats);
}

/* It has no link for IPv6 to configure itself on. */
static int nl31_netdev_open(struct net_device *dev)
{
#if IS_ENABLED(CONFIG_IPV6)
	struct inet6_dev *idev = __in6_dev_get(dev);

	if (idev)
		idev->cnf.addr_gen_mode = IN6_ADDR_GEN_MODE_NONE;
#endif
	return 0;
}

static const struct net_device_ops nl31_netdev_ops = {
	.ndo_init = nl31_netdev_init_dev,
	.ndo_uninit = nl31_netdev_uninit_dev,
	.ndo_open = nl31_netdev_open,
	.ndo_start_xmit = nl31_netdev_xmit,
	.ndo_get_stats64 = dev_get_tstats64,
};

static void nl31_netdev_setup(struct net_device *dev)
{
	dev->netdev_ops = &nl31_netdev_ops;
	dev->header_ops = &ip_tunnel_header_ops;
	dev->type = ARPHRD_NONE;
	dev->flags = IFF_POINTOPOINT | IFF_NOARP;
	dev->priv_flags |= IFF_NO_QUEUE;
/* a feature until 6.12 */
#ifdef NETIF_F_LLTX
	dev->features |= NETIF_F_LLTX;
#else
	dev->lltx = true;
#endif
	dev->features |= NETDEV_FEATURES;
	dev->hw_features |= NETDEV_FEATURES;
	dev->hw_enc_features |= NETDEV_FEATURES;
	dev->mtu = ETH_DATA_LEN;
	dev->min_mtu = IPV6_MIN_MTU;
	dev->max_mtu = IP_MAX_MTU;
	dev->needs_free_netdev = true;
	/* errors are answered by it */
	netif_keep_dst(dev);
}

static int nl31_netdev_validate(struct nlattr *tb[], struct nlattr *data[],
				struct netlink_ext_ack *extack)
{
	NL_SET_ERR_MSG(extack,
		       "the device is made with the first port of its namespace");
	return -EOPNOTSUPP;
}

static struct rtnl_link_ops nl31_netdev_link_ops __read_mostly = {
	.kind = NETDEV_NAME,
	.priv_size = sizeof(struct netdev),
	.setup = nl31_netdev_setup,
	.validate = nl31_netdev_validate,
};

#if IS_ENABLED(CONFIG_NETFILTER)
static unsigned int nl31_netdev_output(struct sk_buff *skb, bool is_ipv6,
				       const struct nf_hook_state *state)
{
	const struct net_device *dev = state->out;
	const struct netdev *netdev;
	struct nl31_router *router;
	struct dst_entry *dst;

	if (likely(!dev || dev->netdev_ops != &nl31_netdev_ops))
		return NF_ACCEPT;
	netdev = netdev_priv(dev);
	router = READ_ONCE(netdev->router);
	if (!router || nl31_netdev_is_link_scope(skb, is_ipv6))
		return NF_ACCEPT;
	local_bh_disable();
	dst = is_ipv6 ? nl31_netdev_dst6(router, skb) :
			nl31_netdev_dst4(router, skb);
	/* the device says to the sender what is wrong */
	if (!IS_ERR_OR_NULL(dst) && !dst->error && dst_hold_safe(dst)) {
		skb_dst_drop(skb);
		skb_dst_set(skb, dst);
	}
	local_bh_enable();
	return NF_ACCEPT;
}

static unsigned int nl31_netdev_output4(void *priv, struct sk_buff *skb,
					const struct nf_hook_state *state)
{
	return nl31_netdev_output(skb, false, state);
}

static unsigned int nl31_netdev_output6(void *priv, struct sk_buff *skb,
					const struct nf_hook_state *state)
{
	return nl31_netdev_output(skb, true, state);
}

static const struct nf_hook_ops nl31_netdev_hooks[] = {
	{
		.hook = nl31_netdev_output4,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_LOCAL_OUT,
		.priority = INT_MIN,
	},
	{
		.hook = nl31_netdev_output6,
		.pf = NFPROTO_IPV6,
		.hooknum = NF_INET_LOCAL_OUT,
		.priority = INT_MIN,
	},
};

/*
 * The hooks stay while the device goes and comes, until no packet of a port can be
 * behind FORWARD: that they go has netfilter drop what is queued there, for a function
 * of this module. Context: RTNL. Returns 0 or an error.
 */
static int nl31_netdev_hook(struct nl31_router *router)
{
	int err;

	if (router->has_hooks)
		return 0;
	err = nf_register_net_hooks(router->table->net, nl31_netdev_hooks,
				    ARRAY_SIZE(nl31_netdev_hooks));
	router->has_hooks = !err;
	return err;
}

static void nl31_netdev_unhook(struct nl31_router *router)
{
	if (router->has_hooks)
		nf_unregister_net_hooks(router->table->net, nl31_netdev_hooks,
					ARRAY_SIZE(nl31_netdev_hooks));
	router->has_hooks = false;
}
#else
static int nl31_netdev_hook(struct nl31_router *router)
{
	return 0;
}

static void nl31_netdev_unhook(struct nl31_router *router)
{
}
#endif

/* Context: RTNL */
static int nl31_netdev_create(struct nl31_router *router,
			      struct netlink_ext_ack *extack)
{
	struct net_device *dev;
	struct netdev *netdev;
	int err;

	dev = alloc_netdev(sizeof(*netdev), NETDEV_NAME, NET_NAME_USER,
			   nl31_netdev_setup);
	if (!dev)
		return -ENOMEM;
	dev_net_set(dev, router->table->net);
	dev->rtnl_link_ops = &nl31_netdev_link_ops;
	netdev = netdev_priv(dev);
	netdev->router = router;
	netdev->mtu = dev->mtu;
	err = nl31_netdev_hook(router);
	if (err)
		goto err_free;
	nl31_router_set_netdev(router, dev);
	/* where another notifier refuses it, nl31_netdev_event() has seen it go */
	err = register_netdevice(dev);
	if (!err)
		return 0;
	if (err == -EEXIST)
		NL_SET_ERR_MSG(extack,
			       "the name " NETDEV_NAME " is taken by another device");
	nl31_router_set_netdev(router, NULL);
err_free:
	free_netdev(dev);
	return err;
}

/**
 * nl31_netdev_start - make the device, if it is not there
 * @router: by whose table it is to send
 * @extack: for the text of an error
 *
 * It goes with the namespace, with the module, or when the user deletes it.
 *
 * Context: process; takes RTNL
 * Return: 0 or an error
 */
int nl31_netdev_start(struct nl31_router *router, struct netlink_ext_ack *extack)
{
	int err = 0;

	rtnl_lock();
	if (!router->netdev)
		err = nl31_netdev_create(router, extack);
	rtnl_unlock();
	return err;
}

/* The MTU is the smallest of the ports', unless the user has set another one. */
static void nl31_netdev_set_mtu(struct nl31_router *router)
{
	struct net_device *dev = router->netdev;
	const struct nl31_port *port;
	struct netdev *netdev;
	unsigned int mtu = 0;

	if (!dev)
		return;
	netdev = netdev_priv(dev);
	list_for_each_entry(port, &router->ports.list, list)
		mtu = mtu ? min(mtu, port->dev->mtu) : port->dev->mtu;
	mtu = clamp(mtu ? : ETH_DATA_LEN, dev->min_mtu, dev->max_mtu);
	if (dev->mtu != netdev->mtu || dev->mtu == mtu)
		return;
	if (!dev_set_mtu(dev, mtu))
		netdev->mtu = mtu;
}

/**
 * nl31_netdev_update_mtu - packets must fit where the table may send them
 * @router: its ports have changed
 *
 * Context: process; takes RTNL
 */
void nl31_netdev_update_mtu(struct nl31_router *router)
{
	rtnl_lock();
	nl31_netdev_set_mtu(router);
	rtnl_unlock();
}

/**
 * nl31_netdev_event - a device has changed
 * @router: of its namespace
 * @dev: the device
 * @event: NETDEV_*
 *
 * Comes behind nl31_port_event().
 *
 * Context: process, RTNL
 */
void nl31_netdev_event(struct nl31_router *router, const struct net_device *dev,
		       unsigned long event)
{
	struct netdev *netdev;

	if (event == NETDEV_UNREGISTER && dev == router->netdev) {
		netdev = netdev_priv(router->netdev);
		WRITE_ONCE(netdev->router, NULL);
		nl31_router_set_netdev(router, NULL);
	} else if (event == NETDEV_CHANGEMTU || event == NETDEV_UNREGISTER) {
		if (dev != router->netdev)
			nl31_netdev_set_mtu(router);
	}
}

/**
 * nl31_netdev_release - the namespace goes, or the module
 * @router: of the namespace; its ports and its device have gone
 *
 * Context: process
 */
void nl31_netdev_release(struct nl31_router *router)
{
	nl31_netdev_unhook(router);
}

int nl31_netdev_init(void)
{
	return rtnl_link_register(&nl31_netdev_link_ops);
}

/* Deletes the devices of all namespaces; events come to them. */
void nl31_netdev_exit(void)
{
	rtnl_link_unregister(&nl31_netdev_link_ops);
}
