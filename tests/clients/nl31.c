// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A client of protocol 31 written from the ABI's header alone, to check agent and kernel
 * by. Run in the guest:
 *
 *	nl31 dump		every path, one a line, in the kernel's order
 *	nl31 send HEX...	sends each argument as one datagram and says what came back
 *	nl31 as UID ...		the same without root's rights
 *
 * Exits with 0 unless it could not speak to the kernel at all.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <linux/nl31.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[1 << 16];

static void die(const char *what)
{
	fprintf(stderr, "nl31: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_socket(void)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int on = 1, fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_NL31);

	if (fd < 0 || connect(fd, (struct sockaddr *)&kernel, sizeof(kernel)))
		die("cannot open a socket of protocol 31");
	if (setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)))
		die("cannot set an option of the socket");
	return fd;
}

static __u32 number(const struct nlattr *attr)
{
	__u32 value = 0;

	memcpy(&value, attr + 1, attr->nla_len - sizeof(*attr));
	return value;
}

static const char *address(const struct nlattr *attr)
{
	static char text[INET6_ADDRSTRLEN];
	int family = attr->nla_len - sizeof(*attr) == 4 ? AF_INET : AF_INET6;

	return inet_ntop(family, attr + 1, text, sizeof(text));
}

static void print_route(const struct nlmsghdr *nlh)
{
	const struct nlattr *attrs[NL31_ROUTE_MAX + 1] = { NULL };
	const char *end = (const char *)nlh + nlh->nlmsg_len;
	const char *at = (const char *)(nlh + 1);

	while (at + sizeof(struct nlattr) <= end) {
		const struct nlattr *attr = (const void *)at;

		if (attr->nla_len < sizeof(*attr) || at + attr->nla_len > end)
			break;
		if (attr->nla_type <= NL31_ROUTE_MAX)
			attrs[attr->nla_type] = attr;
		at += NLMSG_ALIGN(attr->nla_len);
	}
	if (at < end || !attrs[NL31_ROUTE_DST] || !attrs[NL31_ROUTE_DST_LEN]) {
		printf("malformed\n");
		return;
	}
	printf("%s/%u", address(attrs[NL31_ROUTE_DST]), number(attrs[NL31_ROUTE_DST_LEN]));
	if (attrs[NL31_ROUTE_TYPE])
		printf(" type %u", number(attrs[NL31_ROUTE_TYPE]));
	if (attrs[NL31_ROUTE_GATEWAY])
		printf(" via %s", address(attrs[NL31_ROUTE_GATEWAY]));
	if (attrs[NL31_ROUTE_OIF])
		printf(" oif %u", number(attrs[NL31_ROUTE_OIF]));
	if (attrs[NL31_ROUTE_METRIC])
		printf(" metric %u", number(attrs[NL31_ROUTE_METRIC]));
	printf("\n");
}

/* What an NLMSG_ERROR says: code, and the extended ack's offset and text. */
static void print_error(const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *error = (const void *)(nlh + 1);
	const char *end = (const char *)nlh + nlh->nlmsg_len;
	const char *at = (const char *)(error + 1);

	printf("error %d", -error->error);
	while (nlh->nlmsg_flags & NLM_F_ACK_TLVS && at + sizeof(struct nlattr) <= end) {
		const struct nlattr *attr = (const void *)at;

		if (attr->nla_len < sizeof(*attr) || at + attr->nla_len > end)
			break;
		if (attr->nla_type == NLMSGERR_ATTR_OFFS)
			printf(" offset %u", number(attr));
		if (attr->nla_type == NLMSGERR_ATTR_MSG)
			printf(" text %.*s", (int)(attr->nla_len - sizeof(*attr) - 1),
			       (const char *)(attr + 1));
		at += NLMSG_ALIGN(attr->nla_len);
	}
	printf("\n");
}

/* Returns 0 after the end of a dump. */
static int print_message(const struct nlmsghdr *nlh)
{
	switch (nlh->nlmsg_type) {
	case NL31_MSG_NEWROUTE:
		print_route(nlh);
		return 1;
	case NLMSG_ERROR:
		print_error(nlh);
		return 0;
	case NLMSG_DONE:
		if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
			printf("interrupted\n");
		return 0;
	default:
		printf("message %u of %u bytes\n", nlh->nlmsg_type, nlh->nlmsg_len);
		return 1;
	}
}

/* Prints one datagram's messages; returns 0 after the end, -1 if there was none. */
static int receive(int fd, int flags)
{
	ssize_t length = recv(fd, buffer, sizeof(buffer), flags | MSG_TRUNC);
	const struct nlmsghdr *nlh = (const void *)buffer;
	int more = 1;

	if (length < 0 && errno == EAGAIN)
		return -1;
	if (length < 0)
		die("cannot receive");
	if ((size_t)length > sizeof(buffer))
		die("a datagram beyond 64 KiB came");
	for (; NLMSG_OK(nlh, length); nlh = NLMSG_NEXT(nlh, length))
		more = print_message(nlh);
	if (length)
		printf("malformed\n");
	return more;
}

static void dump(int fd)
{
	struct nlmsghdr request = {
		.nlmsg_len = sizeof(request),
		.nlmsg_type = NL31_MSG_GETROUTE,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		.nlmsg_seq = 1,
	};

	if (send(fd, &request, sizeof(request), 0) < 0)
		die("cannot send");
	while (receive(fd, 0) > 0)
		;
}

/* The kernel answers within send(), so that all there will be is there. */
static void send_hex(int fd, const char *hex)
{
	size_t length = strlen(hex) / 2;
	int replies = 0;

	for (size_t i = 0; i < length; i++)
		sscanf(hex + 2 * i, "%2hhx", (unsigned char *)&buffer[i]);
	if (send(fd, buffer, length, 0) < 0)
		die("cannot send");
	while (receive(fd, MSG_DONTWAIT) >= 0)
		replies++;
	if (!replies)
		printf("silence\n");
}

int main(int argc, char **argv)
{
	int fd, at = 1;

	if (argc > 3 && !strcmp(argv[1], "as")) {
		if (setgroups(0, NULL) || setgid(atoi(argv[2])) || setuid(atoi(argv[2])))
			die("cannot change the user");
		at = 3;
	}
	if (argc <= at) {
		fprintf(stderr, "usage: nl31 [as UID] dump | send HEX...\n");
		return 2;
	}
	fd = open_socket();
	if (!strcmp(argv[at], "dump"))
		dump(fd);
	else if (!strcmp(argv[at], "send"))
		while (argv[++at])
			send_hex(fd, argv[at]);
	else
		return 2;
	return fflush(stdout) ? 1 : 0;
}
