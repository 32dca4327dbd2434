// SPDX-License-Identifier: GPL-2.0-only
/* Filling a table with many prefixes. */
#include <kunit/test.h>

#include "../notify.h"
#include "../route.h"
#include "fill.h"

/* Prefixes of an edit. */
#define BATCH	1000

/*
 * Each prefix gets one path, by one of FILL_GATEWAYS gateways: @gateway writes the
 * address of the one with this number, in network byte order.
 */
void fill_table(struct kunit *test, struct nl31_table *t,
		const struct prefixes *prefixes,
		void (*gateway)(u8 *address, unsigned int nr))
{
	const unsigned int *order = prefixes_shuffled(test, prefixes);
	struct nl31_path_key *paths = kunit_kzalloc(test, sizeof(*paths),
						    GFP_KERNEL);
	struct nl31_path path = {
		.type = NL31_TYPE_UNICAST,
		.gateway_len = prefixes->bits / 8,
	};
	struct nl31_notify no_listener = {};
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, paths);
	paths->count = 1;
	paths->path[0] = &path;
	mutex_lock(&t->lock);
	for (i = 0; i < prefixes->count; i++) {
		gateway(path.gateway, order[i] % FILL_GATEWAYS);
		nl31_path_seal(&path);
		if (nl31_edit_begin(t) ||
		    nl31_edit_set(t, prefixes->family, &prefixes->key[order[i]],
				  NULL, paths))
			break;
		if (i % BATCH == 0 || i == prefixes->count - 1)
			nl31_notify_publish(t, &no_listener);
	}
	mutex_unlock(&t->lock);
	KUNIT_ASSERT_EQ(test, i, prefixes->count);
}
