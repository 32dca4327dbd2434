// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transactions: many changes that take effect at once or not at all.
 *
 * The changes go to the table's edit, which stays in progress from datagram to
 * datagram, so one transaction a table is open, and others get -EBUSY. One that
 * fails, for whatever reason, gets its one answer at once. It is remembered until
 * its NLMSG_DONE comes, or its rest would be taken for another transaction.
 */
#include <linux/jiffies.h>
#include <net/netlink.h>
#include <net/sock.h>

#include "message.h"
#include "transaction.h"

/* A transaction in which nothing comes for so long fails. */
#define IDLE_MAX	(30 * HZ)

static struct nl31_failed_transaction *
find_failed(struct nl31_transactions *txns, const struct sock *sk)
{
	unsigned int i;

	for (i = 0; i < txns->failures; i++)
		if (txns->failed[i].sk == sk)
			return &txns->failed[i];
	return NULL;
}

static void forget_failed(struct nl31_transactions *txns,
			  struct nl31_failed_transaction *failed)
{
	sock_put(failed->sk);
	WRITE_ONCE(txns->failures, txns->failures - 1);
	*failed = txns->failed[txns->failures];
}

/*
 * Whether one more can be remembered: the one that has been silent for longest is
 * forgotten, if it has been so for as long as an open one may be.
 */
static bool make_room(struct nl31_transactions *txns)
{
	struct nl31_failed_transaction *failed = &txns->failed[0];
	unsigned int i;

	if (txns->failures + !!txns->open.sk < NL31_TRANSACTIONS_MAX)
		return true;
	for (i = 1; i < txns->failures; i++)
		if (time_before(txns->failed[i].last, failed->last))
			failed = &txns->failed[i];
	if (time_before(jiffies, failed->last + IDLE_MAX))
		return false;
	forget_failed(txns, failed);
	return true;
}

/* End the open transaction; its edit is published or aborted. */
static void drop_open(struct nl31_transactions *txns)
{
	struct sock *sk = txns->open.sk;

	if (nl31_edit_is_open(txns->table))
		nl31_edit_abort(txns->table);
	WRITE_ONCE(txns->open.sk, NULL);
	sock_put(sk);
	nl31_purge_resume(txns->purge);
}

/**
 * nl31_transaction_has_failed - is what comes from a socket to be discarded?
 * @txns: the transactions
 * @sk: the socket
 */
bool nl31_transaction_has_failed(struct nl31_transactions *txns,
				 const struct sock *sk)
{
	struct nl31_failed_transaction *failed = find_failed(txns, sk);

	if (failed)
		failed->last = jiffies;
	return failed;
}

/**
 * nl31_transaction_fail - abort a transaction, and discard what still comes of it
 * @txns: the transactions
 * @sk: its socket, from which the first message may have come
 *
 * Return: false where it cannot be remembered, as too many are already. That does
 * not happen to one that was open.
 */
bool nl31_transaction_fail(struct nl31_transactions *txns, struct sock *sk)
{
	if (nl31_transaction_is_of(txns, sk))
		drop_open(txns);
	if (nl31_transaction_has_failed(txns, sk))
		return true;
	if (!make_room(txns))
		return false;
	sock_hold(sk);
	txns->failed[txns->failures].sk = sk;
	txns->failed[txns->failures].last = jiffies;
	WRITE_ONCE(txns->failures, txns->failures + 1);
	return true;
}

/**
 * nl31_transaction_forget - end what there is of a transaction
 * @txns: the transactions
 * @sk: its socket, which may have none
 */
void nl31_transaction_forget(struct nl31_transactions *txns,
			     const struct sock *sk)
{
	struct nl31_failed_transaction *failed = find_failed(txns, sk);

	if (nl31_transaction_is_of(txns, sk))
		drop_open(txns);
	if (failed)
		forget_failed(txns, failed);
}

static int transaction_begin(struct nl31_transactions *txns, struct nl31_request *req)
{
	struct nl31_transaction *open = &txns->open;
	int err;

	if (open->sk)
		return nl31_extack_err(req, -EBUSY,
				       "another transaction is open");
	if (!make_room(txns))
		return nl31_extack_err(req, -EBUSY,
				       "%u sockets have not ended their failed transactions",
				       NL31_TRANSACTIONS_MAX);
	err = nl31_edit_begin(txns->table);
	if (err)
		return err;
	sock_hold(NETLINK_CB(req->skb).sk);
	WRITE_ONCE(open->sk, NETLINK_CB(req->skb).sk);
	open->portid = NETLINK_CB(req->skb).portid;
	open->count = 0;
	open->echo = false;
	schedule_delayed_work(&txns->timer, IDLE_MAX);
	return 0;
}

/**
 * nl31_transaction_add - a change marked NLM_F_MULTI
 * @txns: the transactions
 * @req: the change
 * @apply: applies it to the edit
 *
 * Return: 0, or an error that nl31_transaction_fail() has to follow
 */
int nl31_transaction_add(struct nl31_transactions *txns,
			 struct nl31_request *req,
			 int (*apply)(struct nl31_request *req))
{
	struct nl31_transaction *open = &txns->open;
	int err;

	if (!nl31_transaction_is_of(txns, NETLINK_CB(req->skb).sk)) {
		err = transaction_begin(txns, req);
		if (err)
			return err;
	}
	if (open->count == INT_MAX)
		return nl31_extack_err(req, -E2BIG,
				       "the transaction has %d changes, the most there can be",
				       INT_MAX);
	open->last = jiffies;
	open->message = *req->nlh;
	open->echo |= !!(req->nlh->nlmsg_flags & NLM_F_ECHO);
	err = apply(req);
	if (!err)
		open->count++;
	return err;
}

/**
 * nl31_transaction_end - NLMSG_DONE
 * @txns: the transactions
 * @req: the message; a negative int in it aborts the transaction
 *
 * Return: 0 when it has been answered, or an error that
 * nl31_transaction_forget() has to follow
 */
int nl31_transaction_end(struct nl31_transactions *txns,
			 struct nl31_request *req)
{
	struct nl31_transaction *open = &txns->open;
	struct nl31_notify notify = *txns->notify;
	struct sk_buff *skb;
	int value = 0;

	if (!nl31_transaction_is_of(txns, NETLINK_CB(req->skb).sk))
		return nl31_extack_err(req, -EINVAL,
				       "no transaction is open on this socket");
	if (nlmsg_len(req->nlh) && nlmsg_len(req->nlh) != sizeof(value))
		return nl31_extack_err(req, -EINVAL,
				       "NLMSG_DONE carries an int or nothing");
	if (nlmsg_len(req->nlh))
		memcpy(&value, nlmsg_data(req->nlh), sizeof(value));

	skb = nl31_done_new(NETLINK_CB(req->skb).portid, req->nlh->nlmsg_seq,
			    value < 0 ? value : open->count);
	if (!skb)
		return -ENOMEM;
	if (value >= 0) {
		if (open->echo || req->nlh->nlmsg_flags & NLM_F_ECHO)
			nl31_notify_echo(&notify, req->skb, req->nlh->nlmsg_seq);
		nl31_notify_publish(txns->table, &notify);
	}
	drop_open(txns);
	nlmsg_unicast(req->skb->sk, skb, NETLINK_CB(req->skb).portid);
	return 0;
}

/**
 * nl31_transaction_close - forget the transactions of sockets that are closed
 * @txns: the transactions
 */
void nl31_transaction_close(struct nl31_transactions *txns)
{
	unsigned int i;

	if (txns->open.sk && sock_flag(txns->open.sk, SOCK_DEAD))
		drop_open(txns);
	for (i = 0; i < txns->failures;) {
		if (sock_flag(txns->failed[i].sk, SOCK_DEAD))
			forget_failed(txns, &txns->failed[i]);
		else
			i++;
	}
}

/* The one answer of a transaction that was idle for too long. */
static void expire_open(struct nl31_transactions *txns)
{
	struct nl31_transaction *open = &txns->open;
	const u32 portid = open->portid;
	struct sock *sk = open->sk;
	struct sk_buff *skb;

	/* its number may be another socket's already */
	if (sock_flag(sk, SOCK_DEAD))
		return;
	nl31_table_count(txns->table, NL31_COUNT_ERROR);
	skb = nl31_error_new(portid, &open->message, -ETIMEDOUT,
			     "the transaction was idle for over 30 s and has been discarded");
	/* while the transaction holds the socket */
	if (!skb)
		nl31_socket_overrun(sk);
	nl31_transaction_fail(txns, sk);
	if (skb)
		nlmsg_unicast(txns->notify->sock, skb, portid);
}

static void nl31_transaction_expire(struct work_struct *work)
{
	struct nl31_transactions *txns = container_of(to_delayed_work(work),
						      struct nl31_transactions,
						      timer);
	struct nl31_table *t = txns->table;
	unsigned long end;

	mutex_lock(&t->lock);
	end = txns->open.last + IDLE_MAX;
	if (txns->open.sk && time_after_eq(jiffies, end))
		expire_open(txns);
	else if (txns->open.sk)
		schedule_delayed_work(&txns->timer, end - jiffies);
	mutex_unlock(&t->lock);
}

void nl31_transactions_init(struct nl31_transactions *txns,
			    struct nl31_table *t,
			    const struct nl31_notify *notify,
			    struct nl31_purge *purge)
{
	txns->table = t;
	txns->notify = notify;
	txns->purge = purge;
	INIT_DELAYED_WORK(&txns->timer, nl31_transaction_expire);
}

/* Context: without the table's lock; no requests come any more */
void nl31_transactions_exit(struct nl31_transactions *txns)
{
	cancel_delayed_work_sync(&txns->timer);
	mutex_lock(&txns->table->lock);
	if (txns->open.sk)
		drop_open(txns);
	while (txns->failures)
		forget_failed(txns, &txns->failed[0]);
	mutex_unlock(&txns->table->lock);
}
