// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Writers, dumps and lookups at the same time, on two processors.
 *
 *	contend COUNT
 *
 * COUNT says how much has to have happened at the same time before a test is content: it
 * waits for that, not for a time. Needs root. Prints KTAP.
 */
#include "process.h"

#define PREFIXES	400
#define PREFIXES6	100

/* Small, so that a dump has many parts. */
static unsigned char part[8192];

/* All of the table is of one version: the number in each gateway. */

static void put_versioned(struct datagram *d, unsigned flags, unsigned nr, uint32_t version)
{
	unsigned char address[16] = { 10, nr >> 8, nr };
	unsigned char gateway[16] = { 192, version >> 16, version >> 8, version };
	const bool six = nr >= PREFIXES;

	if (six) {
		memcpy(address, "\x20\x01\x0d\xb8\0\0", 6);
		address[6] = nr >> 8;
		address[7] = nr;
		memmove(gateway + 12, gateway, 4);
	}
	put_message(d, NL31_MSG_NEWROUTE, NLM_F_REQUEST | NLM_F_MULTI | flags);
	put_attr(d, NL31_ROUTE_DST, address, six ? 16 : 4);
	put_u8(d, NL31_ROUTE_DST_LEN, six ? 64 : 24);
	put_attr(d, NL31_ROUTE_GATEWAY, gateway, six ? 16 : 4);
}

static uint32_t version_of(const struct nlmsghdr *nlh)
{
	const struct nlattr *via = find_attr(nlh, NLMSG_HDRLEN, NL31_ROUTE_GATEWAY);
	const unsigned char *bytes;

	if (!via)
		fail("a route without a gateway");
	bytes = (const unsigned char *)via + via->nla_len - 3;
	return bytes[0] << 16 | bytes[1] << 8 | bytes[2];
}

/* One transaction: the table is of @version from now on. */
static void set_version(int fd, uint32_t version)
{
	static struct datagram d;
	const struct nlmsghdr *nlh = (const void *)part;
	bool anew = version % 2;
	unsigned nr;

	d.size = 0;
	if (anew)
		put_message(&d, NL31_MSG_NEWTABLE,
			    NLM_F_REQUEST | NLM_F_MULTI | NLM_F_REPLACE);
	for (nr = 0; nr < PREFIXES + PREFIXES6; nr++) {
		/* in several datagrams: readers get their turn between them */
		if (nr % 50 == 49) {
			must_send(fd, d.data, d.size);
			d.size = 0;
		}
		put_versioned(&d, NLM_F_CREATE | (anew ? NLM_F_EXCL : NLM_F_REPLACE), nr,
			      version);
	}
	put_message(&d, NLMSG_DONE, NLM_F_REQUEST);
	must_send(fd, d.data, d.size);
	if (receive(fd, part, sizeof(part)) <= 0 || nlh->nlmsg_type != NLMSG_DONE)
		fail("version %u was refused: %s", version,
		     nlh->nlmsg_type == NLMSG_ERROR ? error_text(nlh) : "no answer");
}

struct reading {
	uint32_t seq;
	uint32_t first, last; /* versions */
	unsigned paths;
	int error;
	bool done, interrupted;
	unsigned char key[18]; /* of the last prefix: size, address, length */
};

static void read_part(void *ctx, const struct nlmsghdr *nlh)
{
	struct reading *r = ctx;
	const struct nlattr *dst, *len;
	unsigned char key[18] = { 0 };
	uint32_t version;

	if (nlh->nlmsg_seq != r->seq)
		fail("a message of another request came within a dump");
	r->interrupted |= !!(nlh->nlmsg_flags & NLM_F_DUMP_INTR);
	if (nlh->nlmsg_type == NLMSG_DONE) {
		r->error = *(const int *)NLMSG_DATA(nlh);
		r->done = true;
		return;
	}
	if (nlh->nlmsg_type != NL31_MSG_NEWROUTE)
		fail("a message of type %u came within a dump", nlh->nlmsg_type);
	dst = find_attr(nlh, NLMSG_HDRLEN, NL31_ROUTE_DST);
	len = find_attr(nlh, NLMSG_HDRLEN, NL31_ROUTE_DST_LEN);
	if (!dst || !len)
		fail("a route without a prefix");
	key[0] = dst->nla_len - sizeof(*dst);
	memcpy(key + 1, dst + 1, key[0]);
	key[17] = *(const unsigned char *)(len + 1);
	if (memcmp(r->key, key, sizeof(key)) >= 0)
		fail("a prefix came twice, or out of order");
	memcpy(r->key, key, sizeof(key));
	version = version_of(nlh);
	if (!r->paths++)
		r->first = version;
	else if (version < r->last)
		fail("within a dump, version %u came behind %u", version, r->last);
	r->last = version;
}

static uint32_t look_up(int fd, unsigned nr);

/* Reads a dump; with @other, a socket for lookups, not on before the version has changed. */
static void read_dump(int fd, unsigned flags, struct reading *r, int other)
{
	static struct datagram request;
	ssize_t size;

	memset(r, 0, sizeof(*r));
	request.size = 0;
	put_message(&request, NL31_MSG_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP | flags);
	r->seq = last_seq;
	must_send(fd, request.data, request.size);
	while (!r->done) {
		size = receive(fd, part, sizeof(part));
		if (size <= 0)
			fail("a dump stopped after %u paths: %s", r->paths,
			     size ? strerror(errno) : "nothing comes");
		for_each_message(part, size, read_part, r);
		while (other >= 0 && !r->done && look_up(other, 0) == r->last)
			;
		other = -1;
	}
}

static uint32_t look_up(int fd, unsigned nr)
{
	const struct nlmsghdr *nlh = (const void *)part;
	static struct datagram d;
	char address[32];

	snprintf(address, sizeof(address), "10.%u.%u.77", nr >> 8, nr & 255);
	d.size = 0;
	put_route(&d, NL31_MSG_GETROUTE, NLM_F_REQUEST, address, NULL, -1);
	must_send(fd, d.data, d.size);
	if (receive(fd, part, sizeof(part)) <= 0)
		fail("a lookup has no answer");
	if (nlh->nlmsg_type != NL31_MSG_NEWROUTE)
		fail("%s was not found, though it is there all the time", address);
	return version_of(nlh);
}

/* Readers see one version after the other, and each of them whole. */
static void readers_beside_a_writer(unsigned count)
{
	unsigned interrupted = 0, whole = 0, snapshots = 0, given_up = 0, versions = 0;
	int fd = open_socket(), other = open_socket(), ready[2];
	uint32_t last = 0, version;
	struct reading r;
	pid_t writer;

	testing = "readers_beside_a_writer";
	if (pipe(ready))
		fail("no pipe: %s", strerror(errno));
	writer = spawn(0);
	if (!writer) {
		int own = open_socket();

		for (version = 1;; version++) {
			set_version(own, version);
			if (version == 1)
				tell(ready[1]);
		}
	}
	pin_to(1);
	await(ready[0]);
	while (interrupted < count || snapshots < count || versions < count) {
		bool atomic = (interrupted + whole + snapshots) % 2;

		bool wait = (interrupted + whole + snapshots) % 4 > 1;

		read_dump(fd, atomic ? NLM_F_ATOMIC : 0, &r, wait ? other : -1);
		if (wait && !atomic && !r.interrupted)
			fail("a change during a dump is not told");
		if (r.error == -ESTALE && atomic) {
			given_up++;
			continue;
		}
		if (r.error)
			fail("a dump ended with error %d", r.error);
		if (r.paths != PREFIXES + PREFIXES6)
			fail("a dump of %u paths instead of %u", r.paths, PREFIXES + PREFIXES6);
		if (r.first < last)
			fail("version %u was seen behind %u", r.first, last);
		if (r.first != r.last && (atomic || !r.interrupted))
			fail("a dump has versions %u to %u, %s", r.first, r.last,
			     atomic ? "and was to be a snapshot" : "and does not say so");
		versions += r.first != last;
		last = r.last;
		*(atomic ? &snapshots : r.interrupted ? &interrupted : &whole) += 1;

		version = look_up(fd, last % PREFIXES);
		if (version < last)
			fail("version %u was found behind %u", version, last);
		versions += version != last;
		last = version;
	}
	end(writer);
	printf("# %s: figure versions=%u interrupted=%u whole=%u snapshots=%u given_up=%u\n",
	       testing, versions, interrupted, whole, snapshots, given_up);
	passed();
	close(fd);
	close(other);
}

/* Each change is done once, whatever other writers change. */

#define OWN	64

static int change(int fd, unsigned writer, unsigned nr, bool add)
{
	const struct nlmsghdr *nlh = (const void *)part;
	static struct datagram d;
	char prefix[32];

	snprintf(prefix, sizeof(prefix), "10.%u.%u.0/24", writer, nr);
	d.size = 0;
	put_route(&d, add ? NL31_MSG_NEWROUTE : NL31_MSG_DELROUTE,
		  NLM_F_REQUEST | NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_EXCL : 0), prefix,
		  add ? "192.0.2.1" : NULL, -1);
	must_send(fd, d.data, d.size);
	if (receive(fd, part, sizeof(part)) <= 0 || nlh->nlmsg_type != NLMSG_ERROR)
		fail("a change has no answer");
	return ((const struct nlmsgerr *)NLMSG_DATA(nlh))->error;
}

/* Changes its own prefixes @count times; where @whole, two in a transaction. In the end the
 * odd ones are there. */
static void write_own(unsigned writer, unsigned count, bool whole)
{
	const struct nlmsghdr *nlh = (const void *)part;
	bool there[OWN] = { false };
	static struct datagram d;
	int fd = open_socket(), error;
	unsigned i, nr, busy = 0;
	char prefix[32];

	for (i = 0; i < count && !whole; i++) {
		nr = i * 37 % OWN;
		error = change(fd, writer, nr, !there[nr]);
		if (error == -EBUSY)
			busy++;
		else if (error)
			fail("writer %u: change %u got error %d", writer, i, error);
		else
			there[nr] = !there[nr];
	}
	for (i = 0; i < count && whole; i++) {
		d.size = 0;
		nr = i * 37 % (OWN / 2) * 2;
		for (unsigned j = nr; j < nr + 2; j++) {
			snprintf(prefix, sizeof(prefix), "10.%u.%u.0/24", writer, j);
			put_route(&d, there[j] ? NL31_MSG_DELROUTE : NL31_MSG_NEWROUTE,
				  NLM_F_REQUEST | NLM_F_MULTI |
					  (there[j] ? 0 : NLM_F_CREATE | NLM_F_EXCL),
				  prefix, there[j] ? NULL : "192.0.2.1", -1);
		}
		/* held open for others to run into */
		must_send(fd, d.data, d.size);
		sched_yield();
		d.size = 0;
		put_message(&d, NLMSG_DONE, NLM_F_REQUEST);
		must_send(fd, d.data, d.size);
		if (receive(fd, part, sizeof(part)) <= 0)
			fail("writer %u: a transaction has no answer", writer);
		if (nlh->nlmsg_type == NLMSG_DONE) {
			there[nr] = !there[nr];
			there[nr + 1] = !there[nr + 1];
		} else if (((const struct nlmsgerr *)NLMSG_DATA(nlh))->error == -EBUSY) {
			busy++;
		} else {
			fail("writer %u: transaction %u got error %d", writer, i,
			     ((const struct nlmsgerr *)NLMSG_DATA(nlh))->error);
		}
	}
	for (nr = 0; nr < OWN; nr++) {
		while (there[nr] != nr % 2) {
			error = change(fd, writer, nr, !there[nr]);
			if (error && error != -EBUSY)
				fail("writer %u: last change got error %d", writer, error);
			if (!error)
				there[nr] = !there[nr];
		}
	}
	printf("# writers_beside_each_other: figure busy_%u=%u\n", writer, busy);
	finish(0);
}

static void writers_beside_each_other(unsigned count)
{
	struct dump dump = { 0 };
	int fd = open_socket();
	static struct datagram d;
	unsigned writers = 4, i;
	pid_t pid[4];

	testing = "writers_beside_each_other";
	put_message(&d, NL31_MSG_NEWTABLE, NLM_F_REQUEST | NLM_F_REPLACE);
	must_send(fd, d.data, d.size);
	for (i = 0; i < writers; i++) {
		pid[i] = spawn(i % 2);
		if (!pid[i])
			write_own(i, 4 * count, i >= 2);
	}
	for (i = 0; i < writers; i++)
		await_success(pid[i]);
	dump_table(fd, &dump);
	if (dump.paths != writers * OWN / 2)
		fail("the table has %u paths instead of %u", dump.paths, writers * OWN / 2);
	for (i = 0; i < writers * OWN; i++) {
		uint32_t nr = i % OWN;
		int error = change(fd, i / OWN, nr, true);

		if (error != (nr % 2 ? -EEXIST : 0))
			fail("prefix %u of writer %u: error %d", nr, i / OWN, error);
	}
	passed();
	free(dump.data);
	close(fd);
}

int main(int argc, char **argv)
{
	unsigned count = argc > 1 ? atoi(argv[1]) : 0;

	set_up_system();
	if (!count) {
		printf("usage: contend COUNT\n");
		finish(2);
	}
	printf("KTAP version 1\n1..2\n");
	readers_beside_a_writer(count);
	writers_beside_each_other(count);
	finish(0);
}
