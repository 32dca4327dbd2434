// SPDX-License-Identifier: GPL-2.0-only
/*
 * Publishing an edit, and the events that tell of it.
 *
 * An edit is told as the difference of what was and what is: for each prefix whose
 * paths differ, in address order, the changes that nl31_path_list_diff() makes of
 * its two lists. A listener that makes the same changes to the lists it knows has
 * the new ones, order included.
 */
#include <net/netlink.h>
#include <net/sock.h>
#include <uapi/linux/nl31.h>

#include "message.h"
#include "notify.h"

enum receiver {
	TO_GROUP,
	TO_REQUESTER,
	RECEIVERS
};

/**
 * struct telling - the events of an edit on their way
 * @table: the table
 * @notify: where they go
 * @wants: whether it has a receiver of each kind
 * @skb: events that wait to be sent
 * @change: the prefix that is being told of
 * @generation: of the last event
 */
struct telling {
	struct nl31_table *table;
	const struct nl31_notify *notify;
	bool wants[RECEIVERS];
	struct sk_buff *skb[RECEIVERS];
	const struct nl31_change *change;
	u64 generation;
};

/**
 * nl31_notify_is_wanted - does the group have a member?
 * @notify: where the events go
 */
bool nl31_notify_is_wanted(const struct nl31_notify *notify)
{
	return notify->sock &&
	       netlink_has_listeners(notify->sock, NL31_GRP_ROUTE);
}

/**
 * nl31_notify_echo - send the events to the requester, too
 * @notify: where the events go
 * @request: the datagram with the request
 * @seq: sequence number of the request
 */
void nl31_notify_echo(struct nl31_notify *notify, const struct sk_buff *request,
		      u32 seq)
{
	notify->requester = NETLINK_CB(request).sk;
	notify->portid = NETLINK_CB(request).portid;
	notify->seq = seq;
}

static void telling_flush(struct telling *telling, enum receiver to)
{
	const struct nl31_notify *notify = telling->notify;
	struct sk_buff *skb = telling->skb[to];

	telling->skb[to] = NULL;
	if (!skb)
		return;
	if (to == TO_GROUP)
		nlmsg_multicast(notify->sock, skb,
				notify->requester ? notify->portid : 0,
				NL31_GRP_ROUTE, GFP_KERNEL);
	else
		nlmsg_unicast(notify->sock, skb, notify->portid);
}

/* An event that cannot be sent must not be missing silently. */
static void telling_overrun(struct telling *telling, enum receiver to)
{
	if (to == TO_GROUP)
		netlink_set_err(telling->notify->sock, 0, NL31_GRP_ROUTE,
				-ENOBUFS);
	else
		nl31_socket_overrun(telling->notify->requester);
}

/* A datagram with room for one more message, or NULL with the loss told. */
static struct sk_buff *telling_room(struct telling *telling, enum receiver to,
				    size_t size)
{
	struct sk_buff *skb = telling->skb[to];

	if (skb && skb_tailroom(skb) < size) {
		telling_flush(telling, to);
		skb = NULL;
	}
	if (!skb) {
		skb = nlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
		if (!skb)
			telling_overrun(telling, to);
		telling->skb[to] = skb;
	}
	return skb;
}

static void tell_path_to(struct telling *telling, enum receiver to,
			 struct nlmsghdr *header, const struct nl31_path *path)
{
	const struct nl31_change *change = telling->change;
	struct sk_buff *skb = telling_room(telling, to, NL31_ROUTE_MSG_MAX);
	struct nlmsghdr *nlh;

	if (!skb)
		return;
	if (to == TO_REQUESTER) {
		header->nlmsg_pid = telling->notify->portid;
		header->nlmsg_seq = telling->notify->seq;
	}
	nlh = (struct nlmsghdr *)skb_tail_pointer(skb);
	WARN_ON_ONCE(nl31_fill_route(skb, header, change->family, &change->key,
				     path) ||
		     nl31_fill_generation(skb, nlh, telling->generation));
}

static void tell_path(void *ctx, enum nl31_path_change change,
		      const struct nl31_path *path)
{
	static const u16 flags[] = {
		[NL31_PATH_DELETED] = 0,
		[NL31_PATH_REPLACED] = NLM_F_REPLACE,
		[NL31_PATH_APPENDED] = NLM_F_CREATE,
	};
	struct nlmsghdr header = {
		.nlmsg_type = change == NL31_PATH_DELETED ? NL31_MSG_DELROUTE :
							    NL31_MSG_NEWROUTE,
		.nlmsg_flags = flags[change],
	};
	struct telling *telling = ctx;
	enum receiver to;

	telling->generation++;
	for (to = 0; to < RECEIVERS; to++)
		if (telling->wants[to])
			tell_path_to(telling, to, &header, path);
}

static void tell_prefix(void *ctx, const struct nl31_change *change)
{
	struct telling *telling = ctx;

	telling->change = change;
	nl31_path_list_diff(change->old, change->new, tell_path, telling);
	cond_resched();
}

static void tell_table(struct telling *telling, enum receiver to)
{
	const struct nl31_notify *notify = telling->notify;
	struct sk_buff *skb = telling_room(telling, to, NL31_TABLE_MSG_MAX);

	if (skb)
		WARN_ON_ONCE(nl31_fill_table(skb,
					     to == TO_GROUP ? 0 : notify->portid,
					     to == TO_GROUP ? 0 : notify->seq,
					     telling->table));
}

static void count_events(void *ctx, const struct nl31_change *change)
{
	u64 *events = ctx;

	*events += nl31_path_list_diff(change->old, change->new, NULL, NULL);
	cond_resched();
}

/* How far the edit moves the generation; 0: it has no effect. */
static u64 edit_weight(struct nl31_table *t, bool is_wanted)
{
	u64 events = 0;

	/* without a listener there are no events to be numbered */
	if (!is_wanted)
		return t->edit.has_changes;
	nl31_edit_diff(t, count_events, &events);
	return events;
}

/* Make the edit the current version. Returns whether readers see a difference. */
static bool publish_edit(struct nl31_table *t, u64 weight)
{
	if (weight) {
		nl31_edit_publish(t, nl31_table_current(t)->generation + weight);
		return true;
	}
	nl31_edit_publish_settings(t);
	nl31_edit_abort(t);
	return false;
}

/**
 * nl31_notify_publish - publish the edit, and tell of it
 * @t: the table, an edit in progress
 * @notify: where the events go
 *
 * A listener that does not keep up gets ENOBUFS, the others do not. Does not fail.
 *
 * Context: process, the table's lock
 */
void nl31_notify_publish(struct nl31_table *t, const struct nl31_notify *notify)
{
	const bool has_settings = t->edit.max_routes != t->max_routes ||
				  t->edit.multipath != t->multipath;
	const bool was_wanted = notify->requester || nl31_notify_is_wanted(notify);
	struct telling telling = {
		.table = t,
		.notify = notify,
		.generation = nl31_table_current(t)->generation,
	};
	bool is_published;
	enum receiver to;

	is_published = publish_edit(t, edit_weight(t, was_wanted));
	/*
	 * A listener that joins later dumps the new version; one that has joined and
	 * dumped the old one is seen here.
	 */
	smp_mb();
	telling.wants[TO_GROUP] = nl31_notify_is_wanted(notify);
	telling.wants[TO_REQUESTER] = notify->requester;
	if (is_published && was_wanted)
		nl31_edit_diff(t, tell_prefix, &telling);
	else if (is_published && telling.wants[TO_GROUP])
		/* joined since: the events have no numbers */
		telling_overrun(&telling, TO_GROUP);
	for (to = 0; to < RECEIVERS; to++) {
		if (has_settings && telling.wants[to])
			tell_table(&telling, to);
		telling_flush(&telling, to);
	}
	if (is_published)
		nl31_edit_retire(t);
}
