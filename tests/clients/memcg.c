// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A sender in a memory cgroup: what it adds to the table is charged to it, and at the
 * cgroup's limit it gets ENOMEM, and nothing else happens to it or to another process.
 *
 * Needs the memory controller of cgroup2 at /cgroup, as root. Prints KTAP.
 */
#include "process.h"

#include <sys/mman.h>

#define GROUP		"/cgroup/limited"

/* Of the group; the sender itself takes a part of it. */
#define LIMIT		"393216"

#define BASE		500
#define BATCH		100
/* Some 9.5 bytes each: FEW take less than LIMIT, MANY more. */
#define FEW		20000
#define MANY		60000

/* The kernel brings a group's statistics up to date every two seconds. */
#define STATISTICS	3

static struct datagram out;
static unsigned char in[1 << 16];

static long read_number(const char *path, const char *word)
{
	FILE *file = fopen(path, "r");
	char name[64];
	long number;

	if (!file)
		fail("cannot open %s: %s", path, strerror(errno));
	if (!word) {
		if (fscanf(file, "%ld", &number) != 1)
			fail("no number in %s", path);
		fclose(file);
		return number;
	}
	while (fscanf(file, "%63s %ld", name, &number) == 2)
		if (!strcmp(name, word)) {
			fclose(file);
			return number;
		}
	fail("no %s in %s", word, path);
}

static long table_bytes(int fd)
{
	const struct nlattr *bytes;
	uint64_t value;

	out.size = 0;
	put_message(&out, NL31_MSG_GETTABLE, NLM_F_REQUEST);
	must_send(fd, out.data, out.size);
	if (receive(fd, in, sizeof(in)) <= 0)
		fail("the table does not tell about itself");
	bytes = find_attr((const void *)in, NLMSG_HDRLEN, NL31_TABLE_BYTES4);
	if (!bytes)
		fail("the table does not tell its bytes");
	memcpy(&value, bytes + 1, sizeof(value));
	return value;
}

/* Spread over the address space: hardly any share a node. */
static void put_spread(unsigned nr, unsigned flags)
{
	uint32_t address = htonl(nr * 2654435761u);

	put_message(&out, NL31_MSG_NEWROUTE, NLM_F_REQUEST | flags);
	put_attr(&out, NL31_ROUTE_DST, &address, sizeof(address));
	put_address(&out, NL31_ROUTE_GATEWAY, "192.0.2.1");
}

/* 0, or the error that has come; 1: nothing has come. */
static int answer(int fd)
{
	const struct nlmsghdr *nlh = (const void *)in;
	ssize_t size = receive(fd, in, sizeof(in));

	if (size < 0)
		fail("cannot receive: %s", strerror(errno));
	if (!size)
		return 1;
	if (nlh->nlmsg_type == NLMSG_DONE)
		return 0;
	if (nlh->nlmsg_type != NLMSG_ERROR)
		fail("an answer of type %u", nlh->nlmsg_type);
	return ((const struct nlmsgerr *)NLMSG_DATA(nlh))->error;
}

/* Adds from number @nr on, each by itself; how many until one was refused. */
static unsigned add_singly(int fd, unsigned nr, unsigned count)
{
	unsigned done;

	for (done = 0; done < count; done++) {
		int error;

		out.size = 0;
		put_spread(nr + done, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
		must_send(fd, out.data, out.size);
		error = answer(fd);
		if (error == -ENOMEM)
			break;
		if (error)
			fail("addition %u: error %d", done, error);
	}
	return done;
}

/* Adds in one transaction; the error. */
static int add_whole(int fd, unsigned nr, unsigned count)
{
	int error = 1;
	unsigned done;

	for (done = 0; done < count && error == 1; done += BATCH) {
		unsigned i;

		out.size = 0;
		for (i = 0; i < BATCH; i++)
			put_spread(nr + done + i, NLM_F_MULTI | NLM_F_CREATE | NLM_F_EXCL);
		must_send(fd, out.data, out.size);
		error = answer(fd);
	}
	out.size = 0;
	put_message(&out, NLMSG_DONE, NLM_F_REQUEST);
	must_send(fd, out.data, out.size);
	return error == 1 ? answer(fd) : error;
}

static void set_up(int fd)
{
	out.size = 0;
	put_message(&out, NL31_MSG_NEWTABLE, NLM_F_REQUEST | NLM_F_REPLACE);
	/* whatever limit the last test has left */
	put_u32(&out, NL31_TABLE_MAX_ROUTES, 1 << 22);
	must_send(fd, out.data, out.size);
	if (add_singly(fd, 0, BASE) != BASE)
		fail("no memory for %u routes", BASE);
}

static void write_pid(const char *group)
{
	char path[128], text[16];

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	snprintf(text, sizeof(text), "%d", getpid());
	write_file(path, text);
}

/* A child in the group, whose own memory is there already. */
static pid_t spawn_limited(void)
{
	pid_t pid = spawn(0);

	if (pid)
		return pid;
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		fail("cannot lock memory: %s", strerror(errno));
	write_pid(GROUP);
	return 0;
}

static void expect_none_killed(void)
{
	long killed = read_number(GROUP "/memory.events", "oom_kill");

	if (killed)
		fail("%ld processes of the group were killed", killed);
}

/* What the group is charged for when @count are added by one in it, or by another. */
static long charge(int fd, bool within, unsigned count, long *table)
{
	long charged, bytes;
	pid_t pid;

	set_up(fd);
	bytes = table_bytes(fd);
	sleep(STATISTICS);
	charged = read_number(GROUP "/memory.stat", "slab_unreclaimable");
	pid = within ? spawn_limited() : spawn(0);
	if (!pid) {
		int error = add_whole(open_socket(), BASE, count);

		if (error)
			fail("the transaction was refused: error %d", error);
		finish(0);
	}
	await_success(pid);
	*table = table_bytes(fd) - bytes;
	sleep(STATISTICS);
	return read_number(GROUP "/memory.stat", "slab_unreclaimable") - charged;
}

static void charged(int fd)
{
	long table, within, without;

	testing = "charged";
	write_file(GROUP "/memory.max", "max");
	/* what the group is still charged for later has to be below LIMIT */
	without = charge(fd, false, FEW, &table);
	within = charge(fd, true, FEW, &table);
	printf("# %s: figure table=%ld charged=%ld charged_for_others=%ld\n", testing, table,
	       within, without);
	if (within < table || without > table / 10)
		fail("of %ld bytes the sender's group was charged %ld, and another %ld", table,
		     within, without);
	set_up(fd);
	passed();
}

static void limit_on_transaction(int fd)
{
	struct dump before = { 0 }, after = { 0 };
	pid_t pid;

	testing = "limit_on_transaction";
	set_up(fd);
	dump_table(fd, &before);
	write_file(GROUP "/memory.max", LIMIT);
	pid = spawn_limited();
	if (!pid) {
		int own = open_socket(), error = add_whole(own, BASE, MANY);

		if (error != -ENOMEM)
			fail("the transaction of a poor sender got %d instead of ENOMEM", error);
		/* alive, and may go on with less */
		if (add_whole(own, BASE, BATCH))
			fail("a small transaction was refused after that");
		out.size = 0;
		put_message(&out, NL31_MSG_DELROUTE, NLM_F_REQUEST | NLM_F_BULK | NLM_F_ACK);
		must_send(own, out.data, out.size);
		if (answer(own))
			fail("deleting all was refused");
		finish(0);
	}
	await_success(pid);
	expect_none_killed();
	set_up(fd);
	dump_table(fd, &after);
	if (!same_table(&before, &after))
		fail("the same table is another one");

	/* unchanged as others see it, too */
	pid = spawn_limited();
	if (!pid)
		finish(add_whole(open_socket(), BASE, MANY) != -ENOMEM);
	await_success(pid);
	dump_table(fd, &after);
	if (!same_table(&before, &after))
		fail("the refused transaction has changed the table");
	expect_none_killed();
	passed();
	free(before.data);
	free(after.data);
}

static void limit_on_changes(int fd)
{
	unsigned *done = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			      0);
	struct dump dump = { 0 };
	pid_t pid;

	testing = "limit_on_changes";
	if (done == MAP_FAILED)
		fail("no memory: %s", strerror(errno));
	set_up(fd);
	pid = spawn_limited();
	if (!pid) {
		*done = add_singly(open_socket(), BASE, MANY);
		finish(0);
	}
	await_success(pid);
	expect_none_killed();
	dump_table(fd, &dump);
	printf("# %s: figure added=%u\n", testing, *done);
	if (*done == MANY || !*done)
		fail("%u of %u additions were done: where is the limit?", *done, MANY);
	if (dump.paths != BASE + *done)
		fail("the table has %u paths, and %u additions were acknowledged", dump.paths,
		     *done);
	/* a process outside the group goes on */
	if (add_singly(fd, BASE + *done, 1000) != 1000)
		fail("others are refused, too");
	set_up(fd);
	passed();
	free(dump.data);
}

int main(void)
{
	int fd;

	set_up_system();
	printf("KTAP version 1\n1..3\n");
	testing = "set_up";
	write_file("/cgroup/cgroup.subtree_control", "+memory");
	if (mkdir(GROUP, 0755) && errno != EEXIST)
		fail("cannot make %s: %s", GROUP, strerror(errno));
	fd = open_socket();
	charged(fd);
	limit_on_transaction(fd);
	limit_on_changes(fd);
	finish(0);
}
