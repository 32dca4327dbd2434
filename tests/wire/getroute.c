// SPDX-License-Identifier: MIT OR Apache-2.0
/* NL31_MSG_GETROUTE: look an address up, or dump. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "case.h"

static void nested_prefixes(struct client *c)
{
	client_open(c);
	add(c, "0.0.0.0/0 via 192.0.2.1");
	add(c, "10.0.0.0/8 via 192.0.2.2");
	add(c, "10.1.0.0/16 via 192.0.2.3");
	add(c, "10.1.2.0/23 via 192.0.2.4");
	add(c, "10.1.2.128/25 via 192.0.2.5");
	add(c, "10.1.2.129/32 via 192.0.2.6");
	add(c, "2001:db8::/32 via 2001:db8::1");
	add(c, "2001:db8::/64 via 2001:db8::2");
	add(c, "2001:db8::8000:0:0:0/65 via 2001:db8::3");
	add(c, "2001:db8::9/128 via 2001:db8::4");
}

CASE(get_longest_match, "the longest prefix that covers the address, whatever its length")
{
	struct client c;

	nested_prefixes(&c);
	ask(&c, GETROUTE, 0, "9.9.9.9");
	expect(&c, "NEWROUTE 0.0.0.0/0 unicast via 192.0.2.1");
	ask(&c, GETROUTE, 0, "10.2.3.4");
	expect(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.2");
	ask(&c, GETROUTE, 0, "10.1.4.0");
	expect(&c, "NEWROUTE 10.1.0.0/16 unicast via 192.0.2.3");
	ask(&c, GETROUTE, 0, "10.1.3.255");
	expect(&c, "NEWROUTE 10.1.2.0/23 unicast via 192.0.2.4");
	ask(&c, GETROUTE, 0, "10.1.2.128");
	expect(&c, "NEWROUTE 10.1.2.128/25 unicast via 192.0.2.5");
	ask(&c, GETROUTE, 0, "10.1.2.129");
	expect(&c, "NEWROUTE 10.1.2.129/32 unicast via 192.0.2.6");
}

CASE(get_longest_match6, "the same for IPv6")
{
	struct client c;

	nested_prefixes(&c);
	ask(&c, GETROUTE, 0, "2001:db8:1::9");
	expect(&c, "NEWROUTE 2001:db8::/32 unicast via 2001:db8::1");
	ask(&c, GETROUTE, 0, "2001:db8::8");
	expect(&c, "NEWROUTE 2001:db8::/64 unicast via 2001:db8::2");
	ask(&c, GETROUTE, 0, "2001:db8::8000:0:0:9");
	expect(&c, "NEWROUTE 2001:db8:0:0:8000::/65 unicast via 2001:db8::3");
	ask(&c, GETROUTE, 0, "2001:db8::9");
	expect(&c, "NEWROUTE 2001:db8::9/128 unicast via 2001:db8::4");
	ask(&c, GETROUTE, 0, "2001:db9::");
	expect(&c, "ENETUNREACH '*'");
}

CASE(get_covering, "with NL31_ROUTE_DST_LEN: the longest prefix that covers that prefix, itself included")
{
	struct client c;

	nested_prefixes(&c);
	ask(&c, GETROUTE, 0, "10.1.2.128/26");
	expect(&c, "NEWROUTE 10.1.2.128/25 unicast via 192.0.2.5");
	ask(&c, GETROUTE, 0, "10.1.2.128/25");
	expect(&c, "NEWROUTE 10.1.2.128/25 unicast via 192.0.2.5");
	ask(&c, GETROUTE, 0, "10.1.2.0/24");
	expect(&c, "NEWROUTE 10.1.2.0/23 unicast via 192.0.2.4");
	ask(&c, GETROUTE, 0, "10.0.0.0/7");
	expect(&c, "NEWROUTE 0.0.0.0/0 unicast via 192.0.2.1");
	ask(&c, GETROUTE, 0, "2001:db8::/63");
	expect(&c, "NEWROUTE 2001:db8::/32 unicast via 2001:db8::1");
	ask(&c, GETROUTE, 0, "2001::/16");
	expect(&c, "ENETUNREACH '*'");
}

CASE(get_nothing, "ENETUNREACH if nothing covers the address")
{
	struct client c;

	client_open(&c);
	ask(&c, GETROUTE, 0, "10.0.0.1");
	expect(&c, "ENETUNREACH '*'");
	add(&c, "10.0.0.0/8 via 192.0.2.1");
	ask(&c, GETROUTE, ACK, "11.0.0.1");
	expect(&c, "ENETUNREACH '*'");
	ask(&c, GETROUTE, 0, "::a00:1");
	expect(&c, "ENETUNREACH '*'");
}

CASE(get_path_in_use, "the reply is the path of the lowest metric, of these the first appended")
{
	struct client c;

	client_open(&c);
	append(&c, "10.0.0.0/8 via 192.0.2.1 metric 9");
	append(&c, "10.0.0.0/8 via 192.0.2.2 metric 5");
	append(&c, "10.0.0.0/8 via 192.0.2.3 metric 5");
	ask(&c, GETROUTE, 0, "10.0.0.1");
	expect(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.2 metric 5");
	must(&c, DELROUTE, 0, "10.0.0.0/8 via 192.0.2.2");
	ask(&c, GETROUTE, 0, "10.0.0.1");
	expect(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.3 metric 5");
}

CASE(get_dropping, "a dropping path is a route like any other")
{
	struct client c;

	client_open(&c);
	add(&c, "10.0.0.0/8 via 192.0.2.1");
	add(&c, "10.1.0.0/16 blackhole");
	ask(&c, GETROUTE, 0, "10.1.1.1");
	expect(&c, "NEWROUTE 10.1.0.0/16 blackhole");
}

CASE(get_takes_an_address, "a lookup without an address, or by anything else, is EINVAL")
{
	struct client c;

	nested_prefixes(&c);
	ask(&c, GETROUTE, 0, NULL);
	expect(&c, "EINVAL '*'");
	ask(&c, GETROUTE, 0, "10.0.0.1 metric 3");
	expect(&c, "EINVAL '*'*");
}

CASE(get_is_counted, "GETTABLE counts lookups, hits and misses")
{
	struct client c;

	nested_prefixes(&c);
	ask(&c, GETROUTE, 0, "10.1.1.1");
	ask(&c, GETROUTE, 0, "2001:db8::1");
	ask(&c, GETROUTE, 0, "2002:db8::1");
	free(transcript(&c));
	check(table_number(&c, "lookups", 0) == 3, "not 3 lookups");
	check(table_number(&c, "hits", 0) == 2, "not 2 hits");
	check(table_number(&c, "misses", 0) == 1, "not 1 miss");
}

CASE(dump_empty, "the dump of an empty table is its NLMSG_DONE")
{
	struct client c;

	client_open(&c);
	ask(&c, GETROUTE, ROOT | MATCH, NULL);
	expect(&c, "DONE 0");
}

CASE(dump_all, "ROOT | MATCH, or either: all paths in address order, IPv4 first; then one terminator")
{
	static const unsigned int flags[] = {
		ROOT | MATCH, ROOT, MATCH, DUMP | ACK, DUMP | ATOMIC, DUMP | ATOMIC | ACK,
	};
	struct client c;
	size_t i;

	nested_prefixes(&c);
	append(&c, "10.0.0.0/8 blackhole");
	for (i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		ask(&c, GETROUTE, flags[i], NULL);
		expect(&c,
		       "NEWROUTE 0.0.0.0/0 unicast via 192.0.2.1\n"
		       "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.2\n"
		       "NEWROUTE 10.0.0.0/8 blackhole\n"
		       "NEWROUTE 10.1.0.0/16 unicast via 192.0.2.3\n"
		       "NEWROUTE 10.1.2.0/23 unicast via 192.0.2.4\n"
		       "NEWROUTE 10.1.2.128/25 unicast via 192.0.2.5\n"
		       "NEWROUTE 10.1.2.129/32 unicast via 192.0.2.6\n"
		       "NEWROUTE 2001:db8::/32 unicast via 2001:db8::1\n"
		       "NEWROUTE 2001:db8::/64 unicast via 2001:db8::2\n"
		       "NEWROUTE 2001:db8::9/128 unicast via 2001:db8::4\n"
		       "NEWROUTE 2001:db8:0:0:8000::/65 unicast via 2001:db8::3\n"
		       "DONE 0");
	}
}

CASE(dump_covered, "MATCH with a prefix: all that it covers, marked NLM_F_DUMP_FILTERED")
{
	struct client c;

	nested_prefixes(&c);
	ask(&c, GETROUTE, MATCH, "10.1.0.0/16");
	expect(&c,
	       "NEWROUTE 10.1.0.0/16 unicast via 192.0.2.3 DUMP_FILTERED\n"
	       "NEWROUTE 10.1.2.0/23 unicast via 192.0.2.4 DUMP_FILTERED\n"
	       "NEWROUTE 10.1.2.128/25 unicast via 192.0.2.5 DUMP_FILTERED\n"
	       "NEWROUTE 10.1.2.129/32 unicast via 192.0.2.6 DUMP_FILTERED\n"
	       "DONE 0 DUMP_FILTERED");
	ask(&c, GETROUTE, MATCH, "2001:db8::/64");
	expect(&c,
	       "NEWROUTE 2001:db8::/64 unicast via 2001:db8::2 DUMP_FILTERED\n"
	       "NEWROUTE 2001:db8::9/128 unicast via 2001:db8::4 DUMP_FILTERED\n"
	       "NEWROUTE 2001:db8:0:0:8000::/65 unicast via 2001:db8::3 DUMP_FILTERED\n"
	       "DONE 0 DUMP_FILTERED");
	ask(&c, GETROUTE, MATCH, "10.1.2.128/26");
	expect(&c,
	       "NEWROUTE 10.1.2.129/32 unicast via 192.0.2.6 DUMP_FILTERED\n"
	       "DONE 0 DUMP_FILTERED");
	ask(&c, GETROUTE, MATCH, "192.168.0.0/16");
	expect(&c, "DONE 0 DUMP_FILTERED");
}

CASE(dump_family, "MATCH with prefix length 0: one family")
{
	struct client c;

	client_open(&c);
	add(&c, "0.0.0.0/0 via 192.0.2.1");
	add(&c, "::/0 via 2001:db8::1");
	ask(&c, GETROUTE, MATCH, "0.0.0.0/0");
	expect(&c,
	       "NEWROUTE 0.0.0.0/0 unicast via 192.0.2.1 DUMP_FILTERED\n"
	       "DONE 0 DUMP_FILTERED");
	ask(&c, GETROUTE, MATCH, "::/0");
	expect(&c,
	       "NEWROUTE ::/0 unicast via 2001:db8::1 DUMP_FILTERED\n"
	       "DONE 0 DUMP_FILTERED");
}

CASE(dump_by_path, "any path attribute filters a dump, alone or with others")
{
	struct client c;

	client_open(&c);
	append(&c, "10.0.0.0/8 via 192.0.2.1 metric 1 proto 4");
	append(&c, "10.0.0.0/8 via 192.0.2.2 metric 2");
	append(&c, "10.1.0.0/16 via 192.0.2.1 dev 1 metric 2");
	append(&c, "2001:db8::/32 blackhole metric 2");
	ask(&c, GETROUTE, MATCH, "metric 2");
	expect(&c,
	       "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.2 metric 2 DUMP_FILTERED\n"
	       "NEWROUTE 10.1.0.0/16 unicast via 192.0.2.1 dev 1 metric 2 DUMP_FILTERED\n"
	       "NEWROUTE 2001:db8::/32 blackhole metric 2 DUMP_FILTERED\n"
	       "DONE 0 DUMP_FILTERED");
	ask(&c, GETROUTE, MATCH, "via 192.0.2.1");
	expect(&c,
	       "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 metric 1 proto 4 DUMP_FILTERED\n"
	       "NEWROUTE 10.1.0.0/16 unicast via 192.0.2.1 dev 1 metric 2 DUMP_FILTERED\n"
	       "DONE 0 DUMP_FILTERED");
	ask(&c, GETROUTE, MATCH, "proto 4");
	expect(&c,
	       "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 metric 1 proto 4 DUMP_FILTERED\n"
	       "DONE 0 DUMP_FILTERED");
	ask(&c, GETROUTE, MATCH, "dev 1");
	expect(&c,
	       "NEWROUTE 10.1.0.0/16 unicast via 192.0.2.1 dev 1 metric 2 DUMP_FILTERED\n"
	       "DONE 0 DUMP_FILTERED");
	ask(&c, GETROUTE, MATCH, "blackhole");
	expect(&c,
	       "NEWROUTE 2001:db8::/32 blackhole metric 2 DUMP_FILTERED\n"
	       "DONE 0 DUMP_FILTERED");
	ask(&c, GETROUTE, MATCH, "10.0.0.0/8 unicast metric 2");
	expect(&c,
	       "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.2 metric 2 DUMP_FILTERED\n"
	       "NEWROUTE 10.1.0.0/16 unicast via 192.0.2.1 dev 1 metric 2 DUMP_FILTERED\n"
	       "DONE 0 DUMP_FILTERED");
}

/* So many that a dump takes several datagrams. */
#define MANY	3000

static void many_routes(struct client *c, const char *path)
{
	char words[96];
	int i;

	datagram(c);
	for (i = 0; i < MANY; i++) {
		snprintf(words, sizeof(words), "10.%d.%d.0/24 %s", i / 256, i % 256, path);
		message(c, NEWROUTE, CREATE | REPLACE | MULTI, words);
	}
	message(c, DONE, MULTI, NULL);
	transmit(c);
	expect(c, "3001 DONE 3000");
}

static size_t count(const char *lines, const char *what)
{
	size_t found = 0;

	while ((lines = strstr(lines, what))) {
		lines += strlen(what);
		found++;
	}
	return found;
}

/* The first datagram of a dump; the rest comes with transcript(). */
static char *begin_dump(struct client *c, unsigned int flags)
{
	char *part;

	ask(c, GETROUTE, flags, NULL);
	part = receive(c);
	check(part, "the dump has no first part");
	check(!strstr(part, "DONE"), "the dump is in one datagram");
	return part;
}

CASE(dump_in_parts, "a dump of several datagrams has every path once, in order, and one NLMSG_DONE")
{
	char *first, *rest, line[64];
	const char *at;
	struct client c;
	int i;

	client_open(&c);
	many_routes(&c, "via 192.0.2.1");
	first = begin_dump(&c, DUMP);
	rest = transcript(&c);
	check(count(first, "NEWROUTE") + count(rest, "NEWROUTE") == MANY, "not all paths");
	check(count(rest, "DONE 0\n") == 1, "not one DONE");
	check(!count(rest, "INTR"), "interrupted by nothing");
	at = first;
	for (i = 0; i < MANY; i++) {
		snprintf(line, sizeof(line), "NEWROUTE 10.%d.%d.0/24 unicast via 192.0.2.1\n",
			 i / 256, i % 256);
		if (!*at)
			at = rest;
		check(!strncmp(at, line, strlen(line)), "not in order: %.60s", at);
		at += strlen(line);
	}
}

CASE(dump_few_of_many, "a filter that selects few of a large table finds all of them, both families, in order")
{
	char words[96], want[2048] = "";
	struct client c;
	int i;

	client_open(&c);
	for (i = 0; i < 10000; i++) {
		if (i % 1000 == 0)
			datagram(&c);
		snprintf(words, sizeof(words), "10.%d.%d.0/24 via 192.0.2.1", i / 256, i % 256);
		message(&c, NEWROUTE, CREATE, words);
		if (i % 1000 == 999)
			transmit(&c);
	}
	/* alone, side by side, and around the 4096th, where it pauses */
	for (i = 1; i < 10000; i = i == 1 ? 4090 : i == 4100 ? 9998 : i + 1) {
		snprintf(words, sizeof(words), "10.%d.%d.0/24 via 192.0.2.2 metric 7", i / 256,
			 i % 256);
		append(&c, words);
		snprintf(want + strlen(want), sizeof(want) - strlen(want),
			 "NEWROUTE 10.%d.%d.0/24 unicast via 192.0.2.2 metric 7 DUMP_FILTERED\n",
			 i / 256, i % 256);
	}
	append(&c, "2001:db8::/32 blackhole metric 7");
	strcat(want, "NEWROUTE 2001:db8::/32 blackhole metric 7 DUMP_FILTERED\nDONE 0 DUMP_FILTERED");
	ask(&c, GETROUTE, MATCH, "metric 7");
	expect_lines(__FILE__, __LINE__, &c, want);
	ask(&c, GETROUTE, MATCH | ATOMIC, "metric 8");
	expect(&c, "DONE 0 DUMP_FILTERED");
}

CASE(dump_in_small_buffers, "a dump is whole for a reader with 4 KiB, and for one that asks how much there is first")
{
	unsigned char buffer[4096];
	struct client c, other;
	size_t paths = 0;
	ssize_t len;
	int fd;

	/* the kernel makes parts as large as the largest buffer that it has seen */
	client_open(&c);
	client_open(&other);
	many_routes(&other, "via 192.0.2.1");
	fd = mnl_socket_get_fd(c.socket);
	ask(&c, GETROUTE, DUMP, NULL);
	for (;;) {
		const struct nlmsghdr *nlh = (const void *)buffer;
		int left;

		len = recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
		check(len > 0 && len <= (ssize_t)sizeof(buffer), "a part of %zd bytes", len);
		check(recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT) == len, "not what was there");
		for (left = len; NLMSG_OK(nlh, left); nlh = NLMSG_NEXT(nlh, left)) {
			paths += nlh->nlmsg_type == NEWROUTE;
			if (nlh->nlmsg_type == DONE)
				break;
		}
		if (NLMSG_OK(nlh, left))
			break;
	}
	check(paths == MANY, "%zu paths", paths);
}

CASE(dump_paths_in_parts, "the paths of one prefix are not lost between two datagrams")
{
	char words[96], *lines;
	struct client c;
	int i, j;

	client_open(&c);
	datagram(&c);
	for (i = 0; i < 40; i++)
		for (j = 0; j < NL31_PATHS_MAX; j++) {
			snprintf(words, sizeof(words), "10.%d.0.0/16 via 192.0.2.%d metric %d",
				 i, j + 1, j / 4);
			message(&c, NEWROUTE, CREATE | APPEND | MULTI, words);
		}
	message(&c, DONE, MULTI, NULL);
	transmit(&c);
	expect(&c, "2561 DONE 2560");
	free(begin_dump(&c, DUMP));
	lines = transcript(&c);
	check(count(lines, "DONE 0\n") == 1, "not one DONE");
	ask(&c, GETROUTE, DUMP, NULL);
	lines = transcript(&c);
	for (i = 0; i < 40; i++)
		for (j = 0; j < NL31_PATHS_MAX; j++) {
			snprintf(words, sizeof(words),
				 "NEWROUTE 10.%d.0.0/16 unicast via 192.0.2.%d%s", i, j + 1,
				 j / 4 ? " metric " : "\n");
			check(strstr(lines, words), "missing: %s", words);
		}
	check(count(lines, "NEWROUTE") == 2560, "not 2560 paths");
}

CASE(dump_intr, "a change during a dump marks what follows NLM_F_DUMP_INTR")
{
	struct client c, other;
	char *first, *rest;

	client_open(&c);
	client_open(&other);
	many_routes(&other, "via 192.0.2.1");
	first = begin_dump(&c, DUMP);
	check(!count(first, "INTR"), "marked too early");
	add(&other, "203.0.113.0/24 via 192.0.2.1");
	rest = transcript(&c);
	check(count(rest, "INTR"), "not marked");
	check(count(rest, "DONE 0") == 1, "not one DONE");
	check(count(first, "NEWROUTE") + count(rest, "NEWROUTE") == MANY + 1,
	      "the dump has lost something");
}

CASE(dump_survives_deletion, "a dump goes on at the right place when all around it is deleted")
{
	struct client c, other;
	char *first, *rest;

	client_open(&c);
	client_open(&other);
	many_routes(&other, "via 192.0.2.1");
	first = begin_dump(&c, DUMP);
	must(&other, DELROUTE, BULK, "10.0.0.0/14");
	must(&other, DELROUTE, BULK, "10.4.0.0/16");
	rest = transcript(&c);
	check(count(first, "10.0.0.0/24"), "no first path");
	check(count(rest, "10.5.0.0/24") == 1 || count(first, "10.5.0.0/24") == 1,
	      "10.5.0.0/24 is not there once");
	check(count(rest, "10.11.183.0/24") == 1, "the last path is not there once");
	check(count(rest, "DONE 0 DUMP_INTR") == 1 || count(rest, "DUMP_INTR") > 0,
	      "not marked");
}

CASE(dump_survives_deletion_of_its_place, "not even where the last IPv4 prefix goes with half of its paths told")
{
	struct client c, other;
	char words[64], *lines;
	int i;

	client_open(&c);
	client_open(&other);
	datagram(&other);
	for (i = 1; i <= NL31_PATHS_MAX; i++) {
		snprintf(words, sizeof(words), "10.0.0.0/8 via 192.0.2.%d", i);
		message(&other, NEWROUTE, CREATE | APPEND, words);
	}
	message(&other, NEWROUTE, CREATE, "2001:db8::/32 blackhole");
	transmit(&other);
	expect(&other, "");
	/* the first part is made within this call, the next one when it is received */
	ask(&c, GETROUTE, DUMP, NULL);
	must(&other, DELROUTE, 0, "10.0.0.0/8");
	lines = transcript(&c);
	check(count(lines, " via ") < NL31_PATHS_MAX, "all of it was in one part");
	check(count(lines, "NEWROUTE 2001:db8::/32") == 1, "the next prefix is missing: %s", lines);
}

CASE(dump_atomic, "with NLM_F_ATOMIC the dump shows the table as it was at its start")
{
	struct client c, other;
	char *first, *rest;

	client_open(&c);
	client_open(&other);
	many_routes(&other, "via 192.0.2.1");
	first = begin_dump(&c, DUMP | ATOMIC);
	must(&other, DELROUTE, BULK, "10.8.0.0/14");
	add(&other, "10.200.0.0/16 via 192.0.2.1");
	many_routes(&other, "via 192.0.2.2");
	rest = transcript(&c);
	check(count(first, "via 192.0.2.1\n") + count(rest, "via 192.0.2.1\n") == MANY,
	      "not the paths of the start");
	check(count(rest, "NEWROUTE") + count(first, "NEWROUTE") == MANY, "other paths");
	check(!count(rest, "INTR"), "marked, but a snapshot cannot be interrupted");
	check(count(rest, "DONE 0\n") == 1, "not one DONE");
}

CASE(dump_atomic_replaced, "NLM_F_ATOMIC: not even the replacement of the whole table shows")
{
	struct client c, other;
	char *first, *rest;

	client_open(&c);
	client_open(&other);
	many_routes(&other, "via 192.0.2.1");
	first = begin_dump(&c, DUMP | ATOMIC);
	datagram(&other);
	message(&other, NEWTABLE, MULTI | REPLACE, NULL);
	message(&other, NEWROUTE, MULTI | CREATE, "10.0.0.0/24 blackhole");
	message(&other, DONE, MULTI, NULL);
	transmit(&other);
	expect(&other, "3 DONE 2");
	rest = transcript(&c);
	check(count(first, "via 192.0.2.1\n") + count(rest, "via 192.0.2.1\n") == MANY,
	      "not the paths of the start");
	check(!count(rest, "blackhole"), "a path of the new table");
	expect_table(&c, "NEWROUTE 10.0.0.0/24 blackhole");
}

CASE(dump_atomic_unread, "a snapshot whose reader has stopped does not hold changes up, and says that it is lost")
{
	struct client c, other;
	char *rest;
	int i;

	client_open(&c);
	client_open(&other);
	many_routes(&other, "via 192.0.2.1");
	free(begin_dump(&c, DUMP | ATOMIC));
	for (i = 0; i < 200; i++)
		many_routes(&other, i % 2 ? "via 192.0.2.1" : "via 192.0.2.2");
	rest = transcript(&c);
	check(count(rest, "DONE ESTALE '") == 1 || count(rest, "DONE 0\n") == 1,
	      "not one DONE: %.200s", rest);
	check(count(rest, "DONE ESTALE '") || !count(rest, "via 192.0.2.2"),
	      "a path that came later");
}

CASE(dump_busy, "a second dump on a socket whose first is not read yet gets EBUSY")
{
	struct client c;
	char *lines;

	client_open(&c);
	many_routes(&c, "via 192.0.2.1");
	free(begin_dump(&c, DUMP));
	c.first_seq = c.seq;
	ask(&c, GETROUTE, DUMP, NULL);
	c.first_seq--;
	lines = transcript(&c);
	check(count(lines, "2 EBUSY '") == 1, "no EBUSY");
	check(count(lines, "1 DONE 0\n") == 1, "the first dump does not end");
	ask(&c, GETROUTE, DUMP, NULL);
	check(count(transcript(&c), "NEWROUTE") == MANY, "the socket dumps no more");
}

CASE(dump_closed, "a socket closed in the middle of a dump, a snapshot too, harms no other client")
{
	struct client c, other;
	int i;

	client_open(&other);
	many_routes(&other, "via 192.0.2.1");
	for (i = 0; i < 20; i++) {
		client_open(&c);
		free(begin_dump(&c, i % 2 ? DUMP | ATOMIC : DUMP));
		client_close(&c);
		must(&other, DELROUTE, BULK, "metric 0");
		many_routes(&other, "via 192.0.2.1");
	}
}

CASE(dump_filter_is_checked, "the attributes of a filter are parsed as strictly as any")
{
	struct client c;

	client_open(&c);
	ask(&c, GETROUTE, MATCH, "10.0.0.1/8");
	expect(&c, "EINVAL 'host bits*' @16");
	ask(&c, GETROUTE, MATCH, "10.0.0.0/8 via 2001:db8::1");
	expect(&c, "EINVAL '*family*' @32");
}
