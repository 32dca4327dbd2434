/* SPDX-License-Identifier: GPL-2.0-only */
/* The receive loop of protocol 31. */
#ifndef _NL31_NETLINK_H
#define _NL31_NETLINK_H

struct net;
struct sk_buff;

void nl31_receive(struct sk_buff *skb);
void nl31_socket_closed(const struct net *net);

#endif /* _NL31_NETLINK_H */
