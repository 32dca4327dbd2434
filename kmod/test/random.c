// SPDX-License-Identifier: GPL-2.0-only
/* Random numbers of the tests, the same ones again with the same seed. */
#include <linux/moduleparam.h>

#include "random.h"

static unsigned int seed = 31;
module_param(seed, uint, 0444);
MODULE_PARM_DESC(seed, "What the random numbers of the tests come from");

/**
 * random_begin - begin a row of random numbers
 * @test: the test, whose log tells the seed
 * @random: the row
 */
void random_begin(struct kunit *test, struct rnd_state *random)
{
	kunit_info(test, "random numbers of nl31.seed=%u\n", seed);
	prandom_seed_state(random, seed);
}

u64 random_u64(struct rnd_state *random)
{
	u64 high = prandom_u32_state(random);

	return high << 32 | prandom_u32_state(random);
}
