/* SPDX-License-Identifier: GPL-2.0-only */
/* What a network namespace has of nl31: next to nothing until it is used. */
#ifndef _NL31_NAMESPACE_H
#define _NL31_NAMESPACE_H

#include "notify.h"
#include "purge.h"
#include "router.h"
#include "table.h"
#include "transaction.h"

/**
 * struct nl31_ns - everything of a namespace that uses nl31
 * @table: its table
 * @notify: where the events of changes go
 * @purge: removes the paths of devices that have gone
 * @transactions: its transactions
 * @router: forwards by the table
 */
struct nl31_ns {
	struct nl31_table table;
	struct nl31_notify notify;
	struct nl31_purge purge;
	struct nl31_transactions transactions;
	struct nl31_router router;
};

/**
 * struct nl31_pernet - what each namespace has
 * @sock: the kernel's socket of protocol 31
 * @ns: NULL until the first datagram comes
 */
struct nl31_pernet {
	struct sock *sock;
	struct nl31_ns *ns;
};

extern unsigned int nl31_net_id;

struct nl31_pernet *nl31_pernet(const struct net *net);
struct nl31_ns *nl31_ns_find(const struct net *net);
struct nl31_ns *nl31_ns_get(struct net *net, struct sock *sock);
void nl31_ns_release(struct nl31_ns *ns);
void nl31_ns_free(struct nl31_ns *ns);

#endif /* _NL31_NAMESPACE_H */
