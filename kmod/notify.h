/* SPDX-License-Identifier: GPL-2.0-only */
/* Route messages, and the events that tell listeners what changed. */
#ifndef _NL31_NOTIFY_H
#define _NL31_NOTIFY_H

#include <linux/netlink.h>
#include <linux/skbuff.h>

#include "table.h"

/**
 * struct nl31_events - the events of one published edit
 * @table: the table
 * @listeners: somebody has joined the group
 * @echo: NLM_F_ECHO was set: the requester gets the events too
 * @requester: its socket, with @echo
 * @portid: its port id
 * @seq: of the request, with @echo
 * @skb: events that wait to be sent to the group, and to the requester
 * @table_changed: the limits are among what changed
 * @generation: of the last event
 */
struct nl31_events {
	struct nl31_table *table;
	bool listeners;
	bool echo;
	struct sock *requester;
	u32 portid;
	u32 seq;
	struct sk_buff *skb[2];
	bool table_changed;
	u64 generation;
};

/* Room that the largest route message needs. */
#define NL31_ROUTE_MSG_MAX						\
	(NLMSG_HDRLEN + nla_total_size(16) + nla_total_size(1) +	\
	 NL31_PATH_ATTRS_MAX + NL31_PATH_ATTRS_BLOCK +			\
	 nla_total_size_64bit(8))

/* Largest table message: 16 attributes, none over 64 bits. */
#define NL31_TABLE_MSG_MAX						\
	(NLMSG_HDRLEN + NL31_TABLE_MAX * nla_total_size_64bit(8))

int nl31_put_route(struct sk_buff *skb, const struct nlmsghdr *header,
		   enum nl31_family family, const struct lpm_key *key,
		   const struct nl31_path *path);

int nl31_put_table(struct sk_buff *skb, u32 portid, u32 seq,
		   struct nl31_table *t);

unsigned int nl31_paths_changed(const struct nl31_nexthop *old,
				const struct nl31_nexthop *new);

bool nl31_table_heard(const struct nl31_table *t);

void nl31_events_init(struct nl31_events *events, struct nl31_table *t);
void nl31_events_echo(struct nl31_events *events, const struct sk_buff *request,
		      u32 seq);
void nl31_events_begin(struct nl31_events *events);
void nl31_events_add(struct nl31_events *events,
		     const struct nl31_change *change);
void nl31_events_send(struct nl31_events *events);

static inline bool nl31_events_wanted(const struct nl31_events *events)
{
	return events->listeners || events->echo;
}

#endif /* _NL31_NOTIFY_H */
