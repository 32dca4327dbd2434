// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the ports: what the messages do, and that a port ends with its device.
 */
#include <linux/rtnetlink.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "../namespace.h"
#include "capture.h"
#include "client.h"

struct port_test {
	struct kunit *test;
	struct socket *sock;
	struct net_device *dev;
	struct client_message m;
};

static int set_up(struct kunit *test)
{
	struct port_test *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	p->test = test;
	test->priv = p;
	p->sock = client_open(test);
	p->dev = capture_open(test, &init_net, "port_test");
	return 0;
}

static void tear_down(struct kunit *test)
{
	struct port_test *p = test->priv;

	if (p->dev)
		capture_close(p->dev);
	sock_release(p->sock);
}

static void begin(struct port_test *p, u16 type, u16 flags, const char *name)
{
	client_message(&p->m, type, flags | NLM_F_ACK);
	if (name)
		client_attr(&p->m, NL31_PORT_IFNAME, name, strlen(name) + 1);
}

static int result(struct port_test *p)
{
	struct client_answer answer;

	client_send(p->test, p->sock, &p->m);
	answer = client_answer(p->test, p->sock);
	if (answer.error)
		KUNIT_EXPECT_TRUE(p->test, answer.has_text);
	return answer.error;
}

static int ask(struct port_test *p, u16 type, u16 flags, const char *name)
{
	begin(p, type, flags, name);
	return result(p);
}

static struct nl31_ports *ports(void)
{
	return &nl31_ns_find(&init_net)->router.ports;
}

static struct nl31_port *port(struct port_test *p)
{
	struct nl31_port *port;

	rtnl_lock();
	port = nl31_port_find(ports(), p->dev);
	rtnl_unlock();
	return port;
}

static void new_port_is_made_once(struct kunit *test)
{
	const u16 new = NL31_MSG_NEWPORT;
	struct port_test *p = test->priv;

	KUNIT_EXPECT_EQ(test, -ENOENT, ask(p, new, NLM_F_REPLACE, "port_test"));
	KUNIT_EXPECT_EQ(test, -EINVAL, ask(p, new, 0, "port_test"));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			ask(p, new, NLM_F_CREATE | NLM_F_EXCL | NLM_F_REPLACE,
			    "port_test"));
	KUNIT_EXPECT_NULL(test, p->dev->l3mdev_ops);
	KUNIT_EXPECT_EQ(test, 0, ask(p, new, NLM_F_CREATE, "port_test"));
	KUNIT_ASSERT_NOT_NULL(test, port(p));
	KUNIT_EXPECT_TRUE(test, netif_has_l3_rx_handler(p->dev));
	KUNIT_EXPECT_PTR_EQ(test, nl31_port_of(p->dev), port(p));
	KUNIT_EXPECT_TRUE(test, port(p)->forwarding);
	KUNIT_EXPECT_EQ(test, port(p)->urpf, NL31_URPF_OFF);
	KUNIT_EXPECT_EQ(test, -EEXIST, ask(p, new, NLM_F_CREATE, "port_test"));
	KUNIT_EXPECT_EQ(test, -EEXIST,
			ask(p, new, NLM_F_CREATE | NLM_F_EXCL, "port_test"));

	KUNIT_EXPECT_EQ(test, 0, ask(p, NL31_MSG_DELPORT, 0, "port_test"));
	KUNIT_EXPECT_NULL(test, port(p));
	KUNIT_EXPECT_FALSE(test, netif_has_l3_rx_handler(p->dev));
	KUNIT_EXPECT_NULL(test, p->dev->l3mdev_ops);
	KUNIT_EXPECT_EQ(test, -ESRCH, ask(p, NL31_MSG_DELPORT, 0, "port_test"));
	KUNIT_EXPECT_EQ(test, -ESRCH, ask(p, NL31_MSG_GETPORT, 0, "port_test"));
	KUNIT_EXPECT_EQ(test, -ENODEV, ask(p, new, NLM_F_CREATE, "no_such"));
}

static void change_leaves_the_rest(struct kunit *test)
{
	const u16 flags = NLM_F_CREATE | NLM_F_REPLACE;
	struct port_test *p = test->priv;
	unsigned int changes;

	begin(p, NL31_MSG_NEWPORT, flags, NULL);
	client_attr_u32(&p->m, NL31_PORT_IFINDEX, p->dev->ifindex);
	client_attr_u8(&p->m, NL31_PORT_URPF, NL31_URPF_STRICT);
	KUNIT_EXPECT_EQ(test, 0, result(p));
	KUNIT_ASSERT_NOT_NULL(test, port(p));

	begin(p, NL31_MSG_NEWPORT, flags, "port_test");
	client_attr_u8(&p->m, NL31_PORT_FORWARDING, 0);
	KUNIT_EXPECT_EQ(test, 0, result(p));
	KUNIT_EXPECT_FALSE(test, port(p)->forwarding);
	KUNIT_EXPECT_EQ(test, port(p)->urpf, NL31_URPF_STRICT);

	changes = ports()->changes;
	KUNIT_EXPECT_EQ(test, 0,
			ask(p, NL31_MSG_NEWPORT, NLM_F_REPLACE, "port_test"));
	KUNIT_EXPECT_EQ(test, changes, ports()->changes);
}

static void bad_attributes_are_refused(struct kunit *test)
{
	struct port_test *p = test->priv;

	KUNIT_EXPECT_EQ(test, -EINVAL,
			ask(p, NL31_MSG_NEWPORT, NLM_F_CREATE, NULL));
	begin(p, NL31_MSG_NEWPORT, NLM_F_CREATE, "port_test");
	client_attr_u32(&p->m, NL31_PORT_IFINDEX, p->dev->ifindex);
	KUNIT_EXPECT_EQ(test, -EINVAL, result(p));
	KUNIT_EXPECT_EQ(test, -ERANGE,
			ask(p, NL31_MSG_NEWPORT, NLM_F_CREATE, ""));
	begin(p, NL31_MSG_NEWPORT, NLM_F_CREATE, "port_test");
	client_attr_u8(&p->m, NL31_PORT_FORWARDING, 2);
	KUNIT_EXPECT_EQ(test, -ERANGE, result(p));
	begin(p, NL31_MSG_NEWPORT, NLM_F_CREATE, "port_test");
	client_attr_u8(&p->m, NL31_PORT_URPF, NL31_URPF_FEASIBLE + 1);
	KUNIT_EXPECT_EQ(test, -ERANGE, result(p));
	begin(p, NL31_MSG_DELPORT, 0, "port_test");
	client_attr_u8(&p->m, NL31_PORT_URPF, 0);
	KUNIT_EXPECT_EQ(test, -EINVAL, result(p));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			ask(p, NL31_MSG_NEWPORT, NLM_F_CREATE | NLM_F_MULTI,
			    "port_test"));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			ask(p, NL31_MSG_NEWPORT, NLM_F_APPEND | NLM_F_CREATE,
			    "port_test"));
	KUNIT_EXPECT_NULL(test, port(p));
}

static void unfit_device_is_refused(struct kunit *test)
{
	static const struct l3mdev_ops others;
	struct port_test *p = test->priv;

	KUNIT_EXPECT_EQ(test, -EINVAL,
			ask(p, NL31_MSG_NEWPORT, NLM_F_CREATE, "lo"));
	p->dev->l3mdev_ops = &others;
	KUNIT_EXPECT_EQ(test, -EBUSY,
			ask(p, NL31_MSG_NEWPORT, NLM_F_CREATE, "port_test"));
	p->dev->l3mdev_ops = NULL;
	p->dev->priv_flags |= IFF_L3MDEV_SLAVE;
	KUNIT_EXPECT_EQ(test, -EBUSY,
			ask(p, NL31_MSG_NEWPORT, NLM_F_CREATE, "port_test"));
	p->dev->priv_flags &= ~IFF_L3MDEV_SLAVE;
	KUNIT_EXPECT_EQ(test, 0,
			ask(p, NL31_MSG_NEWPORT, NLM_F_CREATE, "port_test"));
}

/* A VRF takes the packets of its members, another module those of its device. */
static void port_ends_where_another_takes_its_packets(struct kunit *test)
{
	static const struct l3mdev_ops others;
	struct port_test *p = test->priv;
	unsigned int i;

	/* told directly: Linux's own listeners would look for the upper device */
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, 0, ask(p, NL31_MSG_NEWPORT, NLM_F_CREATE,
					     "port_test"));
		rtnl_lock();
		nl31_port_event(ports(), p->dev, NETDEV_CHANGEUPPER);
		KUNIT_EXPECT_NOT_NULL(test, nl31_port_find(ports(), p->dev));
		if (i)
			p->dev->l3mdev_ops = &others;
		else
			p->dev->priv_flags |= IFF_L3MDEV_SLAVE;
		nl31_port_event(ports(), p->dev, NETDEV_CHANGEUPPER);
		KUNIT_EXPECT_NULL(test, nl31_port_find(ports(), p->dev));
		if (i) {
			KUNIT_EXPECT_PTR_EQ(test, p->dev->l3mdev_ops, &others);
			p->dev->priv_flags &= ~IFF_L3MDEV_RX_HANDLER;
		}
		p->dev->priv_flags &= ~IFF_L3MDEV_SLAVE;
		p->dev->l3mdev_ops = NULL;
		rtnl_unlock();
	}
}

static void port_ends_with_its_device(struct kunit *test)
{
	struct port_test *p = test->priv;
	u32 group = NL31_GRP_PORT;
	int got;

	KUNIT_EXPECT_EQ(test, 0, ask(p, NL31_MSG_NEWPORT, NLM_F_CREATE,
				     "port_test"));
	KUNIT_EXPECT_EQ(test, 0,
			p->sock->ops->setsockopt(p->sock, SOL_NETLINK,
						 NETLINK_ADD_MEMBERSHIP,
						 KERNEL_SOCKPTR(&group),
						 sizeof(group)));
	capture_close(p->dev);
	p->dev = NULL;
	KUNIT_EXPECT_TRUE(test, list_empty(&ports()->list));
	got = client_receive(p->sock, &p->m, sizeof(p->m));
	KUNIT_ASSERT_GE(test, got, (int)NLMSG_HDRLEN);
	KUNIT_EXPECT_EQ(test, p->m.nlh.nlmsg_type, NL31_MSG_DELPORT);
	KUNIT_EXPECT_EQ(test, p->m.nlh.nlmsg_seq, 0);
	KUNIT_EXPECT_EQ(test, p->m.nlh.nlmsg_pid, 0);
	KUNIT_EXPECT_EQ(test, -EAGAIN,
			client_receive(p->sock, &p->m, sizeof(p->m)));
}

/* Those whose indices a dump has not reached yet come in order, each once. */
static void dump_shows_each_port_once(struct kunit *test)
{
	struct port_test *p = test->priv;
	struct net_device *dev[20];
	int got, last = 0, seen = 0;
	struct nlmsghdr *nlh;
	char name[IFNAMSIZ];
	unsigned int i;
	void *buffer;

	buffer = kunit_kmalloc(test, 65536, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buffer);
	for (i = 0; i < ARRAY_SIZE(dev); i++) {
		snprintf(name, sizeof(name), "port%u", i);
		dev[i] = capture_open(test, &init_net, name);
	}
	for (i = ARRAY_SIZE(dev); i--;) {
		snprintf(name, sizeof(name), "port%u", i);
		KUNIT_EXPECT_EQ(test, 0,
				ask(p, NL31_MSG_NEWPORT, NLM_F_CREATE, name));
	}
	client_message(&p->m, NL31_MSG_GETPORT, NLM_F_DUMP);
	client_send(test, p->sock, &p->m);
	while ((got = client_receive(p->sock, buffer, 65536)) > 0) {
		for (nlh = buffer; nlmsg_ok(nlh, got); nlh = nlmsg_next(nlh, &got)) {
			const struct nlattr *attr;

			if (nlh->nlmsg_type == NLMSG_DONE)
				continue;
			KUNIT_EXPECT_EQ(test, nlh->nlmsg_type, NL31_MSG_NEWPORT);
			attr = nlmsg_find_attr(nlh, 0, NL31_PORT_IFINDEX);
			KUNIT_ASSERT_NOT_NULL(test, attr);
			KUNIT_EXPECT_GT(test, (int)nla_get_u32(attr), last);
			last = nla_get_u32(attr);
			seen++;
		}
	}
	KUNIT_EXPECT_EQ(test, seen, (int)ARRAY_SIZE(dev));
	for (i = 0; i < ARRAY_SIZE(dev); i++)
		capture_close(dev[i]);
}

static struct kunit_case port_cases[] = {
	KUNIT_CASE(new_port_is_made_once),
	KUNIT_CASE(change_leaves_the_rest),
	KUNIT_CASE(bad_attributes_are_refused),
	KUNIT_CASE(unfit_device_is_refused),
	KUNIT_CASE(port_ends_where_another_takes_its_packets),
	KUNIT_CASE(port_ends_with_its_device),
	KUNIT_CASE(dump_shows_each_port_once),
	{}
};

static struct kunit_suite port_suite = {
	.name = "nl31_port",
	.init = set_up,
	.exit = tear_down,
	.test_cases = port_cases,
};

kunit_test_suite(port_suite);
