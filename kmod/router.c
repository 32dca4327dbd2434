// SPDX-License-Identifier: GPL-2.0-only
/*
 * The router of a network namespace.
 *
 * The longest prefix wins of those in the table and those of Linux. Of the same
 * prefix Linux's wins where it is local, broadcast or connected, else the table's.
 */
#include <linux/err.h>
#include <linux/rtnetlink.h>
#include <net/dst.h>

#include "flow.h"
#include "path_select.h"
#include "router.h"

/* Paths that turn out to lead nowhere before a packet has no route. */
#define LOOKUP_TRIES	4

/* Is a route of Linux to be taken before @path, of a prefix of @len? */
static bool nl31_router_prefers_linux(u32 claim, u8 claim_len,
				      const struct nl31_path *path, u8 len)
{
	if (!claim)
		return false;
	if (!path || claim_len > len)
		return true;
	return claim_len == len &&
	       nl31_mirror_class_of(claim) >= NL31_MIRROR_STRONG;
}

/* The path for a packet to @address, by its flow where several share the load. */
static const struct nl31_path *nl31_router_lookup(const struct nl31_router *router,
						  enum nl31_family family,
						  const struct lpm_key *address,
						  const struct sk_buff *skb,
						  struct lpm_key *prefix)
{
	struct nl31_table *t = router->table;
	const struct nl31_path *path;

	path = nl31_table_lookup(t, family, address, prefix);
	if (likely(!path || path->equals == 1) || !READ_ONCE(t->multipath))
		return path;
	return nl31_path_select_flow(path, family,
				     nl31_flow_hash(skb, family, &t->flow_key));
}

static struct dst_entry *nl31_router_no_route(struct nl31_router *router,
					      enum nl31_family family)
{
	struct nl31_adjacencies *adjacencies;

	adjacencies = &router->table->path_lists.adjacencies;
	return nl31_adjacency_dst(&adjacencies->no_route, family);
}

/**
 * nl31_router_table_dst - what a packet leaves by that Linux leaves to the table
 * @router: the router
 * @family: of @address
 * @address: where the packet is to go
 * @skb: the packet
 *
 * Context: RCU read side, bottom halves disabled
 * Return: the dst, valid under RCU; of a packet without a route, too. NULL or ERR_PTR:
 *	there is not even that, and the packet is to be dropped
 */
struct dst_entry *nl31_router_table_dst(struct nl31_router *router,
					enum nl31_family family,
					const struct lpm_key *address,
					const struct sk_buff *skb)
{
	const struct nl31_path *path;
	struct lpm_key prefix;
	struct dst_entry *dst;
	unsigned int try;

	for (try = 0; try < LOOKUP_TRIES; try++) {
		path = nl31_router_lookup(router, family, address, skb, &prefix);
		if (!path)
			break;
		dst = nl31_adjacency_dst(path->adjacency, family);
		if (dst)
			return dst;
	}
	return nl31_router_no_route(router, family);
}

/**
 * nl31_router_dst - what a packet leaves by
 * @router: the router
 * @family: of @address
 * @address: where the packet is to go
 * @skb: the packet
 *
 * Context: RCU read side, bottom halves disabled
 * Return: the dst, valid under RCU; of a packet without a route, too. NULL: leave it
 *	to Linux. ERR_PTR: drop it, there is no memory for the dst
 */
struct dst_entry *nl31_router_dst(struct nl31_router *router,
				  enum nl31_family family,
				  const struct lpm_key *address,
				  const struct sk_buff *skb)
{
	const struct nl31_path *path;
	struct lpm_key prefix;
	struct dst_entry *dst;
	unsigned int try;
	u8 claim_len;
	u32 claim;

	if (!nl31_mirror_lookup(&router->mirror, family, address, &claim,
				&claim_len))
		return NULL;
	for (try = 0; try < LOOKUP_TRIES; try++) {
		path = nl31_router_lookup(router, family, address, skb, &prefix);
		if (nl31_router_prefers_linux(claim, claim_len, path, prefix.len))
			return NULL;
		if (!path)
			break;
		dst = nl31_adjacency_dst(path->adjacency, family);
		if (likely(dst))
			return dst;
		/* it is marked, and passed over the next time */
	}
	return nl31_router_no_route(router, family);
}

static bool nl31_router_leads_over(const struct nl31_path *path,
				   enum nl31_family family,
				   const struct net_device *dev)
{
	const struct dst_entry *dst;

	if (path->type != NL31_TYPE_UNICAST || !nl31_path_is_usable(path, family))
		return false;
	dst = nl31_adjacency_dst(path->adjacency, family);
	return !IS_ERR_OR_NULL(dst) && dst->dev == dev;
}

/* Does the path in use, or one that shares the load with it, lead over @dev? */
static bool nl31_router_is_strict(const struct nl31_router *router,
				  enum nl31_family family,
				  const struct nl31_path *path,
				  const struct net_device *dev)
{
	const unsigned int count = READ_ONCE(router->table->multipath) ?
				   path->equals : 1;
	unsigned int i;

	for (i = 0; i < count; i++)
		if (nl31_router_leads_over(&path[i], family, dev))
			return true;
	return false;
}

/* Does any path of the prefix lead over @dev? */
static bool nl31_router_is_feasible(struct nl31_router *router,
				    enum nl31_family family,
				    const struct lpm_key *address,
				    const struct net_device *dev)
{
	struct nl31_table *t = router->table;
	const struct nl31_path_list *list;
	unsigned int i;
	u32 id;
	u8 len;

	id = nl31_lpm_lookup(&nl31_table_current(t)->trie[family], address, &len);
	if (id == LPM_NO_VALUE)
		return false;
	list = nl31_path_list_by_id(&t->path_lists, id);
	for (i = 0; i < list->count; i++)
		if (nl31_router_leads_over(&list->path[i], family, dev))
			return true;
	return false;
}

/**
 * nl31_router_check_source - may a packet come in where it did?
 * @router: the router
 * @family: of @address
 * @address: where the packet comes from
 * @port: where it came in; says how much is checked
 *
 * Context: RCU read side, bottom halves disabled
 */
enum nl31_source nl31_router_check_source(struct nl31_router *router,
					  enum nl31_family family,
					  const struct lpm_key *address,
					  const struct nl31_port *port)
{
	const u8 urpf = READ_ONCE(port->urpf);
	const struct nl31_path *path;
	struct lpm_key prefix;
	bool is_valid;
	u8 claim_len;
	u32 claim;

	/* where the mirror is blind Linux gets the packet, and does its own checks */
	if (!nl31_mirror_lookup(&router->mirror, family, address, &claim,
				&claim_len))
		return NL31_SOURCE_LOCAL;
	if (nl31_mirror_class_of(claim) == NL31_MIRROR_LOCAL)
		return NL31_SOURCE_LOCAL;
	if (urpf == NL31_URPF_OFF)
		return NL31_SOURCE_VALID;

	path = nl31_table_lookup(router->table, family, address, &prefix);
	if (nl31_router_prefers_linux(claim, claim_len, path, prefix.len))
		is_valid = urpf == NL31_URPF_LOOSE ||
			   nl31_mirror_ifindex_of(claim) == port->dev->ifindex;
	else if (!path)
		is_valid = false;
	else if (urpf == NL31_URPF_LOOSE)
		is_valid = path->type == NL31_TYPE_UNICAST;
	else if (urpf == NL31_URPF_STRICT)
		is_valid = nl31_router_is_strict(router, family, path,
						 port->dev);
	else
		is_valid = nl31_router_is_feasible(router, family, address,
						   port->dev);
	return is_valid ? NL31_SOURCE_VALID : NL31_SOURCE_SPOOFED;
}

/**
 * nl31_router_start - make the router ready for its first port
 * @router: the router
 *
 * Context: process, without the table's lock; takes RTNL
 * Return: 0 or an error
 */
int nl31_router_start(struct nl31_router *router)
{
	return nl31_mirror_start(&router->mirror);
}

/**
 * nl31_router_set_netdev - device nl31 has come or gone
 * @router: the router
 * @dev: the device, or NULL
 *
 * Before Linux can have a route over it.
 *
 * Context: RTNL
 */
void nl31_router_set_netdev(struct nl31_router *router, struct net_device *dev)
{
	ASSERT_RTNL();
	router->netdev = dev;
	WRITE_ONCE(router->mirror.own, dev);
	WRITE_ONCE(router->table->path_lists.adjacencies.own, dev);
}

void nl31_router_init(struct nl31_router *router, struct nl31_table *t,
		      struct sock *sock,
		      void (*ended)(struct nl31_ports *ports,
				    const struct nl31_port *port))
{
	router->table = t;
	nl31_ports_init(&router->ports, sock, ended);
	nl31_mirror_init(&router->mirror, t->net, &t->path_lists.adjacencies);
}

/* Context: process; no requests and no device events come any more */
void nl31_router_exit(struct nl31_router *router)
{
	/* they have ended with their devices */
	WARN_ON_ONCE(!list_empty(&router->ports.list));
	nl31_mirror_exit(&router->mirror);
}
