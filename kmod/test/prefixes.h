/* SPDX-License-Identifier: GPL-2.0-only */
/* Routing tables for tests: made ones, and a real one from a file. */
#ifndef _NL31_TEST_PREFIXES_H
#define _NL31_TEST_PREFIXES_H

#include <kunit/test.h>

#include "../lpm.h"
#include "../table.h"

/* Prefixes of the made tables before duplicates are dropped. */
#define PREFIXES_MADE	280000

/* All that two bytes tell apart. */
#define PREFIXES_HOSTS	65536

/* /64 of the access networks. */
#define PREFIXES_NETS	20000

/**
 * struct prefixes - the prefixes of one family
 * @family: the family
 * @bits: of an address
 * @key: the prefixes, sorted, each once
 * @count: how many
 */
struct prefixes {
	enum nl31_family family;
	unsigned int bits;
	struct lpm_key *key;
	unsigned int count;
};

struct prefixes *prefixes_make(struct kunit *test, enum nl31_family family);
struct prefixes *prefixes_hosts(struct kunit *test, enum nl31_family family);
struct prefixes *prefixes_access(struct kunit *test, unsigned int hosts, bool net,
				 bool random);
struct prefixes *prefixes_read(struct kunit *test, enum nl31_family family);

struct lpm_key prefixes_last(const struct prefixes *p,
			     const struct lpm_key *key);
struct lpm_key prefixes_inside(const struct prefixes *p, unsigned int nr,
			       u64 random);
unsigned int *prefixes_shuffled(struct kunit *test, const struct prefixes *p);

#endif /* _NL31_TEST_PREFIXES_H */
