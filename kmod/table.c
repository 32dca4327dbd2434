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
#include <linux/netdevice.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "notify.h"
#include "route.h"
#include "table.h"
#include "transaction.h"

/*
 * Garbage that may wait besides one whole version: enough for a thousand single
 * changes, little enough for a board with 64 MiB.
 */
#define RETIRED_MAX	(4L << 20)

/*
 * What a growing table leaves to everybody else. Small allocations in the kernel
 * do not fail until there is nothing left, and then it is others who die.
 */
#define RESERVE_MAX	(64UL << (20 - PAGE_SHIFT))
#define RESERVE_CHECK	64	/* prefixes between two looks */

static struct workqueue_struct *nl31_free_wq;

static void retired_init(struct nl31_retired *retired)
{
	memset(retired->garbage, 0, sizeof(retired->garbage));
	INIT_LIST_HEAD(&retired->nexthops);
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
	struct nl31_nexthop *nh, *next;

	atomic_long_sub(retired_bytes(retired), &t->retired);
	lpm_garbage_free(&retired->garbage[NL31_IPV4]);
	lpm_garbage_free(&retired->garbage[NL31_IPV6]);
	list_for_each_entry_safe(nh, next, &retired->nexthops, list) {
		nl31_nexthop_free(&t->nexthops, nh);
		cond_resched();
	}
	INIT_LIST_HEAD(&retired->nexthops);
	retired->bytes = 0;
}

static void retired_move(struct nl31_retired *to, struct nl31_retired *from)
{
	int f;

	for (f = 0; f < NL31_FAMILIES; f++)
		lpm_garbage_add(&to->garbage[f], &from->garbage[f]);
	list_splice_init(&from->nexthops, &to->nexthops);
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
static void defer(struct nl31_deferred *d, struct nl31_retired *retired)
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
 * nl31_table_version - the published version
 * @t: the table
 *
 * Context: RCU read side, or the table's lock
 */
struct nl31_version *nl31_table_version(struct nl31_table *t)
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

/* Begin to free the garbage of all versions that nobody holds any more. */
static void reap(struct nl31_table *t)
{
	struct nl31_version *current_version = nl31_table_version(t), *v;

	lockdep_assert_held(&t->lock);
	for (;;) {
		v = list_first_entry(&t->versions, struct nl31_version, list);
		if (v == current_version || (v->pins && !v->lost))
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
			WRITE_ONCE(v->lost, true);
	reap(t);
	wait_for_free();
}

/**
 * nl31_version_pin - hold the current version
 * @t: the table
 *
 * The holder looks into the tries under RCU, and only while @lost is not set.
 */
struct nl31_version *nl31_version_pin(struct nl31_table *t)
{
	struct nl31_version *v;

	mutex_lock(&t->lock);
	v = nl31_table_version(t);
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
		reap(t);
	mutex_unlock(&t->lock);
	version_put(v);
}

static void edit_init(struct nl31_table *t)
{
	const struct nl31_version *base = nl31_table_version(t);
	struct nl31_edit *edit = &t->edit;
	int f;

	edit->open = true;
	edit->id++;
	edit->prefixes = 0;
	edit->changes = 0;
	edit->max_routes = t->max_routes;
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
	const struct nl31_version *base = nl31_table_version(t);
	struct nl31_edit *edit = &t->edit;
	int f;

	if (nl31_edit_open(t))
		return 0;
	edit->next = version_alloc(t);
	if (!edit->next)
		return -ENOMEM;
	edit_init(t);
	for (f = 0; f < NL31_FAMILIES; f++)
		lpm_edit_begin(&edit->trie[f], &base->trie[f], edit->id);
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
	const struct nl31_version *base = nl31_table_version(t);
	struct nl31_edit *edit = &t->edit;
	int f;

	if (!LPM_CAN_IN_PLACE || base->pins || !list_is_singular(&t->versions))
		return false;
	edit->next = NULL;
	edit_init(t);
	for (f = 0; f < NL31_FAMILIES; f++)
		lpm_edit_begin_in_place(&edit->trie[f], &base->trie[f],
					edit->id);
	return true;
}

/* A change in place gives back what it takes, and one that removes a prefix, more. */
static bool grows(const struct nl31_edit *edit, const struct nl31_nexthop *old,
		  unsigned int count)
{
	return count && (edit->next || !old || count > old->count);
}

static bool memory_is_short(struct nl31_edit *edit)
{
	if (edit->sets++ % RESERVE_CHECK)
		return false;
	if (si_mem_available() > min(totalram_pages() / 10, RESERVE_MAX))
		return false;
	edit->sets = 0; /* look again the next time */
	return true;
}

/**
 * nl31_edit_set - give a prefix its paths
 * @t: the table, its edit begun
 * @family: family of @key
 * @key: the prefix
 * @old: the paths that the edit has for it so far, or NULL
 * @path: its paths from now on, in order
 * @count: how many; 0 removes the prefix
 *
 * Return: 0, or -ENOMEM with nothing changed
 */
int nl31_edit_set(struct nl31_table *t, enum nl31_family family,
		  const struct lpm_key *key, struct nl31_nexthop *old,
		  const struct nl31_path *path, unsigned int count)
{
	struct nl31_edit *edit = &t->edit;
	struct lpm_edit *trie = &edit->trie[family];
	struct nl31_nexthop *new = NULL;
	int err;

	if (grows(edit, old, count) && memory_is_short(edit))
		return -ENOMEM;
	if (count) {
		new = nl31_nexthop_get(&t->nexthops, path, count);
		if (!new)
			return -ENOMEM;
		err = new == old ? 0 : lpm_set(trie, key, new->id);
	} else {
		err = old ? lpm_remove(trie, key) : 0;
	}
	if (err) {
		if (new)
			nl31_nexthop_put(&t->nexthops, new);
		return err;
	}

	if (old) {
		nl31_nexthop_put(&t->nexthops, old);
		edit->paths[family] -= old->count;
	}
	edit->paths[family] += count;
	if (new == old)
		return 0;
	if (edit->prefixes < NL31_EDIT_LOG)
		edit->log[edit->prefixes] = (struct nl31_change){
			.family = family,
			.key = *key,
			.old = old,
			.new = new,
		};
	edit->prefixes++;
	edit->changes += nl31_paths_changed(old, new);
	/* the log names it, for as long as that is all there is to tell */
	if (old && edit->prefixes > NL31_EDIT_LOG)
		nl31_nexthop_forget(&t->nexthops, old);
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

	nl31_nexthops_put_all(&t->nexthops);
	for (f = 0; f < NL31_FAMILIES; f++) {
		edit->changes += edit->paths[f];
		/* more than the log holds, which does not tell of this */
		edit->prefixes += edit->trie[f].lpm.entries + NL31_EDIT_LOG;
		lpm_clear(&edit->trie[f]);
		edit->paths[f] = 0;
	}
}

struct diff {
	struct nl31_events *events;
	enum nl31_family family;
};

static int diff_prefix(void *ctx, const struct lpm_key *key, u32 old, u32 new)
{
	struct diff *diff = ctx;
	struct nl31_nexthops *nhs = &diff->events->table->nexthops;
	struct nl31_change change = { .family = diff->family, .key = *key };

	if (old != LPM_NO_VALUE)
		change.old = nl31_nexthop_by_id(nhs, old);
	if (new != LPM_NO_VALUE)
		change.new = nl31_nexthop_by_id(nhs, new);
	nl31_events_add(diff->events, &change);
	return 0;
}

/* Give the current version to the readers as the edit has left it. */
static void publish_in_place(struct nl31_table *t, struct nl31_retired *retired)
{
	struct nl31_version *v = nl31_table_version(t);
	struct nl31_edit *edit = &t->edit;
	int f;

	for (f = 0; f < NL31_FAMILIES; f++) {
		struct lpm *lpm = &edit->trie[f].lpm;

		/* the nodes are to be seen before the root that leads to them */
		smp_wmb();
		WRITE_ONCE(v->trie[f].root, lpm->root);
		v->trie[f].bytes = lpm->bytes;
		v->trie[f].entries = lpm->entries;
		v->paths[f] = edit->paths[f];
		retired->garbage[f] = lpm_edit_commit(&edit->trie[f]);
	}
	smp_wmb(); /* a dump that sees the number sees the change, too */
	WRITE_ONCE(v->id, edit->id);
	retired->bytes = nl31_nexthops_commit(&t->nexthops,
					      &retired->nexthops);
}

/* Give the edit to the readers as the next version, which has its memory. */
static void publish_next(struct nl31_table *t)
{
	struct nl31_version *old = nl31_table_version(t);
	struct nl31_edit *edit = &t->edit;
	struct nl31_version *new = edit->next;
	int f;

	for (f = 0; f < NL31_FAMILIES; f++) {
		old->retired.garbage[f] = lpm_edit_commit(&edit->trie[f]);
		new->trie[f] = edit->trie[f].lpm;
		new->paths[f] = edit->paths[f];
	}
	new->id = edit->id;
	old->retired.bytes = kmalloc_size_roundup(sizeof(*old)) +
			     nl31_nexthops_commit(&t->nexthops,
						  &old->retired.nexthops);
	atomic_long_add(retired_bytes(&old->retired), &t->retired);
	list_add_tail(&new->list, &t->versions);
	rcu_assign_pointer(t->current_version, new);
}

/**
 * nl31_edit_publish - make the edit the current version
 * @t: the table, an edit in progress
 * @events: where the events go
 *
 * Does not fail.
 */
void nl31_edit_publish(struct nl31_table *t, struct nl31_events *events)
{
	struct nl31_version *old = nl31_table_version(t), *new;
	struct nl31_edit *edit = &t->edit;
	struct diff diff = { .events = events };
	struct nl31_retired retired;
	unsigned int i;
	int f;

	if (edit->max_routes != t->max_routes) {
		t->max_routes = edit->max_routes;
		events->table_changed = true;
	}
	events->generation = old->generation;
	if (!edit->prefixes) {
		nl31_edit_abort(t);
		nl31_events_begin(events);
		nl31_events_send(events);
		return;
	}
	retired_init(&retired);
	if (edit->next)
		publish_next(t);
	else
		publish_in_place(t, &retired);
	edit->open = false;
	new = nl31_table_version(t);

	nl31_events_begin(events);
	if (!nl31_events_wanted(events)) {
		events->generation += edit->changes;
	} else if (edit->prefixes <= NL31_EDIT_LOG) {
		for (i = 0; i < edit->prefixes; i++)
			nl31_events_add(events, &edit->log[i]);
	} else {
		for (f = 0; f < NL31_FAMILIES; f++) {
			diff.family = f;
			lpm_diff(&old->trie[f], &new->trie[f], diff_prefix,
				 &diff);
		}
	}
	new->generation = events->generation;
	nl31_events_send(events);

	/* the events have told what the older paths were */
	defer(&t->deferred, &retired);
	reap(t);
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
		lpm_edit_abort(&edit->trie[f]);
	nl31_nexthops_abort(&t->nexthops);
	kfree(edit->next);
	edit->open = false;
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

static void purge_work(struct work_struct *work)
{
	struct nl31_table *t = container_of(to_delayed_work(work),
					    struct nl31_table, purge_work);

	mutex_lock(&t->lock);
	nl31_route_purge(t);
	mutex_unlock(&t->lock);
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
	mutex_init(&t->lock);
	INIT_LIST_HEAD(&t->versions);
	deferred_init(&t->deferred, t);
	hash_init(t->transactions);
	INIT_DELAYED_WORK(&t->transaction_timer, nl31_transaction_expire);
	INIT_DELAYED_WORK(&t->purge_work, purge_work);

	t->stats = netdev_alloc_pcpu_stats(struct nl31_stats);
	if (!t->stats)
		return -ENOMEM;
	err = nl31_nexthops_init(&t->nexthops);
	if (err)
		goto err_stats;
	v = version_alloc(t);
	if (!v) {
		err = -ENOMEM;
		goto err_nexthops;
	}
	list_add_tail(&v->list, &t->versions);
	rcu_assign_pointer(t->current_version, v);
	return 0;

err_nexthops:
	nl31_nexthops_exit(&t->nexthops);
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
	cancel_delayed_work_sync(&t->transaction_timer);
	cancel_delayed_work_sync(&t->purge_work);
	mutex_lock(&t->lock);
	nl31_transactions_release(t);
	if (nl31_edit_open(t))
		nl31_edit_abort(t);
	reap(t);
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
		lpm_free(&v->trie[f]);
	version_put(v);
	nl31_nexthops_exit(&t->nexthops);
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
