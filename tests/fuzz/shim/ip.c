// SPDX-License-Identifier: GPL-2.0-only
/*
 * In the place of what needs Linux's IP around it: no packet comes in, no device nl31 is
 * made, and Linux has no routes. Ports are made and end as in the kernel.
 */
#include "kernel.h"
#include "shim.h"

#include "adjacency.h"
#include "flow.h"
#include "mirror.h"
#include "netdev.h"
#include "port.h"

struct sk_buff *nl31_port_receive(struct net_device *dev, struct sk_buff *skb,
				  u16 proto)
{
	BUG_ON(true);
	__builtin_unreachable();
}

u32 nl31_flow_hash(const struct sk_buff *skb, enum nl31_family family,
		   const hsiphash_key_t *key)
{
	BUG_ON(true);
	__builtin_unreachable();
}

struct dst_entry *nl31_adjacency_new_dst(const struct nl31_adjacency *adjacency,
					 enum nl31_family family)
{
	BUG_ON(true);
	__builtin_unreachable();
}

void nl31_mirror_init(struct nl31_mirror *mirror, struct net *net,
		      struct nl31_adjacencies *adjacencies)
{
}

int nl31_mirror_start(struct nl31_mirror *mirror)
{
	return shim_fails(GFP_KERNEL) ? -ENOMEM : 0;
}

void nl31_mirror_exit(struct nl31_mirror *mirror)
{
}

int nl31_netdev_start(struct nl31_router *router,
		      struct netlink_ext_ack *extack)
{
	return shim_fails(GFP_KERNEL) ? -ENOMEM : 0;
}

void nl31_netdev_update_mtu(struct nl31_router *router)
{
}

void nl31_netdev_event(struct nl31_router *router, const struct net_device *dev,
		       unsigned long event)
{
}

void nl31_netdev_release(struct nl31_router *router)
{
}

int nl31_netdev_init(void)
{
	return shim_fails(GFP_KERNEL) ? -ENOMEM : 0;
}

void nl31_netdev_exit(void)
{
}
