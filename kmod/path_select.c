// SPDX-License-Identifier: GPL-2.0-only
/* Path selection. See path_select.h. */
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/hash.h>
#include <linux/log2.h>

#include "path_select.h"

/*
 * nl31_path_list.first: an index, and above it the epoch of the adjacencies in which
 * it was found; 0 for nothing found. Within an epoch paths only cease to be usable.
 * When the bits of an epoch come back after a long time, the path may not be the
 * first, but it is usable.
 */
#define INDEX_BITS	order_base_2(NL31_PATHS_MAX)
#define INDEX_MASK	(BIT(INDEX_BITS) - 1)

/**
 * nl31_path_select_next - the path that serves where the first one is not usable
 * @list: the list
 * @family: of the packet
 *
 * Looks at all paths once an epoch, and again when the one it has found fails; while
 * none is usable, each time.
 *
 * Context: RCU read side
 * Return: the first usable path, or NULL
 */
const struct nl31_path *nl31_path_select_next(struct nl31_path_list *list,
					      enum nl31_family family)
{
	const u32 epoch = nl31_adjacency_epoch(list->path[0].adjacency) << INDEX_BITS;
	const u32 first = READ_ONCE(list->first[family]);
	unsigned int i = first & INDEX_MASK;

	if (likely(i && first - i == epoch &&
		   nl31_path_is_usable(&list->path[i], family)))
		return &list->path[i];
	smp_rmb(); /* not older than the epoch: pairs with nl31_adjacencies_move_epoch() */
	for (i = 1; i < list->count; i++) {
		if (nl31_path_is_usable(&list->path[i], family)) {
			WRITE_ONCE(list->first[family], epoch | i);
			return &list->path[i];
		}
	}
	return NULL;
}

/* Of all bits of @flow, and different for each path. */
static u32 nl31_path_score(const struct nl31_path *path, u32 flow)
{
	u32 score = (flow ^ path->hash) * GOLDEN_RATIO_32;

	score ^= score >> 15;
	return score * 0x85ebca77;
}

/* The path of the highest score. */
static const struct nl31_path *
nl31_path_select_score(const struct nl31_path *first, enum nl31_family family,
		       u32 flow, bool only_usable)
{
	const struct nl31_path *end = first + first->equals, *path, *best = first;
	u32 best_score = nl31_path_score(first, flow), score;

	for (path = first + 1; path < end; path++) {
		score = nl31_path_score(path, flow);
		if (score <= best_score || !nl31_path_shares(path, first) ||
		    (only_usable && !nl31_path_is_usable(path, family)))
			continue;
		best = path;
		best_score = score;
	}
	return best;
}

/**
 * nl31_path_select_flow - the path that serves for a flow, of those that share
 * @first: the first usable path of a list
 * @family: of the packet
 * @flow: from nl31_flow_hash()
 *
 * Takes time in proportion to the paths that share. Whether they are usable is looked
 * at only where the best is not.
 *
 * Context: RCU read side
 * Return: a usable path
 */
const struct nl31_path *nl31_path_select_flow(const struct nl31_path *first,
					      enum nl31_family family, u32 flow)
{
	const struct nl31_path *path;

	path = nl31_path_select_score(first, family, flow, false);
	if (likely(nl31_path_is_usable(path, family)))
		return path;
	return nl31_path_select_score(first, family, flow, true);
}
