// SPDX-License-Identifier: GPL-2.0-only
/*
 * The receive loop of protocol 31.
 *
 * Why not netlink_rcv_skb(): it silently passes over messages without
 * NLM_F_REQUEST and types below NLMSG_MIN_TYPE, and over the rest of a datagram
 * whose lengths are wrong. Here each message gets its answer.
 *
 * Changes that follow each other in a datagram share one edit as long as no answer
 * is due: it is published before anything is answered, and at the latest when the
 * table's lock is released.
 *
 * A sender that may not change anything leaves no state and takes no lock but for
 * a short look at the table.
 */
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <net/netlink.h>
#include <net/sock.h>
#include <uapi/linux/nl31.h>

#include "dump.h"
#include "message.h"
#include "namespace.h"
#include "netdev.h"
#include "netlink.h"
#include "port_request.h"
#include "route.h"
#include "table_request.h"

/* Positive: handled, and no answer follows. */
#define ANSWERED	1

/* How long a datagram holds the table's lock before others get a chance, in ns. */
#define LOCK_MAX	NSEC_PER_MSEC

/**
 * struct datagram - what the messages of a datagram share
 * @ns: its namespace
 * @is_locked: the table's lock is held
 * @locked_at: since when, by local_clock()
 * @has_checked: @may_change is known
 * @may_change: the sender is privileged
 * @is_discarding: the rest of a transaction that left no state is passed over
 */
struct datagram {
	struct nl31_ns *ns;
	bool is_locked;
	u64 locked_at;
	bool has_checked;
	bool may_change;
	bool is_discarding;
};

static void nl31_datagram_lock(struct datagram *d)
{
	if (d->is_locked)
		return;
	mutex_lock(&d->ns->table.lock);
	d->is_locked = true;
	d->locked_at = local_clock();
}

/* Publish what the last messages have changed. */
static void nl31_publish_pending(struct datagram *d)
{
	if (!d->is_locked || nl31_transaction_is_open(&d->ns->transactions) ||
	    !nl31_edit_is_open(&d->ns->table))
		return;
	nl31_notify_publish(&d->ns->table, &d->ns->notify);
}

static void nl31_datagram_unlock(struct datagram *d)
{
	nl31_publish_pending(d);
	if (d->is_locked)
		mutex_unlock(&d->ns->table.lock);
	d->is_locked = false;
}

static bool nl31_may_change(struct datagram *d, const struct sk_buff *skb)
{
	if (!d->has_checked)
		d->may_change = netlink_net_capable(skb, CAP_NET_ADMIN);
	d->has_checked = true;
	return d->may_change;
}

static int nl31_noop(struct nl31_request *req)
{
	const u32 portid = NETLINK_CB(req->skb).portid;
	struct sk_buff *skb;

	if (nlmsg_len(req->nlh))
		return nl31_extack_err(req, -EINVAL,
				       "NLMSG_NOOP carries nothing");
	skb = nl31_done_new(portid, req->nlh->nlmsg_seq, 0);
	if (!skb)
		return -ENOMEM;
	nlmsg_unicast(req->skb->sk, skb, portid);
	return ANSWERED;
}

/* Does it look at the whole table? */
static bool nl31_walks_table(const struct nlmsghdr *nlh)
{
	return nlh->nlmsg_type == NL31_MSG_NEWTABLE ||
	       (nlh->nlmsg_type == NL31_MSG_DELROUTE &&
		nlh->nlmsg_flags & NLM_F_BULK);
}

static bool nl31_is_change(u16 type)
{
	return type == NL31_MSG_NEWROUTE || type == NL31_MSG_DELROUTE ||
	       type == NL31_MSG_NEWTABLE;
}

static int nl31_apply_change(struct nl31_request *req)
{
	switch (req->nlh->nlmsg_type) {
	case NL31_MSG_NEWROUTE:
		return nl31_route_new(req);
	case NL31_MSG_DELROUTE:
		return nl31_route_del(req);
	default:
		return nl31_table_new(req);
	}
}

/* Is it the last message of its datagram? */
static bool nl31_is_last(const struct nl31_request *req)
{
	return NLMSG_ALIGN(req->nlh->nlmsg_len) >= req->skb->len;
}

static int nl31_begin_change(struct nl31_request *req)
{
	struct nl31_table *t = req->table;

	if (!nl31_walks_table(req->nlh) && !nl31_edit_is_open(t) &&
	    nl31_is_last(req) && nl31_edit_begin_in_place(t))
		return 0;
	return nl31_edit_begin(t);
}

/* A change that does not belong to a transaction. */
static int nl31_handle_change(struct datagram *d, struct nl31_request *req)
{
	const struct nlmsghdr *nlh = req->nlh;
	/* these fail half way through: nothing else may be in their edit */
	const bool is_alone = nl31_walks_table(nlh);
	const bool echo = nlh->nlmsg_flags & NLM_F_ECHO;
	struct nl31_notify notify = d->ns->notify;
	struct nl31_table *t = req->table;
	int err;

	if (!nl31_may_change(d, req->skb))
		return nl31_extack_err(req, -EPERM,
				       "changes need CAP_NET_ADMIN");
	nl31_datagram_lock(d);
	if (nl31_transaction_is_open(&d->ns->transactions))
		return nl31_extack_err(req, -EBUSY,
				       "a transaction is open on port %u",
				       d->ns->transactions.open.portid);

	/* nor in an edit that is echoed */
	if (is_alone || echo)
		nl31_publish_pending(d);
	err = nl31_begin_change(req);
	if (err)
		return err;
	err = nl31_apply_change(req);
	if (err) {
		if (is_alone)
			nl31_edit_abort(t);
		return err;
	}
	if (echo)
		nl31_notify_echo(&notify, req->skb, nlh->nlmsg_seq);
	if (is_alone || echo || nlh->nlmsg_flags & NLM_F_ACK)
		nl31_notify_publish(t, &notify);
	return 0;
}

/* What still comes of a transaction would be taken for another one. */
static void nl31_fail_txn(struct datagram *d, struct sock *sk)
{
	if (!nl31_transaction_fail(&d->ns->transactions, sk))
		d->is_discarding = true;
}

/*
 * A sender that may not change anything, with a message of a transaction. Only
 * where the transaction of this very socket is open there is anything to end.
 */
static int nl31_refuse_txn(struct datagram *d, struct nl31_request *req)
{
	struct sock *sk = NETLINK_CB(req->skb).sk;

	if (nl31_transaction_is_of(&d->ns->transactions, sk)) {
		nl31_datagram_lock(d);
		if (nl31_transaction_is_of(&d->ns->transactions, sk))
			nl31_fail_txn(d, sk);
	}
	d->is_discarding = req->nlh->nlmsg_type != NLMSG_DONE;
	return nl31_extack_err(req, -EPERM, "changes need CAP_NET_ADMIN");
}

/* A message that begins, continues or ends a transaction. */
static int nl31_handle_txn(struct datagram *d, struct nl31_request *req)
{
	const bool is_done = req->nlh->nlmsg_type == NLMSG_DONE;
	struct nl31_transactions *txns = &d->ns->transactions;
	struct sock *sk = NETLINK_CB(req->skb).sk;
	int err;

	if (d->is_discarding) {
		d->is_discarding = !is_done;
		return ANSWERED;
	}
	if (!nl31_may_change(d, req->skb))
		return nl31_refuse_txn(d, req);
	nl31_datagram_lock(d);
	nl31_publish_pending(d);
	if (nl31_transaction_has_failed(txns, sk)) {
		if (is_done)
			nl31_transaction_forget(txns, sk);
		return ANSWERED;
	}

	err = nl31_request_check_flags(req);
	if (!err && is_done)
		err = nl31_transaction_end(txns, req);
	else if (!err && !nl31_is_change(req->nlh->nlmsg_type))
		err = nl31_extack_err(req, -EINVAL,
				      "NLM_F_MULTI makes a transaction, and this is no change of the table");
	else if (!err)
		err = nl31_transaction_add(txns, req, nl31_apply_change);

	if (err && is_done)
		nl31_transaction_forget(txns, sk);
	else if (err)
		nl31_fail_txn(d, sk);
	return err ? : ANSWERED;
}

static bool nl31_is_port_change(u16 type)
{
	return type == NL31_MSG_NEWPORT || type == NL31_MSG_DELPORT;
}

/* A change of a port waits for RTNL, which the table's lock does not. */
static int nl31_handle_port(struct datagram *d, struct nl31_request *req)
{
	struct nl31_router *router = &d->ns->router;
	int err;

	if (!nl31_may_change(d, req->skb))
		return nl31_extack_err(req, -EPERM,
				       "changes need CAP_NET_ADMIN");
	if (req->nlh->nlmsg_type == NL31_MSG_NEWPORT)
		err = nl31_port_new(router, req);
	else
		err = nl31_port_delete(&router->ports, req);
	nl31_netdev_update_mtu(router);
	return err;
}

static int nl31_handle_read(struct datagram *d, struct nl31_request *req)
{
	struct nl31_router *router = &d->ns->router;
	const struct nlmsghdr *nlh = req->nlh;

	switch (nlh->nlmsg_type) {
	case NLMSG_NOOP:
		return nl31_noop(req);
	case NL31_MSG_GREET:
		return nl31_greet(req);
	case NL31_MSG_GETROUTE:
		if (nlh->nlmsg_flags & NLM_F_DUMP)
			return nl31_dump(req) ? : ANSWERED;
		return nl31_route_get(req);
	case NL31_MSG_GETTABLE:
		return nl31_table_get(req);
	case NL31_MSG_GETPORT:
		if (nlh->nlmsg_flags & NLM_F_DUMP)
			return nl31_port_dump(&router->ports, req) ? : ANSWERED;
		return nl31_port_get(&router->ports, req);
	default:
		return nl31_extack_err(req, -EOPNOTSUPP,
				       "unknown message type %u",
				       nlh->nlmsg_type);
	}
}

static int nl31_handle(struct datagram *d, struct nl31_request *req)
{
	const struct nlmsghdr *nlh = req->nlh;
	int err;

	/* answering errors with errors would never end */
	if (nlh->nlmsg_type == NLMSG_ERROR)
		return ANSWERED;
	if (nlh->nlmsg_flags & NLM_F_MULTI || nlh->nlmsg_type == NLMSG_DONE)
		return nl31_handle_txn(d, req);
	err = nl31_request_check_flags(req);
	if (err)
		return err;
	if (nl31_is_change(nlh->nlmsg_type))
		return nl31_handle_change(d, req);
	/* what reads sees what was changed before it */
	nl31_datagram_unlock(d);
	if (nl31_is_port_change(nlh->nlmsg_type))
		return nl31_handle_port(d, req);
	return nl31_handle_read(d, req);
}

static void nl31_answer(struct nl31_request *req, int err)
{
	if (err == -ENOMEM && !req->extack._msg)
		nl31_extack_err(req, err, "out of memory: nothing has changed");
	if (err && req->table)
		nl31_table_count(req->table, NL31_COUNT_ERROR);
	netlink_ack(req->skb, (struct nlmsghdr *)req->nlh, err, &req->extack);
	memset(&req->extack, 0, sizeof(req->extack));
}

/* What is to be forgotten of a transaction when the datagram makes no sense. */
static void nl31_fail_rest(struct datagram *d, struct sk_buff *skb,
			   const struct nlmsghdr *nlh)
{
	struct nl31_transactions *txns = &d->ns->transactions;
	struct sock *sk = NETLINK_CB(skb).sk;
	bool is_marked, is_done;

	/* nothing comes behind the end of one, and what is marked can begin one */
	is_done = nlh && nlh->nlmsg_type == NLMSG_DONE;
	is_marked = nlh && nlh->nlmsg_flags & NLM_F_MULTI;
	if (!nl31_transaction_is_of(txns, sk) &&
	    !((is_done || is_marked) && nl31_may_change(d, skb)))
		return;
	nl31_datagram_lock(d);
	nl31_publish_pending(d);
	if (is_done)
		nl31_transaction_forget(txns, sk);
	else if (is_marked || nl31_transaction_is_of(txns, sk))
		nl31_fail_txn(d, sk);
}

/* Refuse the rest of a datagram whose lengths make no sense. */
static noinline_for_stack void nl31_refuse_rest(struct datagram *d,
						struct sk_buff *skb)
{
	const u32 portid = NETLINK_CB(skb).portid;
	const bool has_header = skb->len >= NLMSG_HDRLEN;
	struct nlmsghdr nlh = {};
	struct sk_buff *answer;
	char text[96];

	memcpy(&nlh, skb->data, min_t(size_t, skb->len, NLMSG_HDRLEN));
	/* it may begin a transaction whose rest is to be discarded */
	if (!d->ns)
		d->ns = nl31_ns_get(sock_net(skb->sk), skb->sk);
	if (d->ns) {
		nl31_fail_rest(d, skb, has_header ? &nlh : NULL);
		nl31_publish_pending(d);
		nl31_table_count(&d->ns->table, NL31_COUNT_ERROR);
	}

	if (has_header)
		snprintf(text, sizeof(text),
			 "message length %u, but %u bytes are left; the rest is refused",
			 nlh.nlmsg_len, skb->len);
	else
		snprintf(text, sizeof(text),
			 "%u bytes are left of the datagram, too few for a header",
			 skb->len);
	answer = nl31_error_new(portid, &nlh, -EINVAL, text);
	if (answer)
		nlmsg_unicast(skb->sk, answer, portid);
	else
		nl31_socket_overrun(NETLINK_CB(skb).sk);
}

/* A message for which there is no table, for want of memory. */
static int nl31_handle_without_ns(struct datagram *d, struct nl31_request *req)
{
	const bool is_done = req->nlh->nlmsg_type == NLMSG_DONE;

	if (req->nlh->nlmsg_type == NLMSG_ERROR)
		return ANSWERED;
	if (is_done || req->nlh->nlmsg_flags & NLM_F_MULTI) {
		if (d->is_discarding) {
			d->is_discarding = !is_done;
			return ANSWERED;
		}
		d->is_discarding = !is_done;
	}
	return -ENOMEM;
}

static void nl31_receive_message(struct datagram *d, struct nl31_request *req)
{
	int err;

	if (unlikely(!d->ns)) {
		d->ns = nl31_ns_get(sock_net(req->skb->sk), req->skb->sk);
		req->table = d->ns ? &d->ns->table : NULL;
	}
	err = likely(d->ns) ? nl31_handle(d, req) :
			      nl31_handle_without_ns(d, req);
	if (err < 0)
		nl31_publish_pending(d);
	if (err < 0 || (!err && req->nlh->nlmsg_flags & NLM_F_ACK))
		nl31_answer(req, err);
	if (d->is_locked && (nl31_walks_table(req->nlh) ||
			     local_clock() - d->locked_at > LOCK_MAX))
		nl31_datagram_unlock(d);
}

/**
 * nl31_receive - input of the kernel socket
 * @skb: a datagram with any number of messages
 *
 * Context: process, the sender's; any number of them at a time
 */
void nl31_receive(struct sk_buff *skb)
{
	struct datagram d = { .ns = nl31_ns_find(sock_net(skb->sk)) };
	struct nl31_request req;

	/* one for all: it is larger than most messages */
	req.skb = skb;
	req.table = d.ns ? &d.ns->table : NULL;
	memset(&req.extack, 0, sizeof(req.extack));
	/* a process that is killed reads no answers */
	while (skb->len && !fatal_signal_pending(current)) {
		req.nlh = nlmsg_hdr(skb);
		if (!nlmsg_ok(req.nlh, skb->len)) {
			nl31_refuse_rest(&d, skb);
			break;
		}
		nl31_receive_message(&d, &req);
		skb_pull(skb, min_t(unsigned int, skb->len,
				    NLMSG_ALIGN(req.nlh->nlmsg_len)));
		cond_resched();
	}
	/* others may have its socket, too, and go on */
	if (d.ns && skb->len && fatal_signal_pending(current))
		nl31_fail_rest(&d, skb, NULL);
	nl31_datagram_unlock(&d);
}

/**
 * nl31_socket_closed - a socket of protocol 31 has been closed
 * @net: its namespace
 *
 * Context: process
 */
void nl31_socket_closed(const struct net *net)
{
	struct nl31_ns *ns = nl31_ns_find(net);

	/* what the socket has left was written before it was closed */
	if (!ns || (!nl31_transaction_is_open(&ns->transactions) &&
		    !READ_ONCE(ns->transactions.failures)))
		return;
	mutex_lock(&ns->table.lock);
	nl31_transaction_close(&ns->transactions);
	mutex_unlock(&ns->table.lock);
}
