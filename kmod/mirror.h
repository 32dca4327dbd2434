/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mirror: what Linux's own routes claim, so that packets they are for are left
 * to Linux without asking it.
 *
 * Of each prefix it keeps how strong Linux's claim is, and the device. FIB
 * notifications come in atomic context and are queued; a work item applies them
 * and publishes both tries at once. What it cannot follow (rules, lost
 * notifications) makes it blind: then everything is left to Linux.
 */
#ifndef _NL31_MIRROR_H
#define _NL31_MIRROR_H

#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/rbtree.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "adjacency.h"
#include "lpm.h"
#include "mirror_event.h"

/**
 * struct nl31_mirror_view - what readers see
 * @trie: prefixes to classes and devices, see nl31_mirror_class_of()
 * @is_blind: by family: Linux has rules that decide otherwise
 */
struct nl31_mirror_view {
	struct lpm trie[NL31_FAMILIES];
	bool is_blind[NL31_FAMILIES];
};

/**
 * struct nl31_mirror - the mirror of a network namespace
 * @net: the namespace
 * @adjacencies: told of changes: gateways may be connected elsewhere
 * @own: device nl31, or NULL
 * @view: the published view; NULL while the mirror is off or has lost something
 * @lock: guards @events, @queued and @has_lost
 * @events: not applied yet
 * @queued: how many
 * @has_lost: some could not be queued
 * @nb: gets the notifications
 * @start_lock: guards @is_on; taken before RTNL
 * @is_on: notifications are wanted
 * @work: applies @events; alone looks at what follows
 * @entries: routes by family, prefix and table
 * @count: how many
 * @rules: by family, those that the mirror cannot follow
 * @trie: the tries of @view
 * @edit_id: of the last edit
 */
struct nl31_mirror {
	struct net *net;
	struct nl31_adjacencies *adjacencies;
	const struct net_device *own;
	struct nl31_mirror_view __rcu *view;
	spinlock_t lock; /* see above */
	struct list_head events;
	unsigned int queued;
	bool has_lost;
	struct notifier_block nb;
	struct mutex start_lock; /* see above */
	bool is_on;
	struct delayed_work work;
	struct rb_root entries;
	unsigned int count;
	unsigned int rules[NL31_FAMILIES];
	struct lpm trie[NL31_FAMILIES];
	u64 edit_id;
};

void nl31_mirror_init(struct nl31_mirror *mirror, struct net *net,
		      struct nl31_adjacencies *adjacencies);
int nl31_mirror_start(struct nl31_mirror *mirror);
void nl31_mirror_exit(struct nl31_mirror *mirror);

/* A value of the tries has a class, and the index of a device above it. */
#define NL31_MIRROR_CLASS_BITS	2

static inline enum nl31_mirror_class nl31_mirror_class_of(u32 value)
{
	return value & (BIT(NL31_MIRROR_CLASS_BITS) - 1);
}

static inline u32 nl31_mirror_ifindex_of(u32 value)
{
	return value >> NL31_MIRROR_CLASS_BITS;
}

/**
 * nl31_mirror_lookup - what Linux claims of an address
 * @mirror: the mirror
 * @family: of @key
 * @key: the address
 * @value: where to put what its longest prefix has
 * @len: and its length
 *
 * Context: RCU read side
 * Return: false: the mirror is blind, leave the packet to Linux. Without a route,
 *	@value is 0.
 */
static inline bool nl31_mirror_lookup(struct nl31_mirror *mirror,
				      enum nl31_family family,
				      const struct lpm_key *key, u32 *value,
				      u8 *len)
{
	const struct nl31_mirror_view *view = rcu_dereference(mirror->view);

	if (unlikely(!view || view->is_blind[family]))
		return false;
	*value = nl31_lpm_lookup(&view->trie[family], key, len);
	if (*value == LPM_NO_VALUE) {
		*value = 0;
		*len = 0;
	}
	return true;
}

#endif /* _NL31_MIRROR_H */
