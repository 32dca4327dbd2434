// SPDX-License-Identifier: MIT OR Apache-2.0
/* NL31_MSG_DELROUTE: a prefix, a path, all that match. */
#include <err.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"

static void three_paths(struct client *c)
{
	client_open(c);
	append(c, "10.0.0.0/8 via 192.0.2.1 metric 1");
	append(c, "10.0.0.0/8 via 192.0.2.2 metric 1 proto 4");
	append(c, "10.0.0.0/8 via 192.0.2.3 metric 2");
}

CASE(del_prefix, "without path attributes: the prefix and all its paths")
{
	struct client c;

	three_paths(&c);
	add(&c, "10.0.0.0/9 via 192.0.2.1");
	must(&c, DELROUTE, 0, "10.0.0.0/8");
	expect_table(&c, "NEWROUTE 10.0.0.0/9 unicast via 192.0.2.1");
}

CASE(del_missing, "ESRCH if there is no such prefix")
{
	struct client c;

	three_paths(&c);
	ask(&c, DELROUTE, 0, "10.0.0.0/9");
	expect(&c, "ESRCH '*'");
	ask(&c, DELROUTE, 0, "10.0.0.0/7");
	expect(&c, "ESRCH '*'");
	ask(&c, DELROUTE, 0, "::/8");
	expect(&c, "ESRCH '*'");
	check(table_number(&c, "paths", 0) == 3, "not 3 paths");
}

CASE(del_nonrec, "with NONREC: ENOTEMPTY if the prefix has more than one path, nothing deleted")
{
	struct client c;

	three_paths(&c);
	ask(&c, DELROUTE, NONREC, "10.0.0.0/8");
	expect(&c, "ENOTEMPTY '*3 paths*'");
	check(table_number(&c, "paths", 0) == 3, "not 3 paths");
	must(&c, DELROUTE, NONREC, "10.0.0.0/8 metric 2");
	must(&c, DELROUTE, NONREC, "10.0.0.0/8 metric 1");
	must(&c, DELROUTE, NONREC, "10.0.0.0/8");
	expect_table(&c, "");
}

CASE(del_by_metric, "with path attributes: the first path that has all of them")
{
	struct client c;

	three_paths(&c);
	must(&c, DELROUTE, 0, "10.0.0.0/8 metric 1");
	expect_table(&c,
		     "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.2 metric 1 proto 4\n"
		     "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.3 metric 2");
}

CASE(del_by_each, "type, gateway, device, metric and protocol tag each select a path")
{
	struct client c;

	three_paths(&c);
	append(&c, "10.0.0.0/8 dev 1 metric 3");
	append(&c, "10.0.0.0/8 prohibit metric 4");
	append(&c, "10.0.0.0/8 unreachable metric 5");
	must(&c, DELROUTE, 0, "10.0.0.0/8 prohibit");
	must(&c, DELROUTE, 0, "10.0.0.0/8 via 192.0.2.3");
	must(&c, DELROUTE, 0, "10.0.0.0/8 dev 1");
	must(&c, DELROUTE, 0, "10.0.0.0/8 proto 4");
	must(&c, DELROUTE, 0, "10.0.0.0/8 metric 5");
	expect_table(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 metric 1");
}

CASE(del_by_all, "a path that has only some of the attributes is not deleted")
{
	struct client c;

	three_paths(&c);
	ask(&c, DELROUTE, 0, "10.0.0.0/8 via 192.0.2.1 metric 2");
	expect(&c, "ESRCH '*path*'");
	ask(&c, DELROUTE, 0, "10.0.0.0/8 via 192.0.2.1 proto 4");
	expect(&c, "ESRCH '*path*'");
	must(&c, DELROUTE, 0, "10.0.0.0/8 unicast via 192.0.2.2 metric 1 proto 4");
	check(table_number(&c, "paths", 0) == 2, "not 2 paths");
}

CASE(del_metric_0, "metric 0 given is a path attribute, and selects metric 0")
{
	struct client c;

	client_open(&c);
	append(&c, "10.0.0.0/8 via 192.0.2.1 metric 1");
	ask(&c, DELROUTE, 0, "10.0.0.0/8 metric 0");
	expect(&c, "ESRCH '*path*'");
}

CASE(del_last_path, "with its last path a prefix is gone")
{
	struct client c;

	client_open(&c);
	add(&c, "10.0.0.0/8 via 192.0.2.1");
	must(&c, DELROUTE, 0, "10.0.0.0/8 via 192.0.2.1");
	check(table_number(&c, "routes", 0) == 0, "the prefix is still there");
	check(table_number(&c, "nexthops", 0) == 0, "its paths are still there");
	check(table_number(&c, "bytes", 0) == 0, "its memory is still there");
}

CASE(del_needs_prefix, "without NL31_ROUTE_DST, and without BULK: EINVAL")
{
	struct client c;

	three_paths(&c);
	ask(&c, DELROUTE, 0, NULL);
	expect(&c, "EINVAL '*prefix*'");
	ask(&c, DELROUTE, NONREC, "metric 1");
	expect(&c, "EINVAL '*prefix*'");
	check(table_number(&c, "paths", 0) == 3, "not 3 paths");
}

static void mixed_table(struct client *c)
{
	client_open(c);
	append(c, "10.0.0.0/8 via 192.0.2.1 metric 1 proto 4");
	append(c, "10.0.0.0/8 via 192.0.2.2 metric 2");
	append(c, "10.1.0.0/16 blackhole proto 4");
	append(c, "10.1.2.0/24 dev 1");
	append(c, "11.0.0.0/8 via 192.0.2.1 metric 2");
	append(c, "2001:db8::/32 via 2001:db8::1 metric 2");
	append(c, "2001:db8:1::/48 prohibit");
}

#define ROUTE_8_1	"NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 metric 1 proto 4\n"
#define ROUTE_8_2	"NEWROUTE 10.0.0.0/8 unicast via 192.0.2.2 metric 2\n"
#define ROUTE_16	"NEWROUTE 10.1.0.0/16 blackhole proto 4\n"
#define ROUTE_24	"NEWROUTE 10.1.2.0/24 unicast dev 1\n"
#define ROUTE_11	"NEWROUTE 11.0.0.0/8 unicast via 192.0.2.1 metric 2\n"
#define ROUTE_32	"NEWROUTE 2001:db8::/32 unicast via 2001:db8::1 metric 2\n"
#define ROUTE_48	"NEWROUTE 2001:db8:1::/48 prohibit\n"

CASE(bulk_all, "BULK without attributes empties the table")
{
	struct client c;

	mixed_table(&c);
	must(&c, DELROUTE, BULK, NULL);
	expect_table(&c, "");
	check(table_number(&c, "bytes", 0) == 0, "IPv4 memory is left");
	check(table_number(&c, "bytes", 1) == 0, "IPv6 memory is left");
	check(table_number(&c, "bytes", 2) == 0, "memory of paths is left");
	must(&c, DELROUTE, BULK, NULL);
}

CASE(bulk_prefix, "BULK with a prefix: all that it covers, itself included")
{
	struct client c;

	mixed_table(&c);
	must(&c, DELROUTE, BULK, "10.1.0.0/16");
	expect_table(&c, ROUTE_8_1 ROUTE_8_2 ROUTE_11 ROUTE_32 ROUTE_48);
	must(&c, DELROUTE, BULK, "::/0");
	expect_table(&c, ROUTE_8_1 ROUTE_8_2 ROUTE_11);
	must(&c, DELROUTE, BULK, "0.0.0.0/0");
	expect_table(&c, "");
}

CASE(bulk_address, "BULK with an address alone: the host route only")
{
	struct client c;

	mixed_table(&c);
	add(&c, "10.0.0.0/32 prohibit");
	must(&c, DELROUTE, BULK, "10.0.0.0");
	expect_table(&c, ROUTE_8_1 ROUTE_8_2 ROUTE_16 ROUTE_24 ROUTE_11 ROUTE_32 ROUTE_48);
}

CASE(bulk_metric, "BULK with a metric: the paths of it, of whatever prefix and family")
{
	struct client c;

	mixed_table(&c);
	must(&c, DELROUTE, BULK, "metric 2");
	expect_table(&c, ROUTE_8_1 ROUTE_16 ROUTE_24 ROUTE_48);
}

CASE(bulk_gateway, "BULK with a gateway")
{
	struct client c;

	mixed_table(&c);
	must(&c, DELROUTE, BULK, "via 192.0.2.1");
	expect_table(&c, ROUTE_8_2 ROUTE_16 ROUTE_24 ROUTE_32 ROUTE_48);
	must(&c, DELROUTE, BULK, "via 2001:db8::1");
	expect_table(&c, ROUTE_8_2 ROUTE_16 ROUTE_24 ROUTE_48);
}

CASE(bulk_device, "BULK with a device")
{
	struct client c;

	mixed_table(&c);
	must(&c, DELROUTE, BULK, "dev 1");
	expect_table(&c, ROUTE_8_1 ROUTE_8_2 ROUTE_16 ROUTE_11 ROUTE_32 ROUTE_48);
}

CASE(bulk_type, "BULK with a type")
{
	struct client c;

	mixed_table(&c);
	must(&c, DELROUTE, BULK, "unicast");
	expect_table(&c, ROUTE_16 ROUTE_48);
}

CASE(bulk_protocol, "BULK with a protocol tag, 0 included")
{
	struct client c;

	mixed_table(&c);
	must(&c, DELROUTE, BULK, "proto 4");
	expect_table(&c, ROUTE_8_2 ROUTE_24 ROUTE_11 ROUTE_32 ROUTE_48);
	must(&c, DELROUTE, BULK, "proto 0");
	expect_table(&c, "");
}

CASE(bulk_several, "BULK with several attributes: what has all of them")
{
	struct client c;

	mixed_table(&c);
	must(&c, DELROUTE, BULK, "10.0.0.0/8 unicast metric 2");
	expect_table(&c, ROUTE_8_1 ROUTE_16 ROUTE_24 ROUTE_11 ROUTE_32 ROUTE_48);
}

CASE(bulk_nothing, "BULK that selects nothing succeeds")
{
	struct client c;

	mixed_table(&c);
	must(&c, DELROUTE, BULK, "172.16.0.0/12");
	must(&c, DELROUTE, BULK, "metric 99");
	check(table_number(&c, "paths", 0) + table_number(&c, "paths", 1) == 7, "not 7 paths");
}

CASE(bulk_missing_echo, "BULK with ECHO and ACK tells each path deleted, then acknowledges")
{
	struct client c;

	mixed_table(&c);
	ask(&c, DELROUTE, BULK | ECHO | ACK, "10.0.0.0/8 proto 4");
	expect(&c,
	       "DELROUTE 10.0.0.0/8 unicast via 192.0.2.1 metric 1 proto 4 gen 8\n"
	       "DELROUTE 10.1.0.0/16 blackhole proto 4 gen 9\n"
	       "ACK");
}

/*
 * A thread that waits for the table may hold what the whole machine waits for: a device that goes
 * down, the lock of all devices.
 */
CASE(bulk_lets_others_in, "a datagram full of BULK holds the table for one of them at a time")
{
	bool *seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct client c, other;
	char words[64];
	int i, rounds;
	pid_t pid;

	check(seen != MAP_FAILED, "no memory");
	client_open(&c);
	datagram(&c);
	for (i = 0; i < 300; i++) {
		snprintf(words, sizeof(words), "10.%d.%d.0/24 via 192.0.2.1", i / 256, i % 256);
		message(&c, NEWROUTE, CREATE, words);
	}
	transmit(&c);
	expect(&c, "");

	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		client_open(&other);
		/* the limit while the datagram is worked on */
		while (!*seen)
			*seen = table_number(&other, "max", 0) == 5000;
		_exit(0);
	}
	datagram(&c);
	message(&c, NEWTABLE, 0, "max 5000");
	for (i = 0; i < 100; i++)
		message(&c, DELROUTE, BULK, "metric 99");
	message(&c, NEWTABLE, 0, "max 6000");
	for (rounds = 0; rounds < 1000 && !*(volatile bool *)seen; rounds++) {
		transmit(&c);
		sched_yield();
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	check(*seen, "no other thread had the table before the end of a datagram");
	check(table_number(&c, "routes", 0) == 300, "routes are gone");
}
