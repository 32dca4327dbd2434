// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Measures a routing table over netlink: nl31's, or Linux's own over rtnetlink, by the same
 * requests in the same batches.
 *
 *	bench nl31|rtnetlink FILE	measure; FILE has a prefix of one family a line
 *	bench load FILE			load FILE into nl31 in one transaction
 *
 * Prints lines `MEASURE UNIT VALUE`.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/nl31.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH		500
#define MESSAGE_MAX	96
#define SINGLES		10000
#define GATEWAYS	48

struct prefix {
	unsigned char address[16];
	unsigned char len;
	bool ipv6;
};

struct table {
	bool linux_own;
	int socket;
	int listener;		/* a socket that has joined the events, or 0 */
	int device;
	uint32_t seq;
	struct prefix *prefixes;
	size_t count;
};

static char out[BATCH * MESSAGE_MAX + MESSAGE_MAX];
static char in[1 << 17];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Seconds; where the clock is too coarse, no less than one of its ticks. */
static double since(double start)
{
	double seconds;

	do
		seconds = now() - start;
	while (seconds <= 0);
	return seconds;
}

static void report(const char *measure, const char *unit, double value)
{
	printf("%s %s %.9g\n", measure, unit, value);
	fflush(stdout);
}

/* Messages */

static struct nlmsghdr *header(struct table *t, char *at, int type, int flags)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)at;

	memset(at, 0, MESSAGE_MAX);
	nlh->nlmsg_len = NLMSG_HDRLEN;
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = flags | NLM_F_REQUEST;
	nlh->nlmsg_seq = ++t->seq;
	return nlh;
}

static void put(struct nlmsghdr *nlh, int type, const void *data, size_t len)
{
	struct rtattr *attr = (struct rtattr *)((char *)nlh + nlh->nlmsg_len);

	attr->rta_type = type;
	attr->rta_len = RTA_LENGTH(len);
	memcpy(RTA_DATA(attr), data, len);
	nlh->nlmsg_len += RTA_SPACE(len);
}

enum what { ADD, DEL, GET, DUMP };

/* One request about prefix @nr; returns its length. */
static size_t request(struct table *t, char *at, enum what what, int flags, size_t nr)
{
	static const int linux_types[] = { RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE, RTM_GETROUTE };
	static const int types[] = {
		NL31_MSG_NEWROUTE, NL31_MSG_DELROUTE, NL31_MSG_GETROUTE, NL31_MSG_GETROUTE,
	};
	const struct prefix *prefix = &t->prefixes[nr];
	const size_t size = prefix->ipv6 ? 16 : 4;
	/* 192.0.2.1 and on, 2001:db8::1 and on */
	unsigned char gateway[16] = { 0x20, 0x01, 0x0d, 0xb8 };
	struct nlmsghdr *nlh;

	if (what == ADD)
		flags |= NLM_F_CREATE | NLM_F_EXCL;
	if (what == DUMP)
		flags |= NLM_F_DUMP;
	nlh = header(t, at, t->linux_own ? linux_types[what] : types[what], flags);
	if (!prefix->ipv6)
		memcpy(gateway, "\300\0\2", 3);
	gateway[size - 1] = 1 + nr % GATEWAYS;

	if (t->linux_own) {
		struct rtmsg *route = NLMSG_DATA(nlh);

		nlh->nlmsg_len += NLMSG_ALIGN(sizeof(*route));
		route->rtm_family = prefix->ipv6 ? AF_INET6 : AF_INET;
		route->rtm_table = what == GET ? 0 : RT_TABLE_MAIN;
		if (what == ADD) {
			route->rtm_protocol = RTPROT_STATIC;
			route->rtm_type = RTN_UNICAST;
			route->rtm_flags = RTNH_F_ONLINK;
		}
		if (what == GET)
			route->rtm_flags = RTM_F_FIB_MATCH;
		if (what == DEL && !prefix->ipv6)
			route->rtm_scope = RT_SCOPE_NOWHERE;
		if (what == GET)
			route->rtm_dst_len = size * 8;
		else if (what != DUMP)
			route->rtm_dst_len = prefix->len;
	}
	if (what != DUMP)
		put(nlh, t->linux_own ? (int)RTA_DST : NL31_ROUTE_DST, prefix->address, size);
	if (!t->linux_own && (what == ADD || what == DEL))
		put(nlh, NL31_ROUTE_DST_LEN, &prefix->len, 1);
	if (what == ADD) {
		put(nlh, t->linux_own ? (int)RTA_GATEWAY : NL31_ROUTE_GATEWAY, gateway, size);
		put(nlh, t->linux_own ? (int)RTA_OIF : NL31_ROUTE_OIF, &t->device, 4);
	}
	return nlh->nlmsg_len;
}

static void transmit(struct table *t, size_t len)
{
	if (send(t->socket, out, len, 0) != (ssize_t)len)
		err(1, "send");
}

/* Reads up to the end of the answer to the last request; how many messages came before. */
static size_t answer(struct table *t, bool reply_ends)
{
	size_t count = 0;

	for (;;) {
		ssize_t left = recv(t->socket, in, sizeof(in), 0);
		struct nlmsghdr *nlh = (struct nlmsghdr *)in;

		if (left < 0)
			err(1, "recv");
		for (; NLMSG_OK(nlh, left); nlh = NLMSG_NEXT(nlh, left)) {
			int error = 0;

			if (nlh->nlmsg_type == NLMSG_ERROR || nlh->nlmsg_type == NLMSG_DONE) {
				memcpy(&error, NLMSG_DATA(nlh), sizeof(error));
				if (error < 0) {
					errno = -error;
					err(1, "request %u of %u", nlh->nlmsg_seq, t->seq);
				}
				if (nlh->nlmsg_seq == t->seq)
					return count;
			} else {
				count++;
				if (reply_ends)
					return count;
			}
		}
	}
}

/* Take what has come to the listener. */
static void hear(struct table *t)
{
	while (t->listener && recv(t->listener, in, sizeof(in), MSG_DONTWAIT) > 0)
		;
}

/* All prefixes in batches, each acknowledged at its end. */
static void batches(struct table *t, enum what what)
{
	size_t nr, len = 0, filled = 0;

	for (nr = 0; nr < t->count; nr++) {
		bool last = ++filled == BATCH || nr + 1 == t->count;

		len += request(t, out + len, what, last ? NLM_F_ACK : 0, nr);
		if (last) {
			transmit(t, len);
			answer(t, false);
			hear(t);
			len = filled = 0;
		}
	}
}

/* All prefixes in one transaction. */
static void transaction(struct table *t)
{
	size_t nr, len = 0, filled = 0;

	for (nr = 0; nr < t->count; nr++) {
		len += request(t, out + len, ADD, NLM_F_MULTI, nr);
		if (++filled == BATCH || nr + 1 == t->count) {
			if (nr + 1 == t->count)
				len += header(t, out + len, NLMSG_DONE, NLM_F_MULTI)->nlmsg_len;
			transmit(t, len);
			len = filled = 0;
		}
	}
	answer(t, false);
}

/* Some prefixes spread over the table, one by one. */
static double singles(struct table *t, enum what what)
{
	size_t step = t->count / SINGLES ? t->count / SINGLES : 1, nr, count = 0;
	double start = now();

	for (nr = 0; nr < t->count; nr += step, count++) {
		transmit(t, request(t, out, what, what == GET ? 0 : NLM_F_ACK, nr));
		answer(t, what == GET);
	}
	return count / since(start);
}

static double gets(struct table *t)
{
	size_t i, nr = 0, count = 2 * SINGLES;
	double start = now();

	for (i = 0; i < count; i++) {
		transmit(t, request(t, out, GET, 0, nr));
		answer(t, true);
		/* all over the table: a prime as step */
		nr = (nr + 1000003) % t->count;
	}
	return since(start) / count * 1e6;
}

static double pings(struct table *t)
{
	size_t i, count = 2 * SINGLES;
	double start = now();

	for (i = 0; i < count; i++) {
		transmit(t, header(t, out, NLMSG_NOOP, t->linux_own ? NLM_F_ACK : 0)->nlmsg_len);
		answer(t, false);
	}
	return since(start) / count * 1e6;
}

static double dump(struct table *t)
{
	double start = now();
	size_t count;

	transmit(t, request(t, out, DUMP, 0, 0));
	count = answer(t, false);
	if (count < t->count)
		errx(1, "the dump has %zu of %zu routes", count, t->count);
	return count / since(start);
}

static void delete_all(struct table *t)
{
	if (t->linux_own) {
		/* there is no request for that */
		batches(t, DEL);
		return;
	}
	transmit(t, header(t, out, NL31_MSG_DELROUTE, NLM_F_BULK | NLM_F_ACK)->nlmsg_len);
	answer(t, false);
}

/* Memory */

static double memory_available(void)
{
	unsigned long long kib = 0;
	char line[256];
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			break;
	if (!kib)
		errx(1, "no MemAvailable in /proc/meminfo");
	fclose(f);
	return kib * 1024.0;
}

/* Wait until what was freed before is free. */
static double memory_settled(void)
{
	double before = memory_available(), after;
	int i;

	for (i = 0; i < 50; i++) {
		usleep(200000);
		after = memory_available();
		if (after - before < 65536 && before - after < 65536)
			break;
		before = after;
	}
	return after;
}

/* A number of NL31_MSG_GETTABLE. */
static double of_table(struct table *t, int type)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)in;
	struct rtattr *attr;
	uint64_t value = 0;
	int left;

	transmit(t, header(t, out, NL31_MSG_GETTABLE, 0)->nlmsg_len);
	if (recv(t->socket, in, sizeof(in), 0) < 0)
		err(1, "recv");
	attr = NLMSG_DATA(nlh);
	for (left = nlh->nlmsg_len - NLMSG_HDRLEN; RTA_OK(attr, left); attr = RTA_NEXT(attr, left))
		if (attr->rta_type == type) {
			memcpy(&value, RTA_DATA(attr), RTA_PAYLOAD(attr));
			return value;
		}
	errx(1, "GETTABLE does not tell attribute %d", type);
}

/* Setting up */

static int open_socket(int protocol)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), on = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&kernel, sizeof(kernel)))
		err(1, "no socket of protocol %d", protocol);
	if (setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)))
		err(1, "setsockopt");
	return fd;
}

/* A device that is up, and is not there for anything else. */
static int device(void)
{
	struct table t = { .linux_own = true, .socket = open_socket(NETLINK_ROUTE) };
	struct nlmsghdr *nlh = header(&t, out, RTM_NEWLINK, NLM_F_CREATE | NLM_F_ACK);
	struct ifinfomsg *link = NLMSG_DATA(nlh);
	struct rtattr *info;

	link->ifi_flags = link->ifi_change = IFF_UP;
	nlh->nlmsg_len += NLMSG_ALIGN(sizeof(*link));
	put(nlh, IFLA_IFNAME, "bench0", 7);
	info = (struct rtattr *)((char *)nlh + nlh->nlmsg_len);
	put(nlh, IFLA_LINKINFO, "", 0);
	put(nlh, IFLA_INFO_KIND, "dummy", 6);
	info->rta_len = (char *)nlh + nlh->nlmsg_len - (char *)info;
	transmit(&t, nlh->nlmsg_len);
	answer(&t, false);
	close(t.socket);
	return if_nametoindex("bench0");
}

static bool parse(char *line, struct prefix *prefix)
{
	char *slash = strchr(line, '/');

	if (!slash)
		return false;
	*slash = '\0';
	prefix->ipv6 = strchr(line, ':');
	prefix->len = atoi(slash + 1);
	return inet_pton(prefix->ipv6 ? AF_INET6 : AF_INET, line, prefix->address) == 1;
}

static void read_prefixes(struct table *t, const char *name)
{
	FILE *f = fopen(name, "r");
	size_t room = 0;
	char line[128];

	if (!f)
		err(1, "%s", name);
	while (fgets(line, sizeof(line), f)) {
		if (t->count == room) {
			room = room ? room * 2 : 4096;
			t->prefixes = realloc(t->prefixes, room * sizeof(*t->prefixes));
			if (!t->prefixes)
				err(1, "out of memory");
		}
		if (!parse(line, &t->prefixes[t->count++]))
			errx(1, "%s:%zu: no prefix", name, t->count);
	}
	fclose(f);
	if (!t->count)
		errx(1, "%s is empty", name);
}

static void measure(struct table *t)
{
	int bytes = t->prefixes->ipv6 ? NL31_TABLE_BYTES6 : NL31_TABLE_BYTES4;
	int linux_group = t->prefixes->ipv6 ? RTNLGRP_IPV6_ROUTE : RTNLGRP_IPV4_ROUTE;
	int group = t->linux_own ? linux_group : NL31_GRP_ROUTE;
	double before = memory_settled(), start;

	start = now();
	batches(t, ADD);
	report("add_batched", "routes/s", t->count / since(start));
	report("memory_available", "B/route", (before - memory_settled()) / t->count);
	if (!t->linux_own) {
		report("memory_told", "B/route", of_table(t, bytes) / t->count);
		report("memory_nexthops", "B", of_table(t, NL31_TABLE_NEXTHOP_BYTES));
	}
	report("dump", "routes/s", dump(t));
	report("get", "us", gets(t));
	report("noop", "us", pings(t));
	report("delete_acked", "routes/s", singles(t, DEL));
	report("add_acked", "routes/s", singles(t, ADD));
	start = now();
	delete_all(t);
	report("delete_all", "routes/s", t->count / since(start));

	t->listener = open_socket(t->linux_own ? NETLINK_ROUTE : NETLINK_NL31);
	if (setsockopt(t->listener, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		err(1, "cannot listen");
	start = now();
	batches(t, ADD);
	report("add_listened", "routes/s", t->count / since(start));
	close(t->listener);
	t->listener = 0;
	delete_all(t);
	if (t->linux_own)
		return;

	start = now();
	transaction(t);
	report("add_transaction", "routes/s", t->count / since(start));
	start = now();
	batches(t, DEL);
	report("delete_batched", "routes/s", t->count / since(start));
}

/* One prefix in memory at a time: what is left is the table's. */
static void load(struct table *t, const char *name)
{
	FILE *f = fopen(name, "r");
	double start = now();
	struct prefix prefix;
	size_t len = 0, filled = 0;
	char line[128];

	if (!f)
		err(1, "%s", name);
	t->prefixes = &prefix;
	while (fgets(line, sizeof(line), f)) {
		if (!parse(line, &prefix))
			errx(1, "%s: no prefix: %s", name, line);
		len += request(t, out + len, ADD, NLM_F_MULTI, 0);
		if (++filled == BATCH) {
			transmit(t, len);
			len = filled = 0;
		}
	}
	fclose(f);
	len += header(t, out + len, NLMSG_DONE, NLM_F_MULTI)->nlmsg_len;
	transmit(t, len);
	answer(t, false);
	report("load", "s", since(start));
	report("routes4", "1", of_table(t, NL31_TABLE_ROUTES4));
	report("routes6", "1", of_table(t, NL31_TABLE_ROUTES6));
	report("bytes4", "B", of_table(t, NL31_TABLE_BYTES4));
	report("bytes6", "B", of_table(t, NL31_TABLE_BYTES6));
	report("available", "B", memory_available());
}

int main(int argc, char **argv)
{
	struct table t = {};

	if (argc != 3)
		errx(2, "usage: bench nl31|rtnetlink|load FILE");
	t.linux_own = !strcmp(argv[1], "rtnetlink");
	t.socket = open_socket(t.linux_own ? NETLINK_ROUTE : NETLINK_NL31);
	t.device = if_nametoindex("bench0");
	if (!t.device)
		t.device = device();
	if (!strcmp(argv[1], "load")) {
		load(&t, argv[2]);
		return 0;
	}
	read_prefixes(&t, argv[2]);
	measure(&t);
	return 0;
}
