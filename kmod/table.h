/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table of a network namespace: the published version, and the edit that
 * makes the next one.
 */
#ifndef _NL31_TABLE_H
#define _NL31_TABLE_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/siphash.h>
#include <linux/spinlock.h>
#include <linux/u64_stats_sync.h>
#include <linux/workqueue.h>

#include "family.h"
#include "lpm.h"
#include "path_list.h"

/* Prefixes that a table takes until told otherwise. */
#define NL31_MAX_ROUTES_DEFAULT	(4U << 20)

/**
 * struct nl31_retired - memory to free once no reader can reach it
 * @garbage: of the tries
 * @lists: path lists
 * @bytes: size of these lists, and of the version if it goes with them
 */
struct nl31_retired {
	struct lpm_garbage garbage[NL31_FAMILIES];
	struct list_head lists;
	size_t bytes;
};

/**
 * struct nl31_deferred - what changes in place have retired
 * @table: whose
 * @lock: guards the rest
 * @next: gathered while others wait
 * @waiting: for a grace period
 * @busy: @rwork is on its way
 * @rwork: frees @waiting
 */
struct nl31_deferred {
	struct nl31_table *table;
	spinlock_t lock; /* see above */
	struct nl31_retired next;
	struct nl31_retired waiting;
	bool busy;
	struct rcu_work rwork;
};

/**
 * struct nl31_version - the table between two changes
 * @trie: prefixes to ids of path lists
 * @paths: number of paths
 * @generation: number of the last change in it. It moves whenever anything that a
 *	reader can see moves: a change in place makes a version another one.
 * @table: the table
 * @list: in nl31_table.versions
 * @ref: one for the table, one for each pin
 * @pins: readers that look at it for longer than an RCU read side
 * @is_lost: its garbage is being freed in spite of pins
 * @retired: what the next version does not use any more
 * @rwork: frees it
 */
struct nl31_version {
	struct lpm trie[NL31_FAMILIES];
	u32 paths[NL31_FAMILIES];
	u64 generation;
	struct nl31_table *table;
	struct list_head list;
	refcount_t ref;
	unsigned int pins;
	bool is_lost;
	struct nl31_retired retired;
	struct rcu_work rwork;
};

/**
 * struct nl31_change - what an edit did to a prefix
 * @family: of @key
 * @key: the prefix
 * @old: the paths it had, or NULL
 * @new: the paths it got, or NULL
 */
struct nl31_change {
	enum nl31_family family;
	struct lpm_key key;
	const struct nl31_path_list *old;
	const struct nl31_path_list *new;
};

/**
 * struct nl31_edit - changes on their way to the next version
 * @is_open: an edit is in progress
 * @has_changes: a prefix has got other paths in it
 * @next: the version that publishes them; NULL for a change in place
 * @trie: the tries with the changes
 * @paths: number of paths with the changes
 * @id: of the edit
 * @sets: growing calls of nl31_edit_set() since the last look at the free memory
 * @max_routes: limit from then on
 * @multipath: whether paths of the same metric share the load from then on
 * @change: the one change of an edit in place
 * @retired: what a published edit in place has taken out of the table
 */
struct nl31_edit {
	bool is_open;
	bool has_changes;
	struct nl31_version *next;
	struct lpm_edit trie[NL31_FAMILIES];
	u32 paths[NL31_FAMILIES];
	u64 id;
	u32 sets;
	u32 max_routes;
	bool multipath;
	struct nl31_change change;
	struct nl31_retired retired;
};

enum nl31_count {
	NL31_COUNT_HIT,
	NL31_COUNT_MISS,
	NL31_COUNT_ERROR,
	NL31_COUNTS
};

struct nl31_stats {
	u64_stats_t count[NL31_COUNTS];
	struct u64_stats_sync syncp;
};

/**
 * struct nl31_table - the table of a network namespace
 * @net: the namespace
 * @lock: held to change anything below; readers of @current_version use
 *	RCU. Never taken under RTNL.
 * @current_version: the published version
 * @versions: that one last, behind older ones that readers may still hold
 * @retired: bytes of garbage not freed yet
 * @deferred: what of it has no version to belong to
 * @path_lists: the path lists, and their devices
 * @edit: the edit in progress
 * @max_routes: limit
 * @multipath: whether paths of the same metric share the load; read without the lock
 * @flow_key: of nl31_flow_hash()
 * @stats: per CPU
 */
struct nl31_table {
	struct net *net;
	struct mutex lock; /* see above */
	struct nl31_version __rcu *current_version;
	struct list_head versions;
	atomic_long_t retired;
	struct nl31_deferred deferred;
	struct nl31_path_lists path_lists;
	struct nl31_edit edit;
	u32 max_routes;
	bool multipath;
	hsiphash_key_t flow_key;
	struct nl31_stats __percpu *stats;
};

int nl31_table_init(struct nl31_table *t, struct net *net);
void nl31_table_release(struct nl31_table *t);
void nl31_table_exit(struct nl31_table *t);
int nl31_table_workqueue_init(void);
void nl31_table_workqueue_flush(void);
void nl31_table_workqueue_exit(void);

/* Context: RCU read side, or the table's lock */
struct nl31_version *nl31_table_current(struct nl31_table *t);
struct nl31_version *nl31_version_pin(struct nl31_table *t);
void nl31_version_unpin(struct nl31_version *v);

const struct nl31_path *nl31_table_lookup(struct nl31_table *t,
					  enum nl31_family family,
					  const struct lpm_key *address,
					  struct lpm_key *prefix);

void nl31_table_count(struct nl31_table *t, enum nl31_count what);
u64 nl31_table_counted(struct nl31_table *t, enum nl31_count what);

int nl31_edit_begin(struct nl31_table *t);
bool nl31_edit_begin_in_place(struct nl31_table *t);
struct nl31_path_list *nl31_edit_get(struct nl31_table *t,
				     enum nl31_family family,
				     const struct lpm_key *key);
int nl31_edit_set(struct nl31_table *t, enum nl31_family family,
		  const struct lpm_key *key, struct nl31_path_list *old,
		  const struct nl31_path_key *paths);
void nl31_edit_clear(struct nl31_table *t);

typedef void (*nl31_change_fn)(void *ctx, const struct nl31_change *change);
void nl31_edit_diff(struct nl31_table *t, nl31_change_fn fn, void *ctx);
void nl31_edit_publish(struct nl31_table *t, u64 generation);
void nl31_edit_publish_settings(struct nl31_table *t);
void nl31_edit_retire(struct nl31_table *t);
void nl31_edit_abort(struct nl31_table *t);

static inline bool nl31_edit_is_open(const struct nl31_table *t)
{
	return t->edit.is_open;
}

#endif /* _NL31_TABLE_H */
