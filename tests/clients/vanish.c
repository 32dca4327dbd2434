// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Clients killed in the middle of dumps and transactions, and network namespaces that go
 * away with all that goes on in them.
 *
 *	vanish COUNT
 *
 * Needs root, and a kernel with SLUB_DEBUG, which tells how many objects there are. Prints
 * KTAP.
 */
#include "process.h"

#define CACHES		"/sys/kernel/slab/"

/* How many objects of a cache there are; -1 where there is no such cache. */
static long objects(const char *cache)
{
	char path[128];
	FILE *file;
	long count;

	/* what a kernel with KASAN keeps back of freed memory would count */
	snprintf(path, sizeof(path), CACHES "%s/shrink", cache);
	write_file(path, "1");
	snprintf(path, sizeof(path), CACHES "%s/objects", cache);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%ld", &count) != 1)
		fail("cannot read %s: is there SLUB_DEBUG?", path);
	fclose(file);
	return count;
}

/* A namespace that comes and goes, with nothing in it. */
static void pass_through_namespace(void)
{
	pid_t pid = spawn(0);

	if (!pid)
		_exit(unshare(CLONE_NEWNET));
	await_success(pid);
}

/* Wait until there is no namespace but the first. The kernel frees them by and by, and the
 * last one with the next. */
static void await_no_namespaces(void)
{
	long count = -1, least = -1;
	int still;

	for (still = 0; still < 100; still++) {
		/* this one takes a while to go, too */
		if (still % 20 == 0)
			pass_through_namespace();
		usleep(200000);
		count = objects("net_namespace");
		if (count <= 1)
			return;
		/* patient as long as something happens */
		if (least < 0 || count < least) {
			least = count;
			still = 1;
		}
	}
	fail("%ld namespaces are left", count);
}

static void put_many(struct datagram *d, unsigned flags, unsigned nr, unsigned count)
{
	char prefix[32];

	d->size = 0;
	for (; count--; nr++) {
		snprintf(prefix, sizeof(prefix), "10.%u.%u.0/24", nr >> 8 & 255, nr & 255);
		put_route(d, NL31_MSG_NEWROUTE, NLM_F_REQUEST | flags, prefix, "192.0.2.1",
			  nr >> 16);
	}
}

static struct datagram out;
static unsigned char in[8192];

static void load(int fd, unsigned count)
{
	unsigned nr;

	out.size = 0;
	put_message(&out, NL31_MSG_NEWTABLE, NLM_F_REQUEST | NLM_F_REPLACE);
	must_send(fd, out.data, out.size);
	for (nr = 0; nr < count; nr += 100) {
		put_many(&out, NLM_F_CREATE, nr, 100);
		must_send(fd, out.data, out.size);
	}
	if (receive(fd, in, sizeof(in)))
		fail("a route was refused");
}

/* Begin a dump and read its first part. It must not be all. */
static void begin_dump(int fd, unsigned flags)
{
	const struct nlmsghdr *nlh = (const void *)in;
	ssize_t size;

	do {
		out.size = 0;
		put_message(&out, NL31_MSG_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP | flags);
		must_send(fd, out.data, out.size);
		size = receive(fd, in, sizeof(in));
		/* so many changes that the snapshot was given up at once */
	} while (size > 0 && nlh->nlmsg_type == NLMSG_DONE &&
		 *(const int *)NLMSG_DATA(nlh) == -ESTALE);
	if (size <= 0 || nlh->nlmsg_type != NL31_MSG_NEWROUTE)
		fail("no dump");
	for (; NLMSG_OK(nlh, size); nlh = NLMSG_NEXT(nlh, size))
		if (nlh->nlmsg_type == NLMSG_DONE)
			fail("the dump is over too soon to be killed");
}

/* Be killed while doing this. */
static void do_until_killed(unsigned what, int ready)
{
	int fd = open_socket();
	unsigned nr;

	switch (what % 4) {
	case 0:
	case 1: /* a dump, a snapshot: begun */
		begin_dump(fd, what % 4 ? NLM_F_ATOMIC : 0);
		tell(ready);
		pause();
		break;
	case 2: /* dumps, going on */
		tell(ready);
		for (;;) {
			begin_dump(fd, what & 4 ? NLM_F_ATOMIC : 0);
			while (receive(fd, in, sizeof(in)) > 0)
				;
		}
	case 3: /* a transaction, going on; another's is in the way perhaps */
		for (nr = 0;; nr += 10) {
			put_many(&out, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_MULTI, nr, 10);
			must_send(fd, out.data, out.size);
			while (receive(fd, in, sizeof(in)) > 0)
				;
			if (!nr)
				tell(ready);
		}
	}
}

/* A table that changes all the time, for what is killed to hold old versions of. */
static void change_until_killed(void)
{
	int fd = open_socket();
	unsigned nr;

	for (nr = 0;; nr++) {
		put_many(&out, NLM_F_CREATE | NLM_F_REPLACE, nr % 1000, 1);
		out.data[out.size - 9] = nr; /* the gateway's last byte */
		must_send(fd, out.data, out.size);
		while (receive(fd, in, sizeof(in)) > 0)
			; /* EBUSY while a transaction is open */
	}
}

/* Is the table free for a change, and as large as it was? */
static void expect_usable(int fd, unsigned paths)
{
	struct dump dump = { 0 };
	int tries;

	/* a socket that is killed is closed a moment later */
	for (tries = 0;; tries++) {
		const struct nlmsghdr *nlh = (const void *)in;

		put_many(&out, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK, 0, 1);
		must_send(fd, out.data, out.size);
		if (receive(fd, in, sizeof(in)) <= 0 || nlh->nlmsg_type != NLMSG_ERROR)
			fail("a change has no answer");
		if (!((const struct nlmsgerr *)NLMSG_DATA(nlh))->error)
			break;
		if (tries == 100)
			fail("the table stays locked: %s", error_text(nlh) ? : "?");
		usleep(100000);
	}
	dump_table(fd, &dump);
	if (dump.paths != paths)
		fail("the table has %u paths instead of %u", dump.paths, paths);
	free(dump.data);
}

static void kill_hard(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		fail("a process was to be killed and ended by itself, status %#x", status);
}

static void killed_in_mid_air(unsigned count)
{
	const unsigned routes = 1000;
	int fd = open_socket(), ready[2];
	pid_t writer, victim;
	unsigned i;

	testing = "killed_in_mid_air";
	if (pipe(ready))
		fail("no pipe: %s", strerror(errno));
	load(fd, routes);
	writer = spawn(0);
	if (!writer)
		change_until_killed();
	for (i = 0; i < count; i++) {
		victim = spawn(1);
		if (!victim)
			do_until_killed(i, ready[1]);
		await(ready[0]);
		usleep(i % 5 * 1000);
		kill_hard(victim);
	}
	kill_hard(writer);
	expect_usable(fd, routes);
	passed();
	close(fd);
}

/* In a namespace of its own: a table that is loaded, dumped, in a transaction and
 * listened to. */
static void be_a_namespace(int ready)
{
	int fd, listener, group = NL31_GRP_ROUTE;
	unsigned what;

	if (unshare(CLONE_NEWNET))
		fail("no namespace: %s", strerror(errno));
	fd = open_socket();
	listener = open_socket();
	if (setsockopt(listener, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		fail("cannot join the group: %s", strerror(errno));
	load(fd, 1000);
	for (what = 0; what < 4; what++)
		if (!spawn(what % 2))
			do_until_killed(what, ready);
	if (!spawn(0))
		change_until_killed();
	pause();
}

static void namespaces_gone(unsigned count)
{
	long most = 0, now;
	unsigned i, j;
	int ready[2];

	testing = "namespaces_gone";
	await_no_namespaces();
	if (pipe(ready))
		fail("no pipe: %s", strerror(errno));
	for (i = 0; i < count; i++) {
		pid_t pid = spawn(i % 2);

		if (!pid)
			be_a_namespace(ready[1]);
		for (j = 0; j < 4; j++)
			await(ready[0]);
		now = objects("net_namespace");
		most = now > most ? now : most;
		kill_hard(pid);
	}
	/* that which the wait has left, and one at least that was in use */
	if (most < 2)
		fail("there never was a namespace more");
	await_no_namespaces();
	printf("# %s: figure most_namespaces=%ld\n", testing, most);
	passed();
}

int main(int argc, char **argv)
{
	unsigned count = argc > 1 ? atoi(argv[1]) : 0;

	set_up_system();
	if (!count) {
		printf("usage: vanish COUNT\n");
		finish(2);
	}
	printf("KTAP version 1\n1..2\n");
	killed_in_mid_air(count);
	namespaces_gone(count / 4 + 1);
	finish(0);
}
