// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of what becomes of abandoned transactions, through sockets in the initial
 * namespace: an hour passes by setting back the clock of the transaction.
 */
#include <linux/jiffies.h>
#include <net/net_namespace.h>

#include "../netlink.h"
#include "../transaction.h"
#include "client.h"

static struct nl31_table *table(void)
{
	return nl31_table_of(&init_net);
}

/* A change that changes nothing, or with @type NLMSG_DONE the end of several. */
static void send(struct kunit *test, struct socket *sock, u16 type, u16 flags)
{
	struct client_message *m;

	m = kunit_kmalloc(test, sizeof(*m), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m);
	client_message(m, type, flags);
	if (type != NLMSG_DONE)
		client_attr_u32(m, NL31_TABLE_MAX_ROUTES,
				READ_ONCE(table()->max_routes));
	client_send(test, sock, m);
	kunit_kfree(test, m);
}

static int answer(struct kunit *test, struct socket *sock)
{
	return client_answer(test, sock).error;
}

static void begin(struct kunit *test, struct socket *sock)
{
	send(test, sock, NL31_MSG_NEWTABLE, NLM_F_MULTI);
	KUNIT_ASSERT_EQ(test, -EAGAIN, answer(test, sock));
	KUNIT_ASSERT_NOT_NULL(test, table()->transaction);
}

static void expires(struct kunit *test)
{
	struct socket *idle = client_open(test), *other = client_open(test);
	struct nl31_table *t = table();

	begin(test, idle);
	nl31_transaction_expire(&t->transaction_timer.work);
	KUNIT_EXPECT_NOT_NULL(test, t->transaction);
	send(test, other, NL31_MSG_NEWTABLE, NLM_F_ACK);
	KUNIT_EXPECT_EQ(test, -EBUSY, answer(test, other));

	mutex_lock(&t->lock);
	t->transaction->last -= 3600 * HZ;
	mutex_unlock(&t->lock);
	nl31_transaction_expire(&t->transaction_timer.work);
	KUNIT_EXPECT_NULL(test, t->transaction);
	KUNIT_EXPECT_FALSE(test, nl31_edit_open(t));
	send(test, other, NL31_MSG_NEWTABLE, NLM_F_ACK);
	KUNIT_EXPECT_EQ(test, 0, answer(test, other));

	/* who was away for so long is told, once */
	send(test, idle, NLMSG_DONE, 0);
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, answer(test, idle));
	begin(test, idle);
	send(test, idle, NLMSG_DONE, 0);
	KUNIT_EXPECT_EQ(test, 1, answer(test, idle));
	KUNIT_EXPECT_TRUE(test, hash_empty(t->transactions));
	sock_release(idle);
	sock_release(other);
}

/* What still comes of an expired transaction is refused, and is not another one. */
static void rest_after_expiry(struct kunit *test)
{
	struct socket *idle = client_open(test);
	struct nl31_table *t = table();

	begin(test, idle);
	mutex_lock(&t->lock);
	t->transaction->last -= 3600 * HZ;
	mutex_unlock(&t->lock);
	nl31_transaction_expire(&t->transaction_timer.work);
	send(test, idle, NL31_MSG_NEWTABLE, NLM_F_MULTI);
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, answer(test, idle));
	send(test, idle, NL31_MSG_NEWTABLE, NLM_F_MULTI);
	KUNIT_EXPECT_EQ(test, -EAGAIN, answer(test, idle));
	KUNIT_EXPECT_NULL(test, t->transaction);
	send(test, idle, NLMSG_DONE, 0);
	KUNIT_EXPECT_EQ(test, -EAGAIN, answer(test, idle));
	KUNIT_EXPECT_TRUE(test, hash_empty(t->transactions));
	send(test, idle, NLMSG_DONE, 0);
	KUNIT_EXPECT_EQ(test, -EINVAL, answer(test, idle));
	sock_release(idle);
}

static void ends_with_its_socket(struct kunit *test)
{
	struct socket *sock = client_open(test);
	struct nl31_table *t = table();

	begin(test, sock);
	sock_release(sock);
	KUNIT_EXPECT_NULL(test, t->transaction);
	KUNIT_EXPECT_FALSE(test, nl31_edit_open(t));
	KUNIT_EXPECT_TRUE(test, hash_empty(t->transactions));
}

/*
 * A number is free for the next socket before the last one's end is told: what
 * comes from the one is not the other's, and neither is the other's end.
 */
static void keeps_to_its_socket(struct kunit *test)
{
	struct socket *sock = client_open(test), *next = client_open(test);
	struct nl31_table *t = table();
	struct sk_buff *skb;

	skb = nlmsg_new(0, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	begin(test, sock);
	mutex_lock(&t->lock);
	NETLINK_CB(skb).portid = t->transaction->portid;
	NETLINK_CB(skb).sk = next->sk;
	KUNIT_EXPECT_NULL(test, nl31_transaction_find(t, skb));
	NETLINK_CB(skb).sk = sock->sk;
	KUNIT_EXPECT_PTR_EQ(test, t->transaction, nl31_transaction_find(t, skb));
	nl31_transaction_closed(t, t->transaction->portid);
	KUNIT_EXPECT_NOT_NULL(test, t->transaction);
	mutex_unlock(&t->lock);
	kfree_skb(skb);
	sock_release(next);
	KUNIT_EXPECT_NOT_NULL(test, t->transaction);
	sock_release(sock);
	KUNIT_EXPECT_NULL(test, t->transaction);
	KUNIT_EXPECT_TRUE(test, hash_empty(t->transactions));
}

static struct kunit_case transaction_cases[] = {
	KUNIT_CASE(expires),
	KUNIT_CASE(rest_after_expiry),
	KUNIT_CASE(ends_with_its_socket),
	KUNIT_CASE(keeps_to_its_socket),
	{}
};

static struct kunit_suite transaction_suite = {
	.name = "nl31_transaction",
	.test_cases = transaction_cases,
};

kunit_test_suite(transaction_suite);
