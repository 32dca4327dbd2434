/* SPDX-License-Identifier: GPL-2.0-only */
/* Transactions: many changes that take effect at once or not at all. */
#ifndef _NL31_TRANSACTION_H
#define _NL31_TRANSACTION_H

#include "purge.h"
#include "request.h"

/* Transactions that may be open or failed at a time. */
#define NL31_TRANSACTIONS_MAX	64

/**
 * struct nl31_transaction - the transaction that is open
 * @sk: its socket, held; NULL: none is open
 * @portid: port id of @sk
 * @count: changes applied
 * @echo: NLM_F_ECHO was set in one of them
 * @last: when the last one came, in jiffies
 * @message: header of the last one
 */
struct nl31_transaction {
	struct sock *sk;
	u32 portid;
	u32 count;
	bool echo;
	unsigned long last;
	struct nlmsghdr message;
};

/**
 * struct nl31_failed_transaction - a transaction that has got its one answer, an
 *	error; what still comes of it is discarded up to and with its NLMSG_DONE
 * @sk: its socket, held: no other is taken for it once it is closed
 * @last: when it failed, or its last message came, in jiffies
 */
struct nl31_failed_transaction {
	struct sock *sk;
	unsigned long last;
};

/**
 * struct nl31_transactions - the transactions of a table
 * @table: the table; its lock guards the rest
 * @notify: where the events go
 * @purge: has to wait while one is open
 * @open: the one that is open; its changes are the table's edit
 * @failed: those that failed
 * @failures: how many these are
 * @timer: fails one that is idle
 */
struct nl31_transactions {
	struct nl31_table *table;
	const struct nl31_notify *notify;
	struct nl31_purge *purge;
	struct nl31_transaction open;
	struct nl31_failed_transaction failed[NL31_TRANSACTIONS_MAX];
	unsigned int failures;
	struct delayed_work timer;
};

/* Context of all that follows: process, the table's lock, unless said */

bool nl31_transaction_has_failed(struct nl31_transactions *txns,
				 const struct sock *sk);
int nl31_transaction_add(struct nl31_transactions *txns,
			 struct nl31_request *req,
			 int (*apply)(struct nl31_request *req));
int nl31_transaction_end(struct nl31_transactions *txns,
			 struct nl31_request *req);
bool nl31_transaction_fail(struct nl31_transactions *txns, struct sock *sk);
void nl31_transaction_forget(struct nl31_transactions *txns,
			     const struct sock *sk);

void nl31_transaction_close(struct nl31_transactions *txns);
void nl31_transactions_init(struct nl31_transactions *txns,
			    struct nl31_table *t,
			    const struct nl31_notify *notify,
			    struct nl31_purge *purge);
void nl31_transactions_exit(struct nl31_transactions *txns);

/* For a check without the lock, too. */
static inline bool nl31_transaction_is_open(const struct nl31_transactions *txns)
{
	return READ_ONCE(txns->open.sk);
}

static inline bool nl31_transaction_is_of(const struct nl31_transactions *txns,
					  const struct sock *sk)
{
	return READ_ONCE(txns->open.sk) == sk;
}

#endif /* _NL31_TRANSACTION_H */
