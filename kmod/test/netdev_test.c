// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of device nl31: it comes with the first port, its MTU is the smallest of the
 * ports', and what is sent by it leaves by the table.
 */
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <net/ip.h>
#include <net/net_namespace.h>
#include <net/netfilter/nf_queue.h>

#include "../namespace.h"
#include "../netdev.h"
#include "capture.h"
#include "client.h"

struct netdev_test {
	struct kunit *test;
	struct socket *sock;
	struct net_device *port;
	struct net_device *out;
	struct client_message m;
};

static void ask(struct netdev_test *n, int error)
{
	client_send(n->test, n->sock, &n->m);
	KUNIT_EXPECT_EQ(n->test, error, client_answer(n->test, n->sock).error);
}

static int set_up(struct kunit *test)
{
	struct netdev_test *n = kunit_kzalloc(test, sizeof(*n), GFP_KERNEL);

	if (!n)
		return -ENOMEM;
	n->test = test;
	test->priv = n;
	n->sock = client_open(test);
	n->port = capture_open(test, &init_net, "port");
	n->out = capture_open(test, &init_net, "out");
	return 0;
}

static void tear_down(struct kunit *test)
{
	struct netdev_test *n = test->priv;

	client_message(&n->m, NL31_MSG_DELROUTE, NLM_F_BULK | NLM_F_ACK);
	ask(n, 0);
	capture_close(n->port);
	capture_close(n->out);
	sock_release(n->sock);
}

static void port(struct netdev_test *n, struct net_device *dev)
{
	client_message(&n->m, NL31_MSG_NEWPORT, NLM_F_CREATE | NLM_F_ACK);
	client_attr_u32(&n->m, NL31_PORT_IFINDEX, dev->ifindex);
	ask(n, 0);
}

static struct nl31_router *router(void)
{
	return &nl31_ns_find(&init_net)->router;
}

static void mtu_is_the_smallest_of_the_ports(struct kunit *test)
{
	struct netdev_test *n = test->priv;
	struct net_device *dev;

	port(n, n->port);
	dev = router()->netdev;
	KUNIT_ASSERT_NOT_NULL(test, dev);
	KUNIT_EXPECT_STREQ(test, dev->name, "nl31");
	KUNIT_EXPECT_EQ(test, dev->mtu, 1500);
	rtnl_lock();
	KUNIT_EXPECT_EQ(test, 0, dev_set_mtu(n->out, 1400));
	rtnl_unlock();
	KUNIT_EXPECT_EQ(test, dev->mtu, 1500);
	port(n, n->out);
	KUNIT_EXPECT_EQ(test, dev->mtu, 1400);
	rtnl_lock();
	KUNIT_EXPECT_EQ(test, 0, dev_set_mtu(n->out, 1450));
	KUNIT_EXPECT_EQ(test, dev->mtu, 1450);
	/* what IPv6 needs at least */
	KUNIT_EXPECT_EQ(test, 0, dev_set_mtu(n->out, 1000));
	KUNIT_EXPECT_EQ(test, dev->mtu, 1280);
	rtnl_unlock();
	client_message(&n->m, NL31_MSG_DELPORT, NLM_F_ACK);
	client_attr_u32(&n->m, NL31_PORT_IFINDEX, n->out->ifindex);
	ask(n, 0);
	KUNIT_EXPECT_EQ(test, dev->mtu, 1500);
}

static void deleted_device_comes_again_with_a_port(struct kunit *test)
{
	struct netdev_test *n = test->priv;

	port(n, n->port);
	KUNIT_ASSERT_NOT_NULL(test, router()->netdev);
	unregister_netdev(router()->netdev);
	KUNIT_EXPECT_NULL(test, router()->netdev);
	KUNIT_EXPECT_NULL(test, router()->mirror.own);
	port(n, n->out);
	KUNIT_EXPECT_NOT_NULL(test, router()->netdev);
	KUNIT_EXPECT_PTR_EQ(test, router()->netdev, router()->mirror.own);
}

static int refuse(struct notifier_block *nb, unsigned long event, void *ptr)
{
	const struct net_device *dev = netdev_notifier_info_to_dev(ptr);

	if (event == NETDEV_REGISTER && !strcmp(dev->name, "nl31"))
		return notifier_from_errno(-ENOSPC);
	return NOTIFY_DONE;
}

/* As IPv4 and IPv6 do where memory is short. */
static void refused_device_comes_the_next_time(struct kunit *test)
{
	struct notifier_block nb = { .notifier_call = refuse };
	struct netdev_test *n = test->priv;

	rtnl_lock();
	if (router()->netdev)
		unregister_netdevice(router()->netdev);
	rtnl_unlock();
	KUNIT_ASSERT_EQ(test, 0, register_netdevice_notifier(&nb));
	client_message(&n->m, NL31_MSG_NEWPORT, NLM_F_CREATE | NLM_F_ACK);
	client_attr_u32(&n->m, NL31_PORT_IFINDEX, n->port->ifindex);
	ask(n, -ENOSPC);
	KUNIT_EXPECT_NULL(test, router()->netdev);
	KUNIT_EXPECT_NULL(test, router()->mirror.own);
	unregister_netdevice_notifier(&nb);
	ask(n, 0);
	KUNIT_EXPECT_NOT_NULL(test, router()->netdev);
}

static void refused_port_makes_no_device(struct kunit *test)
{
	struct netdev_test *n = test->priv;

	port(n, n->port);
	unregister_netdev(router()->netdev);
	client_message(&n->m, NL31_MSG_NEWPORT, NLM_F_CREATE | NLM_F_ACK);
	client_attr_u32(&n->m, NL31_PORT_IFINDEX, 0x7ffffff0);
	ask(n, -ENODEV);
	client_message(&n->m, NL31_MSG_NEWPORT, NLM_F_CREATE | NLM_F_ACK);
	client_attr_u32(&n->m, NL31_PORT_IFINDEX, init_net.loopback_dev->ifindex);
	ask(n, -EINVAL);
	client_message(&n->m, NL31_MSG_NEWPORT, NLM_F_CREATE | NLM_F_ACK);
	client_attr_u32(&n->m, NL31_PORT_IFINDEX, n->port->ifindex);
	ask(n, -EEXIST);
	KUNIT_EXPECT_NULL(test, router()->netdev);
}

#if IS_ENABLED(CONFIG_NETFILTER)
static unsigned int queue_drops;

static int queue_packet(struct nf_queue_entry *entry, unsigned int number)
{
	return -ENOSPC;
}

static void queue_drop(struct net *net)
{
	queue_drops++;
}

/*
 * A queue of netfilter holds packets behind FORWARD as long as it likes; they go on in
 * this module, which must not have gone.
 */
static void queued_packets_are_dropped_in_the_end(struct kunit *test)
{
	static const struct nf_queue_handler handler = {
		.outfn = queue_packet,
		.nf_hook_drop = queue_drop,
	};
	struct netdev_test *n = test->priv;

	port(n, n->port);
	nf_register_queue_handler(&handler);
	queue_drops = 0;
	unregister_netdev(router()->netdev);
	KUNIT_EXPECT_EQ(test, 0, queue_drops);
	nl31_netdev_release(router());
	KUNIT_EXPECT_NE(test, 0, queue_drops);
	nf_unregister_queue_handler();
	port(n, n->out);
	KUNIT_EXPECT_TRUE(test, router()->has_hooks);
}
#endif

/* The next IPv4 packet of UDP that was sent, at its header. */
static struct sk_buff *next_udp(struct net_device *dev)
{
	const struct iphdr *iph;
	struct sk_buff *skb;

	while ((skb = capture_sent(dev))) {
		iph = skb_pull(skb, ETH_HLEN);
		if (skb->protocol == htons(ETH_P_IP) &&
		    iph->protocol == IPPROTO_UDP)
			return skb;
		kfree_skb(skb);
	}
	return NULL;
}

static struct sk_buff *udp(struct netdev_test *n, u32 daddr)
{
	struct sk_buff *skb = alloc_skb(256, GFP_KERNEL);
	struct iphdr *iph;

	KUNIT_ASSERT_NOT_NULL(n->test, skb);
	skb_reserve(skb, 64);
	skb_reset_network_header(skb);
	iph = skb_put_zero(skb, 64);
	iph->version = 4;
	iph->ihl = 5;
	iph->ttl = 9;
	iph->protocol = IPPROTO_UDP;
	iph->tot_len = htons(64);
	iph->saddr = htonl(0xc6330101);
	iph->daddr = htonl(daddr);
	ip_send_check(iph);
	skb->protocol = htons(ETH_P_IP);
	skb->dev = router()->netdev;
	return skb;
}

/* Send by the device what came in on @in (0: from this machine). What left, or NULL. */
static struct sk_buff *sent(struct netdev_test *n, struct sk_buff *skb, int in)
{
	skb->skb_iif = in;
	dev_queue_xmit(skb);
	return next_udp(n->out);
}

/* A port, and a route to 203.0.113.0/24 that leads out; the device is up. */
static void route(struct netdev_test *n)
{
	const u8 dst[4] = { 203, 0, 113 }, address[4] = { 198, 51, 1, 1 };

	capture_address(n->test, n->out, AF_INET, address, 24);
	port(n, n->port);
	rtnl_lock();
	KUNIT_EXPECT_EQ(n->test, 0, dev_open(router()->netdev, NULL));
	rtnl_unlock();
	client_message(&n->m, NL31_MSG_NEWROUTE, NLM_F_CREATE | NLM_F_ACK);
	client_attr(&n->m, NL31_ROUTE_DST, dst, sizeof(dst));
	client_attr_u8(&n->m, NL31_ROUTE_DST_LEN, 24);
	client_attr_u32(&n->m, NL31_ROUTE_OIF, n->out->ifindex);
	ask(n, 0);
}

static void close_netdev(void)
{
	rtnl_lock();
	dev_close(router()->netdev);
	rtnl_unlock();
}

static void packet_leaves_by_the_table(struct kunit *test)
{
	struct netdev_test *n = test->priv;
	struct sk_buff *skb;

	route(n);
	skb = sent(n, udp(n, 0xcb007105), 0);
	KUNIT_EXPECT_NOT_NULL(test, skb);
	if (skb)
		KUNIT_EXPECT_EQ(test, 9, ((struct iphdr *)skb->data)->ttl);
	kfree_skb(skb);
	/* to this one there is no route */
	KUNIT_EXPECT_NULL(test, sent(n, udp(n, 0xcb007205), 0));
	close_netdev();
}

/* As written to the device through a packet socket. */
static void packet_without_a_whole_header_is_dropped(struct kunit *test)
{
	struct netdev_test *n = test->priv;
	struct sk_buff *skb;

	route(n);
	skb = udp(n, 0xcb007105);
	ip_hdr(skb)->ihl = 4;
	KUNIT_EXPECT_NULL(test, sent(n, skb, 0));
	skb = udp(n, 0xcb007105);
	ip_hdr(skb)->ihl = 15;
	skb_trim(skb, 40);
	KUNIT_EXPECT_NULL(test, sent(n, skb, 0));
	close_netdev();
}

static void packet_of_a_device_that_is_no_port_is_not_forwarded(struct kunit *test)
{
	struct netdev_test *n = test->priv;
	struct sk_buff *skb;

	route(n);
	skb = sent(n, udp(n, 0xcb007105), n->port->ifindex);
	KUNIT_EXPECT_NOT_NULL(test, skb);
	kfree_skb(skb);
	KUNIT_EXPECT_NULL(test, sent(n, udp(n, 0xcb007105), n->out->ifindex));
	client_message(&n->m, NL31_MSG_NEWPORT, NLM_F_REPLACE | NLM_F_ACK);
	client_attr_u32(&n->m, NL31_PORT_IFINDEX, n->port->ifindex);
	client_attr_u8(&n->m, NL31_PORT_FORWARDING, 0);
	ask(n, 0);
	KUNIT_EXPECT_NULL(test, sent(n, udp(n, 0xcb007105), n->port->ifindex));
	close_netdev();
}

/*
 * What a socket sends has the device of its path before POSTROUTING, and device nl31
 * sends nothing, where netfilter is there; without it, nl31 does.
 */
static void local_packet_leaves_by_the_device_of_its_path(struct kunit *test)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = htonl(0xcb007105),
	};
	struct msghdr msg = { .msg_name = &to, .msg_namelen = sizeof(to) };
	struct kvec vec = { .iov_base = "hello", .iov_len = 5 };
	struct netdev_test *n = test->priv;
	struct rtnl_link_stats64 stats;
	struct socket *udp;
	struct sk_buff *skb;
	u64 before;

	route(n);
	before = dev_get_stats(router()->netdev, &stats)->tx_packets;
	KUNIT_ASSERT_EQ(test, 0, sock_create_kern(&init_net, AF_INET, SOCK_DGRAM,
						  IPPROTO_UDP, &udp));
	/* over it, as without a route of Linux there */
	rtnl_lock();
	udp->sk->sk_bound_dev_if = router()->netdev->ifindex;
	rtnl_unlock();
	KUNIT_EXPECT_EQ(test, 5, kernel_sendmsg(udp, &msg, &vec, 1, 5));
	skb = next_udp(n->out);
	KUNIT_EXPECT_NOT_NULL(test, skb);
	kfree_skb(skb);
	KUNIT_EXPECT_EQ(test, IS_ENABLED(CONFIG_NETFILTER) ? 0 : 1,
			dev_get_stats(router()->netdev, &stats)->tx_packets -
			before);
	sock_release(udp);
	close_netdev();
}

static struct kunit_case netdev_cases[] = {
	KUNIT_CASE(mtu_is_the_smallest_of_the_ports),
	KUNIT_CASE(deleted_device_comes_again_with_a_port),
	KUNIT_CASE(refused_device_comes_the_next_time),
	KUNIT_CASE(refused_port_makes_no_device),
#if IS_ENABLED(CONFIG_NETFILTER)
	KUNIT_CASE(queued_packets_are_dropped_in_the_end),
#endif
	KUNIT_CASE(packet_leaves_by_the_table),
	KUNIT_CASE(packet_without_a_whole_header_is_dropped),
	KUNIT_CASE(packet_of_a_device_that_is_no_port_is_not_forwarded),
	KUNIT_CASE(local_packet_leaves_by_the_device_of_its_path),
	{}
};

static struct kunit_suite netdev_suite = {
	.name = "nl31_netdev",
	.init = set_up,
	.exit = tear_down,
	.test_cases = netdev_cases,
};

kunit_test_suite(netdev_suite);
