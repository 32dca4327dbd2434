// SPDX-License-Identifier: GPL-2.0-only
/* The mirror: what Linux's own routes claim. See mirror.h. */
#include <linux/sched.h>
#include <linux/slab.h>
#include <net/fib_notifier.h>
#include <net/net_namespace.h>

#include "mirror.h"

/*
 * Routes of Linux, and changes of them on their way, that are followed. Beyond that
 * Linux has a full table itself.
 */
#define MIRROR_MAX	262144

/* When to begin anew after something was lost. */
#define MIRROR_RETRY	(10 * HZ)

/**
 * struct mirror_entry - a route of Linux
 * @node: in nl31_mirror.entries
 * @family: of @key
 * @key: its prefix
 * @table: its table
 * @class: what it is to nl31
 * @ifindex: its first device, or 0
 * @nexthops: how many it has
 */
struct mirror_entry {
	struct rb_node node;
	enum nl31_family family;
	struct lpm_key key;
	u32 table;
	enum nl31_mirror_class class;
	u32 ifindex;
	u32 nexthops;
};

/* The order of entries; the tables of a prefix are neighbours. */
static int nl31_mirror_cmp(const void *key, const struct rb_node *node)
{
	const struct mirror_entry *b = rb_entry(node, struct mirror_entry, node);
	const struct mirror_entry *a = key;
	int diff;

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	diff = nl31_lpm_key_cmp(&a->key, &b->key);
	if (diff)
		return diff;
	if (a->table != b->table)
		return a->table < b->table ? -1 : 1;
	return 0;
}

static int nl31_mirror_cmp_node(struct rb_node *new, const struct rb_node *node)
{
	return nl31_mirror_cmp(rb_entry(new, struct mirror_entry, node), node);
}

static bool nl31_mirror_is_same(const struct mirror_entry *a,
				const struct mirror_entry *b)
{
	return a->family == b->family && !nl31_lpm_key_cmp(&a->key, &b->key);
}

static void nl31_mirror_remove(struct nl31_mirror *mirror,
			       struct mirror_entry *entry)
{
	rb_erase(&entry->node, &mirror->entries);
	mirror->count--;
	kfree(entry);
}

/* Context: the work. Returns 0, -ENOMEM or -ENOSPC. */
static int nl31_mirror_apply_route(struct nl31_mirror *mirror,
				   const struct nl31_mirror_event *event)
{
	const struct mirror_entry key = {
		.family = event->family,
		.key = event->key,
		.table = event->table,
	};
	struct mirror_entry *entry;
	struct rb_node *node;

	node = rb_find(&key, &mirror->entries, nl31_mirror_cmp);
	entry = node ? rb_entry(node, struct mirror_entry, node) : NULL;
	switch (event->op) {
	case NL31_MIRROR_APPEND:
		if (entry)
			entry->nexthops += event->nexthops;
		return 0;
	case NL31_MIRROR_DELETE:
		if (!entry)
			return 0;
		entry->nexthops -= min(entry->nexthops, event->nexthops);
		if (!entry->nexthops)
			nl31_mirror_remove(mirror, entry);
		return 0;
	default:
		break;
	}
	if (!entry) {
		if (mirror->count >= MIRROR_MAX)
			return -ENOSPC;
		entry = kmemdup(&key, sizeof(key),
				GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
		if (!entry)
			return -ENOMEM;
		rb_find_add(&entry->node, &mirror->entries,
			    nl31_mirror_cmp_node);
		mirror->count++;
	}
	entry->class = event->class;
	entry->ifindex = event->ifindex;
	entry->nexthops = event->nexthops;
	return 0;
}

/* The strongest claim that Linux's tables have to a prefix; 0: none. */
static u32 nl31_mirror_value(struct nl31_mirror *mirror,
			     const struct nl31_mirror_event *event)
{
	const struct mirror_entry first = {
		.family = event->family,
		.key = event->key,
	};
	const struct mirror_entry *entry, *best = NULL;
	struct rb_node *node = mirror->entries.rb_node, *from = NULL;

	while (node) {
		if (nl31_mirror_cmp(&first, node) < 0) {
			from = node;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	for (node = from; node; node = rb_next(node)) {
		entry = rb_entry(node, struct mirror_entry, node);
		if (!nl31_mirror_is_same(entry, &first))
			break;
		if (!best || entry->class > best->class)
			best = entry;
	}
	if (!best || best->class == NL31_MIRROR_NONE)
		return 0;
	return best->ifindex << NL31_MIRROR_CLASS_BITS | best->class;
}

static int nl31_mirror_apply(struct nl31_mirror *mirror,
			     const struct nl31_mirror_event *event,
			     struct lpm_edit *edit)
{
	u32 old, value;
	int err;

	switch (event->op) {
	case NL31_MIRROR_RULE_ADD:
		mirror->rules[event->family]++;
		return 0;
	case NL31_MIRROR_RULE_DELETE:
		if (mirror->rules[event->family])
			mirror->rules[event->family]--;
		return 0;
	default:
		break;
	}
	err = nl31_mirror_apply_route(mirror, event);
	if (err)
		return err;
	value = nl31_mirror_value(mirror, event);
	old = nl31_lpm_get(&edit[event->family], &event->key);
	if (value)
		return old == value ? 0 : nl31_lpm_set(&edit[event->family],
						       &event->key, value);
	return old == LPM_NO_VALUE ? 0 : nl31_lpm_remove(&edit[event->family],
							 &event->key);
}

static void nl31_mirror_clear(struct nl31_mirror *mirror, struct lpm_edit *edit)
{
	struct mirror_entry *entry, *next;
	int f;

	rbtree_postorder_for_each_entry_safe(entry, next, &mirror->entries, node) {
		kfree(entry);
		cond_resched();
	}
	mirror->entries = RB_ROOT;
	mirror->count = 0;
	for (f = 0; f < NL31_FAMILIES; f++) {
		mirror->rules[f] = 0;
		nl31_lpm_clear(&edit[f]);
	}
}

/* Apply what was queued. Returns 0, -ENOMEM or -ENOSPC. */
static int nl31_mirror_apply_all(struct nl31_mirror *mirror,
				 struct list_head *events, struct lpm_edit *edit)
{
	struct nl31_mirror_event *event;
	int err;

	list_for_each_entry(event, events, list) {
		if (event->op == NL31_MIRROR_CLEAR) {
			nl31_mirror_clear(mirror, edit);
			continue;
		}
		err = nl31_mirror_apply(mirror, event, edit);
		if (err)
			return err;
		cond_resched();
	}
	return 0;
}

/* Show readers another view, and wait until none has the old one. */
static void nl31_mirror_show(struct nl31_mirror *mirror,
			     struct nl31_mirror_view *new)
{
	struct nl31_mirror_view *old;

	old = rcu_replace_pointer(mirror->view, new, true);
	synchronize_rcu();
	kfree(old);
}

/* Apply what was queued, and show it. Returns 0, or an error with the tries as before. */
static int nl31_mirror_update(struct nl31_mirror *mirror,
			      struct list_head *events)
{
	struct lpm_garbage garbage[NL31_FAMILIES];
	struct lpm_edit edit[NL31_FAMILIES];
	struct nl31_mirror_view *view;
	int f, err;

	view = kzalloc(sizeof(*view), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!view)
		return -ENOMEM;
	for (f = 0; f < NL31_FAMILIES; f++)
		nl31_lpm_edit_begin(&edit[f], &mirror->trie[f],
				    ++mirror->edit_id);
	err = nl31_mirror_apply_all(mirror, events, edit);
	if (err) {
		for (f = 0; f < NL31_FAMILIES; f++)
			nl31_lpm_edit_abort(&edit[f]);
		kfree(view);
		return err;
	}
	for (f = 0; f < NL31_FAMILIES; f++) {
		mirror->trie[f] = edit[f].lpm;
		garbage[f] = nl31_lpm_edit_commit(&edit[f]);
		view->trie[f] = mirror->trie[f];
		view->is_blind[f] = mirror->rules[f];
	}
	nl31_mirror_show(mirror, view);
	for (f = 0; f < NL31_FAMILIES; f++)
		nl31_lpm_garbage_free(&garbage[f]);
	nl31_adjacencies_resolve(mirror->adjacencies);
	return 0;
}

static void nl31_mirror_free_events(struct list_head *events)
{
	struct nl31_mirror_event *event, *next;

	list_for_each_entry_safe(event, next, events, list) {
		kfree(event);
		cond_resched();
	}
	INIT_LIST_HEAD(events);
}

/* Take what was queued. Returns whether something was lost. */
static bool nl31_mirror_take(struct nl31_mirror *mirror, struct list_head *events)
{
	bool has_lost;

	spin_lock_bh(&mirror->lock);
	list_splice_init(&mirror->events, events);
	mirror->queued = 0;
	has_lost = mirror->has_lost;
	mirror->has_lost = false;
	spin_unlock_bh(&mirror->lock);
	return has_lost;
}

static void nl31_mirror_lose(struct nl31_mirror *mirror)
{
	spin_lock_bh(&mirror->lock);
	mirror->has_lost = true;
	spin_unlock_bh(&mirror->lock);
}

/* May be called under a lock of Linux's table. */
static void nl31_mirror_queue(struct nl31_mirror *mirror,
			      const struct nl31_mirror_event *event)
{
	struct nl31_mirror_event *copy = NULL;

	if (READ_ONCE(mirror->queued) < MIRROR_MAX)
		copy = kmemdup(event, sizeof(*event), GFP_ATOMIC | __GFP_NOWARN);
	spin_lock_bh(&mirror->lock);
	if (copy) {
		list_add_tail(&copy->list, &mirror->events);
		mirror->queued++;
	} else {
		mirror->has_lost = true;
	}
	spin_unlock_bh(&mirror->lock);
	mod_delayed_work(system_unbound_wq, &mirror->work, 0);
}

static int nl31_mirror_notified(struct notifier_block *nb, unsigned long type,
				void *info)
{
	struct nl31_mirror *mirror = container_of(nb, struct nl31_mirror, nb);
	struct nl31_mirror_event event;

	if (nl31_mirror_event_read(&event, type, info, READ_ONCE(mirror->own)))
		nl31_mirror_queue(mirror, &event);
	return NOTIFY_DONE;
}

/* All that was told so far is void, and will be told again. */
static void nl31_mirror_restart(struct notifier_block *nb)
{
	struct nl31_mirror *mirror = container_of(nb, struct nl31_mirror, nb);
	const struct nl31_mirror_event event = { .op = NL31_MIRROR_CLEAR };
	LIST_HEAD(events);

	nl31_mirror_take(mirror, &events);
	nl31_mirror_free_events(&events);
	nl31_mirror_queue(mirror, &event);
}

/* Context: process, nl31_mirror.start_lock; takes RTNL */
static int nl31_mirror_register(struct nl31_mirror *mirror)
{
	nl31_mirror_restart(&mirror->nb);
	return register_fib_notifier(mirror->net, &mirror->nb,
				     nl31_mirror_restart, NULL);
}

/* Have all told again. Returns 0 or an error. */
static int nl31_mirror_resume(struct nl31_mirror *mirror)
{
	int err = -ECANCELED;

	mutex_lock(&mirror->start_lock);
	if (mirror->is_on) {
		/* it is not registered where this has failed before */
		unregister_fib_notifier(mirror->net, &mirror->nb);
		err = nl31_mirror_register(mirror);
	}
	mutex_unlock(&mirror->start_lock);
	return err;
}

static void nl31_mirror_work(struct work_struct *work)
{
	struct nl31_mirror *mirror = container_of(to_delayed_work(work),
						  struct nl31_mirror, work);
	LIST_HEAD(events);
	int err = 0;

	if (nl31_mirror_take(mirror, &events)) {
		nl31_mirror_show(mirror, NULL);
		nl31_mirror_free_events(&events);
		err = nl31_mirror_resume(mirror);
		if (nl31_mirror_take(mirror, &events) && !err)
			err = -ENOSPC;
	}
	if (!err)
		err = nl31_mirror_update(mirror, &events);
	nl31_mirror_free_events(&events);
	if (!err)
		return;
	nl31_mirror_show(mirror, NULL);
	nl31_mirror_lose(mirror);
	queue_delayed_work(system_unbound_wq, &mirror->work, MIRROR_RETRY);
}

/**
 * nl31_mirror_start - begin to follow Linux's routes, if that is still to be done
 * @mirror: the mirror
 *
 * Context: process; takes RTNL
 * Return: 0 when the mirror shows them, or an error
 */
int nl31_mirror_start(struct nl31_mirror *mirror)
{
	int err = 0;

	mutex_lock(&mirror->start_lock);
	if (!mirror->is_on) {
		err = nl31_mirror_register(mirror);
		mirror->is_on = !err;
	}
	mutex_unlock(&mirror->start_lock);
	if (!err)
		flush_delayed_work(&mirror->work);
	return err;
}

/**
 * nl31_mirror_init - a mirror that is off
 * @mirror: zeroed
 * @net: the namespace
 * @adjacencies: told when Linux's routes have changed
 */
void nl31_mirror_init(struct nl31_mirror *mirror, struct net *net,
		      struct nl31_adjacencies *adjacencies)
{
	mirror->net = net;
	mirror->adjacencies = adjacencies;
	spin_lock_init(&mirror->lock);
	INIT_LIST_HEAD(&mirror->events);
	mirror->nb.notifier_call = nl31_mirror_notified;
	mutex_init(&mirror->start_lock);
	INIT_DELAYED_WORK(&mirror->work, nl31_mirror_work);
	mirror->entries = RB_ROOT;
}

/**
 * nl31_mirror_exit - follow Linux's routes no more
 * @mirror: the mirror
 *
 * Context: process; no packets come any more
 */
void nl31_mirror_exit(struct nl31_mirror *mirror)
{
	struct nl31_mirror_view *view;
	struct mirror_entry *entry, *next;
	LIST_HEAD(events);
	int f;

	mutex_lock(&mirror->start_lock);
	if (mirror->is_on)
		unregister_fib_notifier(mirror->net, &mirror->nb);
	mirror->is_on = false;
	mutex_unlock(&mirror->start_lock);
	cancel_delayed_work_sync(&mirror->work);
	nl31_mirror_take(mirror, &events);
	nl31_mirror_free_events(&events);
	rbtree_postorder_for_each_entry_safe(entry, next, &mirror->entries, node)
		kfree(entry);
	view = rcu_replace_pointer(mirror->view, NULL, true);
	if (view)
		synchronize_rcu();
	kfree(view);
	for (f = 0; f < NL31_FAMILIES; f++)
		nl31_lpm_free(&mirror->trie[f]);
}
