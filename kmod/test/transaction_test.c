// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of what becomes of abandoned transactions, through sockets in the initial
 * namespace: an hour passes by setting back the clock of the transaction.
 */
#include <kunit/test.h>
#include <linux/jiffies.h>
#include <linux/net.h>
#include <linux/netlink.h>
#include <net/net_namespace.h>
#include <uapi/linux/nl31.h>

#include "../netlink.h"
#include "../transaction.h"

struct request {
	struct nlmsghdr nlh;
	struct nlattr attr;
	u32 max_routes;
};

static struct nl31_table *table(void)
{
	return nl31_table_of(&init_net);
}

static struct socket *open_socket(struct kunit *test)
{
	struct socket *sock;

	KUNIT_ASSERT_EQ(test, 0, sock_create_kern(&init_net, AF_NETLINK,
						  SOCK_RAW, NETLINK_NL31,
						  &sock));
	return sock;
}

/* A change that changes nothing, or with @type NLMSG_DONE the end of several. */
static void send(struct kunit *test, struct socket *sock, u16 type, u16 flags)
{
	struct request r = {
		.nlh.nlmsg_type = type,
		.nlh.nlmsg_flags = NLM_F_REQUEST | flags,
		.attr.nla_len = sizeof(r.attr) + sizeof(r.max_routes),
		.attr.nla_type = NL31_TABLE_MAX_ROUTES,
		.max_routes = READ_ONCE(table()->max_routes),
	};
	/* with an address, or the kernel asks what its file's owner may do */
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct msghdr msg = {
		.msg_name = &kernel,
		.msg_namelen = sizeof(kernel),
	};
	struct kvec vec = { .iov_base = &r };

	r.nlh.nlmsg_len = type == NLMSG_DONE ? sizeof(r.nlh) : sizeof(r);
	vec.iov_len = r.nlh.nlmsg_len;
	KUNIT_ASSERT_EQ(test, r.nlh.nlmsg_len,
			kernel_sendmsg(sock, &msg, &vec, 1, vec.iov_len));
}

/* The error or number in the answer; -EAGAIN if there is none. */
static int answer(struct kunit *test, struct socket *sock)
{
	struct {
		struct nlmsghdr nlh;
		int value;
		u8 rest[400];
	} reply;
	struct kvec vec = { .iov_base = &reply, .iov_len = sizeof(reply) };
	struct msghdr msg = {};
	int got;

	got = kernel_recvmsg(sock, &msg, &vec, 1, sizeof(reply), MSG_DONTWAIT);
	if (got < 0)
		return got;
	KUNIT_EXPECT_GE(test, got, NLMSG_HDRLEN + sizeof(int));
	return reply.value;
}

static void begin(struct kunit *test, struct socket *sock)
{
	send(test, sock, NL31_MSG_NEWTABLE, NLM_F_MULTI);
	KUNIT_ASSERT_EQ(test, -EAGAIN, answer(test, sock));
	KUNIT_ASSERT_NOT_NULL(test, table()->transaction);
}

static void expires(struct kunit *test)
{
	struct socket *idle = open_socket(test), *other = open_socket(test);
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
	KUNIT_EXPECT_TRUE(test, list_empty(&t->transactions));
	sock_release(idle);
	sock_release(other);
}

/* What still comes of an expired transaction is refused, and is not another one. */
static void rest_after_expiry(struct kunit *test)
{
	struct socket *idle = open_socket(test);
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
	KUNIT_EXPECT_TRUE(test, list_empty(&t->transactions));
	send(test, idle, NLMSG_DONE, 0);
	KUNIT_EXPECT_EQ(test, -EINVAL, answer(test, idle));
	sock_release(idle);
}

static void ends_with_its_socket(struct kunit *test)
{
	struct socket *sock = open_socket(test);
	struct nl31_table *t = table();

	begin(test, sock);
	sock_release(sock);
	KUNIT_EXPECT_NULL(test, t->transaction);
	KUNIT_EXPECT_FALSE(test, nl31_edit_open(t));
	KUNIT_EXPECT_TRUE(test, list_empty(&t->transactions));
}

static struct kunit_case transaction_cases[] = {
	KUNIT_CASE(expires),
	KUNIT_CASE(rest_after_expiry),
	KUNIT_CASE(ends_with_its_socket),
	{}
};

static struct kunit_suite transaction_suite = {
	.name = "nl31_transaction",
	.test_cases = transaction_cases,
};

kunit_test_suite(transaction_suite);
