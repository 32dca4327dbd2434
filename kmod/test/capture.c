// SPDX-License-Identifier: GPL-2.0-only
/* A device that keeps what is sent, and through which packets come in. */
#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/if_addr.h>
#include <linux/net.h>
#include <linux/rtnetlink.h>
#include <net/addrconf.h>
#include <net/dst.h>
#include <net/net_namespace.h>
#include <net/netlink.h>
#include <net/sch_generic.h>

#include "capture.h"

/* of 20 ms each */
#define ADDRESS_TRIES	500

/**
 * struct capture - private data of the device
 * @sent: what was sent
 * @discarded: packets with CAPTURE_MARK that were not kept
 * @discards: nothing is kept
 */
struct capture {
	struct sk_buff_head sent;
	unsigned long discarded;
	bool discards;
};

static netdev_tx_t capture_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct capture *capture = netdev_priv(dev);

	if (capture->discards) {
		capture->discarded += skb->mark == CAPTURE_MARK;
		dev_consume_skb_any(skb);
		return NETDEV_TX_OK;
	}
	skb_orphan(skb);
	skb_dst_drop(skb);
	skb_queue_tail(&capture->sent, skb);
	return NETDEV_TX_OK;
}

static const struct net_device_ops capture_ops = {
	.ndo_start_xmit = capture_xmit,
};

static void capture_setup(struct net_device *dev)
{
	struct capture *capture = netdev_priv(dev);

	ether_setup(dev);
	dev->netdev_ops = &capture_ops;
	dev->flags |= IFF_NOARP;
	dev->priv_flags |= IFF_NO_QUEUE;
	dev->needs_free_netdev = true;
	eth_hw_addr_random(dev);
	skb_queue_head_init(&capture->sent);
}

/* The device asks for no routers: that would be counted among what a test sends. */
static void capture_silence(struct net_device *dev)
{
	struct inet6_dev *idev = __in6_dev_get(dev);

	if (idev)
		idev->cnf.rtr_solicits = 0;
}

/* A device of this name in @net, up; IPv4 and IPv6 run on it. */
struct net_device *capture_open(struct kunit *test, struct net *net,
				const char *name)
{
	struct net_device *dev;

	dev = alloc_netdev(sizeof(struct capture), name, NET_NAME_USER,
			   capture_setup);
	KUNIT_ASSERT_NOT_NULL(test, dev);
	dev_net_set(dev, net);
	rtnl_lock();
	KUNIT_EXPECT_EQ(test, 0, register_netdevice(dev));
	capture_silence(dev);
	KUNIT_EXPECT_EQ(test, 0, dev_open(dev, NULL));
	rtnl_unlock();
	return dev;
}

/* Waits for what is left of it. */
void capture_close(struct net_device *dev)
{
	capture_flush(dev);
	unregister_netdev(dev);
}

/*
 * Pull the cable of the device, or put it back. Linux does the rest within a second by
 * itself: it tells of the change, and stops or starts to send.
 */
void capture_carrier(struct net_device *dev, bool on)
{
	rtnl_lock();
	if (on) {
		netif_carrier_on(dev);
		dev_activate(dev);
	} else {
		netif_carrier_off(dev);
	}
	netdev_state_change(dev);
	rtnl_unlock();
}

/* The next packet that was sent, or NULL. */
struct sk_buff *capture_sent(struct net_device *dev)
{
	struct capture *capture = netdev_priv(dev);

	return skb_dequeue(&capture->sent);
}

/* Forget what was sent. */
void capture_flush(struct net_device *dev)
{
	struct capture *capture = netdev_priv(dev);

	skb_queue_purge(&capture->sent);
}

/* From now on, free what is sent, and count what has CAPTURE_MARK. */
void capture_discard(struct net_device *dev)
{
	struct capture *capture = netdev_priv(dev);

	capture->discards = true;
}

/* How many packets were sent and freed. */
unsigned long capture_discarded(const struct net_device *dev)
{
	const struct capture *capture = netdev_priv(dev);

	return capture->discarded;
}

/* Have a request of rtnetlink done. */
static void capture_ask(struct kunit *test, struct net *net,
			struct nlmsghdr *request)
{
	/* with an address, or the kernel asks what its file's owner may do */
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct msghdr msg = { .msg_name = &kernel, .msg_namelen = sizeof(kernel) };
	struct {
		struct nlmsghdr nlh;
		struct nlmsgerr error;
	} answer;
	struct socket *sock;
	struct kvec vec;

	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
	KUNIT_ASSERT_EQ(test, 0, sock_create_kern(net, AF_NETLINK, SOCK_RAW,
						  NETLINK_ROUTE, &sock));
	vec = (struct kvec){
		.iov_base = request,
		.iov_len = request->nlmsg_len,
	};
	KUNIT_EXPECT_EQ(test, (int)vec.iov_len,
			kernel_sendmsg(sock, &msg, &vec, 1, vec.iov_len));
	memset(&msg, 0, sizeof(msg));
	vec = (struct kvec){ .iov_base = &answer, .iov_len = sizeof(answer) };
	KUNIT_EXPECT_GE(test, kernel_recvmsg(sock, &msg, &vec, 1, vec.iov_len,
					     MSG_DONTWAIT),
			(int)(NLMSG_HDRLEN + sizeof(int)));
	KUNIT_EXPECT_EQ(test, 0, answer.error.error);
	sock_release(sock);
}

/* Linux sends by an IPv6 address only after work in the background. */
static void capture_await(struct kunit *test, struct net_device *dev,
			  const struct in6_addr *address)
{
	unsigned int tries;

	for (tries = 0; tries < ADDRESS_TRIES; tries++) {
		if (ipv6_chk_addr(dev_net(dev), address, dev, 1))
			return;
		msleep(20);
	}
	KUNIT_FAIL(test, "%pI6c on %s stays tentative", address, dev->name);
}

/* Give it an address, as `ip address add` does; its prefix is connected then. */
void capture_address(struct kunit *test, struct net_device *dev, int family,
		     const void *address, u8 len)
{
	const int size = family == AF_INET ? 4 : 16;
	struct {
		struct nlmsghdr nlh;
		struct ifaddrmsg ifa;
		struct nlattr attr;
		u8 address[16];
	} m = {};

	m.nlh.nlmsg_len = offsetof(typeof(m), address) + size;
	m.nlh.nlmsg_type = RTM_NEWADDR;
	m.ifa.ifa_family = family;
	m.ifa.ifa_prefixlen = len;
	m.ifa.ifa_index = dev->ifindex;
	m.attr.nla_type = IFA_LOCAL;
	m.attr.nla_len = nla_attr_size(size);
	memcpy(m.address, address, size);
	capture_ask(test, dev_net(dev), &m.nlh);
	if (family == AF_INET6)
		capture_await(test, dev, address);
}

/*
 * Give Linux a route of type RTN_*, as `ip route add` does. With a device it leads by a
 * gateway behind it.
 */
void capture_route(struct kunit *test, struct net *net, int family, u8 type,
		   const void *prefix, u8 len, struct net_device *dev,
		   const void *gateway)
{
	const int size = family == AF_INET ? 4 : 16;
	struct {
		struct nlmsghdr nlh;
		struct rtmsg rtm;
		u8 attrs[64];
	} m = {};
	struct {
		u16 type;
		const void *data;
		int len;
	} attrs[] = {
		{ RTA_DST, prefix, size },
		{ RTA_GATEWAY, gateway, size },
		{ RTA_OIF, dev ? &dev->ifindex : NULL, sizeof(dev->ifindex) },
	};
	u8 *at = m.attrs;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(attrs); i++) {
		struct nlattr *attr = (void *)at;

		if (!attrs[i].data)
			continue;
		attr->nla_type = attrs[i].type;
		attr->nla_len = nla_attr_size(attrs[i].len);
		memcpy(nla_data(attr), attrs[i].data, attrs[i].len);
		at += nla_total_size(attrs[i].len);
	}
	m.nlh.nlmsg_len = at - (u8 *)&m;
	m.nlh.nlmsg_type = RTM_NEWROUTE;
	m.rtm.rtm_family = family;
	m.rtm.rtm_dst_len = len;
	m.rtm.rtm_table = RT_TABLE_MAIN;
	m.rtm.rtm_protocol = RTPROT_STATIC;
	m.rtm.rtm_type = type;
	capture_ask(test, net, &m.nlh);
}
