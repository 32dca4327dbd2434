// SPDX-License-Identifier: GPL-2.0-only
/* What differs between two versions of a trie. See lpm_node.h for the layout. */
#include <linux/sched.h>

#include "lpm_node.h"

/**
 * nl31_lpm_diff - compare two versions of a trie
 * @old: the one
 * @new: the other
 * @fn: called in order for each prefix whose values differ, LPM_NO_VALUE
 *	standing for its absence; a non-zero return ends the walk
 * @ctx: passed to @fn
 *
 * Nodes that both versions share are not looked into, so the cost is that of
 * the change, not of the table.
 *
 * Context: process; calls cond_resched()
 * Return: what @fn returned last, or 0
 */
int nl31_lpm_diff(const struct lpm *old, const struct lpm *new, nl31_lpm_diff_fn fn,
		  void *ctx)
{
	unsigned int steps = 0;
	struct lpm_iter a, b;
	int err = 0;

	if (old->root == new->root)
		return 0;
	nl31_lpm_iter_start(&a, old, NULL, false);
	nl31_lpm_iter_start(&b, new, NULL, false);
	while (!err) {
		bool more_a = nl31_lpm_iter_peek(&a);
		bool more_b = nl31_lpm_iter_peek(&b);
		int cmp;

		if (!(++steps % LPM_CHUNK))
			cond_resched();
		if (!more_a && !more_b)
			break;
		if (!more_a || !more_b)
			cmp = more_a ? -1 : 1;
		else
			cmp = nl31_lpm_key_cmp(&a.key, &b.key);

		if (more_a && more_b && a.below && a.below == b.below) {
			nl31_lpm_iter_skip(&a);
			nl31_lpm_iter_skip(&b);
		} else if (more_a && a.below && cmp <= 0) {
			nl31_lpm_iter_enter(&a);
		} else if (more_b && b.below && cmp >= 0) {
			nl31_lpm_iter_enter(&b);
		} else if (cmp < 0) {
			err = fn(ctx, &a.key, a.value, LPM_NO_VALUE);
			nl31_lpm_iter_skip(&a);
		} else if (cmp > 0) {
			err = fn(ctx, &b.key, LPM_NO_VALUE, b.value);
			nl31_lpm_iter_skip(&b);
		} else {
			if (a.value != b.value)
				err = fn(ctx, &a.key, a.value, b.value);
			nl31_lpm_iter_skip(&a);
			nl31_lpm_iter_skip(&b);
		}
	}
	return err;
}
