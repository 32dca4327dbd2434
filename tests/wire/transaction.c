// SPDX-License-Identifier: MIT OR Apache-2.0
/* Transactions: changes marked NLM_F_MULTI, closed by NLMSG_DONE. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"

CASE(commit, "all changes are applied, and one answer is sent: NLMSG_DONE with their number")
{
	struct client c;

	client_open(&c);
	datagram(&c);
	message(&c, NEWROUTE, MULTI | CREATE | EXCL | ACK, "10.0.0.0/8 via 192.0.2.1");
	message(&c, NEWROUTE, MULTI | CREATE | EXCL, "10.1.0.0/16 via 192.0.2.1");
	message(&c, DELROUTE, MULTI | ACK, "10.0.0.0/8");
	message(&c, NEWTABLE, MULTI | ACK, "max 50");
	message(&c, DONE, MULTI | ACK, NULL);
	transmit(&c);
	expect(&c, "5 DONE 4");
	expect_table(&c, "NEWROUTE 10.1.0.0/16 unicast via 192.0.2.1");
	check(table_number(&c, "max", 0) == 50, "the limit is not 50");
}

CASE(commit_without_multi, "NLMSG_DONE need not be marked NLM_F_MULTI, and may carry an int")
{
	struct client c;

	client_open(&c);
	ask(&c, NEWROUTE, MULTI | CREATE, "10.0.0.0/8 via 192.0.2.1");
	ask(&c, DONE, 0, NULL);
	expect(&c, "DONE 1");
	ask(&c, NEWROUTE, MULTI | CREATE, "10.1.0.0/16 via 192.0.2.1");
	datagram(&c);
	payload(&c, message(&c, DONE, MULTI, NULL), "\0\0\0", 4);
	transmit(&c);
	expect(&c, "DONE 1");
	check(table_number(&c, "routes", 0) == 2, "not 2 routes");
}

CASE(commit_nothing, "NLMSG_DONE without a transaction is EINVAL")
{
	struct client c;

	client_open(&c);
	ask(&c, DONE, MULTI, NULL);
	expect(&c, "EINVAL '*no transaction*'");
	ask(&c, DONE, ACK, NULL);
	expect(&c, "EINVAL '*no transaction*'");
}

CASE(failure_names_the_message, "one error with the header and seq of what failed, and nothing is applied")
{
	struct client c;

	client_open(&c);
	add(&c, "10.0.0.0/8 via 192.0.2.1");
	datagram(&c);
	message(&c, NEWROUTE, MULTI | CREATE | EXCL, "10.1.0.0/16 via 192.0.2.1");
	message(&c, DELROUTE, MULTI, "10.0.0.0/8");
	message(&c, NEWROUTE, MULTI | CREATE | EXCL | ACK, "10.1.0.0/16 via 192.0.2.9");
	message(&c, NEWROUTE, MULTI | CREATE | EXCL | ACK, "10.2.0.0/16 via 192.0.2.1");
	message(&c, DELROUTE, MULTI, "192.168.0.0/16");
	message(&c, DONE, MULTI, NULL);
	transmit(&c);
	expect(&c, "3 EEXIST '*'");
	expect_table(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1");
}

CASE(every_kind_of_failure, "whatever fails, wherever: one error, nothing applied, the next one works")
{
	static const struct {
		unsigned int type, flags;
		const char *words, *error;
	} bad[] = {
		{ NEWROUTE, MULTI | CREATE, "10.0.0.0/8 via 192.0.2.2", "EEXIST" },
		{ NEWROUTE, MULTI | CREATE, "10.9.0.1/16 via 192.0.2.2", "EINVAL" },
		{ NEWROUTE, MULTI | CREATE, "10.9.0.0/16 dev 4711", "ENODEV" },
		{ NEWROUTE, MULTI | REPLACE, "10.9.0.0/16 via 192.0.2.2", "ENOENT" },
		{ NEWROUTE, MULTI, "10.9.0.0/16 via 192.0.2.2", "EINVAL" },
		{ NEWROUTE, MULTI | CREATE | NO_REQUEST, "10.9.0.0/16 via 192.0.2.2", "EINVAL" },
		{ DELROUTE, MULTI, "10.9.0.0/16", "ESRCH" },
		{ DELROUTE, MULTI | BULK, "via 0.0.0.0", "EINVAL" },
		{ NEWTABLE, MULTI, NULL, "EINVAL" },
		{ NEWTABLE, MULTI, "max 0", "ERANGE" },
		{ GETROUTE, MULTI, "10.0.0.1", "EINVAL" },
		{ GETROUTE, MULTI | DUMP, NULL, "EINVAL" },
		{ GETTABLE, MULTI, NULL, "EINVAL" },
		{ GREET, MULTI, NULL, "EINVAL" },
		{ NOOP, MULTI, NULL, "EINVAL" },
		{ NL31_MSG_MAX + 1, MULTI, NULL, "EINVAL" },
		{ DONE, MULTI | NO_REQUEST, NULL, "EINVAL" },
	};
	char pattern[32];
	struct client c;
	size_t i;
	int at;

	client_open(&c);
	add(&c, "10.0.0.0/8 via 192.0.2.1");
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		for (at = 0; at < 3; at++) {
			bool done = bad[i].type == DONE;

			/* first, in the middle, last */
			datagram(&c);
			if (at != 0 || done)
				message(&c, NEWROUTE, MULTI | CREATE, "10.1.0.0/16 via 192.0.2.1");
			message(&c, bad[i].type, bad[i].flags, bad[i].words);
			snprintf(pattern, sizeof(pattern), "%d %s '*'*",
				 at != 0 || done ? 2 : 1, bad[i].error);
			if (at != 2 && !done)
				message(&c, DELROUTE, MULTI, "10.0.0.0/8");
			if (!done)
				message(&c, DONE, MULTI, NULL);
			transmit(&c);
			expect_lines(__FILE__, __LINE__, &c, pattern);
			expect_table(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1");

			datagram(&c);
			message(&c, NEWROUTE, MULTI | REPLACE, "10.0.0.0/8 via 192.0.2.1");
			message(&c, DONE, MULTI, NULL);
			transmit(&c);
			expect(&c, "2 DONE 1");
		}
}

CASE(across_datagrams, "a transaction may span datagrams; nothing shows before its end")
{
	struct client c, other;

	client_open(&c);
	client_open(&other);
	ask(&c, NEWROUTE, MULTI | CREATE, "10.0.0.0/8 via 192.0.2.1");
	expect(&c, "");
	ask(&c, NEWROUTE, MULTI | CREATE | ACK, "10.1.0.0/16 via 192.0.2.1");
	expect(&c, "");
	expect_table(&c, "");
	ask(&other, GETROUTE, 0, "10.1.1.1");
	expect(&other, "ENETUNREACH '*'");
	check(table_number(&other, "routes", 0) == 0, "the table counts what is not published");
	ask(&c, DONE, MULTI, NULL);
	expect(&c, "DONE 2");
	ask(&other, GETROUTE, 0, "10.1.1.1");
	expect(&other, "NEWROUTE 10.1.0.0/16 unicast via 192.0.2.1");
}

CASE(failure_across_datagrams, "after a failure what follows up to NLMSG_DONE is discarded, in later datagrams too")
{
	struct client c;

	client_open(&c);
	ask(&c, NEWROUTE, MULTI | CREATE, "10.0.0.0/8 via 192.0.2.1");
	ask(&c, DELROUTE, MULTI, "10.9.0.0/16");
	expect(&c, "ESRCH '*'");
	ask(&c, NEWROUTE, MULTI | CREATE | ACK, "10.1.0.0/16 via 192.0.2.1");
	ask(&c, DONE, MULTI | ACK, NULL);
	expect(&c, "");
	expect_table(&c, "");
	ask(&c, NEWROUTE, MULTI | CREATE, "10.2.0.0/16 via 192.0.2.1");
	ask(&c, DONE, MULTI, NULL);
	expect(&c, "DONE 1");
}

CASE(first_message_fails, "a failure of the first message discards the rest as well")
{
	struct client c;

	client_open(&c);
	ask(&c, NEWROUTE, MULTI | CREATE | NO_REQUEST, "10.0.0.0/8 via 192.0.2.1");
	expect(&c, "EINVAL '*NLM_F_REQUEST*'");
	ask(&c, NEWROUTE, MULTI | CREATE, "10.1.0.0/16 via 192.0.2.1");
	ask(&c, DONE, MULTI, NULL);
	expect(&c, "");
	expect_table(&c, "");
}

CASE(others_are_busy, "while one is open, changes of other sockets get EBUSY; they read and dump on")
{
	struct client c, other;

	client_open(&c);
	client_open(&other);
	add(&other, "10.0.0.0/8 via 192.0.2.1");
	ask(&c, DELROUTE, MULTI, "10.0.0.0/8");
	ask(&other, NEWROUTE, CREATE | EXCL, "10.1.0.0/16 via 192.0.2.1");
	expect(&other, "EBUSY '*transaction*'");
	ask(&other, DELROUTE, BULK, NULL);
	expect(&other, "EBUSY '*transaction*'");
	ask(&other, NEWTABLE, 0, "max 5");
	expect(&other, "EBUSY '*transaction*'");
	datagram(&other);
	message(&other, NEWROUTE, MULTI | CREATE, "10.1.0.0/16 via 192.0.2.1");
	message(&other, NEWROUTE, MULTI | CREATE, "10.2.0.0/16 via 192.0.2.1");
	message(&other, DONE, MULTI, NULL);
	transmit(&other);
	expect(&other, "1 EBUSY '*transaction*'");
	ask(&other, GETROUTE, 0, "10.0.0.1");
	expect(&other, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1");
	expect_table(&other, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1");
	ask(&other, NOOP, 0, NULL);
	expect(&other, "DONE 0");
	ask(&c, DONE, MULTI, NULL);
	expect(&c, "DONE 1");
	add(&other, "10.1.0.0/16 via 192.0.2.1");
}

CASE(own_single_change_is_busy, "so do changes of the same socket that are not marked; the transaction goes on")
{
	struct client c;

	client_open(&c);
	ask(&c, NEWROUTE, MULTI | CREATE, "10.0.0.0/8 via 192.0.2.1");
	ask(&c, NEWROUTE, CREATE | ACK, "10.1.0.0/16 via 192.0.2.1");
	expect(&c, "EBUSY '*transaction*'");
	ask(&c, GETROUTE, 0, "10.0.0.1");
	expect(&c, "ENETUNREACH '*'");
	ask(&c, DONE, MULTI, NULL);
	expect(&c, "DONE 1");
	expect_table(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1");
}

CASE(changes_before_in_the_datagram, "changes before a transaction in its datagram stay, whatever becomes of it")
{
	struct client c;

	client_open(&c);
	datagram(&c);
	message(&c, NEWROUTE, CREATE | EXCL, "10.0.0.0/8 via 192.0.2.1");
	message(&c, NEWROUTE, MULTI | CREATE, "10.1.0.0/16 via 192.0.2.1");
	message(&c, DELROUTE, MULTI, "10.9.0.0/16");
	message(&c, DONE, MULTI, NULL);
	message(&c, NEWROUTE, CREATE | EXCL | ACK, "10.2.0.0/16 via 192.0.2.1");
	transmit(&c);
	expect(&c,
	       "3 ESRCH '*'\n"
	       "5 ACK");
	expect_table(&c,
		     "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1\n"
		     "NEWROUTE 10.2.0.0/16 unicast via 192.0.2.1");
}

CASE(discarded_with_its_socket, "a transaction is discarded when its socket closes")
{
	struct client c, other;

	client_open(&c);
	client_open(&other);
	add(&other, "10.0.0.0/8 via 192.0.2.1");
	ask(&c, DELROUTE, MULTI | BULK, NULL);
	ask(&other, DELROUTE, 0, "10.0.0.0/8");
	expect(&other, "EBUSY '*'");
	client_close(&c);
	expect_table(&other, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1");
	must(&other, DELROUTE, 0, "10.0.0.0/8");
}

CASE(discarded_with_its_process, "and when its process is killed")
{
	struct client other;
	int ready[2];
	pid_t pid;
	char byte;

	client_open(&other);
	check(!pipe(ready), "no pipe");
	pid = fork();
	if (!pid) {
		struct client c;

		client_open(&c);
		ask(&c, NEWROUTE, MULTI | CREATE, "10.0.0.0/8 via 192.0.2.1");
		(void)!write(ready[1], "", 1);
		for (;;)
			pause();
	}
	check(read(ready[0], &byte, 1) == 1, "the other has died");
	ask(&other, NEWROUTE, CREATE, "10.0.0.0/8 via 192.0.2.1");
	expect(&other, "EBUSY '*'");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	add(&other, "10.0.0.0/8 via 192.0.2.1");
}

CASE(idle_too_long, "an idle transaction fails with ETIMEDOUT by itself, and its rest is discarded")
{
	struct client c, other;
	char *answer;

	client_open(&c);
	client_open(&other);
	ask(&c, NEWROUTE, MULTI | CREATE, "10.0.0.0/8 via 192.0.2.1");
	do {
		poll(NULL, 0, 500);
		ask(&other, NEWROUTE, CREATE | ACK, "10.1.0.0/16 via 192.0.2.1");
		answer = transcript(&other);
	} while (!strncmp(answer, "EBUSY ", 6));
	check(!strcmp(answer, "ACK\n"), "%s", answer);
	answer = transcript(&c);
	check(!strncmp(answer, "ETIMEDOUT CAPPED '", 18), "%s", answer);
	ask(&c, NEWROUTE, MULTI | CREATE, "10.2.0.0/16 via 192.0.2.1");
	expect(&c, "");
	ask(&c, DONE, MULTI, NULL);
	expect(&c, "");
	expect_table(&c, "NEWROUTE 10.1.0.0/16 unicast via 192.0.2.1");
}

/* NLMSG_DONE with a number. */
static void end_with(struct client *c, int value)
{
	datagram(c);
	payload(c, message(c, DONE, MULTI, NULL), &value, sizeof(value));
	transmit(c);
}

CASE(aborted, "NLMSG_DONE with a negative int discards the transaction, and is answered by the same int")
{
	struct client c, other;

	client_open(&c);
	client_open(&other);
	end_with(&c, -ECANCELED);
	expect(&c, "EINVAL '*'");
	ask(&c, NEWROUTE, MULTI | CREATE, "10.0.0.0/8 via 192.0.2.1");
	end_with(&c, -ECANCELED);
	expect(&c, "DONE ECANCELED");
	expect_table(&c, "");
	add(&other, "10.1.0.0/16 via 192.0.2.1");
	/* after a failure it ends the rest, as any other */
	ask(&c, DELROUTE, MULTI, "10.0.0.0/8");
	expect(&c, "ESRCH '*'");
	end_with(&c, -ECANCELED);
	expect(&c, "");
	ask(&c, DELROUTE, MULTI, "10.1.0.0/16");
	ask(&c, DONE, MULTI, NULL);
	expect(&c, "DONE 1");
}

CASE(replaces_the_table, "NEWTABLE with REPLACE first: the transaction starts from an empty table")
{
	struct client c;

	client_open(&c);
	add(&c, "10.0.0.0/8 via 192.0.2.1");
	add(&c, "2001:db8::/32 via 2001:db8::1");
	datagram(&c);
	message(&c, NEWTABLE, MULTI | REPLACE, "max 2");
	message(&c, NEWROUTE, MULTI | CREATE | EXCL, "10.0.0.0/8 via 192.0.2.2");
	message(&c, NEWROUTE, MULTI | CREATE | EXCL, "10.1.0.0/16 blackhole");
	message(&c, DONE, MULTI, NULL);
	transmit(&c);
	expect(&c, "4 DONE 3");
	expect_table(&c,
		     "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.2\n"
		     "NEWROUTE 10.1.0.0/16 blackhole");
	check(table_number(&c, "routes", 1) == 0, "IPv6 routes are left");
	check(table_number(&c, "bytes", 1) == 0, "IPv6 memory is left");
	check(table_number(&c, "max", 0) == 2, "the limit is not 2");
}

CASE(replacement_fails, "a replacement that fails leaves the table and its limit as they were")
{
	struct client c;

	client_open(&c);
	add(&c, "10.0.0.0/8 via 192.0.2.1");
	datagram(&c);
	message(&c, NEWTABLE, MULTI | REPLACE, "max 1");
	message(&c, NEWROUTE, MULTI | CREATE | EXCL, "10.1.0.0/16 blackhole");
	message(&c, NEWROUTE, MULTI | CREATE | EXCL, "10.2.0.0/16 blackhole");
	message(&c, DONE, MULTI, NULL);
	transmit(&c);
	expect(&c, "3 ENOSPC '*'");
	expect_table(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1");
	check(table_number(&c, "max", 0) > 1, "the limit has changed");
}

CASE(add_and_delete_again, "what a transaction adds and deletes again has never been")
{
	struct client c;
	uint64_t generation;

	client_open(&c);
	add(&c, "10.0.0.0/8 via 192.0.2.1");
	generation = table_number(&c, "nexthops", 0);
	datagram(&c);
	message(&c, NEWROUTE, MULTI | CREATE, "10.1.0.0/16 via 192.0.2.9");
	message(&c, DELROUTE, MULTI, "10.1.0.0/16");
	message(&c, DELROUTE, MULTI, "10.0.0.0/8");
	message(&c, NEWROUTE, MULTI | CREATE, "10.0.0.0/8 via 192.0.2.1");
	message(&c, DONE, MULTI, NULL);
	transmit(&c);
	expect(&c, "5 DONE 4");
	expect_table(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1");
	check(table_number(&c, "nexthops", 0) == generation, "paths are left");
}

/* The tables of the writer below: all routes of one metric, 1000 or 1500. */
static void replace(struct client *c, int metric)
{
	char words[96];
	int i, count = 500 + metric * 500;

	datagram(c);
	message(c, NEWTABLE, MULTI | REPLACE, NULL);
	for (i = 0; i < count; i++) {
		snprintf(words, sizeof(words), "10.%d.%d.0/24 via 192.0.2.1 metric %d",
			 i / 256, i % 256, metric);
		message(c, NEWROUTE, MULTI | CREATE, words);
	}
	message(c, DONE, MULTI, NULL);
	transmit(c);
	snprintf(words, sizeof(words), "%d DONE %d", count + 2, count + 1);
	expect_lines(__FILE__, __LINE__, c, words);
}

/* Which of the two tables is it? 0 for neither, -1 for a dump that says it is mixed. */
static int which_table(char *lines)
{
	int i, first = 0, second = 0, lost = 0;
	const char *at;

	if (strstr(lines, "DUMP_INTR") || strstr(lines, "ESTALE"))
		lost = -1;
	for (at = lines; (at = strstr(at, " metric ")); at++) {
		i = atoi(at + 8);
		first += i == 1;
		second += i == 2;
	}
	free(lines);
	if (lost)
		return lost;
	if (first == 1000 && !second)
		return 1;
	if (second == 1500 && !first)
		return 2;
	return 0;
}

CASE(no_mixture, "while the table is replaced in a loop a reader sees the one or the other, never a mixture")
{
	int seen[3] = {}, unlucky = 0, table, rounds;
	struct client writer, reader;
	pid_t pid;
	char *line;

	client_open(&writer);
	client_open(&reader);
	replace(&writer, 1);
	pid = fork();
	if (!pid) {
		client_open(&writer);
		for (rounds = 0;; rounds++) {
			replace(&writer, 2 - rounds % 2);
			sched_yield();
		}
	}
	/* both tables, many times; a reader may be unlucky for long, but not for ever */
	for (rounds = 0; rounds < 300 || !seen[1] || !seen[2]; rounds++) {
		check(!waitpid(pid, NULL, WNOHANG), "the writer has failed");
		check(rounds < 100000, "never saw both tables");

		ask(&reader, GETROUTE, DUMP | (rounds % 2 ? ATOMIC : 0), NULL);
		/* the writer goes on between the parts */
		sched_yield();
		table = which_table(transcript(&reader));
		check(table, "a mixture");
		if (table > 0)
			seen[table]++;
		else
			unlucky++;

		ask(&reader, GETROUTE, 0, "10.1.2.3");
		line = transcript(&reader);
		check(strstr(line, "10.1.2.0/24"), "a lookup between the tables: %s", line);
		free(line);
		table = table_number(&reader, "routes", 0);
		check(table == 1000 || table == 1500, "%d routes", table);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	printf("# the one %d times, the other %d times, interrupted %d times\n", seen[1],
	       seen[2], unlucky);
}
