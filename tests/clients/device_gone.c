// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A device that goes away when memory is short. Each allocation on the way fails once: the
 * device goes all the same, no lookup is led to it, and its paths, and no others, go as soon
 * as there is memory.
 *
 * Needs a kernel with FAULT_INJECTION, FAILSLAB and dummy devices, as root. Prints KTAP.
 */
#include "fault.h"

#include <linux/rtnetlink.h>
#include <net/if.h>

/* More than a removal allocates; a loop that gets here does not end. */
#define SITES_MAX	5000
#define PREFIXES	40

static struct datagram out;
static unsigned char in[1 << 16];

/* The error of the request in @out; -ENOBUFS where memory was short for an answer. */
static int request(int fd)
{
	const struct nlmsghdr *nlh = (const void *)in;
	ssize_t size;

	if (send(fd, out.data, out.size, 0) != (ssize_t)out.size)
		return -errno;
	size = receive(fd, in, sizeof(in));
	if (size < 0)
		return -errno;
	if (!size || nlh->nlmsg_type != NLMSG_ERROR)
		return -ENOBUFS;
	return ((const struct nlmsgerr *)NLMSG_DATA(nlh))->error;
}

static void must(int fd, const char *what)
{
	int error = request(fd);

	if (error)
		fail("%s: error %d", what, error);
}

static int link_socket(void)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || connect(fd, (struct sockaddr *)&kernel, sizeof(kernel)))
		fail("no socket of rtnetlink: %s", strerror(errno));
	return fd;
}

static void put_link(unsigned type, unsigned flags, unsigned index)
{
	struct ifinfomsg link = { .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };

	out.size = 0;
	put_message(&out, type, NLM_F_REQUEST | NLM_F_ACK | flags);
	memcpy(out.data + out.size, &link, sizeof(link));
	out.size += sizeof(link);
	last_message(&out)->nlmsg_len = out.size;
}

/* A device that is up; its index. */
static unsigned add_device(int rtnl)
{
	struct {
		struct nlattr kind;
		char name[8];
	} info = { .kind = { .nla_len = sizeof(info.kind) + 6, .nla_type = IFLA_INFO_KIND },
		   .name = "dummy" };

	put_link(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
	put_attr(&out, IFLA_IFNAME, "gone0", 6);
	put_attr(&out, IFLA_LINKINFO, &info, sizeof(info));
	must(rtnl, "a dummy device");
	return if_nametoindex("gone0");
}

/* Half of the prefixes have a path over the device and another behind it, half have only
 * that over the device. */
static void fill(int fd, unsigned device)
{
	char prefix[32];
	unsigned i;

	out.size = 0;
	put_message(&out, NL31_MSG_NEWTABLE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_REPLACE);
	must(fd, "an empty table");
	for (i = 0; i < PREFIXES; i++) {
		snprintf(prefix, sizeof(prefix), "10.0.%u.0/24", i);
		out.size = 0;
		put_route(&out, NL31_MSG_NEWROUTE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE,
			  prefix, NULL, 1);
		put_u32(&out, NL31_ROUTE_OIF, device);
		must(fd, "a path over the device");
		if (i % 2)
			continue;
		out.size = 0;
		put_route(&out, NL31_MSG_NEWROUTE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE,
			  prefix, "192.0.2.1", 2);
		must(fd, "a path without it");
	}
}

/* The paths that the table counts, seen or not. */
static unsigned counted(int fd)
{
	const struct nlattr *paths;

	out.size = 0;
	put_message(&out, NL31_MSG_GETTABLE, NLM_F_REQUEST);
	must_send(fd, out.data, out.size);
	if (receive(fd, in, sizeof(in)) <= 0)
		fail("the table does not tell about itself");
	paths = find_attr((const void *)in, NLMSG_HDRLEN, NL31_TABLE_PATHS4);
	if (!paths)
		fail("the table does not tell its paths");
	return *(const uint32_t *)(paths + 1);
}

/* Nothing leads over the device any more, and the rest serves. */
static void expect_passed_over(int fd)
{
	const struct nlmsghdr *nlh = (const void *)in;
	char address[32];
	unsigned i;

	for (i = 0; i < PREFIXES; i++) {
		snprintf(address, sizeof(address), "10.0.%u.1", i);
		out.size = 0;
		put_route(&out, NL31_MSG_GETROUTE, NLM_F_REQUEST, address, NULL, -1);
		must_send(fd, out.data, out.size);
		if (receive(fd, in, sizeof(in)) <= 0)
			fail("%s: no answer", address);
		if (i % 2) {
			if (nlh->nlmsg_type != NLMSG_ERROR ||
			    ((const struct nlmsgerr *)NLMSG_DATA(nlh))->error != -ENETUNREACH)
				fail("%s: found, though its device is gone", address);
		} else if (nlh->nlmsg_type != NL31_MSG_NEWROUTE ||
			   find_attr(nlh, NLMSG_HDRLEN, NL31_ROUTE_OIF)) {
			fail("%s: is not led over the other path", address);
		}
	}
}

static void test(void)
{
	unsigned n, refused = 0, tries;
	int fd = open_socket(), rtnl = link_socket();
	struct dump dump = { 0 };
	bool injected = true;

	testing = "device_gone";
	for (n = 1; injected; n++) {
		unsigned device = add_device(rtnl);

		if (n == SITES_MAX)
			fail("still allocates after %u failures", n);
		fill(fd, device);
		put_link(RTM_DELLINK, 0, device);
		set_fail_nth(n);
		request(rtnl);
		injected = !get_fail_nth();
		set_fail_nth(0);
		/* an answer that was lost */
		while (receive(rtnl, in, sizeof(in)))
			;
		if (if_nametoindex("gone0")) {
			refused++;
			put_link(RTM_DELLINK, 0, device);
			must(rtnl, "removal of the device");
		}
		expect_passed_over(fd);
		for (tries = 0; counted(fd) != PREFIXES / 2; tries++) {
			if (tries == 600)
				fail("allocation %u: the paths stay", n);
			usleep(100000);
		}
		dump_table(fd, &dump);
		if (dump.paths != PREFIXES / 2)
			fail("allocation %u: %u paths are seen instead of %u", n, dump.paths,
			     PREFIXES / 2);
		expect_passed_over(fd);
	}
	printf("# %s: figure sites=%u refused=%u\n", testing, n - 2, refused);
	passed();
}

int main(void)
{
	set_up_system();
	printf("KTAP version 1\n1..1\n");
	testing = "set_up";
	set_up_faults();
	test();
	finish(0);
}
