// SPDX-License-Identifier: MIT OR Apache-2.0
/* Paths over a device, by index and by name: down, up, gone, renamed. */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "case.h"

/* Linux's own tool for devices, rtnetlink; its acknowledgement is waited for. */
static void link_request(struct nlmsghdr *nlh, const char *what)
{
	struct mnl_socket *socket = mnl_socket_open(NETLINK_ROUTE);
	char buffer[8192];
	ssize_t len;

	nlh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	check(socket && mnl_socket_sendto(socket, nlh, nlh->nlmsg_len) >= 0, "no rtnetlink");
	len = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
	check(len > 0 && mnl_cb_run(buffer, len, 0, 0, NULL, NULL) >= 0, "cannot %s: %s", what,
	      strerror(errno));
	mnl_socket_close(socket);
}

static int dummy_add(const char *name)
{
	char buffer[512];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct nlattr *info;

	nlh->nlmsg_type = RTM_NEWLINK;
	nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "dummy");
	mnl_attr_nest_end(nlh, info);
	link_request(nlh, "add a dummy device (CONFIG_DUMMY)");
	return if_nametoindex(name);
}

/* Down and renamed. */
static void link_rename(int index, const char *name)
{
	char buffer[512];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *link;

	nlh->nlmsg_type = RTM_NEWLINK;
	link = mnl_nlmsg_put_extra_header(nlh, sizeof(*link));
	link->ifi_index = index;
	link->ifi_change = IFF_UP;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	link_request(nlh, "rename a device");
}

/* Paths of a device that has gone are removed soon, not at once. */
static void wait_for_paths(struct client *c, uint64_t count)
{
	int tries;

	for (tries = 0; table_number(c, "paths", 0) + table_number(c, "paths", 1) != count;
	     tries++) {
		check(tries < 3000, "the paths of a device that has gone stay");
		poll(NULL, 0, 10);
	}
}

static void link_change(int type, int index, bool up)
{
	char buffer[512];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *link;

	nlh->nlmsg_type = type;
	link = mnl_nlmsg_put_extra_header(nlh, sizeof(*link));
	link->ifi_index = index;
	link->ifi_change = IFF_UP;
	link->ifi_flags = up ? IFF_UP : 0;
	link_request(nlh, "change a device");
}

#define UP(index)	link_change(RTM_NEWLINK, index, true)
#define DOWN(index)	link_change(RTM_NEWLINK, index, false)
#define DELETE(index)	link_change(RTM_DELLINK, index, false)

/* "FORMAT with %d" for a device */
static const char *over(const char *format, int index)
{
	static char text[4][256];
	static int next;
	char *to = text[next++ % 4];

	snprintf(to, sizeof(*text), format, index, index, index);
	return to;
}

CASE(device_down, "a path over a device that is down is passed over: the next one serves, and it comes back")
{
	struct client c;
	int dev;

	client_open(&c);
	dev = dummy_add("test0");
	UP(dev);
	append(&c, over("10.0.0.0/8 dev %d metric 1", dev));
	append(&c, "10.0.0.0/8 via 192.0.2.1 metric 2");
	ask(&c, GETROUTE, 0, "10.0.0.1");
	expect_lines(__FILE__, __LINE__, &c, over("NEWROUTE 10.0.0.0/8 unicast dev %d metric 1", dev));
	DOWN(dev);
	ask(&c, GETROUTE, 0, "10.0.0.1");
	expect(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 metric 2");
	c.tells_standby = true;
	expect_table(&c, "NEWROUTE 10.0.0.0/8 unicast dev [0-9]* metric 1 linkdown\n"
			 "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 metric 2");
	UP(dev);
	expect_table(&c, "NEWROUTE 10.0.0.0/8 unicast dev [0-9]* metric 1\n"
			 "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 metric 2 standby");
	ask(&c, GETROUTE, 0, "10.0.0.1");
	expect_lines(__FILE__, __LINE__, &c, over("NEWROUTE 10.0.0.0/8 unicast dev %d metric 1", dev));
}

CASE(device_down_shorter_prefix, "a prefix with no path left is passed over for a shorter one")
{
	struct client c;
	int dev;

	client_open(&c);
	dev = dummy_add("test0");
	UP(dev);
	add(&c, "0.0.0.0/0 via 192.0.2.1");
	add(&c, over("10.0.0.0/8 dev %d", dev));
	add(&c, over("10.1.0.0/16 dev %d", dev));
	DOWN(dev);
	ask(&c, GETROUTE, 0, "10.1.0.1");
	expect(&c, "NEWROUTE 0.0.0.0/0 unicast via 192.0.2.1");
	must(&c, DELROUTE, 0, "0.0.0.0/0");
	ask(&c, GETROUTE, 0, "10.1.0.1");
	expect(&c, "ENETUNREACH '*'");
}

CASE(device_down_is_no_event, "down and up are no changes of the table: no event, no generation")
{
	struct client c, listener;
	int dev;

	client_open(&c);
	dev = dummy_add("test0");
	UP(dev);
	add(&c, over("10.0.0.0/8 dev %d", dev));
	client_open(&listener);
	client_join(&listener);
	DOWN(dev);
	UP(dev);
	expect(&listener, "");
	check(table_number(&c, "gen", 0) == 1, "the generation went on");
}

CASE(device_added_down, "a path may be added over a device that is down, and serves when it is up")
{
	struct client c;
	int dev;

	client_open(&c);
	dev = dummy_add("test0");
	add(&c, over("10.0.0.0/8 via 192.0.2.1 dev %d", dev));
	ask(&c, GETROUTE, 0, "10.0.0.1");
	expect(&c, "ENETUNREACH '*'");
	UP(dev);
	ask(&c, GETROUTE, 0, "10.0.0.1");
	expect(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 dev *");
	/* the same list of paths, made while the device was down */
	add(&c, over("11.0.0.0/8 via 192.0.2.1 dev %d", dev));
	ask(&c, GETROUTE, 0, "11.0.0.1");
	expect(&c, "NEWROUTE 11.0.0.0/8 unicast via 192.0.2.1 dev *");
}

CASE(device_gone, "with a device its paths go, each with an event; prefixes without a path go too")
{
	struct client c, listener;
	int dev;

	client_open(&c);
	dev = dummy_add("test0");
	UP(dev);
	append(&c, over("10.0.0.0/8 dev %d metric 1", dev));
	append(&c, "10.0.0.0/8 via 192.0.2.1 metric 2");
	append(&c, over("10.1.0.0/16 dev %d", dev));
	append(&c, over("2001:db8::/32 via fe80::1 dev %d", dev));
	append(&c, "11.0.0.0/8 dev 1");
	client_open(&listener);
	client_join(&listener);
	DELETE(dev);
	wait_for_paths(&c, 2);
	expect_lines(__FILE__, __LINE__, &listener,
		     over("event DELROUTE 10.0.0.0/8 unicast dev %d metric 1 gen 6\n"
			  "event DELROUTE 10.1.0.0/16 unicast dev %d gen 7\n"
			  "event DELROUTE 2001:db8::/32 unicast via fe80::1 dev %d gen 8", dev));
	expect_table(&c,
		     "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 metric 2\n"
		     "NEWROUTE 11.0.0.0/8 unicast dev 1");
	ask(&c, NEWROUTE, CREATE, over("10.1.0.0/16 dev %d", dev));
	expect(&c, "ENODEV '*' @32");
}

CASE(device_gone_in_a_transaction, "a device that goes during a transaction takes the paths of both tables with it")
{
	struct client c, other;
	int dev;

	client_open(&c);
	client_open(&other);
	dev = dummy_add("test0");
	UP(dev);
	add(&other, over("10.0.0.0/8 dev %d", dev));
	add(&other, "0.0.0.0/0 via 192.0.2.1");
	ask(&c, NEWROUTE, MULTI | CREATE, over("10.1.0.0/16 dev %d", dev));
	DELETE(dev);
	/* not served; shown as dead until it can be removed */
	ask(&other, GETROUTE, 0, "10.0.0.1");
	expect(&other, "NEWROUTE 0.0.0.0/0 unicast via 192.0.2.1");
	expect_table(&other, "NEWROUTE 0.0.0.0/0 unicast via 192.0.2.1\n"
			     "NEWROUTE 10.0.0.0/8 unicast dev [0-9]* linkdown dead");
	ask(&c, NEWROUTE, MULTI | CREATE, "10.2.0.0/16 via 192.0.2.1");
	ask(&c, DONE, MULTI, NULL);
	expect(&c, "DONE 2");
	wait_for_paths(&other, 2);
	expect_table(&other,
		     "NEWROUTE 0.0.0.0/0 unicast via 192.0.2.1\n"
		     "NEWROUTE 10.2.0.0/16 unicast via 192.0.2.1");
	check(table_number(&other, "routes", 0) == 2, "prefixes without a path are left");
}

CASE(device_gone_does_not_count, "a path whose device has gone does not count: neither for NONREC, nor for EEXIST, nor is it what is deleted")
{
	struct client c, listener, other;
	int dev;

	client_open(&c);
	client_open(&other);
	dev = dummy_add("test0");
	append(&c, over("10.0.0.0/8 dev %d metric 1", dev));
	append(&c, "10.0.0.0/8 via 192.0.2.1 metric 2");
	append(&c, over("10.1.0.0/16 dev %d", dev));
	client_open(&listener);
	client_join(&listener);
	/* keeps the paths from being removed */
	ask(&other, NEWTABLE, MULTI, "max 1000");
	DELETE(dev);
	ask(&other, DELROUTE, MULTI, "10.1.0.0/16");
	expect(&other, "ESRCH '*'");
	ask(&other, DONE, MULTI, NULL);
	ask(&other, NEWTABLE, MULTI, "max 1000");
	ask(&other, NEWROUTE, MULTI | CREATE | EXCL, "10.0.0.0/8 blackhole metric 1");
	ask(&other, DONE, MULTI, NULL);
	expect(&other, "DONE 2");
	wait_for_paths(&c, 2);
	expect_table(&c,
		     "NEWROUTE 10.0.0.0/8 blackhole metric 1\n"
		     "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 metric 2");
	must(&c, DELROUTE, 0, "10.0.0.0/8 metric 1");
	must(&c, DELROUTE, NONREC, "10.0.0.0/8");
}

CASE(device_by_name, "a path by name waits for its device, follows the name, and stays when the device goes")
{
	struct client c, listener;
	int dev;

	client_open(&c);
	client_open(&listener);
	client_join(&listener);
	add(&c, "10.0.0.0/8 via 192.0.2.1 ifname test0");
	expect(&listener, "event NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 ifname test0 gen 1 CREATE");
	expect_table(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 ifname test0 linkdown dead");
	ask(&c, GETROUTE, 0, "10.0.0.1");
	expect(&c, "ENETUNREACH '*'");
	dev = dummy_add("test0");
	expect_table(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 dev [0-9]* ifname test0 linkdown");
	UP(dev);
	ask(&c, GETROUTE, 0, "10.0.0.1");
	expect_lines(__FILE__, __LINE__, &c,
		     over("NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 dev %d ifname test0", dev));

	/* by index it is another path */
	append(&c, over("10.0.0.0/8 via 192.0.2.1 dev %d metric 1", dev));
	DOWN(dev);
	link_rename(dev, "test1");
	expect_table(&c,
		     "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 ifname test0 linkdown dead\n"
		     "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 dev [0-9]* metric 1 linkdown");
	link_rename(dev, "test0");
	UP(dev);
	ask(&c, GETROUTE, 0, "10.0.0.1");
	expect(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 dev * ifname test0");
	DELETE(dev);
	wait_for_paths(&c, 1);
	expect_table(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 ifname test0 linkdown dead");
	dev = dummy_add("test0");
	UP(dev);
	ask(&c, GETROUTE, 0, "10.0.0.1");
	expect(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 dev * ifname test0");
}

CASE(device_by_name_selected, "an index selects paths by name whose device has it now, a name only those by this name")
{
	struct client c;
	int dev;

	client_open(&c);
	dev = dummy_add("test0");
	add(&c, "10.0.0.0/8 ifname test0");
	add(&c, over("11.0.0.0/8 dev %d", dev));
	add(&c, "12.0.0.0/8 ifname test1");
	ask(&c, GETROUTE, DUMP, over("dev %d", dev));
	expect(&c,
	       "NEWROUTE 10.0.0.0/8 unicast dev * ifname test0 linkdown DUMP_FILTERED\n"
	       "NEWROUTE 11.0.0.0/8 unicast dev * linkdown DUMP_FILTERED\n"
	       "DONE 0 DUMP_FILTERED");
	ask(&c, GETROUTE, DUMP, "ifname test0");
	expect(&c,
	       "NEWROUTE 10.0.0.0/8 unicast dev * ifname test0 linkdown DUMP_FILTERED\n"
	       "DONE 0 DUMP_FILTERED");
	ask(&c, NEWROUTE, CREATE | APPEND, "10.0.0.0/8 ifname test0");
	expect(&c, "EEXIST '*'");
	must(&c, DELROUTE, BULK, "ifname test1");
	must(&c, DELROUTE, 0, over("10.0.0.0/8 dev %d", dev));
	expect_table(&c, "NEWROUTE 11.0.0.0/8 unicast dev * linkdown");
}

CASE(device_moves_away, "a device that moves to another namespace is gone here")
{
	char buffer[512];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *link;
	struct client c;
	int dev, there;

	there = open("/proc/self/ns/net", O_RDONLY);
	check(there >= 0 && !unshare(CLONE_NEWNET), "no second namespace");
	client_open(&c);
	dev = dummy_add("test0");
	UP(dev);
	add(&c, over("10.0.0.0/8 dev %d", dev));
	nlh->nlmsg_type = RTM_NEWLINK;
	link = mnl_nlmsg_put_extra_header(nlh, sizeof(*link));
	link->ifi_index = dev;
	mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, there);
	link_request(nlh, "move a device");
	wait_for_paths(&c, 0);
	expect_table(&c, "");
}

CASE(many_devices_come_and_go, "devices that come and go leave nothing behind")
{
	struct client c;
	char words[96];
	int dev, i, j;

	client_open(&c);
	add(&c, "10.0.0.0/8 via 192.0.2.1");
	for (i = 0; i < 10; i++) {
		dev = dummy_add("test0");
		UP(dev);
		for (j = 0; j < 100; j++) {
			snprintf(words, sizeof(words), "10.%d.0.0/16 dev %d", j, dev);
			add(&c, words);
		}
		DELETE(dev);
		wait_for_paths(&c, 1);
		expect_table(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1");
		check(table_number(&c, "nexthops", 0) == 1, "paths are left");
	}
}
