/* SPDX-License-Identifier: GPL-2.0-only */
/* Random numbers of the tests, the same ones again with the same seed. */
#ifndef _NL31_TEST_RANDOM_H
#define _NL31_TEST_RANDOM_H

#include <kunit/test.h>
#include <linux/prandom.h>

void random_begin(struct kunit *test, struct rnd_state *random);
u64 random_u64(struct rnd_state *random);

#endif /* _NL31_TEST_RANDOM_H */
