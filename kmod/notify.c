// SPDX-License-Identifier: GPL-2.0-only
/* Route messages, and the events that tell listeners what changed. */
#include <net/netlink.h>
#include <net/sock.h>
#include <uapi/linux/nl31.h>

#include "notify.h"

enum {
	TO_GROUP,
	TO_REQUESTER,
};

/**
 * nl31_put_route - append a route message
 * @skb: to this
 * @header: header but for the length
 * @family: of @key
 * @key: the prefix
 * @path: one of its paths
 *
 * Return: 0, or -EMSGSIZE with nothing appended
 */
int nl31_put_route(struct sk_buff *skb, const struct nlmsghdr *header,
		   enum nl31_family family, const struct lpm_key *key,
		   const struct nl31_path *path)
{
	const unsigned int address = nla_total_size(family == NL31_IPV4 ? 4 :
								      16);
	const unsigned int len = NLMSG_HDRLEN + address + nla_total_size(1) +
				 path->attrs_len;
	struct nlmsghdr *nlh;
	struct nlattr *attr;
	unsigned int at;
	void *attrs;

	/* by hand: a dump does little else, a million times */
	if (skb_tailroom(skb) < len + NL31_PATH_ATTRS_BLOCK)
		return -EMSGSIZE;
	nlh = __skb_put(skb, len);
	*nlh = *header;
	nlh->nlmsg_len = len;

	attr = (void *)nlh + NLMSG_HDRLEN;
	attr->nla_type = NL31_ROUTE_DST;
	if (family == NL31_IPV4) {
		const __be32 ipv4 = cpu_to_be32(key->word[0] >> 32);

		attr->nla_len = nla_attr_size(sizeof(ipv4));
		memcpy(nla_data(attr), &ipv4, sizeof(ipv4));
	} else {
		const __be64 high = cpu_to_be64(key->word[0]);
		const __be64 low = cpu_to_be64(key->word[1]);

		attr->nla_len = nla_attr_size(sizeof(high) + sizeof(low));
		memcpy(nla_data(attr), &high, sizeof(high));
		memcpy(nla_data(attr) + sizeof(high), &low, sizeof(low));
	}

	attr = (void *)attr + address;
	attr->nla_len = nla_attr_size(1);
	attr->nla_type = NL31_ROUTE_DST_LEN;
	/* the byte and the zeros behind it */
	*(__le32 *)nla_data(attr) = cpu_to_le32(key->len);

	/* the end of the last block is overwritten, or not sent */
	attrs = (void *)attr + nla_total_size(1);
	for (at = 0; at < path->attrs_len; at += NL31_PATH_ATTRS_BLOCK)
		memcpy(attrs + at, path->attrs + at, NL31_PATH_ATTRS_BLOCK);
	return 0;
}

/**
 * nl31_put_table - append a table message
 * @skb: to this
 * @portid: header
 * @seq: header
 * @t: the table
 *
 * Context: the table's lock
 * Return: 0, or -EMSGSIZE with nothing appended
 */
int nl31_put_table(struct sk_buff *skb, u32 portid, u32 seq,
		   struct nl31_table *t)
{
	const struct nl31_version *v = nl31_table_version(t);
	u64 hits = nl31_table_counted(t, NL31_COUNT_HIT);
	u64 misses = nl31_table_counted(t, NL31_COUNT_MISS);
	u64 errors = nl31_table_counted(t, NL31_COUNT_ERROR);
	const struct lpm *ipv4 = &v->trie[NL31_IPV4];
	const struct lpm *ipv6 = &v->trie[NL31_IPV6];
	const int pad = NL31_TABLE_PAD;
	struct nlmsghdr *nlh;

	nlh = nlmsg_put(skb, portid, seq, NL31_MSG_NEWTABLE, 0, 0);
	if (!nlh)
		return -EMSGSIZE;
	if (nla_put_u64_64bit(skb, NL31_TABLE_GENERATION, v->generation, pad) ||
	    nla_put_u32(skb, NL31_TABLE_ROUTES4, ipv4->entries) ||
	    nla_put_u32(skb, NL31_TABLE_ROUTES6, ipv6->entries) ||
	    nla_put_u32(skb, NL31_TABLE_PATHS4, v->paths[NL31_IPV4]) ||
	    nla_put_u32(skb, NL31_TABLE_PATHS6, v->paths[NL31_IPV6]) ||
	    nla_put_u32(skb, NL31_TABLE_NEXTHOPS, t->nexthops.count) ||
	    nla_put_u64_64bit(skb, NL31_TABLE_BYTES4, ipv4->bytes, pad) ||
	    nla_put_u64_64bit(skb, NL31_TABLE_BYTES6, ipv6->bytes, pad) ||
	    nla_put_u64_64bit(skb, NL31_TABLE_NEXTHOP_BYTES, t->nexthops.bytes,
			      pad) ||
	    nla_put_u32(skb, NL31_TABLE_MAX_ROUTES, t->max_routes) ||
	    nla_put_u64_64bit(skb, NL31_TABLE_LOOKUPS, hits + misses, pad) ||
	    nla_put_u64_64bit(skb, NL31_TABLE_HITS, hits, pad) ||
	    nla_put_u64_64bit(skb, NL31_TABLE_MISSES, misses, pad) ||
	    nla_put_u64_64bit(skb, NL31_TABLE_ERRORS, errors, pad)) {
		nlmsg_cancel(skb, nlh);
		return -EMSGSIZE;
	}
	nlmsg_end(skb, nlh);
	return 0;
}

/* The path equal to @path, or NULL. */
static const struct nl31_path *find_path(const struct nl31_nexthop *nh,
					 const struct nl31_path *path)
{
	unsigned int i;

	for (i = 0; nh && i < nh->count; i++)
		if (nl31_path_equal(&nh->path[i], path))
			return &nh->path[i];
	return NULL;
}

/*
 * The path of @nh that a change to @other has put another of the same metric in
 * the place of: the first such that is not in @other.
 */
static const struct nl31_path *find_replaced(const struct nl31_nexthop *nh,
					     const struct nl31_nexthop *other,
					     u32 metric)
{
	unsigned int i;

	for (i = 0; nh && i < nh->count; i++)
		if (nh->path[i].metric == metric &&
		    !find_path(other, &nh->path[i]))
			return &nh->path[i];
	return NULL;
}

typedef void (*change_fn)(struct nl31_events *events, u16 type, u16 flags,
			  const struct nl31_change *change,
			  const struct nl31_path *path);

/*
 * Not told of before: a list may hold a path several times while a transaction
 * keeps those that are dead from being taken out, and then it is one to readers.
 */
static bool is_first(const struct nl31_nexthop *nh,
		     const struct nl31_path *path)
{
	return find_path(nh, path) == path;
}

/*
 * What became of the paths of a prefix, an event each: a path is gone, is new,
 * or took the place of another. The last is one event, not two.
 */
static unsigned int walk_changes(const struct nl31_change *change,
				 change_fn fn, struct nl31_events *events)
{
	const struct nl31_nexthop *old = change->old, *new = change->new;
	const struct nl31_path *path, *other;
	unsigned int i, changes = 0;

	for (i = 0; old && i < old->count; i++) {
		path = &old->path[i];
		if (find_path(new, path) || !is_first(old, path))
			continue;
		if (find_replaced(old, new, path->metric) == path &&
		    find_replaced(new, old, path->metric))
			continue;
		changes++;
		if (fn)
			fn(events, NL31_MSG_DELROUTE, 0, change, path);
	}
	for (i = 0; new && i < new->count; i++) {
		u16 flags = NLM_F_CREATE;

		path = &new->path[i];
		if (find_path(old, path) || !is_first(new, path))
			continue;
		other = find_replaced(old, new, path->metric);
		if (other && find_replaced(new, old, path->metric) == path)
			flags = NLM_F_REPLACE;
		changes++;
		if (fn)
			fn(events, NL31_MSG_NEWROUTE, flags, change, path);
	}
	return changes;
}

/**
 * nl31_paths_changed - how many events a change of paths is
 * @old: the paths a prefix had, or NULL
 * @new: the paths it has, or NULL
 */
unsigned int nl31_paths_changed(const struct nl31_nexthop *old,
				const struct nl31_nexthop *new)
{
	const struct nl31_change change = { .old = old, .new = new };

	if (!old && new->count == 1)
		return 1;
	if (!new && old->count == 1)
		return 1;
	return walk_changes(&change, NULL, NULL);
}

/**
 * nl31_events_init - begin to collect events
 * @events: where
 * @t: the table
 */
void nl31_events_init(struct nl31_events *events, struct nl31_table *t)
{
	memset(events, 0, sizeof(*events));
	events->table = t;
}

/**
 * nl31_events_echo - send the events to the requester, too
 * @events: the events
 * @request: the datagram with the request
 * @seq: sequence number of the request
 */
void nl31_events_echo(struct nl31_events *events, const struct sk_buff *request,
		      u32 seq)
{
	events->echo = true;
	events->requester = NETLINK_CB(request).sk;
	events->portid = NETLINK_CB(request).portid;
	events->seq = seq;
}

static void flush(struct nl31_events *events, int to)
{
	struct sock *sock = events->table->sock;
	struct sk_buff *skb = events->skb[to];

	events->skb[to] = NULL;
	if (!skb)
		return;
	if (to == TO_GROUP)
		nlmsg_multicast(sock, skb, events->echo ? events->portid : 0,
				NL31_GRP_ROUTE, GFP_KERNEL);
	else
		nlmsg_unicast(sock, skb, events->portid);
}

/* An event that cannot be sent must not be missing silently. */
static void lose(struct nl31_events *events, int to)
{
	if (to == TO_GROUP) {
		netlink_set_err(events->table->sock, 0, NL31_GRP_ROUTE,
				-ENOBUFS);
	} else {
		WRITE_ONCE(events->requester->sk_err, ENOBUFS);
		sk_error_report(events->requester);
	}
}

/* A datagram with room for one more message, or NULL with the loss told. */
static struct sk_buff *room_for(struct nl31_events *events, int to, size_t size)
{
	struct sk_buff *skb = events->skb[to];

	if (skb && skb_tailroom(skb) < size) {
		flush(events, to);
		skb = NULL;
	}
	if (!skb) {
		skb = nlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
		if (!skb)
			lose(events, to);
		events->skb[to] = skb;
	}
	return skb;
}

static void add_to(struct nl31_events *events, int to, u16 type, u16 flags,
		   const struct nl31_change *change,
		   const struct nl31_path *path)
{
	struct sk_buff *skb = room_for(events, to, NL31_ROUTE_MSG_MAX);
	struct nlmsghdr header = { .nlmsg_type = type, .nlmsg_flags = flags };
	struct nlmsghdr *nlh;

	if (!skb)
		return;
	if (to == TO_REQUESTER) {
		header.nlmsg_pid = events->portid;
		header.nlmsg_seq = events->seq;
	}
	nlh = (struct nlmsghdr *)skb_tail_pointer(skb);
	if (WARN_ON_ONCE(nl31_put_route(skb, &header, change->family,
					&change->key, path) ||
			 nla_put_u64_64bit(skb, NL31_ROUTE_GENERATION,
					   events->generation,
					   NL31_ROUTE_PAD)))
		return;
	nlmsg_end(skb, nlh);
}

static void add_table(struct nl31_events *events, int to)
{
	struct sk_buff *skb = room_for(events, to, NL31_TABLE_MSG_MAX);
	u32 portid = to == TO_GROUP ? 0 : events->portid;
	u32 seq = to == TO_GROUP ? 0 : events->seq;

	if (skb)
		WARN_ON_ONCE(nl31_put_table(skb, portid, seq, events->table));
}

static void add_change(struct nl31_events *events, u16 type, u16 flags,
		       const struct nl31_change *change,
		       const struct nl31_path *path)
{
	events->generation++;
	if (events->listeners)
		add_to(events, TO_GROUP, type, flags, change, path);
	if (events->echo)
		add_to(events, TO_REQUESTER, type, flags, change, path);
}

/**
 * nl31_table_heard - does anybody listen to the events?
 * @t: the table; one that is tested by itself has no socket
 */
bool nl31_table_heard(const struct nl31_table *t)
{
	return t->sock && netlink_has_listeners(t->sock, NL31_GRP_ROUTE);
}

/**
 * nl31_events_begin - find out who wants the events
 * @events: the events
 *
 * Called when the new version is published: who joins later dumps it, who has
 * dumped the old one before is heard of here.
 */
void nl31_events_begin(struct nl31_events *events)
{
	smp_mb(); /* the new version is to be seen before we look who is there */
	events->listeners = nl31_table_heard(events->table);
}

/**
 * nl31_events_add - a prefix has changed
 * @events: takes an event for each path changed
 * @change: the prefix and its paths
 *
 * Sends what does not fit into one datagram any more. A listener that does not
 * keep up gets ENOBUFS, nobody else.
 */
void nl31_events_add(struct nl31_events *events,
		     const struct nl31_change *change)
{
	walk_changes(change, add_change, events);
}

/**
 * nl31_events_send - send what nl31_events_add() has not sent yet
 * @events: the events
 */
void nl31_events_send(struct nl31_events *events)
{
	if (events->table_changed && events->listeners)
		add_table(events, TO_GROUP);
	if (events->table_changed && events->echo)
		add_table(events, TO_REQUESTER);
	flush(events, TO_GROUP);
	flush(events, TO_REQUESTER);
}
