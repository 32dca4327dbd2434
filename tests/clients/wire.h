/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Protocol 31 as bytes, written from the ABI's header alone: what the clients that
 * torment the kernel share. They run as the only process of a kernel, too.
 */
#ifndef NL31_TEST_WIRE_H
#define NL31_TEST_WIRE_H

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nl31.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* A test that fails ends the program, and with it the kernel that it is init of. */
static const char *testing = "start";
static int tests_done;

static void finish(int status)
{
	fflush(stdout);
	if (getpid() == 1)
		reboot(RB_POWER_OFF);
	exit(status);
}

__attribute__((format(printf, 1, 2), noreturn))
static void fail(const char *format, ...)
{
	va_list args;

	printf("# %s: ", testing);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\nnot ok %d %s\n", ++tests_done, testing);
	finish(1);
	__builtin_unreachable();
}

static void passed(void)
{
	printf("ok %d %s\n", ++tests_done, testing);
	fflush(stdout);
}

static __attribute__((unused)) void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		fail("cannot write %s to %s: %s", text, path, strerror(errno));
	close(fd);
}

/* As init: what the tests need of the system. */
static void set_up_system(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (getpid() != 1)
		return;
	mkdir("/proc", 0755);
	mkdir("/debug", 0755);
	if (mount("proc", "/proc", "proc", 0, NULL))
		fail("cannot mount /proc: %s", strerror(errno));
	/* in a kernel that cannot inject faults there is none */
	if (mount("debugfs", "/debug", "debugfs", 0, NULL) && errno != ENODEV)
		fail("cannot mount /debug: %s", strerror(errno));
}

/* Messages */

#define DATAGRAM_MAX	(256 * 1024)

struct datagram {
	_Alignas(8) unsigned char data[DATAGRAM_MAX];
	size_t size;
	size_t last; /* where its last message begins */
};

static uint32_t last_seq;

static struct nlmsghdr *last_message(struct datagram *d)
{
	return (struct nlmsghdr *)(d->data + d->last);
}

static void put_message(struct datagram *d, unsigned type, unsigned flags)
{
	struct nlmsghdr *nlh;

	d->size = NLMSG_ALIGN(d->size);
	d->last = d->size;
	nlh = last_message(d);
	memset(nlh, 0, sizeof(*nlh));
	nlh->nlmsg_len = sizeof(*nlh);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = flags;
	nlh->nlmsg_seq = ++last_seq;
	d->size += sizeof(*nlh);
}

static void put_attr(struct datagram *d, unsigned type, const void *data, size_t size)
{
	struct nlattr attr = { .nla_len = sizeof(attr) + size, .nla_type = type };
	struct nlmsghdr *nlh = last_message(d);

	if (d->size + sizeof(attr) + NLMSG_ALIGN(size) > sizeof(d->data))
		fail("a datagram grew too large");
	memcpy(d->data + d->size, &attr, sizeof(attr));
	memset(d->data + d->size + sizeof(attr), 0, NLMSG_ALIGN(size));
	if (size)
		memcpy(d->data + d->size + sizeof(attr), data, size);
	d->size += sizeof(attr) + NLMSG_ALIGN(size);
	nlh->nlmsg_len = d->size - d->last;
}

static __attribute__((unused)) void put_u8(struct datagram *d, unsigned type, uint8_t value)
{
	put_attr(d, type, &value, sizeof(value));
}

static __attribute__((unused)) void put_u32(struct datagram *d, unsigned type, uint32_t value)
{
	put_attr(d, type, &value, sizeof(value));
}

static void put_address(struct datagram *d, unsigned type, const char *text)
{
	unsigned char address[16];
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;

	if (inet_pton(family, text, address) != 1)
		fail("%s is not an address", text);
	put_attr(d, type, address, family == AF_INET ? 4 : 16);
}

/* "10.0.0.0/8" */
static void put_prefix(struct datagram *d, const char *text)
{
	char address[64];
	const char *slash = strchr(text, '/');

	snprintf(address, sizeof(address), "%.*s",
		 slash ? (int)(slash - text) : (int)strlen(text), text);
	put_address(d, NL31_ROUTE_DST, address);
	if (slash)
		put_u8(d, NL31_ROUTE_DST_LEN, atoi(slash + 1));
}

/* A route message; what is NULL or negative is left out. */
static __attribute__((unused)) void put_route(struct datagram *d, unsigned type, unsigned flags, const char *prefix,
		      const char *gateway, int metric)
{
	put_message(d, type, flags);
	if (prefix)
		put_prefix(d, prefix);
	if (gateway)
		put_address(d, NL31_ROUTE_GATEWAY, gateway);
	if (metric >= 0)
		put_u32(d, NL31_ROUTE_METRIC, metric);
}

/* Sockets */

static __attribute__((unused)) int open_socket(void)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int on = 1, size = 4 << 20;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NL31);

	if (fd < 0 || connect(fd, (struct sockaddr *)&kernel, sizeof(kernel)))
		fail("cannot open a socket of protocol 31: %s", strerror(errno));
	if (setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		fail("cannot set an option of the socket: %s", strerror(errno));
	return fd;
}

static void must_send(int fd, const void *data, size_t size)
{
	if (send(fd, data, size, 0) != (ssize_t)size)
		fail("cannot send %zu bytes: %s", size, strerror(errno));
}

/* The next datagram; 0 where there is none, -1 with errno. */
static ssize_t receive(int fd, void *buffer, size_t room)
{
	ssize_t size = recv(fd, buffer, room, MSG_DONTWAIT | MSG_TRUNC);

	if (size < 0 && errno == EAGAIN)
		return 0;
	if (size > (ssize_t)room)
		fail("a datagram of %zd bytes came", size);
	return size;
}

/* Calls for each message of a datagram; what it receives must be well formed. */
static void for_each_message(const void *data, size_t size,
			     void (*fn)(void *ctx, const struct nlmsghdr *nlh), void *ctx)
{
	const struct nlmsghdr *nlh = data;

	for (; NLMSG_OK(nlh, size); nlh = NLMSG_NEXT(nlh, size))
		fn(ctx, nlh);
	if (size)
		fail("a malformed datagram came");
}

/* An attribute in a message whose attributes begin at @from; NULL if it is not there. */
static const struct nlattr *find_attr(const struct nlmsghdr *nlh, size_t from, unsigned type)
{
	const unsigned char *data = (const void *)nlh;
	const struct nlattr *attr;

	for (; from + sizeof(*attr) <= nlh->nlmsg_len; from += NLMSG_ALIGN(attr->nla_len)) {
		attr = (const void *)(data + from);
		if (attr->nla_len < sizeof(*attr) || from + attr->nla_len > nlh->nlmsg_len)
			fail("a malformed attribute came");
		if (attr->nla_type == type)
			return attr;
	}
	return NULL;
}

/* The text of the extended ack, or NULL. */
static __attribute__((unused)) const char *error_text(const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *error = NLMSG_DATA(nlh);
	size_t from = NLMSG_HDRLEN + sizeof(*error);
	const struct nlattr *attr;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		from += NLMSG_ALIGN(error->msg.nlmsg_len) - sizeof(error->msg);
	attr = find_attr(nlh, from, NLMSGERR_ATTR_MSG);
	if (!attr || attr->nla_len <= sizeof(*attr) + 1)
		return NULL;
	return (const char *)(attr + 1);
}

/* The table */

/* All paths as the kernel sends them, one message's attributes behind the other's. */
struct dump {
	unsigned char *data;
	size_t size;
	size_t room;
	unsigned paths;
	bool done;
	bool interrupted;
	uint32_t seq;
};

/* The attributes of a route but for what is of the moment: generation, state, index of a name. */
static void dump_route(struct dump *dump, const struct nlmsghdr *nlh)
{
	const bool has_name = find_attr(nlh, NLMSG_HDRLEN, NL31_ROUTE_OIF_NAME);
	size_t at = NLMSG_HDRLEN;

	while (at < nlh->nlmsg_len) {
		const struct nlattr *attr = (const void *)((const char *)nlh + at);
		const size_t size = NLMSG_ALIGN(attr->nla_len);

		at += size;
		if (attr->nla_type == NL31_ROUTE_GENERATION || attr->nla_type == NL31_ROUTE_PAD ||
		    attr->nla_type == NL31_ROUTE_FLAGS ||
		    (attr->nla_type == NL31_ROUTE_OIF && has_name))
			continue;
		memcpy(dump->data + dump->size, attr, size);
		dump->size += size;
	}
}

static void dump_message(void *ctx, const struct nlmsghdr *nlh)
{
	size_t size = nlh->nlmsg_len - NLMSG_HDRLEN;
	struct dump *dump = ctx;

	if (nlh->nlmsg_seq != dump->seq || dump->done)
		fail("a message of another request came within a dump");
	dump->interrupted |= !!(nlh->nlmsg_flags & NLM_F_DUMP_INTR);
	if (nlh->nlmsg_type == NLMSG_DONE) {
		int error = *(const int *)NLMSG_DATA(nlh);

		if (error)
			fail("a dump ended with error %d", error);
		dump->done = true;
		return;
	}
	if (nlh->nlmsg_type != NL31_MSG_NEWROUTE)
		fail("a message of type %u came within a dump", nlh->nlmsg_type);
	if (dump->size + size > dump->room) {
		dump->room = 2 * (dump->size + size);
		dump->data = realloc(dump->data, dump->room);
	}
	dump_route(dump, nlh);
	dump->paths++;
}

static __attribute__((unused)) void dump_table(int fd, struct dump *dump)
{
	static unsigned char buffer[DATAGRAM_MAX];
	static struct datagram request;

	dump->size = dump->paths = 0;
	dump->done = dump->interrupted = false;
	request.size = 0;
	put_message(&request, NL31_MSG_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP);
	dump->seq = last_seq;
	must_send(fd, request.data, request.size);
	while (!dump->done) {
		ssize_t size = receive(fd, buffer, sizeof(buffer));

		if (size <= 0)
			fail("a dump stopped after %u paths: %s", dump->paths,
			     size ? strerror(errno) : "nothing comes");
		for_each_message(buffer, size, dump_message, dump);
	}
	if (dump->interrupted)
		fail("a dump was interrupted without a change");
}

static __attribute__((unused)) bool same_table(const struct dump *a, const struct dump *b)
{
	return a->size == b->size && (!a->size || !memcmp(a->data, b->data, a->size));
}

#endif
