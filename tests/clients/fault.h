/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Allocations that fail on purpose (Documentation/fault-injection in the kernel's
 * source): the nth one that this thread makes.
 */
#ifndef NL31_TEST_FAULT_H
#define NL31_TEST_FAULT_H

#include "wire.h"

static int fail_nth_fd;

static void set_up_faults(void)
{
	/* those that may sleep too */
	write_file("/debug/failslab/ignore-gfp-wait", "N");
	write_file("/debug/failslab/verbose", "0");
	fail_nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fail_nth_fd < 0)
		fail("cannot open fail-nth: %s", strerror(errno));
}

/* From now on the @n-th allocation fails; 0: none. */
static void set_fail_nth(unsigned n)
{
	char text[16];
	int size = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(fail_nth_fd, text, size, 0) != size)
		fail("cannot write fail-nth: %s", strerror(errno));
}

/* 0 once it has failed. */
static unsigned get_fail_nth(void)
{
	char text[16] = "";

	if (pread(fail_nth_fd, text, sizeof(text) - 1, 0) <= 0)
		fail("cannot read fail-nth: %s", strerror(errno));
	return atoi(text);
}

#endif
