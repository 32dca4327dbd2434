/* SPDX-License-Identifier: GPL-2.0-only */
/* The router of a network namespace: where a packet goes, and may it come from there? */
#ifndef _NL31_ROUTER_H
#define _NL31_ROUTER_H

#include "mirror.h"
#include "port.h"
#include "table.h"

/**
 * struct nl31_router - what forwards in a namespace
 * @ports: where packets come in
 * @mirror: what Linux's own routes claim
 * @table: the table
 * @netdev: device nl31, by which Linux sends what the table is to route; NULL until
 *	there is a port; RTNL
 * @has_hooks: of netfilter, for that device; RTNL
 */
struct nl31_router {
	struct nl31_ports ports;
	struct nl31_mirror mirror;
	struct nl31_table *table;
	struct net_device *netdev;
	bool has_hooks;
};

/**
 * enum nl31_source - is the source of a packet where it came from?
 * @NL31_SOURCE_VALID: as far as the port checks that
 * @NL31_SOURCE_SPOOFED: no
 * @NL31_SOURCE_LOCAL: it is an address of this machine
 */
enum nl31_source {
	NL31_SOURCE_VALID,
	NL31_SOURCE_SPOOFED,
	NL31_SOURCE_LOCAL,
};

void nl31_router_init(struct nl31_router *router, struct nl31_table *t,
		      struct sock *sock,
		      void (*ended)(struct nl31_ports *ports,
				    const struct nl31_port *port));
int nl31_router_start(struct nl31_router *router);
void nl31_router_set_netdev(struct nl31_router *router, struct net_device *dev);
void nl31_router_exit(struct nl31_router *router);

struct dst_entry *nl31_router_table_dst(struct nl31_router *router,
					enum nl31_family family,
					const struct lpm_key *address,
					const struct sk_buff *skb);
struct dst_entry *nl31_router_dst(struct nl31_router *router,
				  enum nl31_family family,
				  const struct lpm_key *address,
				  const struct sk_buff *skb);
enum nl31_source nl31_router_check_source(struct nl31_router *router,
					  enum nl31_family family,
					  const struct lpm_key *address,
					  const struct nl31_port *port);

static inline struct nl31_router *nl31_router_of(const struct nl31_port *port)
{
	return container_of(port->ports, struct nl31_router, ports);
}

#endif /* _NL31_ROUTER_H */
