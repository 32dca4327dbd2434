/* SPDX-License-Identifier: GPL-2.0-only */
/* The receive loop of protocol 31, and the replies. */
#ifndef _NL31_NETLINK_H
#define _NL31_NETLINK_H

#include "request.h"

struct nl31_table *nl31_table_of(const struct net *net);

void nl31_receive(struct sk_buff *skb);
struct sk_buff *nl31_done_new(const struct nl31_request *req, int value);
void nl31_wake_receiver(const struct nl31_request *req);

#endif /* _NL31_NETLINK_H */
