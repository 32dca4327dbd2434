// SPDX-License-Identifier: GPL-2.0-only
/* Path selection. See path_select.h. */
#include <linux/bits.h>
#include <linux/compiler.h>
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
