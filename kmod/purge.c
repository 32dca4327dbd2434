// SPDX-License-Identifier: GPL-2.0-only
/*
 * Removing the paths whose device has gone.
 *
 * The netdevice event marks the device and queues a work item, which walks the
 * table in slices. Each slice is an ordinary edit with events and a generation of
 * its own, and the table's lock is released between them. Until its slice is
 * published a path is an ordinary path to dumps; lookups pass over it.
 */
#include <linux/jiffies.h>

#include "purge.h"

/* Prefixes looked at with the table's lock held. */
#define PURGE_SLICE	1024

/* Taken from the trie at a time. */
#define PURGE_CHUNK	8

/* Try again where memory is short. */
#define PURGE_RETRY	HZ

static bool has_dead_path(const struct nl31_path_list *list)
{
	unsigned int i;

	for (i = 0; i < list->count; i++)
		if (nl31_path_is_dead(&list->path[i]))
			return true;
	return false;
}

static int purge_prefix(struct nl31_purge *purge, const struct lpm_entry *entry)
{
	struct nl31_table *t = purge->table;
	struct nl31_path_list *list;
	struct nl31_path_key key;

	list = nl31_path_list_by_id(&t->path_lists, entry->value);
	if (!has_dead_path(list))
		return 0;
	nl31_path_key_living(&key, list);
	return nl31_edit_set(t, purge->family, &entry->key, list, &key);
}

/*
 * Go on in the trie of purge->family of the current version, while the edit makes
 * the next one. Returns whether its end was reached, or an error.
 */
static int purge_family(struct nl31_purge *purge, unsigned int *budget)
{
	const struct lpm *trie;
	struct lpm_entry entry[PURGE_CHUNK];
	unsigned int i, count;
	struct lpm_iter it;
	int err;

	trie = &nl31_table_current(purge->table)->trie[purge->family];
	nl31_lpm_iter_start(&it, trie, purge->has_cursor ? &purge->cursor : NULL,
			    purge->has_cursor);
	do {
		count = nl31_lpm_iter_fill(&it, entry, PURGE_CHUNK);
		for (i = 0; i < count; i++) {
			err = purge_prefix(purge, &entry[i]);
			if (err)
				return err;
			purge->cursor = entry[i].key;
			purge->has_cursor = true;
		}
		*budget -= min(*budget, count);
	} while (count == PURGE_CHUNK && *budget);
	return count < PURGE_CHUNK;
}

/* One slice of the walk. Returns 0 or an error. */
static int purge_slice(struct nl31_purge *purge)
{
	struct nl31_table *t = purge->table;
	unsigned int budget = PURGE_SLICE;
	int ret;

	ret = nl31_edit_begin(t);
	if (ret)
		return ret;
	while (budget && purge->is_walking) {
		ret = purge_family(purge, &budget);
		if (ret <= 0)
			break;
		purge->has_cursor = false;
		if (++purge->family == NL31_FAMILIES) {
			purge->is_walking = false;
			purge->done = purge->looks_for;
		}
	}
	/* what was removed before an error has gone */
	nl31_notify_publish(t, purge->notify);
	return min(ret, 0);
}

static bool is_due(const struct nl31_purge *purge)
{
	return purge->done != READ_ONCE(purge->table->path_lists.devices.gone);
}

static void nl31_purge_work(struct work_struct *work)
{
	struct nl31_purge *purge = container_of(to_delayed_work(work),
						struct nl31_purge, work);
	struct nl31_table *t = purge->table;
	int err = 0;

	mutex_lock(&t->lock);
	/* an edit that outlasts the lock is a transaction, whose end resumes us */
	if (nl31_edit_is_open(t) || !is_due(purge)) {
		mutex_unlock(&t->lock);
		return;
	}
	if (!purge->is_walking) {
		purge->looks_for = READ_ONCE(t->path_lists.devices.gone);
		purge->is_walking = true;
		purge->has_cursor = false;
		purge->family = 0;
	}
	err = purge_slice(purge);
	mutex_unlock(&t->lock);
	if (err || is_due(purge))
		queue_delayed_work(system_unbound_wq, &purge->work,
				   err ? PURGE_RETRY : 0);
}

/**
 * nl31_purge_resume - go on with a purge that a transaction has held up
 * @purge: the purge
 *
 * Context: the table's lock, no edit in progress
 */
void nl31_purge_resume(struct nl31_purge *purge)
{
	if (is_due(purge))
		mod_delayed_work(system_unbound_wq, &purge->work, 0);
}

void nl31_purge_init(struct nl31_purge *purge, struct nl31_table *t,
		     const struct nl31_notify *notify)
{
	purge->table = t;
	purge->notify = notify;
	INIT_DELAYED_WORK(&purge->work, nl31_purge_work);
	t->path_lists.devices.purge = &purge->work;
}

/* Context: no device events and no requests come any more */
void nl31_purge_exit(struct nl31_purge *purge)
{
	cancel_delayed_work_sync(&purge->work);
}
