// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transactions: many changes that take effect at once or not at all.
 *
 * The changes go to the table's edit, which stays in progress from datagram to
 * datagram, so it is one transaction a table, and others wait with -EBUSY.
 */
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <net/netlink.h>
#include <net/sock.h>

#include "netlink.h"
#include "notify.h"
#include "route.h"
#include "transaction.h"

/* A transaction in which nothing comes for so long is abandoned. */
#define IDLE_MAX	(30 * HZ)

/**
 * nl31_transaction_find - transaction of a socket
 * @t: the table
 * @skb: a datagram of that socket
 *
 * Return: the transaction, in whatever state, or NULL
 */
struct nl31_transaction *nl31_transaction_find(struct nl31_table *t,
					       const struct sk_buff *skb)
{
	const struct sock *sk = NETLINK_CB(skb).sk;
	struct nl31_transaction *txn;

	lockdep_assert_held(&t->lock);
	if (t->transaction && t->transaction->sk == sk)
		return t->transaction;
	hash_for_each_possible(t->transactions, txn, node,
			       NETLINK_CB(skb).portid)
		if (txn->sk == sk)
			return txn;
	return NULL;
}

/*
 * It has to be remembered that a transaction failed, or its rest would be taken
 * for another one: this allocation must not fail. It is one for each socket at
 * the most, and smaller than a socket.
 */
static struct nl31_transaction *transaction_new(struct nl31_table *t,
						const struct sk_buff *skb)
{
	struct nl31_transaction *txn;

	txn = kzalloc(sizeof(*txn), GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
	txn->sk = NETLINK_CB(skb).sk;
	sock_hold(txn->sk);
	txn->portid = NETLINK_CB(skb).portid;
	txn->state = NL31_TRANSACTION_FAILED;
	hash_add(t->transactions, &txn->node, txn->portid);
	return txn;
}

/* Give the table free for others. */
static void detach(struct nl31_table *t, struct nl31_transaction *txn)
{
	if (t->transaction != txn)
		return;
	t->transaction = NULL;
	if (nl31_edit_open(t))
		nl31_edit_abort(t);
	nl31_route_purge(t);
}

static void transaction_free(struct nl31_table *t, struct nl31_transaction *txn)
{
	hash_del(&txn->node);
	detach(t, txn);
	sock_put(txn->sk);
	kfree(txn);
}

/**
 * nl31_transaction_add - a change marked NLM_F_MULTI
 * @req: the change
 * @apply: applies it to the edit
 *
 * Return: 0, or an error that nl31_transaction_fail() has to follow
 */
int nl31_transaction_add(struct nl31_request *req,
			 int (*apply)(struct nl31_request *req))
{
	struct nl31_table *t = req->table;
	struct nl31_transaction *txn;
	int err;

	txn = nl31_transaction_find(t, req->skb);
	if (!txn) {
		if (t->transaction)
			return nl31_refuse(req, -EBUSY,
					   "another transaction is open");
		err = nl31_edit_begin(t);
		if (err)
			return err;
		txn = transaction_new(t, req->skb);
		txn->state = NL31_TRANSACTION_OPEN;
		t->transaction = txn;
		schedule_delayed_work(&t->transaction_timer, IDLE_MAX);
	} else if (txn->state == NL31_TRANSACTION_EXPIRED) {
		return nl31_refuse(req, -ETIMEDOUT,
				   "the transaction was idle for over %d s and has been discarded",
				   IDLE_MAX / HZ);
	}

	if (txn->count == INT_MAX)
		return nl31_refuse(req, -E2BIG,
				   "the transaction has %d changes, the most there can be",
				   INT_MAX);
	txn->last = jiffies;
	txn->echo |= !!(req->nlh->nlmsg_flags & NLM_F_ECHO);
	err = apply(req);
	if (!err)
		txn->count++;
	return err;
}

/**
 * nl31_transaction_commit - NLMSG_DONE
 * @req: the message
 *
 * Return: 0 when it has been answered, or an error
 */
int nl31_transaction_commit(struct nl31_request *req)
{
	struct nl31_table *t = req->table;
	struct nl31_transaction *txn;
	struct nl31_events events;
	struct sk_buff *skb;

	txn = nl31_transaction_find(t, req->skb);
	if (!txn)
		return nl31_refuse(req, -EINVAL,
				   "no transaction is open on this socket");
	if (txn->state == NL31_TRANSACTION_EXPIRED)
		return nl31_refuse(req, -ETIMEDOUT,
				   "the transaction was idle for over %d s and has been discarded",
				   IDLE_MAX / HZ);
	if (nlmsg_len(req->nlh) && nlmsg_len(req->nlh) != sizeof(int))
		return nl31_refuse(req, -EINVAL,
				   "NLMSG_DONE carries an int or nothing");

	skb = nl31_done_new(req, txn->count);
	if (!skb)
		return -ENOMEM;

	nl31_events_init(&events, t);
	if (txn->echo || req->nlh->nlmsg_flags & NLM_F_ECHO)
		nl31_events_echo(&events, req->skb, req->nlh->nlmsg_seq);
	nl31_edit_publish(t, &events);
	transaction_free(t, txn);
	nlmsg_unicast(t->sock, skb, NETLINK_CB(req->skb).portid);
	return 0;
}

/**
 * nl31_transaction_fail - discard a transaction, and what still comes of it
 * @t: the table
 * @skb: a datagram of its socket
 */
void nl31_transaction_fail(struct nl31_table *t, const struct sk_buff *skb)
{
	struct nl31_transaction *txn = nl31_transaction_find(t, skb);

	if (!txn)
		txn = transaction_new(t, skb);
	txn->state = NL31_TRANSACTION_FAILED;
	detach(t, txn);
}

/**
 * nl31_transaction_end - forget a transaction
 * @t: the table
 * @skb: a datagram of its socket, which may have none
 */
void nl31_transaction_end(struct nl31_table *t, const struct sk_buff *skb)
{
	struct nl31_transaction *txn = nl31_transaction_find(t, skb);

	if (txn)
		transaction_free(t, txn);
}

/**
 * nl31_transaction_closed - forget the transaction of a socket that is closed
 * @t: the table
 * @portid: its number, which the next socket can have taken already
 */
void nl31_transaction_closed(struct nl31_table *t, u32 portid)
{
	struct nl31_transaction *txn;
	struct hlist_node *next;

	lockdep_assert_held(&t->lock);
	hash_for_each_possible_safe(t->transactions, txn, next, node, portid)
		if (txn->portid == portid && sock_flag(txn->sk, SOCK_DEAD))
			transaction_free(t, txn);
}

/**
 * nl31_transactions_release - forget all transactions
 * @t: the table, which goes away
 */
void nl31_transactions_release(struct nl31_table *t)
{
	struct nl31_transaction *txn;
	struct hlist_node *next;
	int bucket;

	t->purge = false;
	hash_for_each_safe(t->transactions, bucket, next, txn, node)
		transaction_free(t, txn);
}

/**
 * nl31_transaction_expire - discard the open transaction if it is idle
 * @work: nl31_table.transaction_timer
 */
void nl31_transaction_expire(struct work_struct *work)
{
	struct nl31_table *t = container_of(to_delayed_work(work),
					    struct nl31_table,
					    transaction_timer);
	struct nl31_transaction *txn;

	mutex_lock(&t->lock);
	txn = t->transaction;
	if (txn && time_after_eq(jiffies, txn->last + IDLE_MAX)) {
		txn->state = NL31_TRANSACTION_EXPIRED;
		detach(t, txn);
	} else if (txn) {
		schedule_delayed_work(&t->transaction_timer,
				      txn->last + IDLE_MAX - jiffies);
	}
	mutex_unlock(&t->lock);
}
