/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Processes that torment the kernel beside each other, on two processors. */
#ifndef NL31_TEST_PROCESS_H
#define NL31_TEST_PROCESS_H

#include "wire.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail("no processor %d: %s", cpu, strerror(errno));
}

/* A process on @cpu that goes when this one goes. */
static pid_t spawn(int cpu)
{
	const pid_t parent = getpid();
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		fail("cannot fork: %s", strerror(errno));
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* it may have gone before that */
		if (getppid() != parent)
			_exit(1);
		pin_to(cpu);
	}
	return pid;
}

/* It was to run until it is ended; or to end by itself, having found nothing. */
static __attribute__((unused)) void end(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, WNOHANG) == pid)
		fail("a process has ended with status %#x", status);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

static __attribute__((unused)) void await_success(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status)
		fail("a process has ended with status %#x", status);
}

/* Tell one byte, and wait for one. */
static __attribute__((unused)) void tell(int fd)
{
	if (write(fd, "", 1) != 1)
		fail("cannot tell: %s", strerror(errno));
}

static __attribute__((unused)) void await(int fd)
{
	char byte;

	if (read(fd, &byte, 1) != 1)
		fail("a process has gone before it said that it is ready");
}

#endif
