// SPDX-License-Identifier: GPL-2.0-only
/* What Linux tells of its routes and rules. See mirror_event.h. */
#include <net/fib_notifier.h>
#include <net/fib_rules.h>
#include <net/inet_dscp.h>
#include <net/ip6_fib.h>
#include <net/ip_fib.h>
#include <net/nexthop.h>

#include "mirror_event.h"

static enum nl31_mirror_class nl31_mirror_class(u8 type, bool has_gateway)
{
	switch (type) {
	case RTN_LOCAL:
		return NL31_MIRROR_LOCAL;
	case RTN_BROADCAST:
	case RTN_ANYCAST:
	case RTN_MULTICAST:
		return NL31_MIRROR_STRONG;
	case RTN_UNICAST:
		return has_gateway ? NL31_MIRROR_WEAK : NL31_MIRROR_STRONG;
	default:
		return NL31_MIRROR_WEAK;
	}
}

/* Without rules of the user Linux looks into no other tables. */
static bool nl31_mirror_has_table(u32 table)
{
	return table == RT_TABLE_LOCAL || table == RT_TABLE_MAIN ||
	       table == RT_TABLE_DEFAULT;
}

static void nl31_mirror_set_route(struct nl31_mirror_event *event,
				  const struct net_device *dev, u8 type,
				  bool has_gateway,
				  const struct net_device *own)
{
	event->class = nl31_mirror_class(type, has_gateway);
	event->ifindex = dev ? dev->ifindex : 0;
	/* Linux leaves these packets to nl31 */
	if (dev && dev == own && event->class != NL31_MIRROR_LOCAL)
		event->class = NL31_MIRROR_NONE;
}

static bool nl31_mirror_read4(struct nl31_mirror_event *event,
			      const struct fib_entry_notifier_info *info,
			      const struct net_device *own)
{
	const struct fib_nh_common *nhc;

	if (!nl31_mirror_has_table(info->tb_id))
		return false;
	event->table = info->tb_id;
	event->nexthops = 1;
	event->key.word[0] = (u64)info->dst << 32;
	event->key.len = info->dst_len;
	if (event->op == NL31_MIRROR_DELETE)
		return true;
	nhc = fib_info_nhc(info->fi, 0);
	nl31_mirror_set_route(event, nhc->nhc_dev, info->type,
			      nhc->nhc_gw_family, own);
	/* it hides what the table has for other packets to the prefix */
	if (info->dscp && event->class < NL31_MIRROR_STRONG)
		event->class = NL31_MIRROR_STRONG;
	return true;
}

#if IS_ENABLED(CONFIG_IPV6)
static bool nl31_mirror_read6(struct nl31_mirror_event *event,
			      const struct fib6_entry_notifier_info *info,
			      const struct net_device *own)
{
	struct fib6_info *rt = info->rt;
	const struct fib6_nh *nh;
	__be64 word[2];

	if (!rt->fib6_table || !nl31_mirror_has_table(rt->fib6_table->tb6_id))
		return false;
	BUILD_BUG_ON(sizeof(word) != sizeof(rt->fib6_dst.addr));
	memcpy(word, &rt->fib6_dst.addr, sizeof(word));
	event->table = rt->fib6_table->tb6_id;
	event->nexthops = 1 + info->nsiblings;
	event->key.word[0] = be64_to_cpu(word[0]);
	event->key.word[1] = be64_to_cpu(word[1]);
	event->key.len = rt->fib6_dst.plen;
	if (event->op == NL31_MIRROR_DELETE)
		return true;
	nh = rt->nh ? nexthop_fib6_nh(rt->nh) : rt->fib6_nh;
	nl31_mirror_set_route(event, nh ? nh->fib_nh_dev : NULL, rt->fib6_type,
			      nh && nh->fib_nh_gw_family, own);
#ifdef CONFIG_IPV6_SUBTREES
	/* Linux is to look at the source */
	if (rt->fib6_src.plen && event->class < NL31_MIRROR_STRONG)
		event->class = NL31_MIRROR_STRONG;
#endif
	return true;
}
#else
static bool nl31_mirror_read6(struct nl31_mirror_event *event,
			      const struct fib6_entry_notifier_info *info,
			      const struct net_device *own)
{
	return false;
}
#endif

/* A rule that could lead packets on a port elsewhere; VRFs are no ports. */
static bool nl31_mirror_has_rule(const struct nl31_mirror_event *event,
				 const struct fib_rule *rule)
{
	if (rule->l3mdev)
		return false;
	if (event->family == NL31_IPV4)
		return !fib4_rule_default(rule);
#if IS_ENABLED(CONFIG_IPV6)
	return !fib6_rule_default(rule);
#else
	return false;
#endif
}

/**
 * nl31_mirror_event_read - read what Linux tells
 * @event: where to put it
 * @type: enum fib_event_type
 * @info: what came with it
 * @own: device nl31, whose routes lead back here; or NULL
 *
 * Context: any; often the lock of a table of Linux
 * Return: whether it matters to the mirror
 */
bool nl31_mirror_event_read(struct nl31_mirror_event *event,
			    unsigned long type, const void *info,
			    const struct net_device *own)
{
	const struct fib_rule_notifier_info *rule_info = info;
	const struct fib_notifier_info *common = info;

	memset(event, 0, sizeof(*event));
	if (common->family != AF_INET && common->family != AF_INET6)
		return false;
	event->family = common->family == AF_INET ? NL31_IPV4 : NL31_IPV6;
	switch (type) {
	case FIB_EVENT_ENTRY_REPLACE:
		event->op = NL31_MIRROR_SET;
		break;
	case FIB_EVENT_ENTRY_APPEND:
		event->op = NL31_MIRROR_APPEND;
		break;
	case FIB_EVENT_ENTRY_DEL:
		event->op = NL31_MIRROR_DELETE;
		break;
	case FIB_EVENT_RULE_ADD:
		event->op = NL31_MIRROR_RULE_ADD;
		return nl31_mirror_has_rule(event, rule_info->rule);
	case FIB_EVENT_RULE_DEL:
		event->op = NL31_MIRROR_RULE_DELETE;
		return nl31_mirror_has_rule(event, rule_info->rule);
	default:
		return false;
	}
	if (event->family == NL31_IPV4)
		return nl31_mirror_read4(event, info, own);
	return nl31_mirror_read6(event, info, own);
}
