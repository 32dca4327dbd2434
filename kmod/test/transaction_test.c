// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of what becomes of abandoned transactions, through sockets in the initial
 * namespace: an hour passes by setting back the clock of the transaction.
 */
#include <linux/jiffies.h>
#include <net/net_namespace.h>

#include "../namespace.h"
#include "client.h"

#define MAX_ROUTES	(4U << 20)

static struct nl31_ns *ns(void)
{
	return nl31_ns_find(&init_net);
}

static struct nl31_transactions *transactions(void)
{
	return &ns()->transactions;
}

/* A change that changes nothing, or with @type NLMSG_DONE the end of several. */
static void send(struct kunit *test, struct socket *sock, u16 type, u16 flags)
{
	struct client_message *m;

	m = kunit_kmalloc(test, sizeof(*m), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m);
	client_message(m, type, flags);
	if (type != NLMSG_DONE)
		client_attr_u32(m, NL31_TABLE_MAX_ROUTES, MAX_ROUTES);
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
	KUNIT_ASSERT_TRUE(test, nl31_transaction_is_open(transactions()));
}

/* An hour passes for the open transaction. */
static void wait_an_hour(void)
{
	struct nl31_transactions *txns = transactions();

	mutex_lock(&ns()->table.lock);
	txns->open.last -= 3600 * HZ;
	mutex_unlock(&ns()->table.lock);
	txns->timer.work.func(&txns->timer.work);
}

/* The answer comes by itself, and the rest is discarded and no transaction. */
static void idle_fails(struct kunit *test)
{
	struct socket *idle = client_open(test), *other = client_open(test);
	struct nl31_transactions *txns;

	begin(test, idle);
	txns = transactions();
	txns->timer.work.func(&txns->timer.work);
	KUNIT_EXPECT_TRUE(test, nl31_transaction_is_open(txns));
	send(test, other, NL31_MSG_NEWTABLE, NLM_F_ACK);
	KUNIT_EXPECT_EQ(test, -EBUSY, answer(test, other));

	wait_an_hour();
	KUNIT_EXPECT_FALSE(test, nl31_transaction_is_open(txns));
	KUNIT_EXPECT_FALSE(test, nl31_edit_is_open(&ns()->table));
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, answer(test, idle));
	send(test, other, NL31_MSG_NEWTABLE, NLM_F_ACK);
	KUNIT_EXPECT_EQ(test, 0, answer(test, other));

	send(test, idle, NL31_MSG_NEWTABLE, NLM_F_MULTI);
	KUNIT_EXPECT_EQ(test, -EAGAIN, answer(test, idle));
	KUNIT_EXPECT_FALSE(test, nl31_transaction_is_open(txns));
	send(test, idle, NLMSG_DONE, 0);
	KUNIT_EXPECT_EQ(test, -EAGAIN, answer(test, idle));
	KUNIT_EXPECT_EQ(test, 0, txns->failures);
	begin(test, idle);
	send(test, idle, NLMSG_DONE, 0);
	KUNIT_EXPECT_EQ(test, 1, answer(test, idle));
	sock_release(idle);
	sock_release(other);
}

static void ends_with_its_socket(struct kunit *test)
{
	struct socket *sock = client_open(test);

	begin(test, sock);
	sock_release(sock);
	KUNIT_EXPECT_FALSE(test, nl31_transaction_is_open(transactions()));
	KUNIT_EXPECT_FALSE(test, nl31_edit_is_open(&ns()->table));
	KUNIT_EXPECT_EQ(test, 0, transactions()->failures);
}

/* What becomes of another socket does not end it. */
static void keeps_to_its_socket(struct kunit *test)
{
	struct socket *sock = client_open(test), *next = client_open(test);

	begin(test, sock);
	sock_release(next);
	KUNIT_EXPECT_TRUE(test, nl31_transaction_is_open(transactions()));
	sock_release(sock);
	KUNIT_EXPECT_FALSE(test, nl31_transaction_is_open(transactions()));
}

/*
 * As many failed transactions are remembered as may be; the next socket cannot
 * begin one until the oldest has been silent for long.
 */
static void failures_are_bounded(struct kunit *test)
{
	struct socket **sock = kunit_kcalloc(test, NL31_TRANSACTIONS_MAX + 1,
					     sizeof(*sock), GFP_KERNEL);
	struct nl31_transactions *txns;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, sock);
	for (i = 0; i <= NL31_TRANSACTIONS_MAX; i++)
		sock[i] = client_open(test);
	for (i = 0; i < NL31_TRANSACTIONS_MAX; i++) {
		send(test, sock[i], NLMSG_NOOP, NLM_F_MULTI);
		KUNIT_EXPECT_EQ(test, -EINVAL, answer(test, sock[i]));
	}
	txns = transactions();
	KUNIT_EXPECT_EQ(test, NL31_TRANSACTIONS_MAX, txns->failures);
	send(test, sock[i], NL31_MSG_NEWTABLE, NLM_F_MULTI);
	KUNIT_EXPECT_EQ(test, -EBUSY, answer(test, sock[i]));

	mutex_lock(&ns()->table.lock);
	txns->failed[7].last -= 3600 * HZ;
	mutex_unlock(&ns()->table.lock);
	begin(test, sock[i]);
	KUNIT_EXPECT_EQ(test, NL31_TRANSACTIONS_MAX - 1, txns->failures);
	for (i = 0; i <= NL31_TRANSACTIONS_MAX; i++)
		sock_release(sock[i]);
	KUNIT_EXPECT_EQ(test, 0, txns->failures);
	KUNIT_EXPECT_FALSE(test, nl31_transaction_is_open(txns));
}

static struct kunit_case transaction_cases[] = {
	KUNIT_CASE(idle_fails),
	KUNIT_CASE(ends_with_its_socket),
	KUNIT_CASE(keeps_to_its_socket),
	KUNIT_CASE(failures_are_bounded),
	{}
};

static struct kunit_suite transaction_suite = {
	.name = "nl31_transaction",
	.test_cases = transaction_cases,
};

kunit_test_suite(transaction_suite);
