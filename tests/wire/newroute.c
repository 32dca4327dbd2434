// SPDX-License-Identifier: MIT OR Apache-2.0
/* NL31_MSG_NEWROUTE: add, replace, change, append. */
#include <stdio.h>

#include "case.h"

#define VIA1 "10.0.0.0/8 via 192.0.2.1"
#define VIA2 "10.0.0.0/8 via 192.0.2.2"
#define VIA3 "10.0.0.0/8 via 192.0.2.3"

CASE(add_creates, "CREATE | EXCL adds a prefix")
{
	struct client c;

	client_open(&c);
	ask(&c, NEWROUTE, CREATE | EXCL | ACK, VIA1);
	expect(&c, "ACK");
	expect_table(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1");
}

CASE(add_exists, "CREATE | EXCL: EEXIST if the prefix has a path of this metric, nothing changed")
{
	struct client c;

	client_open(&c);
	add(&c, VIA1);
	ask(&c, NEWROUTE, CREATE | EXCL, VIA2);
	expect(&c, "EEXIST '*metric 0*'");
	ask(&c, NEWROUTE, CREATE | EXCL, VIA1);
	expect(&c, "EEXIST '*metric 0*'");
	expect_table(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1");
}

CASE(create_alone_is_add, "CREATE alone is the same as CREATE | EXCL")
{
	struct client c;

	client_open(&c);
	must(&c, NEWROUTE, CREATE, VIA1);
	ask(&c, NEWROUTE, CREATE, VIA2);
	expect(&c, "EEXIST '*metric 0*'");
	expect_table(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1");
}

CASE(add_another_metric, "CREATE | EXCL adds a path of another metric to the prefix")
{
	struct client c;

	client_open(&c);
	add(&c, VIA1 " metric 20");
	add(&c, VIA2 " metric 10");
	add(&c, VIA3 " metric 30");
	expect_table(&c,
		     "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.2 metric 10\n"
		     "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 metric 20\n"
		     "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.3 metric 30");
}

CASE(replace_or_create_creates, "CREATE | REPLACE creates where there is nothing")
{
	struct client c;

	client_open(&c);
	must(&c, NEWROUTE, CREATE | REPLACE, VIA1);
	must(&c, NEWROUTE, CREATE | REPLACE, VIA2 " metric 5");
	expect_table(&c,
		     "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1\n"
		     "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.2 metric 5");
}

CASE(replace_or_create_replaces, "CREATE | REPLACE replaces the first path of the metric, in its place")
{
	struct client c;

	client_open(&c);
	append(&c, VIA1 " metric 5");
	append(&c, VIA2 " metric 5");
	must(&c, NEWROUTE, CREATE | REPLACE, VIA3 " metric 5");
	expect_table(&c,
		     "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.3 metric 5\n"
		     "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.2 metric 5");
}

CASE(change_changes, "REPLACE changes a path")
{
	struct client c;

	client_open(&c);
	add(&c, VIA1);
	must(&c, NEWROUTE, REPLACE, "10.0.0.0/8 blackhole proto 4");
	expect_table(&c, "NEWROUTE 10.0.0.0/8 blackhole proto 4");
}

CASE(change_needs_one, "REPLACE: ENOENT without such a prefix, and without a path of this metric")
{
	struct client c;

	client_open(&c);
	ask(&c, NEWROUTE, REPLACE, VIA1);
	expect(&c, "ENOENT '*no such prefix*'");
	add(&c, VIA1 " metric 5");
	ask(&c, NEWROUTE, REPLACE, VIA2 " metric 6");
	expect(&c, "ENOENT '*metric 6*'");
	expect_table(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 metric 5");
}

CASE(replace_by_itself, "replacing a path by the same succeeds and changes nothing")
{
	struct client c;
	uint64_t generation;

	client_open(&c);
	add(&c, VIA1);
	generation = table_number(&c, "gen", 0);
	must(&c, NEWROUTE, REPLACE, VIA1);
	must(&c, NEWROUTE, CREATE | REPLACE, VIA1);
	check(table_number(&c, "gen", 0) == generation, "the generation went on");
}

CASE(replace_by_a_later_one, "replacing a path by one that the prefix has already is EEXIST")
{
	struct client c;

	client_open(&c);
	append(&c, VIA1);
	append(&c, VIA2);
	ask(&c, NEWROUTE, CREATE | REPLACE, VIA2);
	expect(&c, "EEXIST '*'");
	expect_table(&c,
		     "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1\n"
		     "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.2");
}

CASE(append_order, "CREATE | APPEND adds behind the paths of the same metric, before higher ones")
{
	struct client c;

	client_open(&c);
	append(&c, VIA1 " metric 10");
	append(&c, "10.0.0.0/8 prohibit metric 20");
	append(&c, VIA2 " metric 10");
	append(&c, VIA3 " metric 10");
	append(&c, "10.0.0.0/8 unreachable metric 5");
	expect_table(&c,
		     "NEWROUTE 10.0.0.0/8 unreachable metric 5\n"
		     "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 metric 10\n"
		     "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.2 metric 10\n"
		     "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.3 metric 10\n"
		     "NEWROUTE 10.0.0.0/8 prohibit metric 20");
}

CASE(append_exists, "CREATE | APPEND: EEXIST if exactly this path is there; any difference makes another")
{
	struct client c;

	client_open(&c);
	append(&c, VIA1);
	ask(&c, NEWROUTE, CREATE | APPEND, VIA1);
	expect(&c, "EEXIST '*exactly*'");
	append(&c, VIA1 " proto 4");
	append(&c, VIA1 " metric 1");
	append(&c, "10.0.0.0/8 via 192.0.2.1 dev 1");
	append(&c, "10.0.0.0/8 dev 1");
	append(&c, "10.0.0.0/8 blackhole");
	expect_table(&c,
		     "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1\n"
		     "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 proto 4\n"
		     "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 dev 1\n"
		     "NEWROUTE 10.0.0.0/8 unicast dev 1\n"
		     "NEWROUTE 10.0.0.0/8 blackhole\n"
		     "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 metric 1");
}

CASE(append_too_many, "E2BIG beyond 64 paths of a prefix")
{
	char words[64];
	struct client c;
	int i;

	client_open(&c);
	for (i = 0; i < NL31_PATHS_MAX; i++) {
		snprintf(words, sizeof(words), "10.0.0.0/8 via 192.0.2.1 metric %d", i / 2);
		if (i % 2)
			snprintf(words, sizeof(words), "10.0.0.0/8 via 192.0.2.2 metric %d", i / 2);
		append(&c, words);
	}
	ask(&c, NEWROUTE, CREATE | APPEND, VIA3);
	expect(&c, "E2BIG '*64*'");
	ask(&c, NEWROUTE, CREATE | EXCL, VIA3 " metric 999");
	expect(&c, "E2BIG '*64*'");
	must(&c, NEWROUTE, REPLACE, VIA3);
	check(table_number(&c, "paths", 0) == NL31_PATHS_MAX, "not 64 paths");
	check(table_number(&c, "routes", 0) == 1, "not one prefix");
}

CASE(flag_combinations, "any other combination of CREATE, EXCL, REPLACE and APPEND is EINVAL")
{
	struct client c;
	unsigned int i;

	client_open(&c);
	for (i = 0; i < 16; i++) {
		unsigned int flags = (i & 1 ? CREATE : 0) | (i & 2 ? EXCL : 0) |
				     (i & 4 ? REPLACE : 0) | (i & 8 ? APPEND : 0);

		if (flags == CREATE || flags == (CREATE | EXCL) ||
		    flags == (CREATE | REPLACE) || flags == REPLACE ||
		    flags == (CREATE | APPEND))
			continue;
		ask(&c, NEWROUTE, flags, VIA1);
		expect(&c, "EINVAL '*CREATE*'");
	}
	expect_table(&c, "");
}

CASE(all_types, "unicast, blackhole, unreachable and prohibit, and unicast where no type is given")
{
	struct client c;

	client_open(&c);
	add(&c, "10.1.0.0/16 unicast via 192.0.2.1");
	add(&c, "10.2.0.0/16 blackhole");
	add(&c, "10.3.0.0/16 unreachable");
	add(&c, "10.4.0.0/16 prohibit");
	add(&c, "10.5.0.0/16 dev 1");
	expect_table(&c,
		     "NEWROUTE 10.1.0.0/16 unicast via 192.0.2.1\n"
		     "NEWROUTE 10.2.0.0/16 blackhole\n"
		     "NEWROUTE 10.3.0.0/16 unreachable\n"
		     "NEWROUTE 10.4.0.0/16 prohibit\n"
		     "NEWROUTE 10.5.0.0/16 unicast dev 1");
}

CASE(all_attributes, "every attribute comes back as it was given, in both families")
{
	struct client c;

	client_open(&c);
	add(&c, "198.51.100.0/24 via 192.0.2.254 dev 1 metric 4294967295 proto 255");
	add(&c, "2001:db8::/32 via fe80::1 dev 1 metric 7 proto 16");
	expect_table(&c,
		     "NEWROUTE 198.51.100.0/24 unicast via 192.0.2.254 dev 1 metric 4294967295 proto 255\n"
		     "NEWROUTE 2001:db8::/32 unicast via fe80::1 dev 1 metric 7 proto 16");
}

CASE(all_lengths, "prefixes of each length, in address order, IPv4 first, the shorter first")
{
	static char lines[16384];
	char words[96];
	struct client c;
	size_t at = 0;
	int i;

	client_open(&c);
	for (i = 128; i >= 0; i--) {
		snprintf(words, sizeof(words), "::/%d via 2001:db8::1", i);
		add(&c, words);
	}
	for (i = 32; i >= 0; i--) {
		snprintf(words, sizeof(words), "0.0.0.0/%d via 192.0.2.1", i);
		add(&c, words);
	}
	for (i = 0; i <= 32; i++)
		at += sprintf(lines + at, "NEWROUTE 0.0.0.0/%d unicast via 192.0.2.1\n", i);
	for (i = 0; i <= 128; i++)
		at += sprintf(lines + at, "NEWROUTE ::/%d unicast via 2001:db8::1\n", i);
	expect_routes(__FILE__, __LINE__, &c, lines);
}

CASE(length_absent, "without NL31_ROUTE_DST_LEN the prefix is the whole address")
{
	struct client c;

	client_open(&c);
	add(&c, "203.0.113.9 via 192.0.2.1");
	add(&c, "2001:db8::9 via 2001:db8::1");
	expect_table(&c,
		     "NEWROUTE 203.0.113.9/32 unicast via 192.0.2.1\n"
		     "NEWROUTE 2001:db8::9/128 unicast via 2001:db8::1");
}

CASE(limit, "ENOSPC for a new prefix beyond the limit; more paths and less prefixes are fine")
{
	struct client c;

	client_open(&c);
	must(&c, NEWTABLE, 0, "max 2");
	add(&c, "10.0.0.0/8 via 192.0.2.1");
	add(&c, "2001:db8::/32 via 2001:db8::1");
	ask(&c, NEWROUTE, CREATE | EXCL, "11.0.0.0/8 via 192.0.2.1");
	expect(&c, "ENOSPC '*2*'");
	add(&c, "10.0.0.0/8 via 192.0.2.1 metric 1");
	must(&c, NEWROUTE, CREATE | REPLACE, "10.0.0.0/8 via 192.0.2.7");
	must(&c, DELROUTE, 0, "2001:db8::/32");
	add(&c, "11.0.0.0/8 via 192.0.2.1");
	check(table_number(&c, "routes", 0) == 2, "not 2 routes");
}

CASE(unicast_needs_a_way, "a unicast path has a gateway, a device, or both")
{
	struct client c;

	client_open(&c);
	ask(&c, NEWROUTE, CREATE | EXCL, "10.0.0.0/8");
	expect(&c, "EINVAL '*gateway or a device*'");
	ask(&c, NEWROUTE, CREATE | EXCL, "10.0.0.0/8 unicast metric 1");
	expect(&c, "EINVAL '*gateway or a device*'");
}

CASE(dropping_has_no_way, "a path that drops has no gateway and no device")
{
	struct client c;

	client_open(&c);
	ask(&c, NEWROUTE, CREATE | EXCL, "10.0.0.0/8 blackhole via 192.0.2.1");
	expect(&c, "EINVAL '*unicast*' @32");
	ask(&c, NEWROUTE, CREATE | EXCL, "10.0.0.0/8 prohibit dev 1");
	expect(&c, "EINVAL '*unicast*' @32");
}

CASE(unknown_device, "ENODEV for a device that is not there")
{
	struct client c;

	client_open(&c);
	ask(&c, NEWROUTE, CREATE | EXCL, "10.0.0.0/8 dev 4711");
	expect(&c, "ENODEV '*4711*' @32");
}
