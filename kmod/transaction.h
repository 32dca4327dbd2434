/* SPDX-License-Identifier: GPL-2.0-only */
/* Transactions: many changes that take effect at once or not at all. */
#ifndef _NL31_TRANSACTION_H
#define _NL31_TRANSACTION_H

#include "request.h"

/**
 * enum nl31_transaction_state - what happens to further messages of it
 * @NL31_TRANSACTION_OPEN: they are applied to the edit
 * @NL31_TRANSACTION_EXPIRED: the next one is told that it took too long
 * @NL31_TRANSACTION_FAILED: they are discarded up to and with NLMSG_DONE; the
 *	one answer has been given
 */
enum nl31_transaction_state {
	NL31_TRANSACTION_OPEN,
	NL31_TRANSACTION_EXPIRED,
	NL31_TRANSACTION_FAILED,
};

/**
 * struct nl31_transaction - the transaction of one socket
 * @node: in nl31_table.transactions
 * @sk: the socket, held: no other is taken for it once it is closed
 * @portid: of that socket, and of the next one that takes the number
 * @state: see there; one at the most is open
 * @count: changes applied
 * @echo: NLM_F_ECHO was set in one of them
 * @last: when the last one came, in jiffies
 */
struct nl31_transaction {
	struct hlist_node node;
	struct sock *sk;
	u32 portid;
	enum nl31_transaction_state state;
	u32 count;
	bool echo;
	unsigned long last;
};

/* Context of all but nl31_transaction_expire(): the table's lock */
struct nl31_transaction *nl31_transaction_find(struct nl31_table *t,
					       const struct sk_buff *skb);
int nl31_transaction_add(struct nl31_request *req,
			 int (*apply)(struct nl31_request *req));
int nl31_transaction_commit(struct nl31_request *req);
void nl31_transaction_fail(struct nl31_table *t, const struct sk_buff *skb);
void nl31_transaction_end(struct nl31_table *t, const struct sk_buff *skb);
void nl31_transaction_closed(struct nl31_table *t, u32 portid);
void nl31_transactions_release(struct nl31_table *t);

void nl31_transaction_expire(struct work_struct *work);

#endif /* _NL31_TRANSACTION_H */
