// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attributes of requests, right and wrong, one at a time. What is wrong has its
 * error, a text, and where an attribute is to blame, its offset.
 */
#include <linux/ktime.h>
#include <linux/math64.h>

#include "../route.h"
#include "client.h"

/* What a DELROUTE that is right gets: the table is empty. */
#define RIGHT	(-ESRCH)

struct request_test {
	struct kunit *test;
	struct socket *sock;
	struct client_message m;
};

static const u8 prefix[] = { 10, 31, 0, 0 };
static const u8 prefix6[16] = { 0x20, 0x01, 0x0d, 0xb8 };
static const u8 gateway[] = { 192, 0, 2, 1 };
static const u8 gateway6[16] = { 0xfe, 0x80, [15] = 1 };

static int set_up(struct kunit *test)
{
	struct request_test *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, r);
	r->test = test;
	r->sock = client_open(test);
	test->priv = r;
	return 0;
}

static void tear_down(struct kunit *test)
{
	struct request_test *r = test->priv;

	sock_release(r->sock);
}

static void begin(struct request_test *r, u16 type)
{
	client_message(&r->m, type,
		       type == NL31_MSG_NEWROUTE ? NLM_F_CREATE | NLM_F_EXCL : 0);
}

/* Send; @error has to come, and @blame has to be pointed at. */
static void expect(struct request_test *r, int error, const struct nlattr *blame,
		   const char *what, unsigned int number)
{
	struct client_answer answer;

	r->m.nlh.nlmsg_flags |= NLM_F_ACK;
	client_send(r->test, r->sock, &r->m);
	answer = client_answer(r->test, r->sock);
	KUNIT_EXPECT_EQ_MSG(r->test, error, answer.error, "%s %u", what, number);
	if (error)
		KUNIT_EXPECT_TRUE_MSG(r->test, answer.has_text, "%s %u", what,
				      number);
	KUNIT_EXPECT_EQ_MSG(r->test,
			    blame ? (u32)((u8 *)blame - r->m.data) : 0,
			    answer.offset, "%s %u", what, number);
}

static const struct nlattr *put_prefix(struct request_test *r)
{
	const struct nlattr *dst;

	dst = client_attr(&r->m, NL31_ROUTE_DST, prefix, sizeof(prefix));
	client_attr_u8(&r->m, NL31_ROUTE_DST_LEN, 16);
	return dst;
}

/* A route that can be added but for what follows. */
static void begin_route(struct request_test *r)
{
	begin(r, NL31_MSG_NEWROUTE);
	put_prefix(r);
	client_attr(&r->m, NL31_ROUTE_GATEWAY, gateway, sizeof(gateway));
}

static void delete_all(struct request_test *r)
{
	client_message(&r->m, NL31_MSG_DELROUTE, NLM_F_BULK);
	expect(r, 0, NULL, "deletion of all", 0);
}

/* Each length of each attribute. */
static void lengths(struct kunit *test)
{
	static const struct {
		u16 type;
		u8 right, also_right;
		u8 least, most;	/* beyond these it is -ERANGE */
	} attrs[] = {
		{ NL31_ROUTE_DST, 4, 16, 4, 16 },
		{ NL31_ROUTE_GATEWAY, 4, 16, 4, 16 },
		{ NL31_ROUTE_DST_LEN, 1, 1, 0, 255 },
		{ NL31_ROUTE_TYPE, 1, 1, 0, 255 },
		{ NL31_ROUTE_PROTOCOL, 1, 1, 0, 255 },
		{ NL31_ROUTE_OIF, 4, 4, 0, 255 },
		{ NL31_ROUTE_METRIC, 4, 4, 0, 255 },
		{ NL31_ROUTE_TABLE, 4, 4, 0, 255 },
	};
	static const u8 bytes[40] = { 1, 0, 0, 1, [15] = 1 };
	static const u8 number[40] = { 1 };
	static const u8 zeros[40];
	struct request_test *r = test->priv;
	unsigned int i, len;

	for (i = 0; i < ARRAY_SIZE(attrs); i++) {
		for (len = 0; len <= sizeof(bytes); len++) {
			const bool dst = attrs[i].type == NL31_ROUTE_DST;
			const bool via = attrs[i].type == NL31_ROUTE_GATEWAY;
			bool right = len == attrs[i].right ||
				     len == attrs[i].also_right;
			const struct nlattr *attr;
			int error = -EINVAL;

			begin(r, NL31_MSG_DELROUTE);
			/* a gateway is of the prefix's family */
			if (!dst)
				client_attr(&r->m, NL31_ROUTE_DST,
					    via && len == 16 ? prefix6 : prefix,
					    via && len == 16 ? 16 : 4);
			if (attrs[i].type == NL31_ROUTE_DST_LEN && right)
				right = false; /* 10.31.0.0/1 has host bits */
			attr = client_attr(&r->m, attrs[i].type,
					   attrs[i].type == NL31_ROUTE_TABLE ?
					   zeros : dst || via ? bytes : number,
					   len);
			if (len < attrs[i].least || len > attrs[i].most)
				error = -ERANGE;
			if (attrs[i].type == NL31_ROUTE_DST_LEN && len == 1)
				attr = (void *)r->m.data + NLMSG_HDRLEN;
			expect(r, right ? RIGHT : error, right ? NULL : attr,
			       "length of attribute", attrs[i].type * 100 + len);
		}
	}
}

/* Each prefix length with each of its bits as the only one, for both families. */
static void host_bits(struct kunit *test)
{
	struct request_test *r = test->priv;
	unsigned int size, len, bit;

	for (size = 4; size <= 16; size += 12) {
		for (len = 0; len <= 255; len++) {
			for (bit = 0; bit < size * 8; bit++) {
				const struct nlattr *dst, *dst_len;
				u8 address[16] = {};

				address[bit / 8] = 0x80 >> bit % 8;
				begin(r, NL31_MSG_DELROUTE);
				dst = client_attr(&r->m, NL31_ROUTE_DST, address,
						  size);
				dst_len = client_attr_u8(&r->m,
							 NL31_ROUTE_DST_LEN,
							 len);
				if (len > size * 8)
					expect(r, -EINVAL, dst_len,
					       "prefix length", len);
				else if (bit >= len)
					expect(r, -EINVAL, dst,
					       "bit beyond prefix length", len);
				else
					expect(r, RIGHT, NULL,
					       "bit within prefix length", len);
				if (len > size * 8)
					break;
			}
		}
	}
}

/* Each value of the attributes of one byte. */
static void values(struct kunit *test)
{
	struct request_test *r = test->priv;
	const struct nlattr *attr;
	unsigned int i;

	for (i = 0; i <= 255; i++) {
		bool known = i == NL31_TYPE_UNICAST ||
			     (i >= NL31_TYPE_BLACKHOLE &&
			      i <= NL31_TYPE_PROHIBIT);

		begin(r, NL31_MSG_DELROUTE);
		put_prefix(r);
		attr = client_attr_u8(&r->m, NL31_ROUTE_TYPE, i);
		expect(r, known ? RIGHT : -EINVAL, known ? NULL : attr, "type",
		       i);

		begin(r, NL31_MSG_DELROUTE);
		put_prefix(r);
		client_attr_u8(&r->m, NL31_ROUTE_PROTOCOL, i);
		expect(r, RIGHT, NULL, "protocol", i);
	}
}

static void gateways(struct kunit *test)
{
	static const struct {
		u8 bytes[16];
		u8 size;
		bool right;
	} given[] = {
		{ { 0, 0, 0, 0 }, 4, false },
		{ { 0, 0, 0, 1 }, 4, true },
		{ { 10, 0, 0, 0 }, 4, true },
		{ { 127, 0, 0, 1 }, 4, true },
		{ { 223, 255, 255, 255 }, 4, true },
		{ { 224, 0, 0, 0 }, 4, false },
		{ { 239, 255, 255, 255 }, 4, false },
		{ { 240, 0, 0, 0 }, 4, true },
		{ { 255, 255, 255, 254 }, 4, true },
		{ { 255, 255, 255, 255 }, 4, false },
		{ { 0 }, 16, false },
		{ { [15] = 1 }, 16, true },
		{ { 0xfe, 0x80, [15] = 1 }, 16, true },
		{ { 0xfe, 0xff, [15] = 1 }, 16, true },
		{ { 0xff, 0x00 }, 16, false },
		{ { 0xff, 0x02, [15] = 1 }, 16, false },
	};
	struct request_test *r = test->priv;
	const struct nlattr *attr;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(given); i++) {
		const bool six = given[i].size == 16;

		begin(r, NL31_MSG_NEWROUTE);
		client_attr(&r->m, NL31_ROUTE_DST, six ? prefix6 : prefix,
			    given[i].size);
		attr = client_attr(&r->m, NL31_ROUTE_GATEWAY, given[i].bytes,
				   given[i].size);
		expect(r, given[i].right ? 0 : -EINVAL,
		       given[i].right ? NULL : attr, "gateway", i);
		delete_all(r);

		/* of the other family */
		begin(r, NL31_MSG_NEWROUTE);
		client_attr(&r->m, NL31_ROUTE_DST, six ? prefix : prefix6,
			    six ? 4 : 16);
		attr = client_attr(&r->m, NL31_ROUTE_GATEWAY, given[i].bytes,
				   given[i].size);
		expect(r, -EINVAL, attr, "gateway of another family", i);
	}
}

/* What has to be there, and what must not be there together. */
static void combinations(struct kunit *test)
{
	static const u8 types[] = { NL31_TYPE_BLACKHOLE, NL31_TYPE_UNREACHABLE,
				    NL31_TYPE_PROHIBIT };
	struct request_test *r = test->priv;
	const struct nlattr *attr;
	unsigned int i;

	begin(r, NL31_MSG_NEWROUTE);
	put_prefix(r);
	expect(r, -EINVAL, NULL, "neither gateway nor device", 0);
	begin(r, NL31_MSG_NEWROUTE);
	client_attr(&r->m, NL31_ROUTE_GATEWAY, gateway, sizeof(gateway));
	expect(r, -EINVAL, NULL, "no prefix", 0);
	for (i = NL31_MSG_NEWROUTE; i <= NL31_MSG_GETROUTE; i++) {
		begin(r, i);
		attr = client_attr_u8(&r->m, NL31_ROUTE_DST_LEN, 0);
		expect(r, -EINVAL, attr, "length alone, message", i);
		begin(r, i);
		expect(r, -EINVAL, NULL, "nothing at all, message", i);
	}
	begin(r, NL31_MSG_GETROUTE);
	put_prefix(r);
	client_attr_u32(&r->m, NL31_ROUTE_METRIC, 1);
	expect(r, -EINVAL, NULL, "lookup by metric", 0);

	begin_route(r);
	attr = client_attr_u32(&r->m, NL31_ROUTE_OIF, 0);
	expect(r, -ERANGE, attr, "device", 0);
	begin_route(r);
	attr = client_attr_u32(&r->m, NL31_ROUTE_OIF, INT_MAX);
	expect(r, -ENODEV, attr, "device", INT_MAX);
	begin_route(r);
	attr = client_attr_u32(&r->m, NL31_ROUTE_OIF, U32_MAX);
	expect(r, -ENODEV, attr, "device", U32_MAX);
	begin_route(r);
	client_attr_u32(&r->m, NL31_ROUTE_OIF, 1);
	expect(r, 0, NULL, "gateway and device", 1);
	delete_all(r);

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		begin(r, NL31_MSG_NEWROUTE);
		put_prefix(r);
		client_attr_u8(&r->m, NL31_ROUTE_TYPE, types[i]);
		expect(r, 0, NULL, "no more than type", types[i]);
		delete_all(r);

		begin_route(r);
		attr = client_attr_u8(&r->m, NL31_ROUTE_TYPE, types[i]);
		expect(r, -EINVAL, attr, "gateway with type", types[i]);

		begin(r, NL31_MSG_NEWROUTE);
		put_prefix(r);
		client_attr_u32(&r->m, NL31_ROUTE_OIF, 1);
		attr = client_attr_u8(&r->m, NL31_ROUTE_TYPE, types[i]);
		expect(r, -EINVAL, attr, "device with type", types[i]);
	}
}

/* Of an attribute that is there twice, the last one counts; both are checked. */
static void repeated(struct kunit *test)
{
	struct request_test *r = test->priv;
	const struct nlattr *attr;

	begin_route(r);
	client_attr_u32(&r->m, NL31_ROUTE_METRIC, 1);
	client_attr_u32(&r->m, NL31_ROUTE_METRIC, 2);
	expect(r, 0, NULL, "two metrics", 0);
	begin(r, NL31_MSG_DELROUTE);
	put_prefix(r);
	client_attr_u32(&r->m, NL31_ROUTE_METRIC, 1);
	expect(r, -ESRCH, NULL, "the first metric", 0);
	begin(r, NL31_MSG_DELROUTE);
	put_prefix(r);
	client_attr_u32(&r->m, NL31_ROUTE_METRIC, 2);
	expect(r, 0, NULL, "the last metric", 0);

	begin_route(r);
	attr = client_attr(&r->m, NL31_ROUTE_METRIC, gateway6, 3);
	client_attr_u32(&r->m, NL31_ROUTE_METRIC, 2);
	expect(r, -EINVAL, attr, "a wrong metric before a right one", 0);
}

/* What is no attribute of a request. */
static void unknown(struct kunit *test)
{
	static const u16 flags[] = { NLA_F_NESTED, NLA_F_NET_BYTEORDER,
				     NLA_F_NESTED | NLA_F_NET_BYTEORDER };
	static const u16 answers[] = { NL31_ROUTE_GENERATION, NL31_ROUTE_PAD,
				       NL31_ROUTE_FLAGS };
	static const u16 others[] = { 0, NL31_ROUTE_MAX + 1, 100, 0x3fff };
	struct request_test *r = test->priv;
	const struct nlattr *attr;
	struct nlattr *last;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(others); i++) {
		begin_route(r);
		attr = client_attr_u32(&r->m, others[i], 1);
		expect(r, -EINVAL, attr, "attribute", others[i]);
	}
	/* those of answers */
	for (i = 0; i < ARRAY_SIZE(answers); i++) {
		begin_route(r);
		attr = client_attr(&r->m, answers[i], gateway6, 8);
		expect(r, -EINVAL, attr, "attribute", answers[i]);
	}
	for (i = NL31_ROUTE_DST; i <= NL31_ROUTE_PROTOCOL; i++) {
		for (j = 0; j < ARRAY_SIZE(flags); j++) {
			const bool byte = i == NL31_ROUTE_DST_LEN ||
					  i == NL31_ROUTE_TYPE ||
					  i == NL31_ROUTE_PROTOCOL;

			begin_route(r);
			attr = client_attr(&r->m, i | flags[j], gateway,
					   byte ? 1 : 4);
			expect(r, -EINVAL, attr, "flagged attribute",
			       i | flags[j]);
		}
	}

	/* one that is longer than the message, or shorter than its own header */
	for (i = 0; i < 64; i++) {
		if (i >= NLA_HDRLEN && i <= NLA_HDRLEN + 4)
			continue;
		begin_route(r);
		last = client_attr_u32(&r->m, NL31_ROUTE_METRIC, 1);
		last->nla_len = i;
		expect(r, -EINVAL, NULL, "attribute that claims a length of", i);
	}
	/* bytes that are none */
	for (i = 1; i < NLA_HDRLEN; i++) {
		begin_route(r);
		r->m.nlh.nlmsg_len += i;
		expect(r, -EINVAL, NULL, "bytes behind the last attribute", i);
	}
}

/* A device by name, which need not be there. */
static void device_names(struct kunit *test)
{
	static const struct {
		const char *bytes;
		u8 size;
		int error;
	} names[] = {
		{ "lo", 3, 0 },
		{ "no such device.", 16, 0 },
		{ "123456789012345", 16, 0 },
		{ "1234567890123456", 17, -ERANGE },
		{ "", 1, -ERANGE },
		{ "lo", 2, -EINVAL },
		{ "l\0", 3, -EINVAL },
		{ "\0o", 3, -EINVAL },
		{ ".", 2, -EINVAL },
		{ "a/b", 4, -EINVAL },
	};
	struct request_test *r = test->priv;
	const struct nlattr *attr;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		int error = names[i].error;

		/* a blank is none of a name */
		if (strchr(names[i].bytes, ' '))
			error = -EINVAL;
		begin_route(r);
		attr = client_attr(&r->m, NL31_ROUTE_OIF_NAME, names[i].bytes,
				   names[i].size);
		expect(r, error, error ? attr : NULL, "name", i);
		delete_all(r);
	}
	begin_route(r);
	client_attr_u32(&r->m, NL31_ROUTE_OIF, 1);
	attr = client_attr(&r->m, NL31_ROUTE_OIF_NAME, "lo", 3);
	expect(r, -EINVAL, attr, "index and name", 0);
}

/* The table's number is reserved, and so is what has no meaning in a header. */
static void reserved(struct kunit *test)
{
	static const struct {
		u16 type;
		u16 known;
	} kinds[] = {
		{ NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK },
		{ NL31_MSG_GREET, NLM_F_REQUEST | NLM_F_ACK },
		{ NL31_MSG_GETTABLE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_DUMP },
		{ NL31_MSG_GETROUTE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_DUMP |
				     NLM_F_ATOMIC },
		{ NL31_MSG_NEWROUTE, 0xf0f },
		{ NL31_MSG_DELROUTE, 0x30f },
		{ NL31_MSG_NEWTABLE, 0xf0f },
	};
	struct request_test *r = test->priv;
	const struct nlattr *attr;
	unsigned int i, bit;

	begin_route(r);
	client_attr_u32(&r->m, NL31_ROUTE_TABLE, 0);
	expect(r, 0, NULL, "table", 0);
	delete_all(r);
	begin_route(r);
	attr = client_attr_u32(&r->m, NL31_ROUTE_TABLE, 254);
	expect(r, -ERANGE, attr, "table", 254);

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		for (bit = 0; bit < 16; bit++) {
			if (kinds[i].known & BIT(bit) || bit == 1)
				continue;
			client_message(&r->m, kinds[i].type, BIT(bit));
			expect(r, -EINVAL, NULL, "flag of message", kinds[i].type);
		}
	}
}

#define PARSES	200000

/* What the parser of our own saves. */
static void parser_figures(struct kunit *test)
{
	static const struct nla_policy policy[NL31_ROUTE_MAX + 1] = {
		[NL31_ROUTE_DST] = NLA_POLICY_RANGE(NLA_BINARY, 4, 16),
		[NL31_ROUTE_DST_LEN] = { .type = NLA_U8 },
		[NL31_ROUTE_GATEWAY] = NLA_POLICY_RANGE(NLA_BINARY, 4, 16),
		[NL31_ROUTE_METRIC] = { .type = NLA_U32 },
	};
	struct request_test *r = test->priv;
	struct nl31_route *route = kunit_kzalloc(test, sizeof(*route),
						 GFP_KERNEL);
	struct nl31_request *req = kunit_kzalloc(test, sizeof(*req), GFP_KERNEL);
	struct nlattr *tb[NL31_ROUTE_MAX + 1];
	u64 ours, theirs;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, route);
	KUNIT_ASSERT_NOT_NULL(test, req);
	begin_route(r);
	client_attr_u32(&r->m, NL31_ROUTE_METRIC, 10);
	req->nlh = &r->m.nlh;
	ours = ktime_get_ns();
	for (i = 0; i < PARSES; i++)
		KUNIT_ASSERT_EQ(test, 0, nl31_route_parse_filter(req, route));
	ours = ktime_get_ns() - ours;
	theirs = ktime_get_ns();
	for (i = 0; i < PARSES; i++)
		KUNIT_ASSERT_EQ(test, 0, nlmsg_parse(&r->m.nlh, 0, tb,
						     NL31_ROUTE_MAX, policy,
						     &req->extack));
	theirs = ktime_get_ns() - theirs;
	kunit_info(test, "figure parse_ns=%llu\n", div_u64(ours, PARSES));
	kunit_info(test, "figure nla_parse_ns=%llu\n", div_u64(theirs, PARSES));
}

static struct kunit_case request_cases[] = {
	KUNIT_CASE(lengths),
	KUNIT_CASE_SLOW(host_bits),
	KUNIT_CASE(values),
	KUNIT_CASE(gateways),
	KUNIT_CASE(combinations),
	KUNIT_CASE(repeated),
	KUNIT_CASE(unknown),
	KUNIT_CASE(device_names),
	KUNIT_CASE(reserved),
	KUNIT_CASE_SLOW(parser_figures),
	{}
};

static struct kunit_suite request_suite = {
	.name = "nl31_request",
	.init = set_up,
	.exit = tear_down,
	.test_cases = request_cases,
};

kunit_test_suite(request_suite);
