// SPDX-License-Identifier: GPL-2.0-only
/* What the port messages mean. */
#include <linux/err.h>
#include <linux/rtnetlink.h>
#include <net/netlink.h>
#include <net/sock.h>
#include <uapi/linux/nl31.h>

#include "message.h"
#include "netdev.h"
#include "port_request.h"

/* Largest port message: 17 attributes; two numbers, a name, two bytes, counters. */
#define PORT_MSG_MAX							\
	(NLMSG_HDRLEN + nla_total_size(4) + nla_total_size(IFNAMSIZ) +	\
	 2 * nla_total_size(1) + (NL31_PORT_PAD - NL31_PORT_RECEIVED) *	\
	 nla_total_size_64bit(8))

static const struct nla_policy device_policy[NL31_PORT_MAX + 1] = {
	[NL31_PORT_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[NL31_PORT_IFNAME] = { .type = NLA_NUL_STRING, .len = IFNAMSIZ - 1 },
};

static const struct nla_policy port_policy[NL31_PORT_MAX + 1] = {
	[NL31_PORT_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[NL31_PORT_IFNAME] = { .type = NLA_NUL_STRING, .len = IFNAMSIZ - 1 },
	[NL31_PORT_FORWARDING] = NLA_POLICY_MAX(NLA_U8, 1),
	[NL31_PORT_URPF] = NLA_POLICY_MAX(NLA_U8, NL31_URPF_FEASIBLE),
};

static int nl31_port_fill_counts(struct sk_buff *skb,
				 const struct nl31_port *port)
{
	const unsigned int first = NL31_PORT_FORWARDED;
	u64 count[NL31_PORT_COUNTS], received = 0;
	unsigned int i;

	BUILD_BUG_ON(NL31_PORT_FORWARDED + NL31_PORT_COUNTS != NL31_PORT_PAD);
	for (i = 0; i < NL31_PORT_COUNTS; i++) {
		count[i] = nl31_port_counted(port, i);
		received += count[i];
	}
	if (nla_put_u64_64bit(skb, NL31_PORT_RECEIVED, received, NL31_PORT_PAD))
		return -EMSGSIZE;
	for (i = 0; i < NL31_PORT_COUNTS; i++)
		if (nla_put_u64_64bit(skb, first + i, count[i], NL31_PORT_PAD))
			return -EMSGSIZE;
	return 0;
}

/* Append a port message. Returns 0, or -EMSGSIZE with nothing appended. */
static int nl31_port_fill(struct sk_buff *skb, u32 portid, u32 seq, u16 type,
			  u16 flags, const struct nl31_port *port)
{
	struct nlmsghdr *nlh;

	nlh = nlmsg_put(skb, portid, seq, type, 0, flags);
	if (!nlh)
		return -EMSGSIZE;
	if (nla_put_u32(skb, NL31_PORT_IFINDEX, port->dev->ifindex) ||
	    nla_put_string(skb, NL31_PORT_IFNAME, port->dev->name) ||
	    nla_put_u8(skb, NL31_PORT_FORWARDING, READ_ONCE(port->forwarding)) ||
	    nla_put_u8(skb, NL31_PORT_URPF, READ_ONCE(port->urpf)) ||
	    nl31_port_fill_counts(skb, port)) {
		nlmsg_cancel(skb, nlh);
		return -EMSGSIZE;
	}
	nlmsg_end(skb, nlh);
	return 0;
}

static struct sk_buff *nl31_port_message(u32 portid, u32 seq, u16 type,
					 const struct nl31_port *port)
{
	struct sk_buff *skb = nlmsg_new(PORT_MSG_MAX, GFP_KERNEL);

	if (skb)
		WARN_ON_ONCE(nl31_port_fill(skb, portid, seq, type, 0, port));
	return skb;
}

/*
 * Tell the group, and the requester who has asked for it. An event that cannot be
 * made for want of memory is a loss that the receiver hears of.
 */
static void nl31_port_notify(const struct nl31_port *port, u16 type,
			     const struct nl31_request *req)
{
	const bool echo = req && req->nlh->nlmsg_flags & NLM_F_ECHO;
	const u32 portid = echo ? NETLINK_CB(req->skb).portid : 0;
	struct sock *sock = port->ports->sock;
	struct sk_buff *skb;

	if (sock && netlink_has_listeners(sock, NL31_GRP_PORT)) {
		skb = nl31_port_message(0, 0, type, port);
		if (skb)
			nlmsg_multicast(sock, skb, portid, NL31_GRP_PORT,
					GFP_KERNEL);
		else
			netlink_set_err(sock, 0, NL31_GRP_PORT, -ENOBUFS);
	}
	if (!echo)
		return;
	skb = nl31_port_message(portid, req->nlh->nlmsg_seq, type, port);
	if (skb)
		nlmsg_unicast(req->skb->sk, skb, portid);
	else
		nl31_socket_overrun(NETLINK_CB(req->skb).sk);
}

/**
 * nl31_port_ended - tell of a port that ends with its device
 * @ports: the ports of its namespace
 * @port: the port
 *
 * Context: process, RTNL
 */
void nl31_port_ended(struct nl31_ports *ports, const struct nl31_port *port)
{
	nl31_port_notify(port, NL31_MSG_DELPORT, NULL);
}

/* The attributes, and that they name one device. */
static int nl31_port_parse(struct nl31_request *req, struct nlattr **tb,
			   const struct nla_policy *policy)
{
	int err;

	err = nl31_request_parse(req, tb, NL31_PORT_MAX, policy);
	if (err)
		return err;
	if (tb[NL31_PORT_IFINDEX] && tb[NL31_PORT_IFNAME])
		return nl31_extack_attr_err(req, tb[NL31_PORT_IFNAME], -EINVAL,
					    "the device is given by index and by name");
	if (!tb[NL31_PORT_IFINDEX] && !tb[NL31_PORT_IFNAME])
		return nl31_extack_err(req, -EINVAL,
				       "no device is given (attribute %d or %d)",
				       NL31_PORT_IFINDEX, NL31_PORT_IFNAME);
	if (tb[NL31_PORT_IFNAME] && nla_len(tb[NL31_PORT_IFNAME]) < 2)
		return nl31_extack_attr_err(req, tb[NL31_PORT_IFNAME], -ERANGE,
					    "the name of the device is empty");
	return 0;
}

/* Context: RTNL. Returns NULL with the error told. */
static struct net_device *nl31_port_device(struct nl31_request *req,
					   struct nlattr **tb)
{
	const struct nlattr *index = tb[NL31_PORT_IFINDEX];
	const struct nlattr *name = tb[NL31_PORT_IFNAME];
	struct net *net = sock_net(req->skb->sk);
	struct net_device *dev;

	dev = index ? __dev_get_by_index(net, nla_get_u32(index)) :
		      __dev_get_by_name(net, nla_data(name));
	if (dev)
		return dev;
	if (index)
		nl31_extack_attr_err(req, index, -ENODEV,
				     "there is no device with index %u",
				     nla_get_u32(index));
	else
		nl31_extack_attr_err(req, name, -ENODEV,
				     "there is no device named %s",
				     (const char *)nla_data(name));
	return NULL;
}

static int nl31_port_check_flags(struct nl31_request *req,
				 const struct nl31_port *port,
				 const struct net_device *dev)
{
	const u16 flags = req->nlh->nlmsg_flags;

	if (port && !(flags & NLM_F_REPLACE))
		return nl31_extack_err(req, -EEXIST, "%s is a port already",
				       dev->name);
	if (!port && !(flags & NLM_F_CREATE))
		return nl31_extack_err(req, -ENOENT, "%s is no port", dev->name);
	return 0;
}

/* Would the request be refused? Context: RTNL */
static int nl31_port_check_request(struct nl31_ports *ports,
				   struct nl31_request *req, struct nlattr **tb)
{
	const struct nl31_port *port;
	struct net_device *dev;
	int err;

	dev = nl31_port_device(req, tb);
	if (!dev)
		return -ENODEV;
	port = nl31_port_find(ports, dev);
	err = nl31_port_check_flags(req, port, dev);
	if (err || port)
		return err;
	return nl31_port_check(dev, &req->extack);
}

/* Context: RTNL */
static int nl31_port_apply(struct nl31_ports *ports, struct nl31_request *req,
			   struct nlattr **tb)
{
	const unsigned int before = ports->changes;
	bool forwarding = true;
	struct nl31_port *port;
	struct net_device *dev;
	u8 urpf = NL31_URPF_OFF;
	int err;

	dev = nl31_port_device(req, tb);
	if (!dev)
		return -ENODEV;
	port = nl31_port_find(ports, dev);
	err = nl31_port_check_flags(req, port, dev);
	if (err)
		return err;
	if (port) {
		forwarding = port->forwarding;
		urpf = port->urpf;
	} else {
		port = nl31_port_add(ports, dev, &req->extack);
		if (IS_ERR(port))
			return PTR_ERR(port);
	}
	if (tb[NL31_PORT_FORWARDING])
		forwarding = nla_get_u8(tb[NL31_PORT_FORWARDING]);
	if (tb[NL31_PORT_URPF])
		urpf = nla_get_u8(tb[NL31_PORT_URPF]);
	nl31_port_set(port, forwarding, urpf);
	if (ports->changes != before)
		nl31_port_notify(port, NL31_MSG_NEWPORT, req);
	return 0;
}

/* What a namespace needs for its first port. Returns 0 or an error. */
static int nl31_port_start(struct nl31_router *router, struct nl31_request *req)
{
	int err;

	err = nl31_netdev_start(router, &req->extack);
	if (err)
		return err;
	err = nl31_router_start(router);
	if (err)
		return nl31_extack_err(req, err,
				       "cannot follow the routes of Linux");
	return 0;
}

/**
 * nl31_port_new - NL31_MSG_NEWPORT
 * @router: of the namespace
 * @req: the request
 *
 * Context: process, without the table's lock; takes RTNL
 * Return: 0, or an error with no port changed
 */
int nl31_port_new(struct nl31_router *router, struct nl31_request *req)
{
	struct nl31_ports *ports = &router->ports;
	const u16 flags = req->nlh->nlmsg_flags;
	struct nlattr *tb[NL31_PORT_MAX + 1];
	int err;

	err = nl31_port_parse(req, tb, port_policy);
	if (err)
		return err;
	if (!(flags & (NLM_F_CREATE | NLM_F_REPLACE)) ||
	    (flags & NLM_F_EXCL && flags & NLM_F_REPLACE))
		return nl31_extack_err(req, -EINVAL,
				       "flags: CREATE, CREATE | EXCL, CREATE | REPLACE or REPLACE");
	/* device nl31 does not come for a request that is refused */
	rtnl_lock();
	err = nl31_port_check_request(ports, req, tb);
	rtnl_unlock();
	if (!err)
		err = nl31_port_start(router, req);
	if (err)
		return err;
	rtnl_lock();
	err = nl31_port_apply(ports, req, tb);
	rtnl_unlock();
	return err;
}

/**
 * nl31_port_delete - NL31_MSG_DELPORT
 * @ports: the ports of the namespace
 * @req: the request
 *
 * Context: process, without the table's lock; takes RTNL
 * Return: 0, or an error with nothing changed
 */
int nl31_port_delete(struct nl31_ports *ports, struct nl31_request *req)
{
	struct nlattr *tb[NL31_PORT_MAX + 1];
	struct nl31_port *port;
	struct net_device *dev;
	int err;

	err = nl31_port_parse(req, tb, device_policy);
	if (err)
		return err;
	rtnl_lock();
	dev = nl31_port_device(req, tb);
	port = dev ? nl31_port_find(ports, dev) : NULL;
	if (port) {
		nl31_port_notify(port, NL31_MSG_DELPORT, req);
		nl31_port_del(port);
	} else if (dev) {
		err = nl31_extack_err(req, -ESRCH, "%s is no port", dev->name);
	} else {
		err = -ENODEV;
	}
	rtnl_unlock();
	return err;
}

/**
 * nl31_port_get - NL31_MSG_GETPORT
 * @ports: the ports of the namespace
 * @req: the request
 *
 * Context: process, without the table's lock; takes RTNL
 * Return: 0 when it has been answered, or an error
 */
int nl31_port_get(struct nl31_ports *ports, struct nl31_request *req)
{
	const u32 portid = NETLINK_CB(req->skb).portid;
	struct nlattr *tb[NL31_PORT_MAX + 1];
	struct sk_buff *skb = NULL;
	struct nl31_port *port;
	struct net_device *dev;
	int err;

	err = nl31_port_parse(req, tb, device_policy);
	if (err)
		return err;
	rtnl_lock();
	dev = nl31_port_device(req, tb);
	port = dev ? nl31_port_find(ports, dev) : NULL;
	if (port)
		skb = nl31_port_message(portid, req->nlh->nlmsg_seq,
					NL31_MSG_NEWPORT, port);
	if (!dev)
		err = -ENODEV;
	else if (!port)
		err = nl31_extack_err(req, -ESRCH, "%s is no port", dev->name);
	else if (!skb)
		err = -ENOMEM;
	rtnl_unlock();
	if (skb)
		nlmsg_unicast(req->skb->sk, skb, portid);
	return err;
}

/**
 * struct port_dump - state between the parts of a dump
 * @ports: the ports of the namespace
 * @sent: index of the device of the last port sent
 */
struct port_dump {
	struct nl31_ports *ports;
	int sent;
};

static int nl31_port_dump_start(struct netlink_callback *cb)
{
	struct port_dump *dump = (void *)cb->ctx;

	BUILD_BUG_ON(sizeof(*dump) > sizeof(cb->ctx));
	dump->ports = cb->data;
	dump->sent = 0;
	return 0;
}

static int nl31_port_dump_part(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct port_dump *dump = (void *)cb->ctx;
	struct nl31_port *port;
	int err = 0;

	rcu_read_lock();
	/* never 0, which means that it does not matter */
	cb->seq = READ_ONCE(dump->ports->changes) << 1 | 1;
	list_for_each_entry_rcu(port, &dump->ports->list, list) {
		if (port->dev->ifindex <= dump->sent)
			continue;
		err = nl31_port_fill(skb, NETLINK_CB(cb->skb).portid,
				     cb->nlh->nlmsg_seq, NL31_MSG_NEWPORT,
				     NLM_F_MULTI, port);
		if (err)
			break;
		dump->sent = port->dev->ifindex;
	}
	rcu_read_unlock();
	if (skb->len)
		nl_dump_check_consistent(cb, (struct nlmsghdr *)skb->data);
	return err && !skb->len ? err : skb->len;
}

/**
 * nl31_port_dump - NL31_MSG_GETPORT with NLM_F_ROOT or NLM_F_MATCH
 * @ports: the ports of the namespace
 * @req: the request
 *
 * Context: process, without the table's lock
 * Return: 0 when the dump has begun and will end with NLMSG_DONE, or an error
 */
int nl31_port_dump(struct nl31_ports *ports, struct nl31_request *req)
{
	static const struct nla_policy no_policy[NL31_PORT_MAX + 1] = {};
	struct netlink_dump_control control = {
		.start = nl31_port_dump_start,
		.dump = nl31_port_dump_part,
		.data = ports,
	};
	struct nlattr *tb[NL31_PORT_MAX + 1];
	int err;

	err = nl31_request_parse(req, tb, NL31_PORT_MAX, no_policy);
	if (err)
		return err;
	err = netlink_dump_start(req->skb->sk, req->skb, req->nlh, &control);
	if (err == -EINTR)
		return 0;
	if (err == -EBUSY)
		return nl31_extack_err(req, err,
				       "a dump is in progress on this socket");
	return err;
}
