/* SPDX-License-Identifier: GPL-2.0-only */
/* Removing the paths whose device has gone. */
#ifndef _NL31_PURGE_H
#define _NL31_PURGE_H

#include <linux/workqueue.h>

#include "notify.h"
#include "table.h"

/**
 * struct nl31_purge - removes the paths of devices that have gone
 * @table: the table
 * @notify: where the events go
 * @work: goes on with the walk
 * @done: devices that have gone, and whose paths were removed; as
 *	nl31_devices.gone counts them
 * @looks_for: what @done is to be at the end of the walk in progress
 * @is_walking: a walk is in progress
 * @has_cursor: it goes on behind @cursor
 * @family: in the trie of this
 * @cursor: the last prefix that was looked at
 */
struct nl31_purge {
	struct nl31_table *table;
	const struct nl31_notify *notify;
	struct delayed_work work;
	u64 done;
	u64 looks_for;
	bool is_walking;
	bool has_cursor;
	enum nl31_family family;
	struct lpm_key cursor;
};

void nl31_purge_init(struct nl31_purge *purge, struct nl31_table *t,
		     const struct nl31_notify *notify);
void nl31_purge_exit(struct nl31_purge *purge);
void nl31_purge_resume(struct nl31_purge *purge);

#endif /* _NL31_PURGE_H */
