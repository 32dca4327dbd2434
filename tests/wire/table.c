// SPDX-License-Identifier: MIT OR Apache-2.0
/* NL31_MSG_NEWTABLE and NL31_MSG_GETTABLE. */
#include <stdio.h>

#include "case.h"

CASE(gettable, "GETTABLE answers with NEWTABLE and every attribute")
{
	struct client c;

	client_open(&c);
	ask(&c, GETTABLE, 0, NULL);
	expect(&c,
	       "NEWTABLE gen 0 routes 0 0 paths 0 0 nexthops 0 bytes 0 0 0 max 4194304 lookups 0 hits 0 misses 0 errors 0 multipath 0");
	add(&c, "10.0.0.0/8 via 192.0.2.1");
	append(&c, "10.0.0.0/8 via 192.0.2.2");
	add(&c, "10.1.0.0/16 via 192.0.2.1");
	add(&c, "2001:db8::/32 blackhole");
	ask(&c, GETROUTE, 0, "10.0.0.1");
	expect(&c, "NEWROUTE *");
	ask(&c, GETROUTE, 0, "11.0.0.1");
	expect(&c, "ENETUNREACH '*'");
	ask(&c, GETTABLE, 0, NULL);
	expect(&c,
	       "NEWTABLE gen 4 routes 2 1 paths 3 1 nexthops 3 bytes [1-9]* [1-9]* [1-9]* max 4194304 lookups 2 hits 1 misses 1 errors 1 multipath 0");
}

CASE(gettable_takes_nothing, "GETTABLE has no attributes and no dump")
{
	struct client c;

	client_open(&c);
	ask(&c, GETTABLE, 0, "max 1");
	expect(&c, "EINVAL '*' @16");
	ask(&c, GETTABLE, DUMP, NULL);
	expect(&c, "EOPNOTSUPP '*'");
}

CASE(newtable_limit, "NEWTABLE sets the limit, below the number of routes too")
{
	struct client c;

	client_open(&c);
	add(&c, "10.0.0.0/8 via 192.0.2.1");
	add(&c, "11.0.0.0/8 via 192.0.2.1");
	must(&c, NEWTABLE, 0, "max 1");
	check(table_number(&c, "max", 0) == 1, "the limit is not 1");
	check(table_number(&c, "routes", 0) == 2, "routes are gone");
	must(&c, NEWROUTE, REPLACE, "10.0.0.0/8 via 192.0.2.2");
	ask(&c, NEWROUTE, CREATE, "12.0.0.0/8 via 192.0.2.1");
	expect(&c, "ENOSPC '*1*'");
	must(&c, NEWTABLE, 0, "max 4294967295");
	add(&c, "12.0.0.0/8 via 192.0.2.1");
}

CASE(newtable_replace, "NEWTABLE with REPLACE empties the table, with or without a limit")
{
	struct client c;

	client_open(&c);
	add(&c, "10.0.0.0/8 via 192.0.2.1");
	must(&c, NEWTABLE, REPLACE, NULL);
	expect_table(&c, "");
	add(&c, "10.0.0.0/8 via 192.0.2.1");
	must(&c, NEWTABLE, REPLACE, "max 9");
	expect_table(&c, "");
	check(table_number(&c, "max", 0) == 9, "the limit is not 9");
	must(&c, NEWTABLE, REPLACE, NULL);
}

CASE(newtable_multipath, "NEWTABLE sets multipath, alone or with the limit, and tells of it")
{
	struct client c, listener;

	client_open(&c);
	client_open(&listener);
	client_join(&listener);
	must(&c, NEWTABLE, 0, "multipath 1");
	check(table_number(&c, "multipath", 0) == 1, "multipath is off");
	check(table_number(&c, "max", 0) == 4194304, "the limit has changed");
	expect(&listener, "event NEWTABLE * max 4194304 * multipath 1");
	must(&c, NEWTABLE, 0, "multipath 1");
	must(&c, NEWTABLE, REPLACE, NULL);
	expect(&listener, "");
	check(table_number(&c, "multipath", 0) == 1, "emptying the table has changed multipath");
	must(&c, NEWTABLE, 0, "max 8");
	expect(&listener, "event NEWTABLE * max 8 * multipath 1");
	must(&c, NEWTABLE, 0, "max 9 multipath 0");
	expect(&listener, "event NEWTABLE * max 9 * multipath 0");
	ask(&c, NEWTABLE, 0, "multipath 2");
	expect(&c, "ERANGE '*' @16");
	check(table_number(&c, "multipath", 0) == 0, "multipath is on");
}

CASE(newtable_multipath_transaction, "multipath of a transaction is set when that ends, or not at all")
{
	struct client c, other;

	client_open(&c);
	client_open(&other);
	datagram(&c);
	message(&c, NEWTABLE, MULTI, "multipath 1");
	message(&c, NEWROUTE, MULTI | CREATE, "10.0.0.0/8 via 192.0.2.1");
	transmit(&c);
	check(table_number(&other, "multipath", 0) == 0, "multipath is on before the end");
	ask(&c, DONE, MULTI, NULL);
	expect(&c, "DONE 2");
	check(table_number(&other, "multipath", 0) == 1, "multipath is off after the end");
	datagram(&c);
	message(&c, NEWTABLE, MULTI, "multipath 0");
	message(&c, DELROUTE, MULTI, "11.0.0.0/8");
	message(&c, DONE, MULTI, NULL);
	transmit(&c);
	expect(&c, "2 ESRCH '*'");
	check(table_number(&other, "multipath", 0) == 1, "multipath is off after a failure");
}

CASE(multipath_standby, "paths of one metric are in use together with multipath")
{
	struct client c;

	client_open(&c);
	c.tells_standby = true;
	add(&c, "10.0.0.0/8 via 192.0.2.1 metric 1");
	append(&c, "10.0.0.0/8 blackhole metric 1");
	append(&c, "10.0.0.0/8 via 192.0.2.2 metric 1");
	append(&c, "10.0.0.0/8 via 192.0.2.3 metric 2");
	expect_table(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 metric 1\n"
			 "NEWROUTE 10.0.0.0/8 blackhole metric 1 standby\n"
			 "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.2 metric 1 standby\n"
			 "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.3 metric 2 standby");
	must(&c, NEWTABLE, 0, "multipath 1");
	expect_table(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 metric 1\n"
			 "NEWROUTE 10.0.0.0/8 blackhole metric 1 standby\n"
			 "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.2 metric 1\n"
			 "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.3 metric 2 standby");
}

CASE(newtable_refuses, "NEWTABLE without a limit and REPLACE, with 0, or with other flags is refused")
{
	struct client c;

	client_open(&c);
	ask(&c, NEWTABLE, 0, NULL);
	expect(&c, "EINVAL '*'*");
	ask(&c, NEWTABLE, 0, "max 0");
	expect(&c, "ERANGE '*' @16");
	ask(&c, NEWTABLE, CREATE, "max 5");
	expect(&c, "EINVAL '*'");
	ask(&c, NEWTABLE, EXCL, "max 5");
	expect(&c, "EINVAL '*'");
	ask(&c, NEWTABLE, APPEND, "max 5");
	expect(&c, "EINVAL '*'");
}

CASE(memory_is_told, "BYTES grows with the routes and is 0 without")
{
	uint64_t before, after;
	char words[64];
	struct client c;
	int i;

	client_open(&c);
	add(&c, "10.0.0.0/8 via 192.0.2.1");
	before = table_number(&c, "bytes", 0);
	for (i = 0; i < 200; i++) {
		snprintf(words, sizeof(words), "10.%d.0.0/16 via 192.0.2.1", i);
		add(&c, words);
	}
	after = table_number(&c, "bytes", 0);
	check(after >= before + 200 * 8, "%d bytes for 200 routes", (int)(after - before));
	check(table_number(&c, "nexthops", 0) == 1, "the path is stored more than once");
	must(&c, DELROUTE, BULK, NULL);
	check(table_number(&c, "bytes", 0) == 0, "bytes are left");
	check(table_number(&c, "bytes", 2) == 0, "bytes of paths are left");
}
