// SPDX-License-Identifier: GPL-2.0-only
/*
 * The receive loop of protocol 31, and the replies.
 *
 * Why not netlink_rcv_skb(): it passes over messages without NLM_F_REQUEST and
 * types below NLMSG_MIN_TYPE, and over the rest of a datagram whose lengths are
 * wrong, all without a word. Here each message gets its answer.
 *
 * Changes that follow each other in a datagram share one edit as long as nobody
 * can tell: it is published before anything is answered, and where somebody
 * listens to the events, while it still knows what became of each prefix.
 */
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <net/netlink.h>
#include <net/sock.h>
#include <uapi/linux/nl31.h>

#include "dump.h"
#include "netlink.h"
#include "notify.h"
#include "route.h"
#include "transaction.h"

/* Positive: handled, and no answer follows. */
#define ANSWERED	1

/**
 * struct datagram - what the messages of a datagram share
 * @table: the table
 * @locked: its lock is held
 * @may_change: the sender was found to be privileged
 */
struct datagram {
	struct nl31_table *table;
	bool locked;
	bool may_change;
};

static void lock(struct datagram *d)
{
	if (!d->locked)
		mutex_lock(&d->table->lock);
	d->locked = true;
}

/* Publish what the last messages have changed. */
static void settle(struct datagram *d)
{
	struct nl31_events events;

	if (!d->locked || d->table->transaction || !nl31_edit_open(d->table))
		return;
	nl31_events_init(&events, d->table);
	nl31_edit_publish(d->table, &events);
}

static void settle_and_unlock(struct datagram *d)
{
	settle(d);
	if (d->locked)
		mutex_unlock(&d->table->lock);
	d->locked = false;
}

/**
 * nl31_done_new - an NLMSG_DONE as answer
 * @req: the request
 * @value: what it carries
 */
struct sk_buff *nl31_done_new(const struct nl31_request *req, int value)
{
	struct sk_buff *skb = nlmsg_new(sizeof(int), GFP_KERNEL);
	struct nlmsghdr *nlh;

	if (!skb)
		return NULL;
	nlh = nlmsg_put(skb, NETLINK_CB(req->skb).portid, req->nlh->nlmsg_seq,
			NLMSG_DONE, sizeof(int), 0);
	memcpy(nlmsg_data(nlh), &value, sizeof(value));
	return skb;
}

/**
 * nl31_wake_receiver - make the requester receive, for the sake of its dump
 * @req: a dump that is in progress, but found no memory for its first part
 *
 * The next part is made when something has been received: an NLMSG_NOOP, which is
 * to be ignored. An error would be a second end beside the dump's own.
 */
void nl31_wake_receiver(const struct nl31_request *req)
{
	const u32 portid = NETLINK_CB(req->skb).portid;
	struct sk_buff *skb = nlmsg_new(0, GFP_KERNEL);

	if (!skb) {
		WRITE_ONCE(NETLINK_CB(req->skb).sk->sk_err, ENOBUFS);
		sk_error_report(NETLINK_CB(req->skb).sk);
		return;
	}
	nlmsg_put(skb, portid, req->nlh->nlmsg_seq, NLMSG_NOOP, 0, 0);
	nlmsg_unicast(req->table->sock, skb, portid);
}

static int noop(struct nl31_request *req)
{
	struct sk_buff *skb;

	if (nlmsg_len(req->nlh))
		return nl31_refuse(req, -EINVAL, "NLMSG_NOOP carries nothing");
	skb = nl31_done_new(req, 0);
	if (!skb)
		return -ENOMEM;
	nlmsg_unicast(req->table->sock, skb, NETLINK_CB(req->skb).portid);
	return ANSWERED;
}

static const struct nla_policy greet_policy[NL31_GREET_MAX + 1] = {
	[NL31_GREET_TEXT] = { .type = NLA_STRING, .len = NL31_TEXT_MAX },
	[NL31_GREET_PORTID] = { .type = NLA_REJECT },
	[NL31_GREET_VERSION] = { .type = NLA_REJECT },
	[NL31_GREET_ABI] = { .type = NLA_REJECT },
};

static noinline_for_stack int greet(struct nl31_request *req)
{
	static const char greeting[] = "hello, port 4294967295, you said: ";
	const u32 portid = NETLINK_CB(req->skb).portid;
	char text[sizeof(greeting) + NL31_TEXT_MAX];
	struct nlattr *tb[NL31_GREET_MAX + 1];
	struct nlmsghdr *nlh;
	struct sk_buff *skb;
	int err, len;

	err = nl31_request_parse(req, tb, NL31_GREET_MAX, greet_policy);
	if (err)
		return err;

	len = snprintf(text, sizeof(text), "hello, port %u", portid);
	if (tb[NL31_GREET_TEXT]) {
		len += snprintf(text + len, sizeof(text) - len, ", you said: ");
		nla_strscpy(text + len, tb[NL31_GREET_TEXT],
			    sizeof(text) - len);
	}

	skb = nlmsg_new(nla_total_size(sizeof(text)) + nla_total_size(4) +
			nla_total_size(sizeof(NL31_VERSION)) +
			nla_total_size(4), GFP_KERNEL);
	if (!skb)
		return -ENOMEM;
	nlh = nlmsg_put(skb, portid, req->nlh->nlmsg_seq, NL31_MSG_GREET, 0, 0);
	if (WARN_ON_ONCE(!nlh ||
			 nla_put_string(skb, NL31_GREET_TEXT, text) ||
			 nla_put_u32(skb, NL31_GREET_PORTID, portid) ||
			 nla_put_string(skb, NL31_GREET_VERSION,
					NL31_VERSION) ||
			 nla_put_u32(skb, NL31_GREET_ABI, NL31_ABI_VERSION))) {
		kfree_skb(skb);
		return -EMSGSIZE;
	}
	nlmsg_end(skb, nlh);
	nlmsg_unicast(req->table->sock, skb, portid);
	return 0;
}

static const struct nla_policy no_table_policy[NL31_TABLE_MAX + 1] = {};

static const struct nla_policy table_policy[NL31_TABLE_MAX + 1] = {
	[NL31_TABLE_MAX_ROUTES] = NLA_POLICY_MIN(NLA_U32, 1),
};

static int get_table(struct nl31_request *req)
{
	struct nlattr *tb[NL31_TABLE_MAX + 1];
	struct sk_buff *skb;
	int err;

	err = nl31_request_parse(req, tb, NL31_TABLE_MAX, no_table_policy);
	if (err)
		return err;
	if (req->nlh->nlmsg_flags & NLM_F_DUMP)
		return nl31_refuse(req, -EOPNOTSUPP,
				   "there is one table: get it without NLM_F_DUMP");

	skb = nlmsg_new(NL31_TABLE_MSG_MAX, GFP_KERNEL);
	if (!skb)
		return -ENOMEM;
	mutex_lock(&req->table->lock);
	err = nl31_put_table(skb, NETLINK_CB(req->skb).portid,
			     req->nlh->nlmsg_seq, req->table);
	mutex_unlock(&req->table->lock);
	if (WARN_ON_ONCE(err)) {
		kfree_skb(skb);
		return err;
	}
	nlmsg_unicast(req->table->sock, skb, NETLINK_CB(req->skb).portid);
	return 0;
}

static int new_table(struct nl31_request *req)
{
	const u16 flags = req->nlh->nlmsg_flags;
	struct nlattr *tb[NL31_TABLE_MAX + 1];
	struct nl31_table *t = req->table;
	int err;

	err = nl31_request_parse(req, tb, NL31_TABLE_MAX, table_policy);
	if (err)
		return err;
	if (flags & (NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND))
		return nl31_refuse(req, -EINVAL,
				   "the table always exists: set NLM_F_REPLACE or nothing");
	if (!tb[NL31_TABLE_MAX_ROUTES] && !(flags & NLM_F_REPLACE))
		return nl31_refuse(req, -EINVAL,
				   "no limit is given (attribute %d)",
				   NL31_TABLE_MAX_ROUTES);
	if (flags & NLM_F_REPLACE)
		nl31_edit_clear(t);
	if (tb[NL31_TABLE_MAX_ROUTES])
		t->edit.max_routes = nla_get_u32(tb[NL31_TABLE_MAX_ROUTES]);
	return 0;
}

/* Does it look at the whole table? */
static bool is_long(const struct nlmsghdr *nlh)
{
	return nlh->nlmsg_type == NL31_MSG_NEWTABLE ||
	       (nlh->nlmsg_type == NL31_MSG_DELROUTE &&
		nlh->nlmsg_flags & NLM_F_BULK);
}

static bool is_change(u16 type)
{
	return type == NL31_MSG_NEWROUTE || type == NL31_MSG_DELROUTE ||
	       type == NL31_MSG_NEWTABLE;
}

static int apply(struct nl31_request *req)
{
	switch (req->nlh->nlmsg_type) {
	case NL31_MSG_NEWROUTE:
		return nl31_route_new(req);
	case NL31_MSG_DELROUTE:
		return nl31_route_del(req);
	default:
		return new_table(req);
	}
}

static int may_change(struct datagram *d, struct nl31_request *req)
{
	if (!d->may_change)
		d->may_change = netlink_net_capable(req->skb, CAP_NET_ADMIN);
	if (d->may_change)
		return 0;
	return nl31_refuse(req, -EPERM, "changes need CAP_NET_ADMIN");
}

/* Is it the last message of its datagram? */
static bool is_last(const struct nl31_request *req)
{
	return NLMSG_ALIGN(req->nlh->nlmsg_len) >= req->skb->len;
}

/* A change that does not belong to a transaction. */
static int change(struct datagram *d, struct nl31_request *req)
{
	const struct nlmsghdr *nlh = req->nlh;
	struct nl31_table *t = req->table;
	struct nl31_events events;
	/* these fail half way through: nothing else may be in their edit */
	const bool alone = is_long(nlh);
	int err;

	err = may_change(d, req);
	if (err)
		return err;
	lock(d);
	if (t->transaction)
		return nl31_refuse(req, -EBUSY,
				   "a transaction is open on port %u",
				   t->transaction->portid);

	/* nor in an edit that is echoed */
	if (alone || nlh->nlmsg_flags & NLM_F_ECHO)
		settle(d);
	if (alone || nl31_edit_open(t) || !is_last(req) ||
	    !nl31_edit_begin_in_place(t)) {
		err = nl31_edit_begin(t);
		if (err)
			return err;
	}
	err = apply(req);
	if (err) {
		if (alone)
			nl31_edit_abort(t);
		return err;
	}

	if (alone || nlh->nlmsg_flags & (NLM_F_ACK | NLM_F_ECHO) ||
	    (t->edit.prefixes >= NL31_EDIT_LOG && nl31_table_heard(t))) {
		nl31_events_init(&events, t);
		if (nlh->nlmsg_flags & NLM_F_ECHO)
			nl31_events_echo(&events, req->skb, nlh->nlmsg_seq);
		nl31_edit_publish(t, &events);
	}
	return 0;
}

/* A message that begins, continues or ends a transaction. */
static int transact(struct datagram *d, struct nl31_request *req)
{
	const bool done = req->nlh->nlmsg_type == NLMSG_DONE;
	struct nl31_table *t = req->table;
	struct nl31_transaction *txn;
	int err;

	lock(d);
	settle(d);
	txn = nl31_transaction_find(t, req->skb);
	if (txn && txn->state == NL31_TRANSACTION_FAILED) {
		if (done)
			nl31_transaction_end(t, req->skb);
		return ANSWERED;
	}

	if (!(req->nlh->nlmsg_flags & NLM_F_REQUEST)) {
		err = nl31_refuse(req, -EINVAL, "NLM_F_REQUEST is not set");
	} else if (done) {
		err = nl31_transaction_commit(req) ? : ANSWERED;
	} else if (!is_change(req->nlh->nlmsg_type)) {
		err = nl31_refuse(req, -EINVAL,
				  "NLM_F_MULTI makes a transaction, and this is no change");
	} else {
		err = may_change(d, req) ? : nl31_transaction_add(req, apply);
		if (!err)
			err = ANSWERED;
	}

	if (err < 0 && done)
		nl31_transaction_end(t, req->skb);
	else if (err < 0)
		nl31_transaction_fail(t, req->skb);
	return err;
}

static int handle(struct datagram *d, struct nl31_request *req)
{
	const struct nlmsghdr *nlh = req->nlh;

	/* answering errors with errors would never end */
	if (nlh->nlmsg_type == NLMSG_ERROR)
		return ANSWERED;
	if (nlh->nlmsg_flags & NLM_F_MULTI || nlh->nlmsg_type == NLMSG_DONE)
		return transact(d, req);
	if (!(nlh->nlmsg_flags & NLM_F_REQUEST))
		return nl31_refuse(req, -EINVAL, "NLM_F_REQUEST is not set");
	if (is_change(nlh->nlmsg_type))
		return change(d, req);

	/* what follows reads, and sees what was changed before it */
	settle_and_unlock(d);
	switch (nlh->nlmsg_type) {
	case NLMSG_NOOP:
		return noop(req);
	case NL31_MSG_GREET:
		return greet(req);
	case NL31_MSG_GETROUTE:
		if (nlh->nlmsg_flags & NLM_F_DUMP)
			return nl31_dump(req) ? : ANSWERED;
		return nl31_route_get(req);
	case NL31_MSG_GETTABLE:
		return get_table(req);
	default:
		return nl31_refuse(req, -EOPNOTSUPP, "unknown message type %u",
				   nlh->nlmsg_type);
	}
}

static void answer(struct nl31_request *req, int err)
{
	if (err == -ENOMEM && !req->extack._msg)
		nl31_refuse(req, err, "out of memory: nothing has changed");
	if (err)
		nl31_table_count(req->table, NL31_COUNT_ERROR);
	netlink_ack(req->skb, (struct nlmsghdr *)req->nlh, err, &req->extack);
	memset(&req->extack, 0, sizeof(req->extack));
}

/* What is still to come of a transaction would be taken for all of it. */
static void fail_transaction(struct datagram *d, const struct sk_buff *skb)
{
	struct nl31_table *t = d->table;

	lock(d);
	settle(d);
	if (t->transaction && t->transaction->sk == NETLINK_CB(skb).sk)
		nl31_transaction_fail(t, skb);
}

/*
 * Refuse the rest of a datagram whose lengths make no sense. netlink_ack()
 * would copy as much as the length says, and can leave out the request only for
 * sockets that have asked for that; here the header is all there is.
 */
static noinline_for_stack void refuse_rest(struct datagram *d, struct sk_buff *skb)
{
	const u32 portid = NETLINK_CB(skb).portid;
	struct nl31_table *t = d->table;
	struct nlmsgerr error = { .error = -EINVAL };
	struct nlmsghdr *nlh;
	struct sk_buff *reply;
	char text[96];

	memcpy(&error.msg, skb->data, min_t(size_t, skb->len, NLMSG_HDRLEN));
	fail_transaction(d, skb);
	/* nothing comes behind the end of one, and what is marked can begin one */
	if (skb->len >= NLMSG_HDRLEN && error.msg.nlmsg_type == NLMSG_DONE)
		nl31_transaction_end(t, skb);
	else if (skb->len >= NLMSG_HDRLEN &&
		 error.msg.nlmsg_flags & NLM_F_MULTI)
		nl31_transaction_fail(t, skb);
	nl31_table_count(t, NL31_COUNT_ERROR);

	if (skb->len < NLMSG_HDRLEN)
		snprintf(text, sizeof(text),
			 "%u bytes are left of the datagram, too few for a header",
			 skb->len);
	else
		snprintf(text, sizeof(text),
			 "message length %u, but %u bytes are left; the rest is refused",
			 error.msg.nlmsg_len, skb->len);
	/* many a client goes by it to find the text, capped or not */
	error.msg.nlmsg_len = NLMSG_HDRLEN;

	reply = nlmsg_new(sizeof(error) + nla_total_size(sizeof(text)),
			  GFP_KERNEL);
	if (!reply) {
		WRITE_ONCE(NETLINK_CB(skb).sk->sk_err, ENOBUFS);
		sk_error_report(NETLINK_CB(skb).sk);
		return;
	}
	nlh = nlmsg_put(reply, portid, error.msg.nlmsg_seq, NLMSG_ERROR,
			sizeof(error), NLM_F_CAPPED | NLM_F_ACK_TLVS);
	memcpy(nlmsg_data(nlh), &error, sizeof(error));
	WARN_ON_ONCE(nla_put_string(reply, NLMSGERR_ATTR_MSG, text));
	nlmsg_end(reply, nlh);
	nlmsg_unicast(t->sock, reply, portid);
}

/**
 * nl31_receive - input of the kernel socket
 * @skb: a datagram with any number of messages
 *
 * Context: process, the sender's; any number of them at a time
 */
void nl31_receive(struct sk_buff *skb)
{
	struct datagram d = { .table = nl31_table_of(sock_net(skb->sk)) };
	struct nl31_request req;
	int err;

	/* this can be before netlink_kernel_create() has returned its socket */
	if (unlikely(!READ_ONCE(d.table->sock)))
		WRITE_ONCE(d.table->sock, skb->sk);

	/* one for all: what there is of it is more than most messages */
	req.skb = skb;
	req.table = d.table;
	memset(&req.extack, 0, sizeof(req.extack));
	/* nobody is there for the answers of a process that is killed */
	while (skb->len && !fatal_signal_pending(current)) {
		req.nlh = nlmsg_hdr(skb);
		if (!nlmsg_ok(req.nlh, skb->len)) {
			refuse_rest(&d, skb);
			break;
		}
		err = handle(&d, &req);
		if (err < 0)
			settle(&d);
		if (err < 0 || (!err && req.nlh->nlmsg_flags & NLM_F_ACK))
			answer(&req, err);
		/*
		 * A device that changes waits for the table with the lock of all
		 * devices: for one such message, not for a datagram full of them.
		 */
		if (is_long(req.nlh))
			settle_and_unlock(&d);
		skb_pull(skb, min_t(unsigned int, skb->len,
				    NLMSG_ALIGN(req.nlh->nlmsg_len)));
		cond_resched();
	}
	/* others may have its socket, too, and go on */
	if (skb->len && fatal_signal_pending(current))
		fail_transaction(&d, skb);
	settle_and_unlock(&d);
}
