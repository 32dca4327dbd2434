/* SPDX-License-Identifier: GPL-2.0-only */
/* What Linux tells of its routes and rules, reduced to what the mirror keeps. */
#ifndef _NL31_MIRROR_EVENT_H
#define _NL31_MIRROR_EVENT_H

#include <linux/list.h>
#include <linux/types.h>

#include "family.h"
#include "lpm.h"

struct net_device;

/**
 * enum nl31_mirror_class - how a route of Linux compares with one of nl31
 * @NL31_MIRROR_NONE: not at all
 * @NL31_MIRROR_WEAK: of the same prefix nl31's wins
 * @NL31_MIRROR_STRONG: Linux's wins: connected, broadcast, anycast, by TOS
 * @NL31_MIRROR_LOCAL: Linux's wins, and it is an address of this machine
 */
enum nl31_mirror_class {
	NL31_MIRROR_NONE,
	NL31_MIRROR_WEAK,
	NL31_MIRROR_STRONG,
	NL31_MIRROR_LOCAL,
};

/**
 * enum nl31_mirror_op - what has happened
 * @NL31_MIRROR_SET: the route of a prefix in a table is another one
 * @NL31_MIRROR_APPEND: IPv6: it has got more next hops
 * @NL31_MIRROR_DELETE: it has gone, or IPv6: some of its next hops have
 * @NL31_MIRROR_RULE_ADD: there is one rule more that the mirror cannot follow
 * @NL31_MIRROR_RULE_DELETE: one less
 * @NL31_MIRROR_CLEAR: all is told anew
 */
enum nl31_mirror_op {
	NL31_MIRROR_SET,
	NL31_MIRROR_APPEND,
	NL31_MIRROR_DELETE,
	NL31_MIRROR_RULE_ADD,
	NL31_MIRROR_RULE_DELETE,
	NL31_MIRROR_CLEAR,
};

/**
 * struct nl31_mirror_event - a change of Linux's routes or rules
 * @list: in nl31_mirror.events
 * @op: what has happened
 * @family: to which
 * @class: of the route, with %NL31_MIRROR_SET
 * @key: its prefix
 * @table: its table
 * @ifindex: its first device, or 0
 * @nexthops: how many it has, has got or lost
 */
struct nl31_mirror_event {
	struct list_head list;
	enum nl31_mirror_op op;
	enum nl31_family family;
	enum nl31_mirror_class class;
	struct lpm_key key;
	u32 table;
	u32 ifindex;
	u32 nexthops;
};

bool nl31_mirror_event_read(struct nl31_mirror_event *event,
			    unsigned long type, const void *info,
			    const struct net_device *own);

#endif /* _NL31_MIRROR_EVENT_H */
