// SPDX-License-Identifier: GPL-2.0-only
/* Routes: what the route messages mean. */
#include <linux/err.h>
#include <linux/inetdevice.h>
#include <linux/netdevice.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include <net/netlink.h>
#include <net/sock.h>

#include "message.h"
#include "route.h"

#define GIVEN(attr)	BIT(NL31_ROUTE_ ## attr)

#define PATH_ATTRS	(GIVEN(TYPE) | GIVEN(GATEWAY) | GIVEN(OIF) |	\
			 GIVEN(OIF_NAME) | GIVEN(METRIC) | GIVEN(PROTOCOL))

/* What a request may carry; the rest is for answers. Told in errors, too. */
static const struct nla_policy route_policy[NL31_ROUTE_MAX + 1] = {
	[NL31_ROUTE_DST] = NLA_POLICY_RANGE(NLA_BINARY, 4, 16),
	[NL31_ROUTE_DST_LEN] = { .type = NLA_U8 },
	[NL31_ROUTE_TYPE] = { .type = NLA_U8 },
	[NL31_ROUTE_GATEWAY] = NLA_POLICY_RANGE(NLA_BINARY, 4, 16),
	[NL31_ROUTE_OIF] = NLA_POLICY_MIN(NLA_U32, 1),
	[NL31_ROUTE_METRIC] = { .type = NLA_U32 },
	[NL31_ROUTE_PROTOCOL] = { .type = NLA_U8 },
	[NL31_ROUTE_OIF_NAME] = { .type = NLA_NUL_STRING, .len = IFNAMSIZ - 1 },
	[NL31_ROUTE_TABLE] = NLA_POLICY_MAX(NLA_U32, 0),
};

/* Least and most bytes of these. */
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
	[NL31_ROUTE_OIF_NAME] = { 2, IFNAMSIZ },
	[NL31_ROUTE_TABLE] = { 4, 4 },
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
		return nl31_extack_attr_err(req, dst, -EINVAL,
					"an address has 4 or 16 bytes, not %d",
					nla_len(dst));
	}
	bits = address_bits(route->family);
	route->key.len = bits;
	if (!dst_len)
		return 0;

	if (nla_get_u8(dst_len) > bits)
		return nl31_extack_attr_err(req, dst_len, -EINVAL,
					"prefix length %u is more than %u",
					nla_get_u8(dst_len), bits);
	whole = route->key;
	nl31_lpm_key_truncate(&route->key, nla_get_u8(dst_len));
	if (whole.word[0] != route->key.word[0] ||
	    whole.word[1] != route->key.word[1])
		return nl31_extack_attr_err(req, dst, -EINVAL,
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
		return nl31_extack_attr_err(req, gateway, -EINVAL,
					"an address has 4 or 16 bytes, not %d",
					nla_len(gateway));
	if (route->given & GIVEN(DST) &&
	    nla_len(gateway) * 8 != address_bits(route->family))
		return nl31_extack_attr_err(req, gateway, -EINVAL,
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
		return nl31_extack_attr_err(req, gateway, -EINVAL,
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
		return nl31_extack_attr_err(req, type, -EINVAL,
					"unknown route type %u",
					route->path.type);
	}
}

static noinline int refuse_attr_type(struct nl31_request *req,
				     const struct nlattr *attr)
{
	if (attr->nla_type & ~NLA_TYPE_MASK)
		return nl31_extack_attr_err(req, attr, -EINVAL,
					"attribute %d is marked as nested or of network byte order, which none here is",
					nla_type(attr));
	return nl31_extack_attr_err(req, attr, -EINVAL,
				"attribute %d is not for requests about routes",
				nla_type(attr));
}

static noinline int refuse_attr_len(struct nl31_request *req,
				    const struct nlattr *attr)
{
	const int min = attr_len[attr->nla_type].min;
	const int max = attr_len[attr->nla_type].max;

	req->extack.policy = &route_policy[attr->nla_type];
	if (attr->nla_type == NL31_ROUTE_OIF_NAME)
		return nl31_extack_attr_err(req, attr, -ERANGE,
					    "the name of a device has 1 to %d bytes",
					    IFNAMSIZ - 1);
	if (min == max)
		return nl31_extack_attr_err(req, attr, -EINVAL,
					"attribute %d has %d bytes instead of %d",
					attr->nla_type, nla_len(attr), min);
	return nl31_extack_attr_err(req, attr, -ERANGE,
				"attribute %d has %d bytes instead of %d or %d",
				attr->nla_type, nla_len(attr), min, max);
}

/*
 * Find the attributes. nla_parse() would do it, and takes more time than adding a
 * route to the trie does.
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
		return nl31_extack_err(req, -EINVAL,
				   "%d bytes are left behind the last attribute, or its length is wrong",
				   rem);
	return 0;
}

static int parse_oif(struct nl31_request *req, struct nl31_route *route,
		     const struct nlattr *oif)
{
	route->oif = nla_get_u32(oif);
	if (route->oif)
		return 0;
	req->extack.policy = &route_policy[NL31_ROUTE_OIF];
	return nl31_extack_attr_err(req, oif, -ERANGE, "there is no device 0");
}

static int parse_oif_name(struct nl31_request *req, struct nl31_route *route,
			  const struct nlattr *name)
{
	const unsigned int len = nla_len(name);

	memcpy(route->oif_name, nla_data(name), len);
	/* ends with the one zero in it */
	if (strnlen(route->oif_name, len) != len - 1 ||
	    !dev_valid_name(route->oif_name)) {
		req->extack.policy = &route_policy[NL31_ROUTE_OIF_NAME];
		return nl31_extack_attr_err(req, name, -EINVAL,
					    "not the name of a device, with a zero behind");
	}
	if (route->given & GIVEN(OIF))
		return nl31_extack_attr_err(req, name, -EINVAL,
					    "a device is named by index or by name, not both");
	return 0;
}

static int parse_table(struct nl31_request *req, const struct nlattr *table)
{
	if (!nla_get_u32(table))
		return 0;
	req->extack.policy = &route_policy[NL31_ROUTE_TABLE];
	return nl31_extack_attr_err(req, table, -ERANGE,
				    "there is one table, number 0");
}

/* What a path is, as far as it was given. */
static int parse_path(struct nl31_request *req, struct nl31_route *route,
		      const struct nlattr *tb[NL31_ROUTE_MAX + 1])
{
	struct nl31_path *path = &route->path;
	int err = 0;

	if (route->given & GIVEN(TYPE))
		err = parse_type(req, route, tb[NL31_ROUTE_TYPE]);
	if (!err && route->given & GIVEN(GATEWAY))
		err = parse_gateway(req, route, tb[NL31_ROUTE_GATEWAY]);
	if (!err && route->given & GIVEN(OIF))
		err = parse_oif(req, route, tb[NL31_ROUTE_OIF]);
	if (!err && route->given & GIVEN(OIF_NAME))
		err = parse_oif_name(req, route, tb[NL31_ROUTE_OIF_NAME]);
	if (route->given & GIVEN(METRIC))
		path->metric = nla_get_u32(tb[NL31_ROUTE_METRIC]);
	if (route->given & GIVEN(PROTOCOL))
		path->protocol = nla_get_u8(tb[NL31_ROUTE_PROTOCOL]);
	return err;
}

/**
 * nl31_route_parse_filter - parse attributes that select routes
 * @req: the request
 * @route: result; what is not given is 0, an absent length the whole address
 *
 * Return: 0, or an error with text and place
 */
int nl31_route_parse_filter(struct nl31_request *req, struct nl31_route *route)
{
	const struct nlattr *tb[NL31_ROUTE_MAX + 1];
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
		err = nl31_extack_attr_err(req, tb[NL31_ROUTE_DST_LEN], -EINVAL,
					   "a prefix length without an address");
	if (!err && route->given & GIVEN(TABLE)) {
		err = parse_table(req, tb[NL31_ROUTE_TABLE]);
		route->given &= ~GIVEN(TABLE);
	}
	return err ? : parse_path(req, route, tb);
}

/* A request about one prefix, or one address, has to name it. */
static int parse_prefix(struct nl31_request *req, struct nl31_route *route)
{
	int err = nl31_route_parse_filter(req, route);

	if (err || route->given & GIVEN(DST))
		return err;
	req->extack.miss_type = NL31_ROUTE_DST;
	return nl31_extack_err(req, -EINVAL,
			   "the message names no prefix (attribute %d)",
			   NL31_ROUTE_DST);
}

/* The attribute of a message that has been parsed, to point at in an error. */
static const struct nlattr *find_attr(const struct nl31_request *req, int type)
{
	return nlmsg_find_attr(req->nlh, 0, type);
}

static int find_device(struct nl31_request *req, struct nl31_route *route)
{
	struct nl31_devices *devices = &req->table->path_lists.devices;
	struct nl31_device *device;

	if (route->oif)
		device = nl31_device_get_by_index(devices, route->oif);
	else
		device = nl31_device_get_by_name(devices, route->oif_name);
	if (device == ERR_PTR(-ENODEV))
		return nl31_extack_attr_err(req, find_attr(req, NL31_ROUTE_OIF),
					    -ENODEV, "there is no device %u",
					    route->oif);
	if (IS_ERR(device))
		return PTR_ERR(device);
	route->path.device = device;
	return 0;
}

/*
 * Parse a prefix with a path; drop the reference to its device afterwards.
 * Context: the table's lock
 */
static int parse_route(struct nl31_request *req, struct nl31_route *route)
{
	struct nl31_path *path = &route->path;
	bool has_device;
	int err;

	err = parse_prefix(req, route);
	if (err)
		return err;

	has_device = route->given & (GIVEN(OIF) | GIVEN(OIF_NAME));
	if (!path->type)
		path->type = NL31_TYPE_UNICAST;
	if (path->type != NL31_TYPE_UNICAST && (path->gateway_len || has_device))
		return nl31_extack_attr_err(req, find_attr(req, NL31_ROUTE_TYPE),
					    -EINVAL,
					    "only a unicast path has a gateway or a device");
	if (path->type == NL31_TYPE_UNICAST && !path->gateway_len && !has_device)
		return nl31_extack_err(req, -EINVAL,
				       "a unicast path needs a gateway or a device");
	if (has_device)
		err = find_device(req, route);
	if (!err)
		nl31_path_seal(path);
	return err;
}

static bool selects_device(const struct nl31_route *filter,
			   const struct nl31_device *device)
{
	if (filter->given & GIVEN(OIF) &&
	    (!device || READ_ONCE(device->ifindex) != filter->oif))
		return false;
	return !(filter->given & GIVEN(OIF_NAME)) ||
	       (device && !strcmp(device->name, filter->oif_name));
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
	       (!(given & GIVEN(METRIC)) || want->metric == path->metric) &&
	       (!(given & GIVEN(PROTOCOL)) ||
		want->protocol == path->protocol) &&
	       (!(given & GIVEN(GATEWAY)) ||
		(want->gateway_len == path->gateway_len &&
		 !memcmp(want->gateway, path->gateway, path->gateway_len))) &&
	       selects_device(filter, path->device);
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

#define NO_PATH		UINT_MAX

/**
 * struct matches - where a path belongs in a list
 * @same: first path of its metric, or NO_PATH
 * @equal: the path itself, or NO_PATH
 * @end: behind the last of its metric
 */
struct matches {
	unsigned int same;
	unsigned int equal;
	unsigned int end;
};

static struct matches find_matches(const struct nl31_path_key *key,
				   const struct nl31_path *path)
{
	struct matches m = { .same = NO_PATH, .equal = NO_PATH };

	while (m.end < key->count && key->path[m.end]->metric < path->metric)
		m.end++;
	for (; m.end < key->count && key->path[m.end]->metric == path->metric;
	     m.end++) {
		if (m.same == NO_PATH)
			m.same = m.end;
		if (nl31_path_is_equal(key->path[m.end], path))
			m.equal = m.end;
	}
	return m;
}

static int check_replace(struct nl31_request *req,
			 const struct nl31_path_key *key,
			 const struct matches *m, u32 metric)
{
	if (m->equal != m->same)
		return m->equal == NO_PATH ? 0 :
			nl31_extack_err(req, -EEXIST,
					"the prefix has exactly this path, behind another of metric %u",
					metric);
	if (m->same != NO_PATH || req->nlh->nlmsg_flags & NLM_F_CREATE)
		return 0;
	if (!key->count)
		return nl31_extack_err(req, -ENOENT,
				       "there is no such prefix to change");
	return nl31_extack_err(req, -ENOENT,
			       "the prefix has no path of metric %u to change",
			       metric);
}

/* Whether the flags of the request let it change these paths. */
static int check_how(struct nl31_request *req, const struct nl31_path_key *key,
		     const struct matches *m, u32 metric)
{
	const u16 how = req->nlh->nlmsg_flags;

	if (how & NLM_F_REPLACE)
		return check_replace(req, key, m, metric);
	if (how & NLM_F_APPEND)
		return m->equal == NO_PATH ? 0 :
			nl31_extack_err(req, -EEXIST,
					"the prefix has exactly this path");
	if (m->same != NO_PATH)
		return nl31_extack_err(req, -EEXIST,
				       "the prefix has a path of metric %u",
				       metric);
	return 0;
}

static int check_limits(struct nl31_request *req, bool is_new,
			const struct nl31_path_key *key)
{
	const struct nl31_edit *edit = &req->table->edit;

	if (is_new && edit->trie[NL31_IPV4].lpm.entries +
		      edit->trie[NL31_IPV6].lpm.entries >= edit->max_routes)
		return nl31_extack_err(req, -ENOSPC,
				       "the table is at its limit of %u routes",
				       edit->max_routes);
	if (key->count >= NL31_PATHS_MAX)
		return nl31_extack_err(req, -E2BIG,
				       "the prefix has %u paths, the most there can be",
				       NL31_PATHS_MAX);
	return 0;
}

static int check_new_flags(struct nl31_request *req)
{
	switch (req->nlh->nlmsg_flags & (NLM_F_CREATE | NLM_F_EXCL |
					 NLM_F_REPLACE | NLM_F_APPEND)) {
	case NLM_F_CREATE:
	case NLM_F_CREATE | NLM_F_EXCL:
	case NLM_F_CREATE | NLM_F_REPLACE:
	case NLM_F_REPLACE:
	case NLM_F_CREATE | NLM_F_APPEND:
		return 0;
	default:
		return nl31_extack_err(req, -EINVAL,
				       "set CREATE and EXCL, CREATE and REPLACE, REPLACE, or CREATE and APPEND");
	}
}

static noinline_for_stack int set_path(struct nl31_request *req,
				       const struct nl31_route *route)
{
	const bool replace = req->nlh->nlmsg_flags & NLM_F_REPLACE;
	const struct nl31_path *path = &route->path;
	struct nl31_table *t = req->table;
	struct nl31_path_list *old;
	struct nl31_path_key key;
	struct matches m;
	int err;

	old = nl31_edit_get(t, route->family, &route->key);
	nl31_path_key_living(&key, old);
	m = find_matches(&key, path);
	err = check_how(req, &key, &m, path->metric);
	if (err)
		return err;
	if (replace && m.same != NO_PATH) {
		if (m.equal == NO_PATH)
			key.path[m.same] = path;
	} else {
		err = check_limits(req, !old, &key);
		if (err)
			return err;
		nl31_path_key_insert(&key, m.end, path);
	}
	return nl31_edit_set(t, route->family, &route->key, old, &key);
}

/**
 * nl31_route_new - NL31_MSG_NEWROUTE
 * @req: the request
 *
 * As ip route add, replace, change and append: a path is told by its prefix and
 * its metric, several of the same metric are told apart by appending only.
 *
 * Context: the table's lock, an edit in progress
 * Return: 0, or an error with nothing changed
 */
int nl31_route_new(struct nl31_request *req)
{
	struct nl31_route route;
	int err;

	err = check_new_flags(req);
	if (err)
		return err;
	err = parse_route(req, &route);
	if (err)
		return err;
	err = set_path(req, &route);
	nl31_device_put(&req->table->path_lists.devices, route.path.device);
	return err;
}

/* First prefix behind @cursor that a filter may select; NULL @cursor: first. */
static struct nl31_path_list *next_selected(struct nl31_table *t,
					    const struct nl31_route *filter,
					    const struct lpm_key *cursor,
					    struct nl31_route *at)
{
	struct lpm_iter it;
	bool after = cursor;

	if (!cursor && filter->given & GIVEN(DST))
		cursor = &filter->key;
	nl31_lpm_iter_start(&it, &t->edit.trie[at->family].lpm, cursor, after);
	if (!nl31_lpm_iter_next(&it))
		return NULL;
	if (filter->given & GIVEN(DST) &&
	    !nl31_lpm_key_covers(&filter->key, &it.key))
		return NULL;
	at->key = it.key;
	return nl31_path_list_by_id(&t->path_lists, it.value);
}

static int delete_selected(struct nl31_table *t, const struct nl31_route *filter,
			   const struct nl31_route *at,
			   struct nl31_path_list *list)
{
	struct nl31_path_key key;
	unsigned int i, living;

	nl31_path_key_living(&key, list);
	living = key.count;
	for (i = 0; i < key.count;) {
		if (nl31_route_selects(filter, key.path[i]))
			nl31_path_key_remove(&key, i);
		else
			i++;
	}
	/* what only lost dead paths is left to the purge */
	if (key.count == living)
		return 0;
	return nl31_edit_set(t, at->family, &at->key, list, &key);
}

/*
 * NL31_MSG_DELROUTE with NLM_F_BULK. Not all or nothing: on error the caller ends
 * the edit.
 */
static int delete_bulk(struct nl31_request *req)
{
	struct nl31_table *t = req->table;
	struct nl31_route filter, at;
	struct nl31_path_list *list;
	int err;

	err = nl31_route_parse_filter(req, &filter);
	if (err)
		return err;
	if (!filter.given) {
		nl31_edit_clear(t);
		return 0;
	}
	for (at.family = 0; at.family < NL31_FAMILIES && !err; at.family++) {
		const struct lpm_key *cursor = NULL;

		if (!nl31_route_selects_family(&filter, at.family))
			continue;
		while (!err && (list = next_selected(t, &filter, cursor, &at))) {
			err = delete_selected(t, &filter, &at, list);
			cursor = &at.key;
			cond_resched();
		}
	}
	return err;
}

static noinline_for_stack int delete_one(struct nl31_request *req,
					 const struct nl31_route *route)
{
	struct nl31_table *t = req->table;
	struct nl31_path_list *list;
	struct nl31_path_key key;
	unsigned int i;

	list = nl31_edit_get(t, route->family, &route->key);
	nl31_path_key_living(&key, list);
	if (!key.count)
		return nl31_extack_err(req, -ESRCH, "there is no such prefix");
	if (!(route->given & PATH_ATTRS)) {
		if (key.count > 1 && req->nlh->nlmsg_flags & NLM_F_NONREC)
			return nl31_extack_err(req, -ENOTEMPTY,
					       "the prefix has %u paths",
					       key.count);
		key.count = 0;
		return nl31_edit_set(t, route->family, &route->key, list, &key);
	}
	for (i = 0; i < key.count; i++)
		if (nl31_route_selects(route, key.path[i]))
			break;
	if (i == key.count)
		return nl31_extack_err(req, -ESRCH,
				       "the prefix has no path like this");
	nl31_path_key_remove(&key, i);
	return nl31_edit_set(t, route->family, &route->key, list, &key);
}

/**
 * nl31_route_del - NL31_MSG_DELROUTE
 * @req: the request
 *
 * Context: the table's lock, an edit in progress; one that is begun for this
 * request where NLM_F_BULK is set
 * Return: 0, or an error with nothing changed, but with NLM_F_BULK
 */
int nl31_route_del(struct nl31_request *req)
{
	struct nl31_route route;
	int err;

	if (req->nlh->nlmsg_flags & NLM_F_BULK)
		return delete_bulk(req);
	err = parse_prefix(req, &route);
	return err ? : delete_one(req, &route);
}

/**
 * nl31_route_get - NL31_MSG_GETROUTE for one address
 * @req: the request
 *
 * Return: 0 when it has been answered, or an error
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
		return nl31_extack_err(req, -EINVAL,
				       "an address is looked up by nothing but itself; set NLM_F_MATCH to filter");

	skb = nlmsg_new(NL31_ROUTE_MSG_MAX, GFP_KERNEL);
	if (!skb)
		return -ENOMEM;

	rcu_read_lock();
	path = nl31_table_lookup(t, route.family, &route.key, &prefix);
	if (path)
		err = nl31_fill_route(skb, &header, route.family, &prefix, path);
	rcu_read_unlock();

	nl31_table_count(t, path ? NL31_COUNT_HIT : NL31_COUNT_MISS);
	if (!path) {
		kfree_skb(skb);
		return nl31_extack_err(req, -ENETUNREACH, "no route to there");
	}
	if (WARN_ON_ONCE(err)) {
		kfree_skb(skb);
		return err;
	}
	nlmsg_unicast(req->skb->sk, skb, NETLINK_CB(req->skb).portid);
	return 0;
}
