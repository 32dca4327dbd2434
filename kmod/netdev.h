/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Device nl31: how Linux sends by the table what does not come in on a port, such as
 * what this machine sends itself, errors, and packets that were left to Linux.
 *
 * Linux's default routes point to it. A hook at the very begin of OUTPUT gives the
 * packets of this machine the dst of the path in use, so that all that follows sees
 * the true device; without netfilter, and for packets from elsewhere, the device's
 * transmit function does.
 */
#ifndef _NL31_NETDEV_H
#define _NL31_NETDEV_H

#include "router.h"

int nl31_netdev_start(struct nl31_router *router,
		      struct netlink_ext_ack *extack);
void nl31_netdev_update_mtu(struct nl31_router *router);
void nl31_netdev_event(struct nl31_router *router, const struct net_device *dev,
		       unsigned long event);
void nl31_netdev_release(struct nl31_router *router);

int nl31_netdev_init(void);
void nl31_netdev_exit(void);

#endif /* _NL31_NETDEV_H */
