// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Every allocation that any request makes fails once. Whatever the request, it is done as
 * a whole or not at all, and the answer, if it comes, says which.
 *
 * Needs a kernel with FAULT_INJECTION and FAILSLAB, as root. Prints KTAP.
 */
#include "fault.h"

/* More than any request allocates; a loop that gets here does not end. */
#define SITES_MAX	5000

/* Answers to one request. */
struct answers {
	unsigned done; /* NLMSG_DONE or NLMSG_ERROR */
	int error;
	bool acked;
	unsigned replies;
	bool lost; /* the socket said ENOBUFS */
	uint32_t first_seq, last_seq;
};

/* A request: datagrams that are sent one after the other. */
struct scenario {
	const char *name;
	void (*build)(struct datagram *d);
	int datagrams;
	bool listen; /* the events have a listener */
};

static int datagram_nr;

/* Requests */

#define ADD	(NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL)
#define DO	(NLM_F_REQUEST | NLM_F_ACK)

static void base(struct datagram *d)
{
	static const char *const prefixes[] = {
		"0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24", "10.1.1.1/32",
		"10.1.2.0/23", "192.0.2.0/24", "203.0.113.128/25",
	};
	static const char *const prefixes6[] = {
		"::/0", "2001:db8::/32", "2001:db8:1::/48", "2001:db8:1:1::1/128",
		"2001:db8:1:1::2/128", "2001:db8:ffff:ffff:ffff::/80",
	};
	size_t i;

	for (i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		put_route(d, NL31_MSG_NEWROUTE, ADD, prefixes[i], "192.0.2.1", 10);
	for (i = 0; i < sizeof(prefixes6) / sizeof(*prefixes6); i++)
		put_route(d, NL31_MSG_NEWROUTE, ADD, prefixes6[i], "2001:db8::1", 10);
	put_route(d, NL31_MSG_NEWROUTE, DO | NLM_F_CREATE | NLM_F_APPEND, "10.0.0.0/8",
		  "192.0.2.2", 10);
	put_route(d, NL31_MSG_NEWROUTE, DO | NLM_F_CREATE | NLM_F_APPEND, "10.0.0.0/8",
		  "192.0.2.3", 20);
}

static void noop(struct datagram *d)
{
	put_message(d, NLMSG_NOOP, NLM_F_REQUEST);
}

static void greet(struct datagram *d)
{
	put_message(d, NL31_MSG_GREET, DO);
	put_attr(d, NL31_GREET_TEXT, "it's me", 7);
}

static void get_table(struct datagram *d)
{
	put_message(d, NL31_MSG_GETTABLE, DO);
}

static void get_route(struct datagram *d)
{
	put_route(d, NL31_MSG_GETROUTE, DO, "10.1.1.77", NULL, -1);
}

static void get_nothing(struct datagram *d)
{
	put_route(d, NL31_MSG_NEWROUTE, DO | NLM_F_REPLACE, "172.16.0.0/12", "192.0.2.1", 10);
}

static void dump(struct datagram *d)
{
	put_message(d, NL31_MSG_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP);
}

static void dump_atomic(struct datagram *d)
{
	put_message(d, NL31_MSG_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP | NLM_F_ATOMIC);
}

static void add(struct datagram *d)
{
	put_route(d, NL31_MSG_NEWROUTE, ADD, "10.1.1.128/25", "192.0.2.77", 10);
}

static void add_deep(struct datagram *d)
{
	put_route(d, NL31_MSG_NEWROUTE, ADD, "2001:db8:ffff:ffff:ffff::1/128", "2001:db8::77",
		  10);
}

static void add_echo(struct datagram *d)
{
	put_route(d, NL31_MSG_NEWROUTE, ADD | NLM_F_ECHO, "10.1.1.128/25", "192.0.2.77", 10);
}

static void append(struct datagram *d)
{
	put_route(d, NL31_MSG_NEWROUTE, DO | NLM_F_CREATE | NLM_F_APPEND, "10.1.0.0/16",
		  "192.0.2.77", 10);
}

static void replace(struct datagram *d)
{
	put_route(d, NL31_MSG_NEWROUTE, DO | NLM_F_CREATE | NLM_F_REPLACE, "10.0.0.0/8",
		  "192.0.2.77", 10);
}

static void change(struct datagram *d)
{
	put_route(d, NL31_MSG_NEWROUTE, DO | NLM_F_REPLACE, "2001:db8:1:1::1/128",
		  "2001:db8::77", 10);
}

static void delete(struct datagram *d)
{
	put_route(d, NL31_MSG_DELROUTE, DO, "2001:db8:1:1::1/128", NULL, -1);
}

static void delete_path(struct datagram *d)
{
	put_route(d, NL31_MSG_DELROUTE, DO, "10.0.0.0/8", "192.0.2.2", -1);
}

static void delete_bulk(struct datagram *d)
{
	put_route(d, NL31_MSG_DELROUTE, DO | NLM_F_BULK | NLM_F_ECHO, "10.0.0.0/8", NULL, 10);
}

static void delete_all(struct datagram *d)
{
	put_message(d, NL31_MSG_DELROUTE, DO | NLM_F_BULK);
}

static void set_limit(struct datagram *d)
{
	put_message(d, NL31_MSG_NEWTABLE, DO | NLM_F_ECHO);
	put_u32(d, NL31_TABLE_MAX_ROUTES, 1000);
}

static void replace_table(struct datagram *d)
{
	put_message(d, NL31_MSG_NEWTABLE, DO | NLM_F_REPLACE);
}

/* 60 changes, each answered; then a dump sees them. */
static void cascade(struct datagram *d)
{
	char prefix[32];
	int i;

	for (i = 0; i < 60; i++) {
		snprintf(prefix, sizeof(prefix), "172.16.%d.0/24", i);
		put_route(d, NL31_MSG_NEWROUTE, ADD & ~NLM_F_ACK, prefix, "192.0.2.77", i % 3);
	}
}

static void transaction(struct datagram *d)
{
	const unsigned change = NLM_F_REQUEST | NLM_F_MULTI;
	char prefix[32];
	int i;

	if (datagram_nr == 0) {
		put_message(d, NL31_MSG_NEWTABLE, change | NLM_F_REPLACE);
		put_u32(d, NL31_TABLE_MAX_ROUTES, 5000);
	}
	for (i = 0; i < 30; i++) {
		snprintf(prefix, sizeof(prefix), "172.%d.%d.0/24", 16 + datagram_nr, i);
		put_route(d, NL31_MSG_NEWROUTE, change | NLM_F_CREATE | NLM_F_EXCL, prefix,
			  "192.0.2.77", i % 3);
	}
	snprintf(prefix, sizeof(prefix), "2001:db8:%d::/64", datagram_nr);
	put_route(d, NL31_MSG_NEWROUTE, change | NLM_F_CREATE | NLM_F_EXCL, prefix,
		  "2001:db8::77", 0);
	if (datagram_nr == 2)
		put_message(d, NLMSG_DONE, NLM_F_REQUEST);
}

static void short_transaction(struct datagram *d)
{
	const unsigned change = NLM_F_REQUEST | NLM_F_MULTI;

	put_route(d, NL31_MSG_DELROUTE, change, "10.0.0.0/8", NULL, -1);
	put_route(d, NL31_MSG_NEWROUTE, change | NLM_F_CREATE | NLM_F_EXCL | NLM_F_ECHO,
		  "10.0.0.0/8", "192.0.2.77", 3);
	put_route(d, NL31_MSG_DELROUTE, change | NLM_F_BULK, "2001:db8::/32", NULL, -1);
	put_message(d, NLMSG_DONE, NLM_F_REQUEST);
}

static const struct scenario scenarios[] = {
	{ .name = "noop", .build = noop },
	{ .name = "greet", .build = greet },
	{ .name = "get_table", .build = get_table },
	{ .name = "get_route", .build = get_route },
	{ .name = "error", .build = get_nothing },
	{ .name = "dump", .build = dump },
	{ .name = "dump_atomic", .build = dump_atomic },
	{ .name = "add", .build = add },
	{ .name = "add_listened", .build = add, .listen = true },
	{ .name = "add_deep", .build = add_deep },
	{ .name = "add_echo", .build = add_echo },
	{ .name = "append", .build = append },
	{ .name = "replace", .build = replace },
	{ .name = "change", .build = change },
	{ .name = "delete", .build = delete },
	{ .name = "delete_path", .build = delete_path },
	{ .name = "delete_bulk", .build = delete_bulk },
	{ .name = "delete_bulk_listened", .build = delete_bulk, .listen = true },
	{ .name = "delete_all", .build = delete_all },
	{ .name = "delete_all_listened", .build = delete_all, .listen = true },
	{ .name = "set_limit", .build = set_limit, .listen = true },
	{ .name = "replace_table", .build = replace_table },
	{ .name = "transaction", .build = short_transaction },
	{ .name = "transaction_listened", .build = short_transaction, .listen = true },
	{ .name = "transaction_of_datagrams", .build = transaction, .datagrams = 3 },
};

/* One run */

static void count_answer(void *ctx, const struct nlmsghdr *nlh)
{
	struct answers *a = ctx;

	if (nlh->nlmsg_seq < a->first_seq || nlh->nlmsg_seq > a->last_seq)
		fail("an answer to another request came, number %u", nlh->nlmsg_seq);
	switch (nlh->nlmsg_type) {
	case NLMSG_ERROR:
		a->done++;
		a->error = ((const struct nlmsgerr *)NLMSG_DATA(nlh))->error;
		a->acked = !a->error;
		break;
	case NLMSG_DONE:
		a->done++;
		a->error = *(const int *)NLMSG_DATA(nlh);
		a->acked = a->error >= 0;
		a->error = a->error < 0 ? a->error : 0;
		break;
	default:
		a->replies++;
	}
}

/* Sends the request and reads what comes, with the @n-th allocation failing (0: none).
 * Returns whether one has failed. */
static bool run(const struct scenario *s, unsigned n, struct answers *a)
{
	static unsigned char buffer[DATAGRAM_MAX];
	static struct datagram d[8];
	int fd = open_socket(), i, count = s->datagrams ? : 1;
	bool injected, sent = true;

	memset(a, 0, sizeof(*a));
	a->first_seq = last_seq + 1;
	for (i = 0; i < count; i++) {
		d[i].size = 0;
		datagram_nr = i;
		s->build(&d[i]);
	}
	a->last_seq = last_seq;

	set_fail_nth(n);
	for (i = 0; i < count && sent; i++)
		sent = send(fd, d[i].data, d[i].size, 0) == (ssize_t)d[i].size;
	for (;;) {
		ssize_t size = receive(fd, buffer, sizeof(buffer));

		if (size < 0 && (errno == ENOBUFS || errno == ENOMEM)) {
			a->lost = true;
			continue;
		}
		if (size < 0)
			fail("allocation %u: cannot receive: %s", n, strerror(errno));
		if (!size)
			break;
		for_each_message(buffer, size, count_answer, a);
	}
	injected = n && !get_fail_nth();
	set_fail_nth(0);
	if (!sent && !injected)
		fail("allocation %u: cannot send: %s", n, strerror(errno));
	a->lost |= !sent;
	close(fd);
	return injected;
}

/* The table as it is before each run. */
static void reset(int fd, struct dump *table)
{
	static unsigned char buffer[DATAGRAM_MAX];
	static struct datagram d;
	ssize_t size;

	d.size = 0;
	put_message(&d, NL31_MSG_NEWTABLE, DO | NLM_F_REPLACE);
	put_u32(&d, NL31_TABLE_MAX_ROUTES, 4 << 20);
	base(&d);
	must_send(fd, d.data, d.size);
	while ((size = receive(fd, buffer, sizeof(buffer)))) {
		const struct nlmsghdr *nlh = (const void *)buffer;

		if (size < 0 || nlh->nlmsg_type != NLMSG_ERROR ||
		    ((const struct nlmsgerr *)NLMSG_DATA(nlh))->error)
			fail("the table cannot be set up: %s",
			     size < 0 ? strerror(errno) : error_text(nlh) ? : "?");
	}
	dump_table(fd, table);
}

static void count_event(void *ctx, const struct nlmsghdr *nlh)
{
	if (nlh->nlmsg_seq || nlh->nlmsg_pid)
		fail("an event with sequence number %u, port %u", nlh->nlmsg_seq,
		     nlh->nlmsg_pid);
	++*(unsigned *)ctx;
}

/* How many events have come; @lost: whether the socket said that some have not. */
static unsigned take_events(int fd, bool *lost)
{
	static unsigned char buffer[DATAGRAM_MAX];
	unsigned events = 0;
	ssize_t size;

	*lost = false;
	while ((size = receive(fd, buffer, sizeof(buffer)))) {
		if (size < 0 && errno != ENOBUFS)
			fail("cannot receive events: %s", strerror(errno));
		if (size < 0)
			*lost = true;
		else
			for_each_message(buffer, size, count_event, &events);
	}
	return events;
}

static void test_scenario(const struct scenario *s)
{
	struct dump before = { 0 }, after = { 0 }, now = { 0 };
	int fd = open_socket(), listener = -1, group = NL31_GRP_ROUTE;
	unsigned n, unchanged = 0, changed = 0, lost = 0, want_events = 0;
	struct answers want, got;
	bool events_lost;

	testing = s->name;
	if (s->listen) {
		listener = open_socket();
		if (setsockopt(listener, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
			       sizeof(group)))
			fail("cannot join the group: %s", strerror(errno));
	}
	reset(fd, &before);
	if (s->listen)
		take_events(listener, &events_lost);
	run(s, 0, &want);
	if (s->listen)
		want_events = take_events(listener, &events_lost);
	if (want.done != 1 || want.lost)
		fail("%u answers without a fault", want.done);
	dump_table(fd, &after);

	for (n = 1; n < SITES_MAX; n++) {
		bool injected;

		reset(fd, &before);
		if (s->listen)
			take_events(listener, &events_lost);
		injected = run(s, n, &got);
		dump_table(fd, &now);
		if (s->listen) {
			unsigned events = take_events(listener, &events_lost);
			bool done = got.acked || !same_table(&now, &before);

			if (done && events != want_events && !events_lost)
				fail("allocation %u: events are missing without an error", n);
			if (got.error && events)
				fail("allocation %u: events of what was refused", n);
		}

		if (got.done > 1)
			fail("allocation %u: %u answers", n, got.done);
		if (!got.done && !injected)
			fail("allocation %u: no answer, though nothing failed", n);
		if (!same_table(&now, &before) && !same_table(&now, &after))
			fail("allocation %u: the table has %u paths, neither as before (%u) nor as asked (%u)",
			     n, now.paths, before.paths, after.paths);
		if (got.acked && want.acked && !same_table(&now, &after))
			fail("allocation %u: acknowledged but not done", n);
		if (got.error && !same_table(&now, &before))
			fail("allocation %u: error %d but done", n, got.error);
		if (got.error && got.error != want.error && got.error != -ENOMEM &&
		    got.error != -ENOBUFS)
			fail("allocation %u: error %d", n, got.error);
		if (got.acked && !got.lost && got.replies != want.replies)
			fail("allocation %u: %u replies instead of %u without an error", n,
			     got.replies, want.replies);
		if (!injected)
			break;
		unchanged += got.error == -ENOMEM || got.error == -ENOBUFS;
		changed += !got.error && got.done;
		lost += !got.done;
	}
	if (n == SITES_MAX)
		fail("still allocates after %u failures", n);
	if (n == 1)
		fail("nothing was injected: is there FAILSLAB?");
	printf("# %s: figure sites=%u refused=%u served=%u answer_lost=%u\n", s->name, n - 1,
	       unchanged, changed, lost);
	passed();
	close(fd);
	if (s->listen)
		close(listener);
	free(before.data);
	free(after.data);
	free(now.data);
}

/* Of a cascade, each change is done or refused by itself. */
static void test_cascade(void)
{
	static const struct scenario s = { .name = "cascade", .build = cascade };
	struct dump before = { 0 }, now = { 0 };
	unsigned n, refused = 0;
	int fd = open_socket();
	struct answers got;

	testing = s.name;
	for (n = 1; n < SITES_MAX; n++) {
		bool injected;

		reset(fd, &before);
		injected = run(&s, n, &got);
		dump_table(fd, &now);
		/* one failure costs one change at the most, and without acks it is told;
		 * or it was the sender's own, and nothing was sent */
		if (got.lost && same_table(&now, &before))
			continue;
		if (now.paths + 1 < before.paths + 60)
			fail("allocation %u: %u of 60 changes", n, now.paths - before.paths);
		if (now.paths + got.done != before.paths + 60 && !got.lost)
			fail("allocation %u: %u of 60 changes, %u errors", n,
			     now.paths - before.paths, got.done);
		refused += got.done;
		if (!injected)
			break;
	}
	if (n == 1 || n == SITES_MAX || !refused)
		fail("%u failures, %u refused", n, refused);
	printf("# cascade: figure sites=%u refused=%u\n", n - 1, refused);
	passed();
	close(fd);
	free(before.data);
	free(now.data);
}

int main(void)
{
	size_t i, count = sizeof(scenarios) / sizeof(*scenarios);

	set_up_system();
	printf("KTAP version 1\n1..%zu\n", count + 1);
	testing = "set_up";
	set_up_faults();
	for (i = 0; i < count; i++)
		test_scenario(&scenarios[i]);
	test_cascade();
	finish(0);
}
