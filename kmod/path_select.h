/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Path selection: which of a prefix's paths serves.
 *
 * It is the first one that is usable. Nearly always that is the first of all; where
 * it is not, the list remembers which one is until a device changes.
 *
 * In a table with multipath the usable unicast paths of the same metric share the
 * load, by flows: a flow goes over the path for which it has the highest score, which
 * depends on these two alone (rendezvous hashing, Thaler and Ravishankar 1998). So
 * when a path goes only its flows move, whether its device is down or another list
 * has the other paths; and they move back.
 */
#ifndef _NL31_PATH_SELECT_H
#define _NL31_PATH_SELECT_H

#include "path_list.h"

const struct nl31_path *nl31_path_select_next(struct nl31_path_list *list,
					      enum nl31_family family);

/**
 * nl31_path_select - the path of a list that serves
 * @list: the list
 * @family: of the packet
 *
 * Context: RCU read side
 * Return: its first usable path, or NULL
 */
static inline const struct nl31_path *
nl31_path_select(struct nl31_path_list *list, enum nl31_family family)
{
	if (likely(nl31_path_is_usable(&list->path[0], family)))
		return &list->path[0];
	return nl31_path_select_next(list, family);
}

const struct nl31_path *nl31_path_select_flow(const struct nl31_path *first,
					      enum nl31_family family, u32 flow);

/**
 * nl31_path_shares - does a path serve in a table with multipath?
 * @path: a usable path
 * @first: the first usable path of its list; not behind it
 */
static inline bool nl31_path_shares(const struct nl31_path *path,
				    const struct nl31_path *first)
{
	return path < first + first->equals && path->type == first->type;
}

#endif /* _NL31_PATH_SELECT_H */
