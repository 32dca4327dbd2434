// SPDX-License-Identifier: GPL-2.0-only
/* A device that keeps what is sent, and through which packets come in. */
#include <linux/etherdevice.h>
#include <linux/if_addr.h>
#include <linux/net.h>
#include <linux/rtnetlink.h>
#include <net/dst.h>
#include <net/net_namespace.h>
#include <net/netlink.h>

#include "capture.h"

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

/* Give it an address, as `ip address add` does; its prefix is connected then. */
void capture_address(struct kunit *test, struct net_device *dev, int family,
		     const void *address, u8 len)
{
	const int size = family == AF_INET ? 4 : 16;
	/* with an address, or the kernel asks what its file's owner may do */
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct msghdr msg = { .msg_name = &kernel, .msg_namelen = sizeof(kernel) };
	struct {
		struct nlmsghdr nlh;
		struct ifaddrmsg ifa;
		struct nlattr attr;
		u8 address[16];
	} m = {};
	struct {
		struct nlmsghdr nlh;
		struct nlmsgerr error;
	} answer;
	struct socket *sock;
	struct kvec vec;

	m.nlh.nlmsg_len = offsetof(typeof(m), address) + size;
	m.nlh.nlmsg_type = RTM_NEWADDR;
	m.nlh.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
	m.ifa.ifa_family = family;
	m.ifa.ifa_prefixlen = len;
	m.ifa.ifa_index = dev->ifindex;
	m.attr.nla_type = IFA_LOCAL;
	m.attr.nla_len = nla_attr_size(size);
	memcpy(m.address, address, size);

	KUNIT_ASSERT_EQ(test, 0, sock_create_kern(dev_net(dev), AF_NETLINK,
						  SOCK_RAW, NETLINK_ROUTE,
						  &sock));
	vec = (struct kvec){ .iov_base = &m, .iov_len = m.nlh.nlmsg_len };
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
