// SPDX-License-Identifier: MIT OR Apache-2.0
/* A table per network namespace, and the privilege that changing it takes. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"

#define NOBODY	65534

CASE(tables_apart, "each network namespace has a table, a generation and a limit of its own")
{
	struct client c, other;

	client_open(&c);
	add(&c, "10.0.0.0/8 via 192.0.2.1");
	must(&c, NEWTABLE, 0, "max 1");
	check(!unshare(CLONE_NEWNET), "no second namespace");
	client_open(&other);
	expect_table(&other, "");
	check(table_number(&other, "gen", 0) == 0, "the generation is not its own");
	add(&other, "10.0.0.0/8 via 192.0.2.2");
	add(&other, "11.0.0.0/8 via 192.0.2.2");
	/* the socket stays in the namespace that it was opened in */
	expect_table(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1");
	ask(&c, NEWROUTE, CREATE, "11.0.0.0/8 via 192.0.2.1");
	expect(&c, "ENOSPC '*1*'");
	must(&other, DELROUTE, BULK, NULL);
	expect_table(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1");
}

CASE(events_apart, "events stay in their namespace")
{
	struct client c, listener, other;

	client_open(&c);
	client_open(&listener);
	client_join(&listener);
	check(!unshare(CLONE_NEWNET), "no second namespace");
	client_open(&other);
	client_join(&other);
	add(&c, "10.0.0.0/8 via 192.0.2.1");
	expect(&listener, "event NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 gen 1 CREATE");
	expect(&other, "");
}

CASE(transactions_apart, "a transaction keeps only its own namespace busy")
{
	struct client c, other;

	client_open(&c);
	ask(&c, NEWROUTE, MULTI | CREATE, "10.0.0.0/8 via 192.0.2.1");
	check(!unshare(CLONE_NEWNET), "no second namespace");
	client_open(&other);
	add(&other, "10.0.0.0/8 via 192.0.2.1");
}

CASE(namespace_gone, "with the namespace its table goes, an open transaction and a snapshot included")
{
	struct client c, dumper;
	char words[64];
	int i;

	client_open(&c);
	datagram(&c);
	for (i = 0; i < 3000; i++) {
		snprintf(words, sizeof(words), "10.%d.%d.0/24 via 192.0.2.1", i / 256, i % 256);
		message(&c, NEWROUTE, CREATE, words);
	}
	transmit(&c);
	client_open(&dumper);
	ask(&dumper, GETROUTE, DUMP | ATOMIC, NULL);
	free(receive(&dumper));
	ask(&c, DELROUTE, MULTI | BULK, NULL);
	check(!unshare(CLONE_NEWNET), "no second namespace");
	client_close(&dumper);
	client_close(&c);
	client_open(&c);
	expect_table(&c, "");
}

CASE(anyone_reads, "anyone may ping, greet, look up, dump, get the table and listen")
{
	struct client root, c;

	client_open(&root);
	add(&root, "10.0.0.0/8 via 192.0.2.1");
	check(!setresgid(NOBODY, NOBODY, NOBODY) && !setresuid(NOBODY, NOBODY, NOBODY),
	      "cannot become nobody");
	client_open(&c);
	client_join(&c);
	ask(&c, NOOP, 0, NULL);
	expect(&c, "DONE 0");
	ask(&c, GREET, 0, "it is nobody");
	expect(&c, "GREET *nobody'");
	ask(&c, GETROUTE, 0, "10.0.0.1");
	expect(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1");
	ask(&c, GETROUTE, DUMP | ATOMIC, NULL);
	expect(&c,
	       "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1\n"
	       "DONE 0");
	ask(&c, GETTABLE, 0, NULL);
	expect(&c, "NEWTABLE *");
}

CASE(changes_need_capability, "changes without CAP_NET_ADMIN get EPERM, in a transaction too, and change nothing")
{
	struct client root, c;

	client_open(&root);
	add(&root, "10.0.0.0/8 via 192.0.2.1");
	check(!setresgid(NOBODY, NOBODY, NOBODY) && !setresuid(NOBODY, NOBODY, NOBODY),
	      "cannot become nobody");
	client_open(&c);
	ask(&c, NEWROUTE, CREATE, "11.0.0.0/8 via 192.0.2.1");
	expect(&c, "EPERM '*CAP_NET_ADMIN*'");
	ask(&c, DELROUTE, ACK, "10.0.0.0/8");
	expect(&c, "EPERM '*CAP_NET_ADMIN*'");
	ask(&c, NEWTABLE, REPLACE, NULL);
	expect(&c, "EPERM '*CAP_NET_ADMIN*'");
	datagram(&c);
	message(&c, DELROUTE, MULTI, "10.0.0.0/8");
	message(&c, NEWTABLE, MULTI | REPLACE, NULL);
	message(&c, DONE, MULTI, NULL);
	transmit(&c);
	expect(&c, "1 EPERM '*CAP_NET_ADMIN*'");
	/* the next datagram is not known to be the rest */
	ask(&c, DONE, MULTI, NULL);
	expect(&c, "EPERM '*CAP_NET_ADMIN*'");
	/* the socket of root does not help a process that has lost the capability */
	ask(&root, DELROUTE, BULK, NULL);
	expect(&root, "EPERM '*CAP_NET_ADMIN*'");
	expect_table(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1");
}

CASE(unprivileged_socket, "nor does root change anything by writing to a socket that a user without privileges has opened")
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct client c;

	check(!setresuid(NOBODY, NOBODY, 0), "cannot become nobody");
	client_open(&c);
	check(!setresuid(0, 0, 0), "cannot become root again");
	/* as by a program of root that was given it as standard output */
	check(!connect(mnl_socket_get_fd(c.socket), (struct sockaddr *)&kernel, sizeof(kernel)),
	      "cannot connect");
	datagram(&c);
	message(&c, NEWROUTE, CREATE, "10.0.0.0/8 via 192.0.2.1");
	check(write(mnl_socket_get_fd(c.socket), c.out, c.len) == (ssize_t)c.len, "cannot write");
	expect(&c, "EPERM '*CAP_NET_ADMIN*'");
	expect_table(&c, "");
}

CASE(unprivileged_does_not_block, "a transaction that is refused makes no other wait")
{
	struct client root, c;
	pid_t pid;
	int status;

	client_open(&root);
	pid = fork();
	if (!pid) {
		check(!setresgid(NOBODY, NOBODY, NOBODY) && !setresuid(NOBODY, NOBODY, NOBODY),
		      "cannot become nobody");
		client_open(&c);
		ask(&c, NEWROUTE, MULTI | CREATE, "10.0.0.0/8 via 192.0.2.1");
		expect(&c, "EPERM '*'");
		_exit(0);
	}
	check(waitpid(pid, &status, 0) == pid && !status, "nobody was not refused");
	add(&root, "10.0.0.0/8 via 192.0.2.1");
}

CASE(user_namespace, "an unprivileged user namespace changes its own table, and no other")
{
	struct client root, before, c;

	client_open(&root);
	add(&root, "10.0.0.0/8 via 192.0.2.1");
	check(!setresgid(NOBODY, NOBODY, NOBODY) && !setresuid(NOBODY, NOBODY, NOBODY),
	      "cannot become nobody");
	client_open(&before);
	check(!unshare(CLONE_NEWUSER), "no user namespace: CONFIG_USER_NS");
	/* all capabilities now, but not over this network namespace */
	client_open(&c);
	ask(&c, DELROUTE, BULK, NULL);
	expect(&c, "EPERM '*'");
	ask(&before, DELROUTE, BULK, NULL);
	expect(&before, "EPERM '*'");
	ask(&root, DELROUTE, BULK, NULL);
	expect(&root, "EPERM '*'");
	client_close(&c);

	check(!unshare(CLONE_NEWNET), "no network namespace");
	client_open(&c);
	expect_table(&c, "");
	add(&c, "11.0.0.0/8 via 192.0.2.1");
	expect_table(&c, "NEWROUTE 11.0.0.0/8 unicast via 192.0.2.1");
	ask(&root, DELROUTE, BULK, NULL);
	expect(&root, "EPERM '*'");
	expect_table(&before, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1");
}

CASE(user_namespace_limit, "an unprivileged user namespace is held to its table's limit, sets it for itself, and its transaction keeps no other busy")
{
	struct client root, c;

	client_open(&root);
	add(&root, "10.0.0.0/8 via 192.0.2.1");
	must(&root, NEWTABLE, 0, "max 3");
	check(!setresgid(NOBODY, NOBODY, NOBODY) && !setresuid(NOBODY, NOBODY, NOBODY),
	      "cannot become nobody");
	check(!unshare(CLONE_NEWUSER | CLONE_NEWNET), "no namespaces: CONFIG_USER_NS");
	client_open(&c);
	must(&c, NEWTABLE, 0, "max 2");
	add(&c, "11.0.0.0/8 via 192.0.2.1");
	add(&c, "12.0.0.0/8 via 192.0.2.1");
	ask(&c, NEWROUTE, CREATE, "13.0.0.0/8 via 192.0.2.1");
	expect(&c, "ENOSPC '*2*'");
	datagram(&c);
	message(&c, DELROUTE, MULTI, "11.0.0.0/8");
	message(&c, NEWROUTE, MULTI | CREATE, "13.0.0.0/8 via 192.0.2.1");
	message(&c, NEWROUTE, MULTI | CREATE, "14.0.0.0/8 via 192.0.2.1");
	message(&c, DONE, MULTI, NULL);
	transmit(&c);
	expect(&c, "3 ENOSPC '*2*'");
	expect_table(&c,
		     "NEWROUTE 11.0.0.0/8 unicast via 192.0.2.1\n"
		     "NEWROUTE 12.0.0.0/8 unicast via 192.0.2.1");
	check(table_number(&root, "max", 0) == 3, "the other table's limit has changed");

	/* a transaction of its own is open, and the other table has none */
	ask(&c, DELROUTE, MULTI | BULK, NULL);
	expect(&c, "");
	ask(&root, NEWROUTE, CREATE, "11.0.0.0/8 via 192.0.2.1");
	expect(&root, "EPERM '*'");
}
