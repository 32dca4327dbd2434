// SPDX-License-Identifier: GPL-2.0-only
/*
 * NL31_MSG_NEWROUTE with each combination of its flags, on each kind of list that
 * a prefix can have, against a table written down from the protocol. Alone and
 * within a transaction, for both families.
 */
#include <linux/ktime.h>
#include <linux/math64.h>

#include "client.h"

/*
 * A list of paths is a string, a letter a path. The request's is x; b and c have
 * its metric, a and z one lower and one higher.
 */
#define METRIC		10
#define PATHS_MAX	8

/**
 * struct row - a state of the prefix, and what becomes of it
 * @before: its paths
 * @add: its paths after CREATE, or CREATE and EXCL; NULL: -EEXIST
 * @replace: after CREATE and REPLACE; NULL: -EEXIST
 * @change: after REPLACE; NULL: -ENOENT where nothing has the metric, else
 *	-EEXIST
 * @append: after CREATE and APPEND; NULL: -EEXIST
 */
struct row {
	const char *before;
	const char *add;
	const char *replace;
	const char *change;
	const char *append;
};

static const struct row rows[] = {
	/* nothing of the metric */
	{ "", "x", "x", NULL, "x" },
	{ "a", "ax", "ax", NULL, "ax" },
	{ "z", "xz", "xz", NULL, "xz" },
	{ "az", "axz", "axz", NULL, "axz" },
	/* another path of the metric */
	{ "b", NULL, "x", "x", "bx" },
	{ "abz", NULL, "axz", "axz", "abxz" },
	/* several: the first is meant */
	{ "bc", NULL, "xc", "xc", "bcx" },
	{ "abcz", NULL, "axcz", "axcz", "abcxz" },
	/* exactly the path, by itself, in front, and behind */
	{ "x", NULL, "x", "x", NULL },
	{ "axz", NULL, "axz", "axz", NULL },
	{ "xb", NULL, "xb", "xb", NULL },
	{ "bx", NULL, NULL, NULL, NULL },
	{ "abxz", NULL, NULL, NULL, NULL },
};

#define HOW	(NLM_F_CREATE | NLM_F_EXCL | NLM_F_REPLACE | NLM_F_APPEND)

static const char *wanted(const struct row *row, u16 how, int *error)
{
	const char *after;

	*error = -EEXIST;
	switch (how) {
	case NLM_F_CREATE:
	case NLM_F_CREATE | NLM_F_EXCL:
		after = row->add;
		break;
	case NLM_F_CREATE | NLM_F_REPLACE:
		after = row->replace;
		break;
	case NLM_F_REPLACE:
		after = row->change;
		if (!strpbrk(row->before, "bcx"))
			*error = -ENOENT;
		break;
	case NLM_F_CREATE | NLM_F_APPEND:
		after = row->append;
		break;
	default:
		after = NULL;
		*error = -EINVAL;
	}
	if (after)
		*error = 0;
	return after ?: row->before;
}

struct matrix {
	struct kunit *test;
	struct socket *sock;
	struct client_message m;
	bool ipv6;
};

static void put_prefix(struct matrix *x)
{
	static const u8 prefix[16] = { 10, 31 };
	static const u8 prefix6[16] = { 0x20, 0x01, 0x0d, 0xb8, 0x31 };

	client_attr(&x->m, NL31_ROUTE_DST, x->ipv6 ? prefix6 : prefix,
		    x->ipv6 ? 16 : 4);
	client_attr_u8(&x->m, NL31_ROUTE_DST_LEN, x->ipv6 ? 40 : 16);
}

static void put_path(struct matrix *x, char letter)
{
	u8 gateway[16] = { 192, 0, 2, letter };
	u8 gateway6[16] = { 0xfe, 0x80, [15] = letter };

	client_attr(&x->m, NL31_ROUTE_GATEWAY, x->ipv6 ? gateway6 : gateway,
		    x->ipv6 ? 16 : 4);
	client_attr_u32(&x->m, NL31_ROUTE_METRIC,
			METRIC - (letter == 'a') + (letter == 'z'));
}

static struct client_answer send(struct matrix *x)
{
	client_send(x->test, x->sock, &x->m);
	return client_answer(x->test, x->sock);
}

/* Send it alone, or as a transaction; 0 or the error. */
static int request(struct matrix *x, bool transaction)
{
	struct client_answer answer;

	if (!transaction) {
		x->m.nlh.nlmsg_flags |= NLM_F_ACK;
		return send(x).error;
	}
	x->m.nlh.nlmsg_flags |= NLM_F_MULTI;
	answer = send(x);
	client_message(&x->m, NLMSG_DONE, 0);
	if (answer.error != -EAGAIN) {
		/* refused: the end of the transaction is discarded */
		KUNIT_EXPECT_EQ(x->test, -EAGAIN, send(x).error);
		return answer.error;
	}
	answer = send(x);
	/* one change, or the error */
	return answer.type == NLMSG_DONE && answer.error == 1 ? 0 :
								answer.error;
}

static void set_up(struct matrix *x, const char *paths)
{
	client_message(&x->m, NL31_MSG_DELROUTE, NLM_F_BULK | NLM_F_ACK);
	KUNIT_ASSERT_EQ(x->test, 0, send(x).error);
	for (; *paths; paths++) {
		client_message(&x->m, NL31_MSG_NEWROUTE,
			       NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK);
		put_prefix(x);
		put_path(x, *paths);
		KUNIT_ASSERT_EQ(x->test, 0, send(x).error);
	}
}

/* The paths in the table, all of which are the prefix's, as letters. */
static void dump(struct matrix *x, char *paths)
{
	struct client_message *m = &x->m;
	int left, count = 0;

	client_message(m, NL31_MSG_GETROUTE, NLM_F_DUMP);
	client_send(x->test, x->sock, m);
	while ((left = client_receive(x->sock, m, sizeof(*m))) > 0) {
		const struct nlmsghdr *nlh = &m->nlh;

		for (; nlmsg_ok(nlh, left); nlh = nlmsg_next(nlh, &left)) {
			const struct nlattr *gateway;

			if (nlh->nlmsg_type == NLMSG_DONE)
				goto done;
			KUNIT_ASSERT_EQ(x->test, NL31_MSG_NEWROUTE,
					nlh->nlmsg_type);
			gateway = nlmsg_find_attr(nlh, 0, NL31_ROUTE_GATEWAY);
			KUNIT_ASSERT_NOT_NULL(x->test, gateway);
			KUNIT_ASSERT_LT(x->test, count, PATHS_MAX);
			paths[count++] = ((u8 *)nla_data(gateway))[nla_len(gateway) - 1];
		}
	}
	KUNIT_FAIL(x->test, "NLMSG_DONE is missing");
done:
	paths[count] = '\0';
}

static void try_row(struct matrix *x, const struct row *row, u16 how,
		    bool transaction)
{
	char paths[PATHS_MAX + 1];
	const char *after;
	int error;

	after = wanted(row, how, &error);
	set_up(x, row->before);
	dump(x, paths);
	KUNIT_ASSERT_STREQ(x->test, row->before, paths);

	client_message(&x->m, NL31_MSG_NEWROUTE, how);
	put_prefix(x);
	put_path(x, 'x');
	KUNIT_EXPECT_EQ_MSG(x->test, error, request(x, transaction),
			    "flags %#x on '%s', transaction %d", how,
			    row->before, transaction);
	dump(x, paths);
	KUNIT_EXPECT_STREQ_MSG(x->test, after, paths,
			       "flags %#x on '%s', transaction %d", how,
			       row->before, transaction);
}

static void flags_on_lists(struct kunit *test)
{
	struct matrix *x = kunit_kzalloc(test, sizeof(*x), GFP_KERNEL);
	unsigned int i, how, tried = 0;
	int ipv6, transaction;

	KUNIT_ASSERT_NOT_NULL(test, x);
	x->test = test;
	x->sock = client_open(test);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		/* each subset of the flags */
		for (how = HOW;; how = (how - 1) & HOW) {
			for (ipv6 = 0; ipv6 < 2; ipv6++) {
				for (transaction = 0; transaction < 2;
				     transaction++) {
					x->ipv6 = ipv6;
					try_row(x, &rows[i], how, transaction);
					tried++;
				}
			}
			if (!how)
				break;
		}
	}
	KUNIT_EXPECT_EQ(test, tried, ARRAY_SIZE(rows) * 16 * 4);
	set_up(x, "");
	sock_release(x->sock);
}

/* What a path is: any attribute that differs makes it another one. */
static void paths_differ(struct kunit *test)
{
	struct matrix *x = kunit_kzalloc(test, sizeof(*x), GFP_KERNEL);
	char paths[PATHS_MAX + 1];
	int i;

	KUNIT_ASSERT_NOT_NULL(test, x);
	x->test = test;
	x->sock = client_open(test);
	set_up(x, "x");
	for (i = 0; i < 2; i++) {
		/* appended twice, each is there already the second time */
		int error = i ? -EEXIST : 0;

		client_message(&x->m, NL31_MSG_NEWROUTE,
			       NLM_F_CREATE | NLM_F_APPEND);
		put_prefix(x);
		put_path(x, 'x');
		client_attr_u8(&x->m, NL31_ROUTE_PROTOCOL, 4);
		KUNIT_EXPECT_EQ(test, error, request(x, false));

		client_message(&x->m, NL31_MSG_NEWROUTE,
			       NLM_F_CREATE | NLM_F_APPEND);
		put_prefix(x);
		put_path(x, 'x');
		client_attr_u32(&x->m, NL31_ROUTE_OIF, 1);
		KUNIT_EXPECT_EQ(test, error, request(x, false));
	}
	dump(x, paths);
	KUNIT_EXPECT_STREQ(test, "xxx", paths);
	set_up(x, "");
	sock_release(x->sock);
}

#define ROUNDS	500
#define BLOCK	50

static void put_number(struct matrix *x, unsigned int number, u16 type, u16 flags)
{
	const u8 gateway[4] = { 192, 0, 2, number };

	client_message(&x->m, type, flags | NLM_F_ACK);
	put_prefix(x);
	client_attr(&x->m, NL31_ROUTE_GATEWAY, gateway, sizeof(gateway));
	KUNIT_ASSERT_EQ(x->test, 0, send(x).error);
}

/* Nanoseconds that appending and deleting a path take, the least of some blocks. */
static u64 cost_of(struct matrix *x, unsigned int number)
{
	u64 least = U64_MAX, begin;
	unsigned int i, j;

	for (i = 0; i < ROUNDS; i++) {
		begin = ktime_get_ns();
		for (j = 0; j < BLOCK; j++) {
			put_number(x, number, NL31_MSG_NEWROUTE,
				   NLM_F_CREATE | NLM_F_APPEND);
			put_number(x, number, NL31_MSG_DELROUTE, 0);
		}
		least = min(least, ktime_get_ns() - begin);
		cond_resched();
	}
	return div_u64(least, 2 * BLOCK);
}

/* The last path that a prefix can have costs little more than the first. */
static void last_path_costs_little(struct kunit *test)
{
	struct matrix *x = kunit_kzalloc(test, sizeof(*x), GFP_KERNEL);
	u64 first, last;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, x);
	x->test = test;
	x->sock = client_open(test);
	set_up(x, "");
	first = cost_of(x, 1);
	for (i = 1; i < NL31_PATHS_MAX; i++)
		put_number(x, i, NL31_MSG_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND);
	last = cost_of(x, NL31_PATHS_MAX);
	kunit_info(test, "figure path_1_ns=%llu\n", first);
	kunit_info(test, "figure path_64_ns=%llu\n", last);
	KUNIT_EXPECT_LE(test, last, 4 * first);
	set_up(x, "");
	sock_release(x->sock);
}

static struct kunit_case route_cases[] = {
	KUNIT_CASE(flags_on_lists),
	KUNIT_CASE(paths_differ),
	KUNIT_CASE_SLOW(last_path_costs_little),
	{}
};

static struct kunit_suite route_suite = {
	.name = "nl31_route",
	.test_cases = route_cases,
};

kunit_test_suite(route_suite);
