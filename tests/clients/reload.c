// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The module unloaded and loaded again under traffic, and refused to be unloaded while a
 * socket is open.
 *
 *	reload MODULE COUNT
 *
 * Needs root, and the module loaded. Prints KTAP.
 */
#include "process.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

static struct datagram out;
static unsigned char in[8192];

static int unload(void)
{
	return syscall(SYS_delete_module, "nl31", O_NONBLOCK) ? -errno : 0;
}

static int load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), error;

	if (fd < 0)
		fail("cannot open %s: %s", path, strerror(errno));
	error = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return error;
}

/* A socket, once the module is there. */
static int await_socket(void)
{
	int fd;

	while ((fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NL31)) < 0) {
		if (errno != EPROTONOSUPPORT)
			fail("no socket: %s", strerror(errno));
		usleep(1000);
	}
	return fd;
}

static void use(int fd, unsigned what, unsigned nr)
{
	char prefix[32];

	out.size = 0;
	snprintf(prefix, sizeof(prefix), "10.%u.%u.0/24", what, nr % 200);
	put_route(&out, NL31_MSG_NEWROUTE,
		  NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, prefix, "192.0.2.1",
		  -1);
	put_message(&out, NL31_MSG_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP | NLM_F_ATOMIC);
	/* left open by a process that ends */
	put_route(&out, NL31_MSG_NEWROUTE, NLM_F_REQUEST | NLM_F_MULTI | NLM_F_CREATE, "11.0.0.0/8",
		  "192.0.2.1", -1);
	must_send(fd, out.data, out.size);
	if (receive(fd, in, sizeof(in)) <= 0)
		fail("no answer: %s", strerror(errno));
}

/* Microseconds. */
static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ll + t.tv_nsec / 1000;
}

/*
 * Open a socket when one can be had, change, dump in part, go; every other process in a
 * namespace that goes soon after. Counts what got through.
 *
 * No socket is used in a namespace that is older than the module: netlink_kernel_create()
 * puts the kernel's socket of a namespace where senders find it before it is marked as the
 * kernel's, and a sender in between runs into a BUG() there, whatever the protocol.
 */
static void traffic(unsigned what, unsigned *served)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	unsigned i;

	if (home < 0)
		fail("cannot open the network namespace: %s", strerror(errno));
	for (i = 0;; i++) {
		/* the module stays as long as this is open */
		int fd = await_socket();
		int64_t begun = now();

		use(fd, what, i);
		if (what % 2) {
			int inner;

			if (unshare(CLONE_NEWNET))
				fail("no namespace: %s", strerror(errno));
			inner = open_socket();
			use(inner, what, i);
			if (setns(home, CLONE_NEWNET))
				fail("cannot go back: %s", strerror(errno));
			/* the namespace goes with its last socket, soon after this one */
			close(fd);
			close(inner);
		} else {
			close(fd);
		}
		++*served;
		/* a gap, for the module to be unloaded in */
		usleep(2 * (now() - begun));
	}
}

static void busy_while_open(void)
{
	int fd, error;

	testing = "busy_while_open";
	fd = open_socket();
	error = unload();
	/* EWOULDBLOCK is what delete_module(2) calls it */
	if (error != -EWOULDBLOCK && error != -EBUSY)
		fail("unloading with a socket open: error %d", error);
	out.size = 0;
	put_message(&out, NLMSG_NOOP, NLM_F_REQUEST);
	must_send(fd, out.data, out.size);
	if (receive(fd, in, sizeof(in)) <= 0)
		fail("no answer after an attempt to unload");
	close(fd);
	passed();
}

static void again_and_again(const char *module, unsigned count)
{
	unsigned *served = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				-1, 0);
	unsigned i, j, refused = 0, before;
	pid_t pid[4];

	testing = "again_and_again";
	if (served == MAP_FAILED)
		fail("no memory: %s", strerror(errno));
	for (j = 0; j < 4; j++) {
		pid[j] = spawn(j % 2);
		if (!pid[j])
			traffic(j, &served[j]);
	}
	for (i = 0; i < count; i++) {
		int error;

		/* each is the one that has to have used it in its turn */
		j = i % 4;
		before = __atomic_load_n(&served[j], __ATOMIC_RELAXED);
		while (__atomic_load_n(&served[j], __ATOMIC_RELAXED) == before) {
			if (waitpid(-1, NULL, WNOHANG))
				fail("a client has gone");
			usleep(1000);
		}
		while ((error = unload())) {
			if (error != -EWOULDBLOCK && error != -EBUSY)
				fail("unloading %u: error %d", i, error);
			refused++;
			usleep(1000);
		}
		error = load(module);
		if (error)
			fail("loading %u: error %d", i, error);
	}
	for (j = 0; j < 4; j++)
		end(pid[j]);
	printf("# %s: figure loaded=%u refused_meanwhile=%u served=%u\n", testing, count, refused,
	       served[0] + served[1] + served[2] + served[3]);
	passed();
}

int main(int argc, char **argv)
{
	unsigned count = argc > 2 ? atoi(argv[2]) : 0;

	set_up_system();
	if (!count) {
		printf("usage: reload MODULE COUNT\n");
		finish(2);
	}
	printf("KTAP version 1\n1..2\n");
	busy_while_open();
	again_and_again(argv[1], count);
	finish(0);
}
