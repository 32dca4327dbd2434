/* SPDX-License-Identifier: GPL-2.0-only */
/* Filling a table with many prefixes. */
#ifndef _NL31_TEST_FILL_H
#define _NL31_TEST_FILL_H

#include "prefixes.h"

/* The gateways that the prefixes are spread over. */
#define FILL_GATEWAYS	48

void fill_table(struct kunit *test, struct nl31_table *t,
		const struct prefixes *prefixes,
		void (*gateway)(u8 *address, unsigned int nr));

#endif /* _NL31_TEST_FILL_H */
