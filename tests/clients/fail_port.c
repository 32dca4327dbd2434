// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Every allocation fails once that the first port of a namespace makes, and the first packet
 * of a path. What is refused is told and leaves nothing behind; the next try succeeds.
 *
 *	fail_port [EVERY]
 *
 * New namespaces take their time: with EVERY, only each of so many allocations fails in them.
 * Needs a kernel with FAULT_INJECTION, FAILSLAB and dummy devices, as root. Prints KTAP.
 */
#include "fault.h"
#include "rtnetlink.h"

#include <sched.h>

/* More than any of it allocates; a loop that gets here does not end. */
#define SITES_MAX	5000

static struct datagram out;

/* The error of the request in @out; 1 where there is no answer. */
static int request(int fd)
{
	static unsigned char in[8192];
	const struct nlmsghdr *nlh = (const void *)in;
	int outcome = 1;
	ssize_t size;

	if (send(fd, out.data, out.size, 0) != (ssize_t)out.size)
		return -errno;
	while ((size = receive(fd, in, sizeof(in)))) {
		if (size < 0)
			continue;
		outcome = nlh->nlmsg_type == NLMSG_ERROR ?
			((const struct nlmsgerr *)NLMSG_DATA(nlh))->error : 0;
	}
	return outcome;
}

static void put_port(unsigned type, unsigned flags)
{
	out.size = 0;
	put_message(&out, type, NLM_F_REQUEST | NLM_F_ACK | flags);
	put_attr(&out, NL31_PORT_IFNAME, "port0", 6);
}

static bool has_port(int fd)
{
	int error;

	put_port(NL31_MSG_GETPORT, 0);
	error = request(fd);
	if (error && error != -ESRCH)
		fail("a port cannot be asked for: %d", error);
	return !error;
}

static void add_device(const char *name)
{
	rt_must(rt_link_add(name, "dummy"), "cannot make", name);
	rt_must(rt_link_up(name, true), "cannot set up", name);
}

/* In a namespace that has not used nl31 yet; or, unless @is_new, only its device is not there.
 * Each @every-th allocation fails. */
static void test_port(bool is_new, unsigned every)
{
	unsigned n, refused = 0, lost = 0;
	bool injected = true;
	int fd = -1;

	testing = is_new ? "first_port_of_a_namespace" : "port_and_device";
	for (n = 1; injected; n += every) {
		int error;

		if (n == SITES_MAX)
			fail("still allocates after %u failures", n);
		if (is_new || n == 1) {
			if (unshare(CLONE_NEWNET))
				fail("no namespace: %s", strerror(errno));
			rt_open();
			close(fd);
			fd = open_socket();
			add_device("port0");
		} else {
			put_port(NL31_MSG_DELPORT, 0);
			request(fd);
			rt_link_delete("nl31");
		}
		put_port(NL31_MSG_NEWPORT, NLM_F_CREATE | NLM_F_EXCL);
		set_fail_nth(n);
		error = request(fd);
		injected = !get_fail_nth();
		set_fail_nth(0);
		/* an answer that was lost */
		if (error > 0)
			lost++;
		else if (error && error != -ENOMEM && error != -ENOBUFS &&
			 /* device_add() of Linux, without memory for the name */
			 error != -EINVAL)
			fail("allocation %u: error %d", n, error);
		else if (error)
			refused++;
		if (error <= 0 && has_port(fd) != !error)
			fail("allocation %u: answered %d, but the port is %sthere", n, error,
			     error ? "" : "not ");
		put_port(NL31_MSG_NEWPORT, NLM_F_CREATE | NLM_F_REPLACE);
		error = request(fd);
		if (error)
			fail("allocation %u: the next try got %d", n, error);
		if (!has_port(fd) || !if_nametoindex("nl31"))
			fail("allocation %u: no port or device after the next try", n);
	}
	close(fd);
	if (!refused)
		fail("%u failures, %u refused: is there FAILSLAB?", n, refused);
	printf("# %s: figure sites=%u refused=%u answer_lost=%u\n", testing, n - 1 - every, refused,
	       lost);
	passed();
}

/* Packets that port0 has sent. */
static unsigned long sent(void)
{
	char line[512];
	unsigned long packets = 0, value[10];
	FILE *file = fopen("/proc/net/dev", "r");

	while (file && fgets(line, sizeof(line), file)) {
		char *name = strstr(line, "port0:");

		if (name && sscanf(name + 6, "%lu %lu %lu %lu %lu %lu %lu %lu %lu %lu", value,
				   value + 1, value + 2, value + 3, value + 4, value + 5,
				   value + 6, value + 7, value + 8, value + 9) == 10)
			packets = value[9];
	}
	if (!file)
		fail("cannot read /proc/net/dev: %s", strerror(errno));
	fclose(file);
	return packets;
}

static void test_packet(bool is_ipv6)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	const struct sockaddr *address = is_ipv6 ? (void *)&to6 : (void *)&to;
	const socklen_t size = is_ipv6 ? sizeof(to6) : sizeof(to);
	unsigned n, dropped = 0;
	bool injected = true;
	int fd, udp;

	testing = is_ipv6 ? "first_packet_ipv6" : "first_packet_ipv4";
	if (unshare(CLONE_NEWNET))
		fail("no namespace: %s", strerror(errno));
	rt_open();
	fd = open_socket();
	add_device("port0");
	rt_must(rt_address(RTM_NEWADDR, "port0", "198.51.100.1", 24), "no address for", "port0");
	rt_must(rt_address(RTM_NEWADDR, "port0", "2001:db8:1::1", 64), "no address for", "port0");
	put_port(NL31_MSG_NEWPORT, NLM_F_CREATE);
	rt_must(request(fd), "no port", "port0");
	rt_must(rt_link_up("nl31", true), "cannot set up", "nl31");
	rt_must(rt_route(RTM_NEWROUTE, is_ipv6 ? "::" : "0.0.0.0", 0, NULL, "nl31"), "no route to",
		"nl31");
	out.size = 0;
	put_route(&out, NL31_MSG_NEWROUTE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE,
		  is_ipv6 ? "2001:db8:113::/48" : "203.0.113.0/24",
		  is_ipv6 ? "2001:db8:1::2" : "198.51.100.2", -1);
	rt_must(request(fd), "no route", "of nl31");
	inet_pton(AF_INET, "203.0.113.5", &to.sin_addr);
	inet_pton(AF_INET6, "2001:db8:113::5", &to6.sin6_addr);
	udp = socket(is_ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	for (n = 1; injected; n++) {
		unsigned long before;

		if (n == SITES_MAX)
			fail("still allocates after %u failures", n);
		/* without its dst, and the neighbour */
		rt_must(rt_link_mtu("port0", 1400 + n % 2), "cannot set the MTU of", "port0");
		before = sent();
		set_fail_nth(n);
		sendto(udp, "hello", 5, 0, address, size);
		injected = !get_fail_nth();
		set_fail_nth(0);
		if (sent() == before)
			dropped++;
		if (sent() == before && !injected)
			fail("nothing failed, and the packet has not left");
		before = sent();
		if (sendto(udp, "hello", 5, 0, address, size) != 5)
			fail("allocation %u: the next packet: %s", n, strerror(errno));
		if (sent() == before)
			fail("allocation %u: the next packet has not left", n);
	}
	close(udp);
	close(fd);
	if (!dropped)
		fail("%u failures, and no packet was dropped: is there FAILSLAB?", n);
	printf("# %s: figure sites=%u dropped=%u\n", testing, n - 2, dropped);
	passed();
}

int main(int argc, char **argv)
{
	const unsigned every = argc > 1 ? atoi(argv[1]) : 1;

	set_up_system();
	if (!every) {
		printf("usage: fail_port [EVERY]\n");
		finish(2);
	}
	printf("KTAP version 1\n1..4\n");
	testing = "set_up";
	set_up_faults();
	test_packet(false);
	test_packet(true);
	test_port(false, 1);
	test_port(true, every);
	finish(0);
}
