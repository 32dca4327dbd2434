/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages to clients: what answers and events are made of. */
#ifndef _NL31_MESSAGE_H
#define _NL31_MESSAGE_H

#include <linux/netlink.h>
#include <linux/skbuff.h>
#include <net/netlink.h>

#include "table.h"

/* Room that the largest route message needs: _OIF and _FLAGS besides the rest. */
#define NL31_ROUTE_MSG_MAX						\
	(NLMSG_HDRLEN + nla_total_size(16) + nla_total_size(1) +	\
	 NL31_PATH_ATTRS_MAX + NL31_PATH_ATTRS_BLOCK +			\
	 2 * nla_total_size(4) + nla_total_size_64bit(8))

/* Largest table message: 16 attributes, none over 64 bits. */
#define NL31_TABLE_MSG_MAX						\
	(NLMSG_HDRLEN + NL31_TABLE_MAX * nla_total_size_64bit(8))

int nl31_fill_route(struct sk_buff *skb, const struct nlmsghdr *header,
		    enum nl31_family family, const struct lpm_key *key,
		    const struct nl31_path *path);
int nl31_fill_route_flags(struct sk_buff *skb, struct nlmsghdr *nlh,
			  const struct nl31_path *path, enum nl31_family family,
			  bool is_standby);
int nl31_fill_generation(struct sk_buff *skb, struct nlmsghdr *nlh,
			 u64 generation);
int nl31_fill_table(struct sk_buff *skb, u32 portid, u32 seq,
		    struct nl31_table *t);

struct sk_buff *nl31_done_new(u32 portid, u32 seq, int value);
struct sk_buff *nl31_error_new(u32 portid, const struct nlmsghdr *nlh, int err,
			       const char *text);
void nl31_socket_overrun(struct sock *sk);

#endif /* _NL31_MESSAGE_H */
