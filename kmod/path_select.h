/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Path selection: which of a prefix's paths serves.
 *
 * It is the first one that is usable. Nearly always that is the first of all; where
 * it is not, the list remembers which one is until a device changes.
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

#endif /* _NL31_PATH_SELECT_H */
