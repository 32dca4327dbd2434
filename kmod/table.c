// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of a network namespace: versions, and the edit that makes the next.
 *
 * Readers take the current version under RCU and see that one only. A writer
 * prepares the next one beside it and publishes it with one store. What the
 * older version does not share with the newer is freed a grace period later,
 * but not before all versions that are older still.
 */
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "path_select.h"
#include "table.h"

/*
 * Garbage that may wait besides one whole version: enough for a thousand single
 * changes, little enough for a board with 64 MiB.
 */
#define RETIRED_MAX	(4L << 20)

/*
 * What a table that has grown large leaves to the rest of the machine: without it
 * the OOM killer would pick other processes. Tables that are small may grow even
 * then, so that one namespace cannot keep the others from changing theirs.
 */
#define RESERVE_MAX	(64UL << (20 - PAGE_SHIFT))
#define RESERVE_CHECK	64	/* growing prefixes between two looks */
#define SMALL_SHARE	32	/* a small table has at most this part of the memory */

static struct workqueue_struct *nl31_free_wq;

static void retired_init(struct nl31_retired *retired)
{
	memset(retired->garbage, 0, sizeof(retired->garbage));
	INIT_LIST_HEAD(&retired->lists);
	retired->bytes = 0;
}

static size_t retired_bytes(const struct nl31_retired *retired)
{
	return retired->garbage[NL31_IPV4].bytes +
	       retired->garbage[NL31_IPV6].bytes + retired->bytes;
}

/* Context: process; no reader can be in it any more */
static void retired_free(struct nl31_table *t, struct nl31_retired *retired)
{
	struct nl31_path_list *list, *next;

	atomic_long_sub(retired_bytes(retired), &t->retired);
	nl31_lpm_garbage_free(&retired->garbage[NL31_IPV4]);
	nl31_lpm_garbage_free(&retired->garbage[NL31_IPV6]);
	list_for_each_entry_safe(list, next, &retired->lists, list) {
		nl31_path_list_free(&t->path_lists, list);
		cond_resched();
	}
	INIT_LIST_HEAD(&retired->lists);
	retired->bytes = 0;
}

static void retired_move(struct nl31_retired *to, struct nl31_retired *from)
{
	int f;

	for (f = 0; f < NL31_FAMILIES; f++)
		nl31_lpm_garbage_add(&to->garbage[f], &from->garbage[f]);
	list_splice_init(&from->lists, &to->lists);
	to->bytes += from->bytes;
	from->bytes = 0;
}

/* Begin to wait for a grace period. Context: nl31_deferred.lock */
static void deferred_wait(struct nl31_deferred *d)
{
	retired_move(&d->waiting, &d->next);
	d->busy = true;
	queue_rcu_work(nl31_free_wq, &d->rwork);
}

static void deferred_work(struct work_struct *work)
{
	struct nl31_deferred *d = container_of(to_rcu_work(work),
					       struct nl31_deferred, rwork);

	retired_free(d->table, &d->waiting);
	spin_lock(&d->lock);
	d->busy = false;
	if (retired_bytes(&d->next))
		deferred_wait(d);
	spin_unlock(&d->lock);
}

/* One after the other for a grace period is cheaper than each for its own. */
static void retired_defer(struct nl31_deferred *d, struct nl31_retired *retired)
{
	if (!retired_bytes(retired))
		return;
	atomic_long_add(retired_bytes(retired), &d->table->retired);
	spin_lock(&d->lock);
	retired_move(&d->next, retired);
	if (!d->busy)
		deferred_wait(d);
	spin_unlock(&d->lock);
}

static void deferred_init(struct nl31_deferred *d, struct nl31_table *t)
{
	d->table = t;
	spin_lock_init(&d->lock);
	retired_init(&d->next);
	retired_init(&d->waiting);
	INIT_RCU_WORK(&d->rwork, deferred_work);
}

static struct nl31_version *version_alloc(struct nl31_table *t)
{
	struct nl31_version *v;

	v = kzalloc(sizeof(*v), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!v)
		return NULL;
	v->table = t;
	refcount_set(&v->ref, 1);
	retired_init(&v->retired);
	return v;
}

static void version_put(struct nl31_version *v)
{
	if (refcount_dec_and_test(&v->ref))
		kfree(v);
}

/**
 * nl31_table_current - the published version
 * @t: the table
 *
 * Context: RCU read side, or the table's lock
 */
struct nl31_version *nl31_table_current(struct nl31_table *t)
{
	return rcu_dereference_check(t->current_version,
				     lockdep_is_held(&t->lock));
}

static void version_free_work(struct work_struct *work)
{
	struct nl31_version *v = container_of(to_rcu_work(work),
					      struct nl31_version, rwork);

	retired_free(v->table, &v->retired);
	version_put(v);
}

/* Begin to free the garbage of all versions that no reader holds any more. */
static void versions_reap(struct nl31_table *t)
{
	struct nl31_version *current_version = nl31_table_current(t), *v;

	lockdep_assert_held(&t->lock);
	for (;;) {
		v = list_first_entry(&t->versions, struct nl31_version, list);
		if (v == current_version || (v->pins && !v->is_lost))
			break;
		list_del(&v->list);
		INIT_RCU_WORK(&v->rwork, version_free_work);
		queue_rcu_work(nl31_free_wq, &v->rwork);
	}
}

static void wait_for_free(void)
{
	int i;

	/* what was deferred while others were waiting begins to wait after them */
	for (i = 0; i < 2; i++) {
		rcu_barrier();
		flush_workqueue(nl31_free_wq);
	}
}

/*
 * Memory is bounded before readers are served: wait for the garbage of past
 * changes, and where a pin holds more than that up, the pin gives way.
 */
static void limit_garbage(struct nl31_table *t)
{
	struct nl31_version *v;
	size_t limit;

	v = list_first_entry(&t->versions, struct nl31_version, list);
	limit = RETIRED_MAX + v->trie[NL31_IPV4].bytes +
		v->trie[NL31_IPV6].bytes;
	if (atomic_long_read(&t->retired) <= limit)
		return;
	wait_for_free();
	if (atomic_long_read(&t->retired) <= limit)
		return;
	list_for_each_entry(v, &t->versions, list)
		if (v->pins)
			WRITE_ONCE(v->is_lost, true);
	versions_reap(t);
	wait_for_free();
}

/**
 * nl31_version_pin - hold the current version
 * @t: the table
 *
 * The holder looks into the tries under RCU, and only while @is_lost is not set.
 */
struct nl31_version *nl31_version_pin(struct nl31_table *t)
{
	struct nl31_version *v;

	mutex_lock(&t->lock);
	v = nl31_table_current(t);
	v->pins++;
	refcount_inc(&v->ref);
	mutex_unlock(&t->lock);
	return v;
}

/**
 * nl31_version_unpin - let go of a version
 * @v: from nl31_version_pin()
 */
void nl31_version_unpin(struct nl31_version *v)
{
	struct nl31_table *t = v->table;

	mutex_lock(&t->lock);
	if (!--v->pins)
		versions_reap(t);
	mutex_unlock(&t->lock);
	version_put(v);
}

static void edit_init(struct nl31_table *t)
{
	const struct nl31_version *base = nl31_table_current(t);
	struct nl31_edit *edit = &t->edit;
	int f;

	edit->is_open = true;
	edit->has_changes = false;
	edit->id++;
	edit->max_routes = t->max_routes;
	edit->multipath = t->multipath;
	for (f = 0; f < NL31_FAMILIES; f++)
		edit->paths[f] = base->paths[f];
}

/**
 * nl31_edit_begin - begin an edit, or go on with the one in progress
 * @t: the table
 *
 * Return: 0 or -ENOMEM. What can fail is done here, so that publishing cannot.
 */
int nl31_edit_begin(struct nl31_table *t)
{
	const struct nl31_version *base = nl31_table_current(t);
	struct nl31_edit *edit = &t->edit;
	int f;

	if (nl31_edit_is_open(t))
		return 0;
	edit->next = version_alloc(t);
	if (!edit->next)
		return -ENOMEM;
	edit_init(t);
	for (f = 0; f < NL31_FAMILIES; f++)
		nl31_lpm_edit_begin(&edit->trie[f], &base->trie[f], edit->id);
	return 0;
}

/**
 * nl31_edit_begin_in_place - begin an edit of one prefix
 * @t: the table, no edit in progress
 *
 * It takes one call of nl31_edit_set(). Readers may see it before it is
 * published, and it cannot be aborted, but it costs no next version.
 *
 * Return: false where others look at the current version for longer
 */
bool nl31_edit_begin_in_place(struct nl31_table *t)
{
	const struct nl31_version *base = nl31_table_current(t);
	struct nl31_edit *edit = &t->edit;
	int f;

	if (!LPM_CAN_IN_PLACE || base->pins || !list_is_singular(&t->versions))
		return false;
	edit->next = NULL;
	edit_init(t);
	for (f = 0; f < NL31_FAMILIES; f++)
		nl31_lpm_edit_begin_in_place(&edit->trie[f], &base->trie[f],
					     edit->id);
	return true;
}

static size_t edit_bytes(const struct nl31_table *t)
{
	const struct nl31_edit *edit = &t->edit;

	return edit->trie[NL31_IPV4].lpm.bytes + edit->trie[NL31_IPV6].lpm.bytes +
	       t->path_lists.bytes;
}

static bool memory_is_short(struct nl31_table *t)
{
	struct nl31_edit *edit = &t->edit;

	if (edit->sets++ % RESERVE_CHECK)
		return false;
	if (edit_bytes(t) >> PAGE_SHIFT <= totalram_pages() / SMALL_SHARE)
		return false;
	if (si_mem_available() > min(totalram_pages() / 10, RESERVE_MAX))
		return false;
	edit->sets = 0; /* look again the next time */
	return true;
}

/**
 * nl31_edit_get - the paths of a prefix as the edit has them
 * @t: the table, its edit begun
 * @family: family of @key
 * @key: the prefix
 *
 * Return: the list, or NULL
 */
struct nl31_path_list *nl31_edit_get(struct nl31_table *t,
				     enum nl31_family family,
				     const struct lpm_key *key)
{
	u32 id = nl31_lpm_get(&t->edit.trie[family], key);

	return id == LPM_NO_VALUE ? NULL :
				    nl31_path_list_by_id(&t->path_lists, id);
}

static int edit_set_trie(struct nl31_table *t, enum nl31_family family,
			 const struct lpm_key *key, struct nl31_path_list *old,
			 struct nl31_path_list *new)
{
	struct lpm_edit *trie = &t->edit.trie[family];

	if (new)
		return nl31_lpm_set(trie, key, new->id);
	return nl31_lpm_remove(trie, key);
}

/**
 * nl31_edit_set - give a prefix its paths
 * @t: the table, its edit begun
 * @family: family of @key
 * @key: the prefix
 * @old: the paths that the edit has for it so far, or NULL
 * @paths: its paths from now on; none removes the prefix
 *
 * Return: 0, or -ENOMEM with nothing changed
 */
int nl31_edit_set(struct nl31_table *t, enum nl31_family family,
		  const struct lpm_key *key, struct nl31_path_list *old,
		  const struct nl31_path_key *paths)
{
	struct nl31_edit *edit = &t->edit;
	struct nl31_path_list *new = NULL;
	int err = 0;

	if (paths->count > (old ? old->count : 0) && memory_is_short(t))
		return -ENOMEM;
	if (paths->count) {
		new = nl31_path_list_get(&t->path_lists, paths);
		if (!new)
			return -ENOMEM;
	}
	if (new != old)
		err = edit_set_trie(t, family, key, old, new);
	if (err && new) {
		nl31_path_list_put(&t->path_lists, new);
		nl31_path_list_forget(&t->path_lists, new);
	}
	if (err)
		return err;

	if (old)
		nl31_path_list_put(&t->path_lists, old);
	if (new == old)
		return 0;
	edit->paths[family] += paths->count - (old ? old->count : 0);
	edit->has_changes = true;
	if (edit->next && old)
		nl31_path_list_forget(&t->path_lists, old);
	else if (!edit->next)
		edit->change = (struct nl31_change){
			.family = family,
			.key = *key,
			.old = old,
			.new = new,
		};
	return 0;
}

/**
 * nl31_edit_clear - empty the table
 * @t: the table, its edit begun
 */
void nl31_edit_clear(struct nl31_table *t)
{
	struct nl31_edit *edit = &t->edit;
	int f;

	nl31_path_lists_put_all(&t->path_lists);
	for (f = 0; f < NL31_FAMILIES; f++) {
		edit->has_changes |= !!edit->trie[f].lpm.entries;
		nl31_lpm_clear(&edit->trie[f]);
		edit->paths[f] = 0;
	}
}

struct edit_diff {
	struct nl31_path_lists *lists;
	enum nl31_family family;
	nl31_change_fn fn;
	void *ctx;
};

static int edit_diff_prefix(void *ctx, const struct lpm_key *key, u32 old,
			    u32 new)
{
	const struct edit_diff *diff = ctx;
	struct nl31_change change = { .family = diff->family, .key = *key };

	if (old != LPM_NO_VALUE)
		change.old = nl31_path_list_by_id(diff->lists, old);
	if (new != LPM_NO_VALUE)
		change.new = nl31_path_list_by_id(diff->lists, new);
	diff->fn(diff->ctx, &change);
	return 0;
}

/**
 * nl31_edit_diff - what an edit has changed
 * @t: the table; its edit is in progress, or published and not yet retired
 * @fn: called for each prefix whose paths differ, in the order of addresses, IPv4
 *	first
 * @ctx: for @fn
 */
void nl31_edit_diff(struct nl31_table *t, nl31_change_fn fn, void *ctx)
{
	struct nl31_edit *edit = &t->edit;
	struct edit_diff diff = {
		.lists = &t->path_lists,
		.fn = fn,
		.ctx = ctx,
	};

	if (!edit->has_changes)
		return;
	if (!edit->next) {
		fn(ctx, &edit->change);
		return;
	}
	for (; diff.family < NL31_FAMILIES; diff.family++) {
		struct lpm_edit *trie = &edit->trie[diff.family];

		nl31_lpm_diff(&trie->base, &trie->lpm, edit_diff_prefix, &diff);
	}
}

/* Give the current version to the readers as the edit has left it. */
static void publish_in_place(struct nl31_table *t, u64 generation)
{
	struct nl31_version *v = nl31_table_current(t);
	struct nl31_edit *edit = &t->edit;
	struct nl31_retired *retired = &edit->retired;
	int f;

	retired_init(retired);
	for (f = 0; f < NL31_FAMILIES; f++) {
		struct lpm *lpm = &edit->trie[f].lpm;

		/* the nodes are to be seen before the root that leads to them */
		smp_wmb();
		WRITE_ONCE(v->trie[f].root, lpm->root);
		v->trie[f].bytes = lpm->bytes;
		v->trie[f].entries = lpm->entries;
		v->paths[f] = edit->paths[f];
		retired->garbage[f] = nl31_lpm_edit_commit(&edit->trie[f]);
	}
	/*
	 * A reader that sees the number sees the change, and one that sees the
	 * next change sees this number: the next one begins with a write barrier.
	 */
	smp_wmb();
	WRITE_ONCE(v->generation, generation);
	retired->bytes = nl31_path_lists_commit(&t->path_lists,
						&retired->lists);
}

/* Give the edit to the readers as the next version, which has its memory. */
static void publish_next(struct nl31_table *t, u64 generation)
{
	struct nl31_version *old = nl31_table_current(t);
	struct nl31_edit *edit = &t->edit;
	struct nl31_version *new = edit->next;
	int f;

	for (f = 0; f < NL31_FAMILIES; f++) {
		new->trie[f] = edit->trie[f].lpm;
		new->paths[f] = edit->paths[f];
		old->retired.garbage[f] = nl31_lpm_edit_commit(&edit->trie[f]);
	}
	new->generation = generation;
	old->retired.bytes = kmalloc_size_roundup(sizeof(*old)) +
			     nl31_path_lists_commit(&t->path_lists,
						    &old->retired.lists);
	atomic_long_add(retired_bytes(&old->retired), &t->retired);
	list_add_tail(&new->list, &t->versions);
	rcu_assign_pointer(t->current_version, new);
}

/**
 * nl31_edit_publish_settings - make the settings of an edit those of the table
 * @t: the table, an edit in progress
 */
void nl31_edit_publish_settings(struct nl31_table *t)
{
	t->max_routes = t->edit.max_routes;
	WRITE_ONCE(t->multipath, t->edit.multipath);
}

/**
 * nl31_edit_publish - make the edit the current version
 * @t: the table, an edit in progress that has changes
 * @generation: its number, more than that of the current version
 *
 * Does not fail. nl31_edit_retire() has to follow.
 */
void nl31_edit_publish(struct nl31_table *t, u64 generation)
{
	if (t->edit.next)
		publish_next(t, generation);
	else
		publish_in_place(t, generation);
	nl31_edit_publish_settings(t);
	t->edit.is_open = false;
}

/**
 * nl31_edit_retire - begin to free what the published edit does not use any more
 * @t: the table
 */
void nl31_edit_retire(struct nl31_table *t)
{
	if (!t->edit.next)
		retired_defer(&t->deferred, &t->edit.retired);
	t->edit.has_changes = false;
	versions_reap(t);
	limit_garbage(t);
}

/**
 * nl31_edit_abort - forget the edit
 * @t: the table, an edit in progress
 */
void nl31_edit_abort(struct nl31_table *t)
{
	struct nl31_edit *edit = &t->edit;
	int f;

	for (f = 0; f < NL31_FAMILIES; f++)
		nl31_lpm_edit_abort(&edit->trie[f]);
	nl31_path_lists_abort(&t->path_lists);
	kfree(edit->next);
	edit->is_open = false;
}

/* The first usable path of the longest prefix that has one. */
static const struct nl31_path *lookup_usable(struct nl31_table *t,
					     const struct nl31_version *v,
					     enum nl31_family family,
					     struct lpm_key *prefix)
{
	const struct lpm *trie = &v->trie[family];
	const struct nl31_path *path;
	u32 id;
	u8 len;

	for (;;) {
		id = nl31_lpm_lookup(trie, prefix, &len);
		if (id == LPM_NO_VALUE)
			return NULL;
		nl31_lpm_key_truncate(prefix, len);
		path = nl31_path_select(nl31_path_list_by_id(&t->path_lists, id),
					family);
		if (path)
			return path;
		if (!len)
			return NULL;
		nl31_lpm_key_truncate(prefix, len - 1);
	}
}

/**
 * nl31_table_lookup - the path for an address
 * @t: the table
 * @family: family of @address
 * @address: the address, or a prefix that has to be covered whole
 * @prefix: where to put the prefix that matched
 *
 * A path over a device that is down, without carrier, absent or gone is passed over,
 * and one whose adjacency is known to lead nowhere; like a prefix that has none but
 * such.
 *
 * A change in place is a single store, seen or not. Beside two of them a walk
 * could see the second but not the first, and so what never was the table: it is
 * then done again.
 *
 * Context: RCU read side
 * Return: the path, or NULL
 */
const struct nl31_path *nl31_table_lookup(struct nl31_table *t,
					  enum nl31_family family,
					  const struct lpm_key *address,
					  struct lpm_key *prefix)
{
	const struct nl31_version *v = nl31_table_current(t);
	const struct nl31_path *path;
	u64 generation;

	do {
		generation = READ_ONCE(v->generation);
		smp_rmb(); /* pairs with publish_in_place() */
		*prefix = *address;
		path = lookup_usable(t, v, family, prefix);
		smp_rmb(); /* pairs with publish_in_place() */
	} while (unlikely(READ_ONCE(v->generation) != generation));
	return path;
}

/**
 * nl31_table_count - count something
 * @t: the table
 * @what: what happened
 */
void nl31_table_count(struct nl31_table *t, enum nl31_count what)
{
	struct nl31_stats *stats = get_cpu_ptr(t->stats);

	u64_stats_update_begin(&stats->syncp);
	u64_stats_inc(&stats->count[what]);
	u64_stats_update_end(&stats->syncp);
	put_cpu_ptr(t->stats);
}

/**
 * nl31_table_counted - how often something has happened
 * @t: the table
 * @what: what happened
 */
u64 nl31_table_counted(struct nl31_table *t, enum nl31_count what)
{
	u64 sum = 0, count;
	unsigned int start;
	int cpu;

	for_each_possible_cpu(cpu) {
		const struct nl31_stats *stats = per_cpu_ptr(t->stats, cpu);

		do {
			start = u64_stats_fetch_begin(&stats->syncp);
			count = u64_stats_read(&stats->count[what]);
		} while (u64_stats_fetch_retry(&stats->syncp, start));
		sum += count;
	}
	return sum;
}

static struct nl31_stats __percpu *nl31_stats_alloc(void)
{
	struct nl31_stats __percpu *stats;
	int cpu;

	stats = alloc_percpu_gfp(struct nl31_stats,
				 GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!stats)
		return NULL;
	for_each_possible_cpu(cpu)
		u64_stats_init(&per_cpu_ptr(stats, cpu)->syncp);
	return stats;
}

/**
 * nl31_table_init - an empty table
 * @t: zeroed
 * @net: its namespace
 *
 * Return: 0 or -ENOMEM
 */
int nl31_table_init(struct nl31_table *t, struct net *net)
{
	struct nl31_version *v;
	int err;

	t->net = net;
	t->max_routes = NL31_MAX_ROUTES_DEFAULT;
	get_random_bytes(&t->flow_key, sizeof(t->flow_key));
	mutex_init(&t->lock);
	INIT_LIST_HEAD(&t->versions);
	deferred_init(&t->deferred, t);

	t->stats = nl31_stats_alloc();
	if (!t->stats)
		return -ENOMEM;
	err = nl31_path_lists_init(&t->path_lists, net);
	if (err)
		goto err_stats;
	v = version_alloc(t);
	if (!v) {
		err = -ENOMEM;
		goto err_lists;
	}
	list_add_tail(&v->list, &t->versions);
	rcu_assign_pointer(t->current_version, v);
	return 0;

err_lists:
	nl31_path_lists_exit(&t->path_lists);
err_stats:
	free_percpu(t->stats);
	return err;
}

/**
 * nl31_table_release - no requests and no device events come any more
 * @t: the table
 *
 * nl31_table_workqueue_flush() and nl31_table_exit() follow.
 */
void nl31_table_release(struct nl31_table *t)
{
	mutex_lock(&t->lock);
	if (nl31_edit_is_open(t))
		nl31_edit_abort(t);
	versions_reap(t);
	mutex_unlock(&t->lock);
}

/**
 * nl31_table_exit - free what is left
 * @t: the table
 */
void nl31_table_exit(struct nl31_table *t)
{
	struct nl31_version *v = rcu_dereference_protected(t->current_version,
							   true);
	int f;

	for (f = 0; f < NL31_FAMILIES; f++)
		nl31_lpm_free(&v->trie[f]);
	version_put(v);
	nl31_path_lists_exit(&t->path_lists);
	free_percpu(t->stats);
}

int nl31_table_workqueue_init(void)
{
	nl31_free_wq = alloc_workqueue("nl31_free", WQ_UNBOUND, 0);
	return nl31_free_wq ? 0 : -ENOMEM;
}

/* Wait until all garbage that reap() queued is freed. */
void nl31_table_workqueue_flush(void)
{
	wait_for_free();
}

void nl31_table_workqueue_exit(void)
{
	destroy_workqueue(nl31_free_wq);
}
