// SPDX-License-Identifier: GPL-2.0-only
/* Routes: what the route messages mean. */
#include <linux/inetdevice.h>
#include <linux/netdevice.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include <net/netlink.h>
#include <net/sock.h>

#include "notify.h"
#include "route.h"

#define GIVEN(attr)	BIT(NL31_ROUTE_ ## attr)

#define PATH_ATTRS	(GIVEN(TYPE) | GIVEN(GATEWAY) | GIVEN(OIF) |	\
			 GIVEN(METRIC) | GIVEN(PROTOCOL))

/* Try again to remove the paths of a vanished device. */
#define PURGE_RETRY	HZ

/* Least and most bytes of what a request may carry; the rest is for answers. */
static const struct {
	u8 min;
	u8 max;
} attr_len[NL31_ROUTE_MAX + 1] = {
	[NL31_ROUTE_DST] = { 4, 16 },
	[NL31_ROUTE_DST_LEN] = { 1, 1 },
	[NL31_ROUTE_TYPE] = { 1, 1 },
	[NL31_ROUTE_GATEWAY] = { 4, 16 },
	[NL31_ROUTE_OIF] = { 4, 4 },
	[NL31_ROUTE_METRIC] = { 4, 4 },
	[NL31_ROUTE_PROTOCOL] = { 1, 1 },
};

static unsigned int address_bits(enum nl31_family family)
{
	return family == NL31_IPV4 ? 32 : 128;
}

static int parse_dst(struct nl31_request *req, struct nl31_route *route,
		     const struct nlattr *dst, const struct nlattr *dst_len)
{
	struct lpm_key whole;
	unsigned int bits;
	__be64 ipv6[2];

	if (nla_len(dst) == 4) {
		route->family = NL31_IPV4;
		route->key.word[0] = (u64)be32_to_cpu(nla_get_be32(dst)) << 32;
	} else if (nla_len(dst) == 16) {
		route->family = NL31_IPV6;
		memcpy(ipv6, nla_data(dst), sizeof(ipv6));
		route->key.word[0] = be64_to_cpu(ipv6[0]);
		route->key.word[1] = be64_to_cpu(ipv6[1]);
	} else {
		return nl31_refuse_attr(req, dst, -EINVAL,
					"an address has 4 or 16 bytes, not %d",
					nla_len(dst));
	}
	bits = address_bits(route->family);
	route->key.len = bits;
	if (!dst_len)
		return 0;

	if (nla_get_u8(dst_len) > bits)
		return nl31_refuse_attr(req, dst_len, -EINVAL,
					"prefix length %u is more than %u",
					nla_get_u8(dst_len), bits);
	whole = route->key;
	lpm_key_truncate(&route->key, nla_get_u8(dst_len));
	if (whole.word[0] != route->key.word[0] ||
	    whole.word[1] != route->key.word[1])
		return nl31_refuse_attr(req, dst, -EINVAL,
					"host bits are set beyond prefix length %u",
					route->key.len);
	return 0;
}

static int parse_gateway(struct nl31_request *req, struct nl31_route *route,
			 const struct nlattr *gateway)
{
	struct nl31_path *path = &route->path;
	bool valid;

	if (nla_len(gateway) != 4 && nla_len(gateway) != 16)
		return nl31_refuse_attr(req, gateway, -EINVAL,
					"an address has 4 or 16 bytes, not %d",
					nla_len(gateway));
	if (route->given & GIVEN(DST) &&
	    nla_len(gateway) * 8 != address_bits(route->family))
		return nl31_refuse_attr(req, gateway, -EINVAL,
					"the gateway is of another family than the prefix");
	path->gateway_len = nla_len(gateway);
	memcpy(path->gateway, nla_data(gateway), path->gateway_len);

	if (path->gateway_len == 4) {
		__be32 ip;

		memcpy(&ip, path->gateway, sizeof(ip));
		valid = !ipv4_is_zeronet(ip) && !ipv4_is_multicast(ip) &&
			!ipv4_is_lbcast(ip);
	} else {
		struct in6_addr ip;

		memcpy(&ip, path->gateway, sizeof(ip));
		valid = !ipv6_addr_any(&ip) && !ipv6_addr_is_multicast(&ip);
	}
	if (!valid)
		return nl31_refuse_attr(req, gateway, -EINVAL,
					"the gateway is not the address of a host");
	return 0;
}

static int parse_type(struct nl31_request *req, struct nl31_route *route,
		      const struct nlattr *type)
{
	route->path.type = nla_get_u8(type);
	switch (route->path.type) {
	case NL31_TYPE_UNICAST:
	case NL31_TYPE_BLACKHOLE:
	case NL31_TYPE_UNREACHABLE:
	case NL31_TYPE_PROHIBIT:
		return 0;
	default:
		return nl31_refuse_attr(req, type, -EINVAL,
					"unknown route type %u",
					route->path.type);
	}
}

static noinline int refuse_attr_type(struct nl31_request *req,
				     const struct nlattr *attr)
{
	if (attr->nla_type & ~NLA_TYPE_MASK)
		return nl31_refuse_attr(req, attr, -EINVAL,
					"attribute %d is marked as nested or of network byte order, which none here is",
					nla_type(attr));
	return nl31_refuse_attr(req, attr, -EINVAL,
				"attribute %d is not for requests about routes",
				nla_type(attr));
}

static noinline int refuse_attr_len(struct nl31_request *req,
				    const struct nlattr *attr)
{
	const int min = attr_len[attr->nla_type].min;
	const int max = attr_len[attr->nla_type].max;

	if (min == max)
		return nl31_refuse_attr(req, attr, -EINVAL,
					"attribute %d has %d bytes instead of %d",
					attr->nla_type, nla_len(attr), min);
	return nl31_refuse_attr(req, attr, -ERANGE,
				"attribute %d has %d bytes instead of %d or %d",
				attr->nla_type, nla_len(attr), min, max);
}

/*
 * Find the attributes. nla_parse() would do it, and is half of what it costs to
 * add a route.
 */
static int find_attrs(struct nl31_request *req, struct nl31_route *route,
		      const struct nlattr *tb[NL31_ROUTE_MAX + 1])
{
	const struct nlattr *attr;
	int rem;

	nlmsg_for_each_attr(attr, req->nlh, 0, rem) {
		const unsigned int type = attr->nla_type;

		if (unlikely(type > NL31_ROUTE_MAX || !attr_len[type].max))
			return refuse_attr_type(req, attr);
		if (unlikely(nla_len(attr) < attr_len[type].min ||
			     nla_len(attr) > attr_len[type].max))
			return refuse_attr_len(req, attr);
		route->given |= BIT(type);
		tb[type] = attr;
	}
	if (unlikely(rem > 0))
		return nl31_refuse(req, -EINVAL,
				   "%d bytes are left behind the last attribute, or its length is wrong",
				   rem);
	return 0;
}

/**
 * nl31_route_parse_filter - parse attributes that select routes
 * @req: the request
 * @route: result; what is not given is 0, an absent length the whole address
 */
int nl31_route_parse_filter(struct nl31_request *req, struct nl31_route *route)
{
	const struct nlattr *tb[NL31_ROUTE_MAX + 1];
	struct nl31_path *path = &route->path;
	int err;

	/* all but the path in the form of attributes, which a request has not */
	memset(route, 0, offsetof(struct nl31_route, path.attrs));
	err = find_attrs(req, route, tb);
	if (err)
		return err;

	if (route->given & GIVEN(DST))
		err = parse_dst(req, route, tb[NL31_ROUTE_DST],
				route->given & GIVEN(DST_LEN) ?
				tb[NL31_ROUTE_DST_LEN] : NULL);
	else if (route->given & GIVEN(DST_LEN))
		err = nl31_refuse_attr(req, tb[NL31_ROUTE_DST_LEN], -EINVAL,
				       "a prefix length without an address");
	if (!err && route->given & GIVEN(TYPE))
		err = parse_type(req, route, tb[NL31_ROUTE_TYPE]);
	if (!err && route->given & GIVEN(GATEWAY))
		err = parse_gateway(req, route, tb[NL31_ROUTE_GATEWAY]);
	if (err)
		return err;
	if (route->given & GIVEN(OIF)) {
		path->oif = nla_get_u32(tb[NL31_ROUTE_OIF]);
		if (!path->oif)
			return nl31_refuse_attr(req, tb[NL31_ROUTE_OIF],
						-ERANGE,
						"there is no device 0");
	}
	if (route->given & GIVEN(METRIC))
		path->metric = nla_get_u32(tb[NL31_ROUTE_METRIC]);
	if (route->given & GIVEN(PROTOCOL))
		path->protocol = nla_get_u8(tb[NL31_ROUTE_PROTOCOL]);
	return 0;
}

/* A request about one prefix, or one address, has to name it. */
static int parse_prefix(struct nl31_request *req, struct nl31_route *route)
{
	int err = nl31_route_parse_filter(req, route);

	if (err || route->given & GIVEN(DST))
		return err;
	req->extack.miss_type = NL31_ROUTE_DST;
	return nl31_refuse(req, -EINVAL,
			   "the message names no prefix (attribute %d)",
			   NL31_ROUTE_DST);
}

/* The attribute of a message that has been parsed, to point at in an error. */
static const struct nlattr *find_attr(const struct nl31_request *req, int type)
{
	return nlmsg_find_attr(req->nlh, 0, type);
}

/* Parse a prefix with a path. Context: the table's lock */
static int parse_route(struct nl31_request *req, struct nl31_route *route)
{
	struct nl31_path *path = &route->path;
	struct net_device *dev;
	int err;

	err = parse_prefix(req, route);
	if (err)
		return err;

	if (!path->type)
		path->type = NL31_TYPE_UNICAST;
	if (path->type != NL31_TYPE_UNICAST) {
		if (path->gateway_len || path->oif)
			return nl31_refuse_attr(req,
						find_attr(req, NL31_ROUTE_TYPE),
						-EINVAL,
						"only a unicast path has a gateway or a device");
		return 0;
	}
	if (!path->gateway_len && !path->oif)
		return nl31_refuse(req, -EINVAL,
				   "a unicast path needs a gateway or a device");
	if (!path->oif)
		return 0;

	rcu_read_lock();
	dev = dev_get_by_index_rcu(req->table->net, path->oif);
	if (!dev)
		err = nl31_refuse_attr(req, find_attr(req, NL31_ROUTE_OIF),
				       -ENODEV, "there is no device %u",
				       path->oif);
	else if (!(dev->flags & IFF_UP))
		path->state = NL31_PATH_DOWN;
	rcu_read_unlock();
	return err;
}

/**
 * nl31_route_selects - does a path match the attributes of a filter?
 * @filter: parsed by nl31_route_parse_filter()
 * @path: the path
 */
bool nl31_route_selects(const struct nl31_route *filter,
			const struct nl31_path *path)
{
	const struct nl31_path *want = &filter->path;
	u32 given = filter->given;

	return (!(given & GIVEN(TYPE)) || want->type == path->type) &&
	       (!(given & GIVEN(OIF)) || want->oif == path->oif) &&
	       (!(given & GIVEN(METRIC)) || want->metric == path->metric) &&
	       (!(given & GIVEN(PROTOCOL)) ||
		want->protocol == path->protocol) &&
	       (!(given & GIVEN(GATEWAY)) ||
		(want->gateway_len == path->gateway_len &&
		 !memcmp(want->gateway, path->gateway, path->gateway_len)));
}

/**
 * nl31_route_selects_family - can a filter match anything of a family?
 * @filter: parsed by nl31_route_parse_filter()
 * @family: the family
 */
bool nl31_route_selects_family(const struct nl31_route *filter,
			       enum nl31_family family)
{
	return !(filter->given & GIVEN(DST)) || filter->family == family;
}

/* Next hop of a prefix as the edit in progress has it, or NULL. */
static struct nl31_nexthop *edited(struct nl31_table *t,
				   const struct nl31_route *route)
{
	u32 id = lpm_get(&t->edit.trie[route->family], &route->key);

	return id == LPM_NO_VALUE ? NULL :
				    nl31_nexthop_by_id(&t->nexthops, id);
}

/* The paths of @nh without number @at, and with @add before number @to. */
static int set_paths(struct nl31_request *req, const struct nl31_route *route,
		     struct nl31_nexthop *nh, unsigned int without,
		     const struct nl31_path *add, unsigned int to)
{
	struct nl31_table *t = req->table;
	unsigned int i, count = 0;
	struct nl31_path *path;
	int err;

	if (!nh || (nh->count == 1 && without == 0))
		return nl31_edit_set(t, route->family, &route->key, nh, add,
				     !!add);

	path = kmalloc_array(nh->count + 1, sizeof(*path), GFP_KERNEL);
	if (!path)
		return -ENOMEM;
	for (i = 0; i <= nh->count; i++) {
		if (add && i == to)
			path[count++] = *add;
		if (i < nh->count && i != without)
			path[count++] = nh->path[i];
	}
	err = nl31_edit_set(t, route->family, &route->key, nh, path, count);
	kfree(path);
	return err;
}

#define NO_PATH		UINT_MAX

/**
 * nl31_route_new - NL31_MSG_NEWROUTE
 * @req: the request
 *
 * As ip route add, replace, change and append: a path is told by its prefix and
 * its metric, several of the same metric are told apart by appending only.
 *
 * Context: the table's lock, an edit in progress
 */
int nl31_route_new(struct nl31_request *req)
{
	const u16 how = req->nlh->nlmsg_flags & (NLM_F_CREATE | NLM_F_EXCL |
						 NLM_F_REPLACE | NLM_F_APPEND);
	unsigned int i, same = NO_PATH, equal = NO_PATH, end = 0;
	struct nl31_table *t = req->table;
	struct nl31_nexthop *nh;
	struct nl31_route route;
	int err;

	switch (how) {
	case NLM_F_CREATE:
	case NLM_F_CREATE | NLM_F_EXCL:
	case NLM_F_CREATE | NLM_F_REPLACE:
	case NLM_F_REPLACE:
	case NLM_F_CREATE | NLM_F_APPEND:
		break;
	default:
		return nl31_refuse(req, -EINVAL,
				   "set CREATE and EXCL, CREATE and REPLACE, REPLACE, or CREATE and APPEND");
	}

	err = parse_route(req, &route);
	if (err)
		return err;

	nh = edited(t, &route);
	for (i = 0; nh && i < nh->count; i++) {
		if (nh->path[i].metric <= route.path.metric)
			end = i + 1;
		if (nl31_path_dead(&nh->path[i]))
			continue;
		if (nl31_path_equal(&nh->path[i], &route.path))
			equal = i;
		if (nh->path[i].metric == route.path.metric && same == NO_PATH)
			same = i;
	}

	if (how & NLM_F_APPEND) {
		if (equal != NO_PATH)
			return nl31_refuse(req, -EEXIST,
					   "the prefix has exactly this path");
	} else if (how & NLM_F_REPLACE) {
		if (same != NO_PATH && equal == same)
			return 0;
		if (equal != NO_PATH)
			return nl31_refuse(req, -EEXIST,
					   "the prefix has exactly this path, behind another of metric %u",
					   route.path.metric);
		if (!nh && !(how & NLM_F_CREATE))
			return nl31_refuse(req, -ENOENT,
					   "there is no such prefix to change");
		if (same == NO_PATH && !(how & NLM_F_CREATE))
			return nl31_refuse(req, -ENOENT,
					   "the prefix has no path of metric %u to change",
					   route.path.metric);
	} else if (same != NO_PATH) {
		return nl31_refuse(req, -EEXIST,
				   "the prefix has a path of metric %u",
				   route.path.metric);
	}

	if (how & NLM_F_REPLACE && same != NO_PATH)
		return set_paths(req, &route, nh, same, &route.path, same);

	if (!nh && t->edit.trie[NL31_IPV4].lpm.entries +
		   t->edit.trie[NL31_IPV6].lpm.entries >= t->edit.max_routes)
		return nl31_refuse(req, -ENOSPC,
				   "the table is at its limit of %u routes",
				   t->edit.max_routes);
	if (nh && nh->count >= NL31_PATHS_MAX)
		return nl31_refuse(req, -E2BIG,
				   "the prefix has %u paths, the most there can be",
				   NL31_PATHS_MAX);
	return set_paths(req, &route, nh, NO_PATH, &route.path, end);
}

/* First prefix behind @cursor that a filter may select; NULL @cursor: first. */
static struct nl31_nexthop *next_selected(struct nl31_table *t,
					  const struct nl31_route *filter,
					  const struct lpm_key *cursor,
					  struct nl31_route *at)
{
	struct lpm_iter it;
	bool after = cursor;

	if (!cursor && filter->given & GIVEN(DST))
		cursor = &filter->key;
	lpm_iter_start(&it, &t->edit.trie[at->family].lpm, cursor, after);
	if (!lpm_iter_next(&it))
		return NULL;
	if (filter->given & GIVEN(DST) && !lpm_key_covers(&filter->key, &it.key))
		return NULL;
	at->key = it.key;
	return nl31_nexthop_by_id(&t->nexthops, it.value);
}

/*
 * Remove all paths for which @doomed holds, looking only where @filter may
 * select something. Not all or nothing: on error the caller ends the edit.
 */
static int remove_paths(struct nl31_table *t, const struct nl31_route *filter,
			bool (*doomed)(const struct nl31_route *filter,
				       const struct nl31_path *path))
{
	struct nl31_nexthop *nh;
	struct nl31_path *path;
	struct nl31_route at;
	int err = 0;

	path = kmalloc_array(NL31_PATHS_MAX, sizeof(*path), GFP_KERNEL);
	if (!path)
		return -ENOMEM;

	for (at.family = 0; at.family < NL31_FAMILIES && !err; at.family++) {
		const struct lpm_key *cursor = NULL;

		if (!nl31_route_selects_family(filter, at.family))
			continue;
		while ((nh = next_selected(t, filter, cursor, &at)) && !err) {
			unsigned int i, count = 0;

			for (i = 0; i < nh->count; i++)
				if (!doomed(filter, &nh->path[i]))
					path[count++] = nh->path[i];
			if (count < nh->count)
				err = nl31_edit_set(t, at.family, &at.key, nh,
						    path, count);
			cursor = &at.key;
			cond_resched();
		}
	}
	kfree(path);
	return err;
}

/* NL31_MSG_DELROUTE with NLM_F_BULK */
static int delete_bulk(struct nl31_request *req)
{
	struct nl31_route filter;
	int err;

	err = nl31_route_parse_filter(req, &filter);
	if (err)
		return err;
	if (!filter.given) {
		nl31_edit_clear(req->table);
		return 0;
	}
	return remove_paths(req->table, &filter, nl31_route_selects);
}

/**
 * nl31_route_del - NL31_MSG_DELROUTE
 * @req: the request
 *
 * Context: the table's lock, an edit in progress; one that is begun for this
 * request where NLM_F_BULK is set
 */
int nl31_route_del(struct nl31_request *req)
{
	struct nl31_nexthop *nh;
	struct nl31_route route;
	unsigned int i;
	int err;

	if (req->nlh->nlmsg_flags & NLM_F_BULK)
		return delete_bulk(req);

	err = parse_prefix(req, &route);
	if (err)
		return err;

	nh = edited(req->table, &route);
	if (!nh)
		return nl31_refuse(req, -ESRCH, "there is no such prefix");
	if (route.given & PATH_ATTRS) {
		for (i = 0; i < nh->count; i++)
			if (nl31_route_selects(&route, &nh->path[i]))
				return set_paths(req, &route, nh, i, NULL, 0);
		return nl31_refuse(req, -ESRCH,
				   "the prefix has no path like this");
	}
	if (nh->count > 1 && req->nlh->nlmsg_flags & NLM_F_NONREC)
		return nl31_refuse(req, -ENOTEMPTY,
				   "the prefix has %u paths", nh->count);
	return nl31_edit_set(req->table, route.family, &route.key, nh, NULL, 0);
}

static bool path_dead(const struct nl31_route *filter,
		      const struct nl31_path *path)
{
	return nl31_path_dead(path);
}

/**
 * nl31_route_purge - remove the paths whose device is gone
 * @t: the table
 *
 * Tries again later where memory is short, and when the transaction ends where
 * one is open. Until then nobody sees these paths.
 *
 * Context: the table's lock
 */
void nl31_route_purge(struct nl31_table *t)
{
	static const struct nl31_route everything;
	struct nl31_events events;

	if (!t->purge || t->transaction)
		return;
	if (nl31_edit_begin(t))
		goto later;
	if (remove_paths(t, &everything, path_dead)) {
		nl31_edit_abort(t);
		goto later;
	}
	nl31_events_init(&events, t);
	nl31_edit_publish(t, &events);
	t->purge = false;
	return;

later:
	schedule_delayed_work(&t->purge_work, PURGE_RETRY);
}

/**
 * nl31_route_lookup - the path for an address
 * @t: the table
 * @family: family of @address
 * @address: the address, or a prefix that has to be covered whole
 * @prefix: where to put the prefix that matched
 *
 * A path over a device that is down is passed over, like a prefix that has
 * none but such.
 *
 * Context: RCU read side
 * Return: the path, or NULL
 */
const struct nl31_path *nl31_route_lookup(struct nl31_table *t,
					  enum nl31_family family,
					  const struct lpm_key *address,
					  struct lpm_key *prefix)
{
	const struct lpm *trie = &nl31_table_version(t)->trie[family];
	struct nl31_nexthop *nh;
	unsigned int i;
	u32 id;
	u8 len;

	*prefix = *address;
	for (;;) {
		id = lpm_lookup(trie, prefix, &len);
		if (id == LPM_NO_VALUE)
			return NULL;
		lpm_key_truncate(prefix, len);
		nh = nl31_nexthop_by_id(&t->nexthops, id);
		for (i = 0; i < nh->count; i++)
			if (nl31_path_usable(&nh->path[i]))
				return &nh->path[i];
		if (!len)
			return NULL;
		lpm_key_truncate(prefix, len - 1);
	}
}

/**
 * nl31_route_get - NL31_MSG_GETROUTE for one address
 * @req: the request
 */
int nl31_route_get(struct nl31_request *req)
{
	const u32 known = GIVEN(DST) | GIVEN(DST_LEN);
	const struct nlmsghdr header = {
		.nlmsg_type = NL31_MSG_NEWROUTE,
		.nlmsg_seq = req->nlh->nlmsg_seq,
		.nlmsg_pid = NETLINK_CB(req->skb).portid,
	};
	struct nl31_table *t = req->table;
	const struct nl31_path *path;
	struct nl31_route route;
	struct lpm_key prefix;
	struct sk_buff *skb;
	int err;

	err = parse_prefix(req, &route);
	if (err)
		return err;
	if (route.given & ~known)
		return nl31_refuse(req, -EINVAL,
				   "an address is looked up by nothing but itself; set NLM_F_MATCH to filter");

	skb = nlmsg_new(NL31_ROUTE_MSG_MAX, GFP_KERNEL);
	if (!skb)
		return -ENOMEM;

	rcu_read_lock();
	path = nl31_route_lookup(t, route.family, &route.key, &prefix);
	if (path)
		err = nl31_put_route(skb, &header, route.family, &prefix, path);
	rcu_read_unlock();

	nl31_table_count(t, path ? NL31_COUNT_HIT : NL31_COUNT_MISS);
	if (!path) {
		kfree_skb(skb);
		return nl31_refuse(req, -ENETUNREACH, "no route to there");
	}
	if (WARN_ON_ONCE(err)) {
		kfree_skb(skb);
		return err;
	}
	nlmsg_unicast(t->sock, skb, NETLINK_CB(req->skb).portid);
	return 0;
}
