/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Devices, addresses, routes and rules of Linux, for clients that torment forwarding. */
#ifndef NL31_TEST_RTNETLINK_H
#define NL31_TEST_RTNETLINK_H

#include "wire.h"

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

static struct datagram rt;
static int rt_fd = -1;

/* The socket of the namespace that the process is in. */
static __attribute__((unused)) void rt_open(void)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	if (rt_fd >= 0)
		close(rt_fd);
	rt_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (rt_fd < 0 || connect(rt_fd, (struct sockaddr *)&kernel, sizeof(kernel)))
		fail("no socket of rtnetlink: %s", strerror(errno));
}

static void rt_begin(unsigned type, unsigned flags, const void *header, size_t size)
{
	rt.size = 0;
	put_message(&rt, type, NLM_F_REQUEST | NLM_F_ACK | flags);
	memcpy(rt.data + rt.size, header, size);
	rt.size += NLMSG_ALIGN(size);
	last_message(&rt)->nlmsg_len = rt.size;
}

/* Send it; the error, 0 or negative. */
static int rt_end(void)
{
	static unsigned char in[8192];
	const struct nlmsghdr *nlh = (const void *)in;
	ssize_t size;

	if (send(rt_fd, rt.data, rt.size, 0) != (ssize_t)rt.size)
		return -errno;
	size = recv(rt_fd, in, sizeof(in), 0);
	if (size < (ssize_t)NLMSG_LENGTH(sizeof(int)) || nlh->nlmsg_type != NLMSG_ERROR)
		fail("rtnetlink does not answer");
	return ((const struct nlmsgerr *)NLMSG_DATA(nlh))->error;
}

static __attribute__((unused)) void rt_must(int error, const char *what, const char *name)
{
	if (error)
		fail("%s %s: %s", what, name, strerror(-error));
}

/* Nested attributes: rt_nest() says where, rt_nest_end() how long. */
static size_t rt_nest(unsigned type)
{
	const size_t at = rt.size;

	put_attr(&rt, type, NULL, 0);
	return at;
}

static void rt_nest_end(size_t at)
{
	((struct nlattr *)(rt.data + at))->nla_len = rt.size - at;
}

static void rt_link_begin(unsigned type, unsigned flags, const char *name)
{
	struct ifinfomsg link = { .ifi_index = 0 };

	rt_begin(type, flags, &link, sizeof(link));
	put_attr(&rt, IFLA_IFNAME, name, strlen(name) + 1);
}

/* A veth pair; the peer's end is in the namespace of @fd. */
static __attribute__((unused)) int rt_veth_add(const char *name, const char *peer, int fd)
{
	struct ifinfomsg link = { .ifi_index = 0 };
	size_t info, data, end;

	rt_link_begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, name);
	info = rt_nest(IFLA_LINKINFO);
	put_attr(&rt, IFLA_INFO_KIND, "veth", 5);
	data = rt_nest(IFLA_INFO_DATA);
	end = rt_nest(VETH_INFO_PEER);
	memcpy(rt.data + rt.size, &link, sizeof(link));
	rt.size += sizeof(link);
	put_attr(&rt, IFLA_IFNAME, peer, strlen(peer) + 1);
	put_u32(&rt, IFLA_NET_NS_FD, fd);
	rt_nest_end(end);
	rt_nest_end(data);
	rt_nest_end(info);
	return rt_end();
}

static __attribute__((unused)) int rt_link_add(const char *name, const char *kind)
{
	size_t info;

	rt_link_begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, name);
	info = rt_nest(IFLA_LINKINFO);
	put_attr(&rt, IFLA_INFO_KIND, kind, strlen(kind) + 1);
	rt_nest_end(info);
	return rt_end();
}

static __attribute__((unused)) int rt_link_delete(const char *name)
{
	rt_link_begin(RTM_DELLINK, 0, name);
	return rt_end();
}

static __attribute__((unused)) int rt_link_up(const char *name, bool up)
{
	struct ifinfomsg link = { .ifi_flags = up ? IFF_UP : 0, .ifi_change = IFF_UP };

	rt_begin(RTM_NEWLINK, 0, &link, sizeof(link));
	put_attr(&rt, IFLA_IFNAME, name, strlen(name) + 1);
	return rt_end();
}

static __attribute__((unused)) int rt_link_mtu(const char *name, unsigned mtu)
{
	rt_link_begin(RTM_NEWLINK, 0, name);
	put_u32(&rt, IFLA_MTU, mtu);
	return rt_end();
}

static __attribute__((unused)) int rt_link_rename(const char *name, const char *to)
{
	struct ifinfomsg link = { .ifi_index = if_nametoindex(name) };

	if (!link.ifi_index)
		return -ENODEV;
	rt_begin(RTM_NEWLINK, 0, &link, sizeof(link));
	put_attr(&rt, IFLA_IFNAME, to, strlen(to) + 1);
	return rt_end();
}

static __attribute__((unused)) int rt_link_move(const char *name, int fd)
{
	rt_link_begin(RTM_NEWLINK, 0, name);
	put_u32(&rt, IFLA_NET_NS_FD, fd);
	return rt_end();
}

static __attribute__((unused)) int rt_address(unsigned type, const char *name, const char *address,
					      unsigned len)
{
	struct ifaddrmsg header = {
		.ifa_family = strchr(address, ':') ? AF_INET6 : AF_INET,
		.ifa_prefixlen = len,
		.ifa_index = if_nametoindex(name),
		.ifa_flags = IFA_F_NODAD,
	};

	if (!header.ifa_index)
		return -ENODEV;
	rt_begin(type, type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_EXCL : 0, &header,
		 sizeof(header));
	put_address(&rt, IFA_LOCAL, address);
	return rt_end();
}

/* A route of the main table; what is NULL is left out. */
static __attribute__((unused)) int rt_route(unsigned type, const char *prefix, unsigned len,
					    const char *gateway, const char *name)
{
	struct rtmsg header = {
		.rtm_family = strchr(prefix, ':') ? AF_INET6 : AF_INET,
		.rtm_dst_len = len,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = gateway || type == RTM_DELROUTE ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST,
	};

	if (type == RTM_DELROUTE)
		header.rtm_scope = RT_SCOPE_NOWHERE;
	rt_begin(type, type == RTM_NEWROUTE ? NLM_F_CREATE | NLM_F_REPLACE : 0, &header,
		 sizeof(header));
	if (len)
		put_address(&rt, RTA_DST, prefix);
	if (gateway)
		put_address(&rt, RTA_GATEWAY, gateway);
	if (name)
		put_u32(&rt, RTA_OIF, if_nametoindex(name));
	return rt_end();
}

/* A rule for a mark that no packet has; Linux's tables decide then. */
static __attribute__((unused)) int rt_rule(unsigned type, int family)
{
	struct fib_rule_hdr header = {
		.family = family,
		.table = RT_TABLE_MAIN,
		.action = FR_ACT_TO_TBL,
	};

	rt_begin(type, type == RTM_NEWRULE ? NLM_F_CREATE | NLM_F_EXCL : 0, &header,
		 sizeof(header));
	put_u32(&rt, FRA_FWMARK, 77);
	put_u32(&rt, FRA_PRIORITY, 77);
	return rt_end();
}

#endif
