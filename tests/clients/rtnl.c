// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Nothing that a sender does makes the rest of the machine wait for RTNL: a link goes
 * down and up in a namespace of its own, first alone, then beside senders who do their
 * worst. They have no privileges, or those over a namespace of their own.
 *
 * Needs dummy devices and user namespaces, as root. Prints KTAP. Time is never asserted
 * by itself: the bound is BOUND_MS more than the same loop takes beside as many
 * processes that only spin.
 */
#include "process.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/resource.h>
#include <time.h>

#define PROCESSES	16
#define SOCKETS		20000
#define ROUNDS		100
#define BOUND_MS	100

/*
 * Among 16 busy processes on two processors the turn of this one takes 270 to 770 ms to come,
 * by chance. A change that waits for the senders waits in each try.
 */
#define TRIES		5

/* Most messages of the smallest kind in a datagram of the default send buffer. */
#define MESSAGES	(200000 / NLMSG_HDRLEN)

static struct datagram out;
static unsigned char in[1 << 16];

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

/* Links */

static int link_socket(void)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || connect(fd, (struct sockaddr *)&kernel, sizeof(kernel)))
		fail("no socket of rtnetlink: %s", strerror(errno));
	return fd;
}

static void put_link(unsigned flags, unsigned index, bool up)
{
	struct ifinfomsg link = {
		.ifi_index = index,
		.ifi_flags = up ? IFF_UP : 0,
		.ifi_change = IFF_UP,
	};

	out.size = 0;
	put_message(&out, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | flags);
	memcpy(out.data + out.size, &link, sizeof(link));
	out.size += sizeof(link);
	last_message(&out)->nlmsg_len = out.size;
}

static void request_link(int fd)
{
	const struct nlmsghdr *nlh = (const void *)in;
	ssize_t size;

	must_send(fd, out.data, out.size);
	size = recv(fd, in, sizeof(in), 0);
	if (size <= 0 || nlh->nlmsg_type != NLMSG_ERROR ||
	    ((const struct nlmsgerr *)NLMSG_DATA(nlh))->error)
		fail("the link does not change");
}

static unsigned add_device(int fd)
{
	struct {
		struct nlattr kind;
		char name[8];
	} info = {
		.kind = { .nla_len = sizeof(info.kind) + 6, .nla_type = IFLA_INFO_KIND },
		.name = "dummy",
	};

	put_link(NLM_F_CREATE | NLM_F_EXCL, 0, false);
	put_attr(&out, IFLA_IFNAME, "rtnl0", 6);
	put_attr(&out, IFLA_LINKINFO, &info, sizeof(info));
	request_link(fd);
	return if_nametoindex("rtnl0");
}

/* The longest that one change of the link takes, in ms. */
static double longest_change(int fd, unsigned index)
{
	double longest = 0;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		double begin = now_ms();

		put_link(0, index, i % 2);
		request_link(fd);
		begin = now_ms() - begin;
		if (begin > longest)
			longest = begin;
		usleep(10000);
	}
	return longest;
}

/* Senders */

static void spin(int nr)
{
	(void)nr;
	for (;;)
		;
}

static void drop_privileges(void)
{
	if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		fail("cannot become nobody: %s", strerror(errno));
}

static int plain_socket(unsigned port)
{
	struct sockaddr_nl own = { .nl_family = AF_NETLINK, .nl_pid = port };
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NL31);

	if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(own)) ||
	    connect(fd, (struct sockaddr *)&kernel, sizeof(kernel)))
		fail("cannot open socket %u: %s", port, strerror(errno));
	return fd;
}

/* What the kernel has said does not fill the sender's buffer, and is not looked at. */
static void drain(int fd)
{
	while (recv(fd, in, sizeof(in), MSG_DONTWAIT) > 0 || errno == ENOBUFS)
		if (errno == ENOBUFS)
			errno = 0;
}

/*
 * Nobody: a share of the sockets, whose port ids are alike in their lower bits, begins a
 * transaction on each, then sends datagrams full of what might look for one.
 */
static void nobody(int nr)
{
	enum { SHARE = SOCKETS / PROCESSES };
	static int fd[SHARE];
	unsigned i;

	drop_privileges();
	for (i = 0; i < SHARE; i++) {
		fd[i] = plain_socket((nr * SHARE + i + 1) << 12);
		out.size = 0;
		put_message(&out, NLMSG_NOOP, NLM_F_REQUEST | NLM_F_MULTI);
		must_send(fd[i], out.data, out.size);
		drain(fd[i]);
	}
	out.size = 0;
	for (i = 0; i < MESSAGES; i++)
		put_message(&out, i % 2 ? NLMSG_NOOP : NLMSG_DONE, NLM_F_REQUEST | NLM_F_MULTI);
	for (i = 0;; i = (i + 1) % SHARE) {
		send(fd[i], out.data, out.size, 0);
		drain(fd[i]);
	}
}

/* The owner of a namespace: lists of all the paths that a prefix can have, all the time. */
static void owner(int nr)
{
	char gateway[32];
	int fd, i;

	drop_privileges();
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		fail("no user namespace: %s", strerror(errno));
	fd = plain_socket(0);
	for (i = 0; i < NL31_PATHS_MAX; i++) {
		out.size = 0;
		snprintf(gateway, sizeof(gateway), "192.0.%d.%d", nr, i + 1);
		put_route(&out, NL31_MSG_NEWROUTE, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_APPEND,
			  "10.0.0.0/8", gateway, -1);
		must_send(fd, out.data, out.size);
	}
	out.size = 0;
	while (out.size < 180000) {
		/* the last one goes and comes */
		put_route(&out, NL31_MSG_DELROUTE, NLM_F_REQUEST, "10.0.0.0/8", gateway, -1);
		put_route(&out, NL31_MSG_NEWROUTE, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_APPEND,
			  "10.0.0.0/8", gateway, -1);
	}
	for (;;) {
		send(fd, out.data, out.size, 0);
		drain(fd);
	}
}

static double beside(void (*sender)(int nr), int rtnl, unsigned index)
{
	pid_t pid[PROCESSES];
	double longest;
	int i;

	for (i = 0; i < PROCESSES; i++) {
		pid[i] = spawn(i % 2);
		if (!pid[i]) {
			sender(i);
			_exit(1);
		}
	}
	/* all of them are busy */
	sleep(5);
	longest = longest_change(rtnl, index);
	for (i = 0; i < PROCESSES; i++)
		end(pid[i]);
	return longest;
}

/* Each try has its own comparison: the machine under the guest is not always as busy. */
static void try(const char *name, void (*sender)(int nr), int rtnl, unsigned index)
{
	double longest, alone;
	int i;

	testing = name;
	for (i = 0; i < TRIES; i++) {
		alone = beside(spin, rtnl, index);
		longest = beside(sender, rtnl, index);
		printf("# %s: figure longest_ms=%.1f longest_without_ms=%.1f\n", testing, longest,
		       alone);
		if (longest <= alone + BOUND_MS)
			break;
	}
	if (i == TRIES)
		fail("a link waited %.1f ms, without the senders %.1f ms", longest, alone);
	passed();
}

int main(void)
{
	struct rlimit files = { SOCKETS + 100, SOCKETS + 100 };
	unsigned index;
	int rtnl;

	set_up_system();
	printf("KTAP version 1\n1..2\n");
	testing = "set_up";
	if (setrlimit(RLIMIT_NOFILE, &files))
		fail("too few files: %s", strerror(errno));
	if (unshare(CLONE_NEWNET))
		fail("no namespace: %s", strerror(errno));
	rtnl = link_socket();
	index = add_device(rtnl);
	try("nobody", nobody, rtnl, index);
	try("owner", owner, rtnl, index);
	finish(0);
}
