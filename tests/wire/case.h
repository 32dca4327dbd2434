/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Cases: each a statement about the protocol, checked in a network namespace of its own. */
#ifndef CASE_H
#define CASE_H

#include "client.h"

struct wire_case {
	const char *name;
	const char *says;
	void (*run)(void);
	struct wire_case *next;
};

void case_add(struct wire_case *c);

/* CASE(name, "what the protocol promises") { … } */
#define CASE(id, statement)						\
	static void run_##id(void);					\
	static struct wire_case case_##id = {				\
		.name = #id, .says = statement, .run = run_##id,	\
	};								\
	__attribute__((constructor)) static void add_##id(void)		\
	{								\
		case_add(&case_##id);					\
	}								\
	static void run_##id(void)

/* Ends the case as failed. */
void fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4), noreturn));

#define check(condition, ...)						\
	do {								\
		if (!(condition))					\
			fail(__FILE__, __LINE__, __VA_ARGS__);		\
	} while (0)

/* Does each line match its pattern, as of fnmatch(3), and is none left over? */
bool lines_match(const char *want, const char *got);

/*
 * What has come to the client is this, line by line, and nothing else. Lines are patterns
 * as of fnmatch(3).
 */
void expect_lines(const char *file, int line, struct client *c, const char *lines);
#define expect(c, ...)	expect_lines(__FILE__, __LINE__, c, "" __VA_ARGS__)

/* Do it, and it succeeds. */
void done_well(const char *file, int line, struct client *c, unsigned int type,
	       unsigned int flags, const char *words);
#define must(...)	done_well(__FILE__, __LINE__, __VA_ARGS__)

#define add(c, words)	must(c, NEWROUTE, CREATE | EXCL, words)
#define append(c, words) must(c, NEWROUTE, CREATE | APPEND, words)

/* The routes in the table are these. */
void expect_routes(const char *file, int line, struct client *c, const char *lines);
#define expect_table(c, ...) expect_routes(__FILE__, __LINE__, c, "" __VA_ARGS__)

/* A number of what GETTABLE tells, by the word before it; @which: the nth behind it. */
uint64_t table_number(struct client *c, const char *word, int which);

#endif
