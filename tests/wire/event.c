// SPDX-License-Identifier: MIT OR Apache-2.0
/* Events: the multicast group, NLM_F_ECHO, generations, overrun. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "case.h"

static void pair(struct client *c, struct client *listener)
{
	client_open(c);
	client_open(listener);
	client_join(listener);
}

CASE(event_new, "a new path is an event NEWROUTE | CREATE with port id 0 and seq 0")
{
	struct client c, listener;

	pair(&c, &listener);
	add(&c, "10.0.0.0/8 via 192.0.2.1 dev 1 metric 5 proto 4");
	expect(&listener,
	       "event NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 dev 1 metric 5 proto 4 gen 1 CREATE");
	append(&c, "10.0.0.0/8 blackhole");
	expect(&listener, "event NEWROUTE 10.0.0.0/8 blackhole gen 2 CREATE");
	add(&c, "2001:db8::/32 via fe80::1 dev 1");
	expect(&listener, "event NEWROUTE 2001:db8::/32 unicast via fe80::1 dev 1 gen 3 CREATE");
}

CASE(event_replaced, "a path that takes the place of another is one event, NEWROUTE | REPLACE")
{
	struct client c, listener;

	client_open(&c);
	append(&c, "10.0.0.0/8 via 192.0.2.1 metric 5");
	append(&c, "10.0.0.0/8 via 192.0.2.2 metric 5");
	client_open(&listener);
	client_join(&listener);
	must(&c, NEWROUTE, CREATE | REPLACE, "10.0.0.0/8 via 192.0.2.3 metric 5");
	expect(&listener,
	       "event NEWROUTE 10.0.0.0/8 unicast via 192.0.2.3 metric 5 gen 3 REPLACE");
	must(&c, NEWROUTE, REPLACE, "10.0.0.0/8 prohibit metric 5");
	expect(&listener, "event NEWROUTE 10.0.0.0/8 prohibit metric 5 gen 4 REPLACE");
	must(&c, NEWROUTE, REPLACE, "10.0.0.0/8 prohibit metric 5");
	expect(&listener, "");
}

CASE(event_before_an_error, "what was changed is told before the error of what follows in its datagram")
{
	struct client c;

	client_open(&c);
	client_join(&c);
	datagram(&c);
	message(&c, NEWROUTE, CREATE, "10.0.0.0/8 via 192.0.2.1");
	message(&c, DELROUTE, 0, "11.0.0.0/8");
	message(&c, NEWROUTE, CREATE, "12.0.0.0/8 via 192.0.2.1");
	transmit(&c);
	expect(&c,
	       "event NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 gen 1 CREATE\n"
	       "2 ESRCH '*'\n"
	       "event NEWROUTE 12.0.0.0/8 unicast via 192.0.2.1 gen 2 CREATE");
}

CASE(event_gone, "each path that is gone is an event DELROUTE")
{
	struct client c, listener;

	pair(&c, &listener);
	append(&c, "10.0.0.0/8 via 192.0.2.1");
	append(&c, "10.0.0.0/8 via 192.0.2.2 metric 1");
	append(&c, "10.0.0.0/8 via 192.0.2.3 metric 1");
	free(transcript(&listener));
	must(&c, DELROUTE, 0, "10.0.0.0/8 metric 1");
	expect(&listener, "event DELROUTE 10.0.0.0/8 unicast via 192.0.2.2 metric 1 gen 4");
	must(&c, DELROUTE, 0, "10.0.0.0/8");
	expect(&listener,
	       "event DELROUTE 10.0.0.0/8 unicast via 192.0.2.1 gen 5\n"
	       "event DELROUTE 10.0.0.0/8 unicast via 192.0.2.3 metric 1 gen 6");
}

CASE(event_for_failure, "what fails is no event")
{
	struct client c, listener;

	pair(&c, &listener);
	ask(&c, NEWROUTE, REPLACE, "10.0.0.0/8 via 192.0.2.1");
	ask(&c, DELROUTE, 0, "10.0.0.0/8");
	datagram(&c);
	message(&c, NEWROUTE, MULTI | CREATE, "10.0.0.0/8 via 192.0.2.1");
	message(&c, DELROUTE, MULTI, "10.9.0.0/16");
	message(&c, DONE, MULTI, NULL);
	transmit(&c);
	free(transcript(&c));
	expect(&listener, "");
	add(&c, "10.0.0.0/8 via 192.0.2.1");
	expect(&listener, "event NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 gen 1 CREATE");
}

CASE(event_limit, "a changed limit is an event NEWTABLE; the same limit again is none")
{
	struct client c, listener;

	pair(&c, &listener);
	must(&c, NEWTABLE, 0, "max 77");
	expect(&listener, "event NEWTABLE * max 77 *");
	must(&c, NEWTABLE, 0, "max 77");
	expect(&listener, "");
}

CASE(event_cascade, "changes of a cascade that are answered are events in their order")
{
	struct client c, listener;

	pair(&c, &listener);
	datagram(&c);
	message(&c, NEWROUTE, CREATE | ACK, "10.2.0.0/16 via 192.0.2.1");
	message(&c, NEWROUTE, CREATE | ACK, "10.1.0.0/16 via 192.0.2.1");
	transmit(&c);
	expect(&listener,
	       "event NEWROUTE 10.2.0.0/16 unicast via 192.0.2.1 gen 1 CREATE\n"
	       "event NEWROUTE 10.1.0.0/16 unicast via 192.0.2.1 gen 2 CREATE");
}

/*
 * The kernel may release the table between any two messages, at the latest after a
 * millisecond; changes on either side are then told separately. A slow kernel does so in
 * one try, not in each.
 */
CASE(event_cascade_together, "changes of a cascade that are not answered are told as the difference they make together")
{
	struct client c, listener;
	bool together = false;
	char *lines;
	int tries;

	pair(&c, &listener);
	for (tries = 0; tries < 50 && !together; tries++) {
		must(&c, NEWTABLE, REPLACE, NULL);
		add(&c, "10.2.0.0/16 via 192.0.2.1");
		free(transcript(&listener));
		datagram(&c);
		message(&c, NEWROUTE, CREATE, "10.4.0.0/16 via 192.0.2.1");
		message(&c, NEWROUTE, CREATE, "10.3.0.0/16 via 192.0.2.1");
		message(&c, DELROUTE, 0, "10.4.0.0/16");
		message(&c, DELROUTE, 0, "10.2.0.0/16");
		message(&c, NEWROUTE, CREATE, "10.2.0.0/16 via 192.0.2.2");
		transmit(&c);
		lines = transcript(&listener);
		together = lines_match("event NEWROUTE 10.2.0.0/16 unicast via 192.0.2.2 gen * REPLACE\n"
				       "event NEWROUTE 10.3.0.0/16 unicast via 192.0.2.1 gen * CREATE",
				       lines);
		free(lines);
	}
	check(together, "never told together in %d tries", tries);
	expect_table(&c,
		     "NEWROUTE 10.2.0.0/16 unicast via 192.0.2.2\n"
		     "NEWROUTE 10.3.0.0/16 unicast via 192.0.2.1");
}

CASE(event_order_of_paths, "another order of the same paths is told, so that a listener gets it")
{
	struct client c, listener;

	client_open(&c);
	append(&c, "10.0.0.0/8 via 192.0.2.1");
	append(&c, "10.0.0.0/8 via 192.0.2.2");
	client_open(&listener);
	client_join(&listener);
	ask(&c, NEWTABLE, MULTI | REPLACE, NULL);
	ask(&c, NEWROUTE, MULTI | CREATE | APPEND, "10.0.0.0/8 via 192.0.2.2");
	ask(&c, NEWROUTE, MULTI | CREATE | APPEND, "10.0.0.0/8 via 192.0.2.1");
	ask(&c, DONE, MULTI, NULL);
	expect(&c, "DONE 3");
	expect(&listener,
	       "event DELROUTE 10.0.0.0/8 unicast via 192.0.2.1 gen 3\n"
	       "event NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 gen 4 CREATE");
	ask(&c, GETROUTE, 0, "10.0.0.1");
	expect(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.2");
}

CASE(event_replaced_is_the_first, "REPLACE tells of the first path of the metric; another is deleted, and what follows it moves")
{
	struct client c, listener;

	client_open(&c);
	append(&c, "10.0.0.0/8 via 192.0.2.1");
	append(&c, "10.0.0.0/8 via 192.0.2.2");
	append(&c, "10.0.0.0/8 via 192.0.2.3");
	client_open(&listener);
	client_join(&listener);
	must(&c, NEWROUTE, REPLACE, "10.0.0.0/8 via 192.0.2.4");
	expect(&listener, "event NEWROUTE 10.0.0.0/8 unicast via 192.0.2.4 gen 4 REPLACE");
	ask(&c, DELROUTE, MULTI, "10.0.0.0/8 via 192.0.2.2");
	ask(&c, DELROUTE, MULTI, "10.0.0.0/8 via 192.0.2.3");
	ask(&c, NEWROUTE, MULTI | CREATE | APPEND, "10.0.0.0/8 via 192.0.2.5");
	ask(&c, NEWROUTE, MULTI | CREATE | APPEND, "10.0.0.0/8 via 192.0.2.3");
	ask(&c, DONE, MULTI, NULL);
	expect(&c, "DONE 4");
	expect(&listener,
	       "event DELROUTE 10.0.0.0/8 unicast via 192.0.2.2 gen 5\n"
	       "event DELROUTE 10.0.0.0/8 unicast via 192.0.2.3 gen 6\n"
	       "event NEWROUTE 10.0.0.0/8 unicast via 192.0.2.5 gen 7 CREATE\n"
	       "event NEWROUTE 10.0.0.0/8 unicast via 192.0.2.3 gen 8 CREATE");
}

CASE(event_cancelled, "what a transaction does and undoes is no event and no change")
{
	struct client c, listener;

	pair(&c, &listener);
	add(&c, "10.0.0.0/8 via 192.0.2.1");
	free(transcript(&listener));
	ask(&c, NEWTABLE, MULTI | REPLACE, NULL);
	ask(&c, NEWROUTE, MULTI | CREATE, "11.0.0.0/8 via 192.0.2.1");
	ask(&c, NEWROUTE, MULTI | CREATE, "10.0.0.0/8 via 192.0.2.1");
	ask(&c, DELROUTE, MULTI, "11.0.0.0/8");
	ask(&c, DONE, MULTI, NULL);
	expect(&c, "DONE 4");
	expect(&listener, "");
	check(table_number(&c, "gen", 0) == 1, "the generation went on");
}

CASE(event_transaction, "a transaction is told when it is committed, only what differs, in address order")
{
	struct client c, listener;

	client_open(&c);
	add(&c, "10.0.0.0/8 via 192.0.2.1");
	add(&c, "10.1.0.0/16 via 192.0.2.1");
	add(&c, "10.2.0.0/16 via 192.0.2.1");
	client_open(&listener);
	client_join(&listener);
	ask(&c, NEWTABLE, MULTI | REPLACE, NULL);
	ask(&c, NEWROUTE, MULTI | CREATE, "2001:db8::/32 blackhole");
	ask(&c, NEWROUTE, MULTI | CREATE, "10.3.0.0/16 blackhole");
	ask(&c, NEWROUTE, MULTI | CREATE, "10.1.0.0/16 via 192.0.2.2");
	ask(&c, NEWROUTE, MULTI | CREATE, "10.0.0.0/8 via 192.0.2.1");
	expect(&listener, "");
	ask(&c, DONE, MULTI, NULL);
	expect(&c, "DONE 5");
	expect(&listener,
	       "event NEWROUTE 10.1.0.0/16 unicast via 192.0.2.2 gen 4 REPLACE\n"
	       "event DELROUTE 10.2.0.0/16 unicast via 192.0.2.1 gen 5\n"
	       "event NEWROUTE 10.3.0.0/16 blackhole gen 6 CREATE\n"
	       "event NEWROUTE 2001:db8::/32 blackhole gen 7 CREATE");
}

CASE(event_own, "a listener hears of its own changes, before their acknowledgement")
{
	struct client c;

	client_open(&c);
	client_join(&c);
	ask(&c, NEWROUTE, CREATE | ACK, "10.0.0.0/8 via 192.0.2.1");
	expect(&c,
	       "event NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 gen 1 CREATE\n"
	       "ACK");
}

CASE(echo, "ECHO: the event comes to the requester with its port id and seq, and to listeners as ever")
{
	struct client c, listener;

	pair(&c, &listener);
	ask(&c, NEWROUTE, CREATE | ECHO, "10.0.0.0/8 via 192.0.2.1");
	expect(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 gen 1 CREATE");
	ask(&c, NEWROUTE, CREATE | REPLACE | ECHO | ACK, "10.0.0.0/8 via 192.0.2.2");
	expect(&c,
	       "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.2 gen 2 REPLACE\n"
	       "ACK");
	ask(&c, DELROUTE, ECHO | ACK, "10.0.0.0/8");
	expect(&c,
	       "DELROUTE 10.0.0.0/8 unicast via 192.0.2.2 gen 3\n"
	       "ACK");
	ask(&c, NEWTABLE, ECHO | ACK, "max 9");
	expect(&c,
	       "NEWTABLE * max 9 *\n"
	       "ACK");
	ask(&c, DELROUTE, ECHO | ACK, "10.0.0.0/8");
	expect(&c, "ESRCH '*'");
	expect(&listener,
	       "event NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 gen 1 CREATE\n"
	       "event NEWROUTE 10.0.0.0/8 unicast via 192.0.2.2 gen 2 REPLACE\n"
	       "event DELROUTE 10.0.0.0/8 unicast via 192.0.2.2 gen 3\n"
	       "event NEWTABLE * max 9 *");
}

CASE(echo_is_for_its_message, "ECHO needs no listener, and tells of its own message only")
{
	struct client c;

	client_open(&c);
	datagram(&c);
	message(&c, NEWROUTE, CREATE, "10.1.0.0/16 via 192.0.2.1");
	message(&c, NEWROUTE, CREATE | ECHO, "10.2.0.0/16 via 192.0.2.1");
	message(&c, NEWROUTE, CREATE, "10.3.0.0/16 via 192.0.2.1");
	transmit(&c);
	expect(&c, "2 NEWROUTE 10.2.0.0/16 unicast via 192.0.2.1 gen 2 CREATE");
	check(table_number(&c, "gen", 0) == 3, "not 3 changes");
}

CASE(echo_to_listener, "a requester that listens gets the event once, as echo")
{
	struct client c;

	client_open(&c);
	client_join(&c);
	ask(&c, NEWROUTE, CREATE | ECHO | ACK, "10.0.0.0/8 via 192.0.2.1");
	expect(&c,
	       "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 gen 1 CREATE\n"
	       "ACK");
}

CASE(echo_transaction, "ECHO in a transaction: all its events come before its NLMSG_DONE, with that one's seq")
{
	struct client c;

	client_open(&c);
	datagram(&c);
	message(&c, NEWROUTE, MULTI | CREATE | ECHO, "10.0.0.0/8 via 192.0.2.1");
	message(&c, NEWROUTE, MULTI | CREATE, "2001:db8::/32 blackhole");
	message(&c, DONE, MULTI, NULL);
	transmit(&c);
	expect(&c,
	       "3 NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 gen 1 CREATE\n"
	       "3 NEWROUTE 2001:db8::/32 blackhole gen 2 CREATE\n"
	       "3 DONE 2");
}

/* Read what has come; the generations follow each other from @next on. */
static uint64_t without_gaps(struct client *listener, uint64_t next)
{
	char *lines = transcript(listener), *at;

	check(!strstr(lines, "!"), "%.100s", strstr(lines, "!"));
	for (at = lines; (at = strstr(at, " gen ")); next++) {
		at += 5;
		check(strtoull(at, NULL, 10) == next, "event %.20s instead of %llu", at,
		      (unsigned long long)next);
	}
	free(lines);
	return next;
}

#define STEPS	1000

CASE(generations, "events that follow each other have numbers that follow each other, over every kind of change")
{
	struct client c, listener;
	uint64_t next = 1;
	char words[96];
	int i;

	pair(&c, &listener);
	for (i = 0; i < STEPS; i++) {
		datagram(&c);
		snprintf(words, sizeof(words), "10.%d.0.0/16 via 192.0.2.%d", i % 50, 1 + i % 7);
		message(&c, NEWROUTE, CREATE | REPLACE, words);
		snprintf(words, sizeof(words), "10.%d.0.0/16 prohibit metric %d", i % 50, 1 + i % 3);
		message(&c, NEWROUTE, CREATE | REPLACE, words);
		if (i % 10 == 9)
			message(&c, DELROUTE, BULK, "metric 2");
		if (i % 17 == 16)
			message(&c, DELROUTE, 0, "10.3.0.0/16");
		if (i % 100 == 99)
			message(&c, NEWTABLE, REPLACE, NULL);
		if (i % 30 == 29) {
			message(&c, NEWROUTE, MULTI | CREATE | REPLACE, "10.7.0.0/16 blackhole metric 8");
			message(&c, DELROUTE, MULTI | BULK, "metric 0");
			message(&c, DONE, MULTI, NULL);
		}
		transmit(&c);
		free(transcript(&c));
		next = without_gaps(&listener, next);
	}
	check(next > STEPS, "hardly any event");
	check(table_number(&c, "gen", 0) == next - 1, "GETTABLE tells another generation");
}

CASE(generation_without_listeners, "the generation moves with each change, with and without a listener")
{
	struct client c, listener;
	char line[128];
	uint64_t gen;

	client_open(&c);
	append(&c, "10.0.0.0/8 via 192.0.2.1");
	gen = table_number(&c, "gen", 0);
	check(gen, "no change");
	append(&c, "10.0.0.0/8 via 192.0.2.2");
	check(table_number(&c, "gen", 0) > gen, "the second change is not seen");
	gen = table_number(&c, "gen", 0);
	must(&c, DELROUTE, 0, "10.0.0.0/8");
	check(table_number(&c, "gen", 0) > gen, "the third change is not seen");
	gen = table_number(&c, "gen", 0);
	client_open(&listener);
	client_join(&listener);
	add(&c, "10.0.0.0/8 via 192.0.2.1");
	snprintf(line, sizeof(line),
		 "event NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 gen %llu CREATE",
		 (unsigned long long)gen + 1);
	expect_lines(__FILE__, __LINE__, &listener, line);
}

CASE(generation_of_a_dump, "a dump says which generation it shows, in its first message and in its NLMSG_DONE")
{
	struct client c;

	client_open(&c);
	free(transcript(&c));
	ask(&c, GETROUTE, DUMP, NULL);
	expect(&c, "DONE 0");
	check(c.done_gen == 0, "the empty table is not of generation 0");
	add(&c, "10.0.0.0/8 via 192.0.2.1");
	add(&c, "11.0.0.0/8 via 192.0.2.1");
	ask(&c, GETROUTE, DUMP, NULL);
	free(transcript(&c));
	check(c.dump_gen == 2 && c.done_gen == 2, "generations %llu and %llu",
	      (unsigned long long)c.dump_gen, (unsigned long long)c.done_gen);
	c.dump_gen = 0;
	c.done_gen = 0;
	ask(&c, GETROUTE, DUMP | ATOMIC, "11.0.0.0/8");
	free(transcript(&c));
	check(c.dump_gen == 2 && c.done_gen == 2, "not those of a snapshot");
}

CASE(overrun, "a listener that does not keep up gets ENOBUFS and sees a gap; the others get their events")
{
	struct client c, listener, quick;
	int small = 4096, i;
	char words[64], *lines, *at;
	uint64_t last = 0, generation, next = 1;
	bool gap = false;

	pair(&c, &listener);
	client_open(&quick);
	client_join(&quick);
	check(!setsockopt(mnl_socket_get_fd(listener.socket), SOL_SOCKET, SO_RCVBUF, &small,
			  sizeof(small)), "no small buffer");
	for (i = 0; i < 2000; i++) {
		snprintf(words, sizeof(words), "10.%d.%d.0/24 via 192.0.2.1", i / 256, i % 256);
		ask(&c, NEWROUTE, CREATE | ACK, words);
		expect(&c, "ACK");
		next = without_gaps(&quick, next);
	}
	check(next == 2001, "the quick listener has missed something");

	lines = transcript(&listener);
	check(strstr(lines, "!ENOBUFS\n"), "no ENOBUFS");
	free(lines);
	/* what comes after it is told again, and shows that something is missing */
	add(&c, "192.168.0.0/16 via 192.0.2.1");
	lines = transcript(&listener);
	for (at = lines; (at = strstr(at, " gen ")); last = generation) {
		at += 5;
		generation = strtoull(at, NULL, 10);
		gap |= generation != last + 1;
	}
	check(gap && last == 2001, "no gap before: %s", lines);
}

CASE(overrun_in_a_transaction, "so does one that a large transaction overruns, in a single call")
{
	struct client c, listener;
	int small = 4096, i;
	char words[64], *lines;

	pair(&c, &listener);
	check(!setsockopt(mnl_socket_get_fd(listener.socket), SOL_SOCKET, SO_RCVBUF, &small,
			  sizeof(small)), "no small buffer");
	datagram(&c);
	for (i = 0; i < 2000; i++) {
		snprintf(words, sizeof(words), "10.%d.%d.0/24 via 192.0.2.1", i / 256, i % 256);
		message(&c, NEWROUTE, CREATE | MULTI, words);
	}
	message(&c, DONE, MULTI, NULL);
	transmit(&c);
	expect(&c, "2001 DONE 2000");
	lines = transcript(&listener);
	check(strstr(lines, "!ENOBUFS\n"), "no ENOBUFS");
	check(table_number(&c, "gen", 0) == 2000, "not 2000 changes");
}

CASE(unknown_group, "there is one group")
{
	struct client c;
	int group = NL31_GRP_MAX + 32;

	client_open(&c);
	check(setsockopt(mnl_socket_get_fd(c.socket), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP,
			 &group, sizeof(group)), "joined a group that is none");
	check(errno == EINVAL, "not EINVAL");
}
