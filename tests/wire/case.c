// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Runs the cases and prints what became of them in KTAP, the kernel's Test Anything Protocol. With
 * arguments, only those whose names they match; with --examples, shows messages instead.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fnmatch.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"
#include "examples.h"

static struct wire_case *cases, **cases_end = &cases;

void case_add(struct wire_case *c)
{
	*cases_end = c;
	cases_end = &c->next;
}

void fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	printf("# %s:%d: ", file, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	_exit(1);
}

static void diagnose(const char *what, const char *lines)
{
	printf("# %s:\n", what);
	while (*lines) {
		int len = strcspn(lines, "\n");

		printf("#   %.*s\n", len, lines);
		lines += len + (lines[len] == '\n');
	}
}

bool lines_match(const char *want, const char *got)
{
	char *patterns = strdup(want), *lines = strdup(got);
	char *pattern, *line, *p = patterns, *l = lines;
	bool matches;

	do {
		pattern = strsep(&p, "\n");
		line = strsep(&l, "\n");
		/* the last line may have its end or not */
		if (pattern && !*pattern && !p)
			pattern = NULL;
		if (line && !*line && !l)
			line = NULL;
		matches = pattern && line ? !fnmatch(pattern, line, 0) :
					    pattern == line;
	} while (matches && pattern);
	free(patterns);
	free(lines);
	return matches;
}

static void compare(const char *file, int line, const char *want, char *got)
{
	if (!lines_match(want, got)) {
		printf("# %s:%d:\n", file, line);
		diagnose("expected", want);
		diagnose("came", got);
		fflush(stdout);
		_exit(1);
	}
	free(got);
}

void expect_lines(const char *file, int line, struct client *c, const char *lines)
{
	compare(file, line, lines, transcript(c));
}

void done_well(const char *file, int line, struct client *c, unsigned int type,
	       unsigned int flags, const char *words)
{
	ask(c, type, flags | ACK, words);
	compare(file, line, "ACK", transcript(c));
}

void expect_routes(const char *file, int line, struct client *c, const char *lines)
{
	char *want;

	if (asprintf(&want, "%s%sDONE 0", lines,
		     *lines && lines[strlen(lines) - 1] != '\n' ? "\n" : "") < 0)
		err(1, "out of memory");
	ask(c, GETROUTE, DUMP, NULL);
	compare(file, line, want, transcript(c));
	free(want);
}

uint64_t table_number(struct client *c, const char *word, int which)
{
	char *lines, *at, pattern[32];
	uint64_t number;

	ask(c, GETTABLE, 0, NULL);
	lines = transcript(c);
	snprintf(pattern, sizeof(pattern), " %s ", word);
	at = strstr(lines, pattern);
	check(at, "no '%s' in: %s", word, lines);
	at += strlen(pattern);
	while (which--)
		at += strcspn(at, " ") + 1;
	number = strtoull(at, NULL, 10);
	free(lines);
	return number;
}

static bool wanted(const struct wire_case *c, char **patterns)
{
	if (!*patterns)
		return true;
	for (; *patterns; patterns++)
		if (!fnmatch(*patterns, c->name, 0))
			return true;
	return false;
}

/* Paths over a device that is down say so: those of the cases are over the loopback device. */
static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		err(1, "cannot bring the loopback device up");
	close(fd);
}

static bool run(const struct wire_case *c)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		if (unshare(CLONE_NEWNET))
			err(1, "no network namespace: run as root, with CONFIG_NET_NS");
		loopback_up();
		c->run();
		fflush(stdout);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) < 0)
		err(1, "waitpid");
	if (WIFSIGNALED(status))
		printf("# ended by signal %d\n", WTERMSIG(status));
	return !status;
}

int main(int argc, char **argv)
{
	unsigned int count = 0, number = 0, failed = 0;
	struct wire_case *c;

	if (argc > 1 && !strcmp(argv[1], "--examples")) {
		examples();
		return 0;
	}
	for (c = cases; c; c = c->next)
		count += wanted(c, argv + 1);
	if (!count)
		errx(1, "no case has a name like this");
	printf("KTAP version 1\n1..%u\n", count);
	for (c = cases; c; c = c->next) {
		bool good;

		if (!wanted(c, argv + 1))
			continue;
		good = run(c);
		failed += !good;
		printf("%s %u %s - %s\n", good ? "ok" : "not ok", ++number,
		       c->name, c->says);
	}
	printf("# %u of %u cases failed\n", failed, count);
	return failed ? 1 : 0;
}
