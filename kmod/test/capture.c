// SPDX-License-Identifier: GPL-2.0-only
/* A device that keeps what is sent, and through which packets come in. */
#include <linux/etherdevice.h>
#include <linux/rtnetlink.h>
#include <net/dst.h>

#include "capture.h"

struct capture {
	struct sk_buff_head sent;
};

static netdev_tx_t capture_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct capture *capture = netdev_priv(dev);

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
