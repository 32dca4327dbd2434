/* SPDX-License-Identifier: GPL-2.0-only */
/* Publishing an edit, and the events that tell of it. */
#ifndef _NL31_NOTIFY_H
#define _NL31_NOTIFY_H

#include <linux/netlink.h>
#include <linux/skbuff.h>

#include "table.h"

/**
 * struct nl31_notify - where the events of an edit go
 * @sock: the kernel's socket of the namespace, or NULL: there is no listener
 * @requester: socket that gets them besides the group, for NLM_F_ECHO; or NULL
 * @portid: port id of @requester
 * @seq: of the request, with @requester
 */
struct nl31_notify {
	struct sock *sock;
	struct sock *requester;
	u32 portid;
	u32 seq;
};

bool nl31_notify_is_wanted(const struct nl31_notify *notify);
void nl31_notify_echo(struct nl31_notify *notify, const struct sk_buff *request,
		      u32 seq);
void nl31_notify_publish(struct nl31_table *t, const struct nl31_notify *notify);

#endif /* _NL31_NOTIFY_H */
