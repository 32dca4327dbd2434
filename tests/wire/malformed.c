// SPDX-License-Identifier: MIT OR Apache-2.0
/* Malformed messages: each error has its text and points at its attribute. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "case.h"

/* A message with one attribute of @len bytes, the first of @data, behind @words. */
static void with(struct client *c, unsigned int type, unsigned int flags, const char *words,
		 uint16_t attr, const void *data, size_t len)
{
	datagram(c);
	attribute(c, message(c, type, flags, words), attr, data, len);
	transmit(c);
}

static const char bytes[256];

CASE(unknown_attributes, "an attribute that the message does not know is refused, with its offset")
{
	struct client c;

	client_open(&c);
	with(&c, NEWROUTE, CREATE, "10.0.0.0/8 via 192.0.2.1", NL31_ROUTE_MAX + 1, bytes, 4);
	expect(&c, "EINVAL '*' @40");
	with(&c, NEWROUTE, CREATE, "10.0.0.0/8 via 192.0.2.1", 16000, bytes, 4);
	expect(&c, "EINVAL '*' @40");
	with(&c, DELROUTE, BULK, NULL, NL31_ROUTE_MAX + 1, bytes, 0);
	expect(&c, "EINVAL '*' @16");
	with(&c, GETROUTE, DUMP, NULL, NL31_ROUTE_MAX + 1, bytes, 0);
	expect(&c, "EINVAL '*' @16");
	with(&c, GREET, 0, NULL, NL31_GREET_MAX + 1, bytes, 4);
	expect(&c, "EINVAL '*' @16");
	with(&c, NEWTABLE, REPLACE, "max 5", NL31_TABLE_MAX + 1, bytes, 4);
	expect(&c, "EINVAL '*' @24");
	with(&c, GETTABLE, 0, NULL, NL31_TABLE_MAX + 1, bytes, 4);
	expect(&c, "EINVAL '*' @16");
}

CASE(attribute_0, "attribute type 0 is never used, and is refused")
{
	struct client c;

	client_open(&c);
	with(&c, NEWROUTE, CREATE, "10.0.0.0/8 via 192.0.2.1", 0, bytes, 4);
	expect(&c, "EINVAL '*'*");
	with(&c, GREET, 0, NULL, 0, bytes, 4);
	expect(&c, "EINVAL '*'*");
	with(&c, GETTABLE, 0, NULL, 0, bytes, 4);
	expect(&c, "EINVAL '*'*");
	expect_table(&c, "");
}

CASE(attributes_of_replies, "what only replies and events carry is refused in requests")
{
	struct client c;
	int attr;

	client_open(&c);
	with(&c, NEWROUTE, CREATE, "10.0.0.0/8 via 192.0.2.1", NL31_ROUTE_GENERATION, bytes, 8);
	expect(&c, "EINVAL '*' @40");
	with(&c, NEWROUTE, CREATE, "10.0.0.0/8 via 192.0.2.1", NL31_ROUTE_PAD, bytes, 0);
	expect(&c, "EINVAL '*' @40");
	for (attr = 1; attr <= NL31_TABLE_MAX; attr++) {
		if (attr == NL31_TABLE_MAX_ROUTES || attr == NL31_TABLE_MULTIPATH)
			continue;
		with(&c, NEWTABLE, REPLACE, NULL, attr, bytes, 8);
		expect(&c, "EINVAL '*' @16");
		with(&c, NEWTABLE, REPLACE, NULL, attr, bytes, 4);
		expect(&c, "EINVAL '*' @16");
	}
}

CASE(wrong_lengths, "an attribute of the wrong length is refused, whatever it is")
{
	static const struct {
		uint16_t attr;
		size_t right, other;
	} attrs[] = {
		{ NL31_ROUTE_DST, 4, 16 },
		{ NL31_ROUTE_DST_LEN, 1, 1 },
		{ NL31_ROUTE_TYPE, 1, 1 },
		{ NL31_ROUTE_GATEWAY, 4, 16 },
		{ NL31_ROUTE_OIF, 4, 4 },
		{ NL31_ROUTE_METRIC, 4, 4 },
		{ NL31_ROUTE_PROTOCOL, 1, 1 },
	};
	struct client c;
	size_t i, len;

	client_open(&c);
	for (i = 0; i < sizeof(attrs) / sizeof(*attrs); i++)
		for (len = 0; len < 40; len++) {
			if (len == attrs[i].right || len == attrs[i].other)
				continue;
			with(&c, GETROUTE, MATCH, NULL, attrs[i].attr, bytes, len);
			expect(&c, "E* '*' @16");
			with(&c, NEWROUTE, CREATE, "10.0.0.0/8 via 192.0.2.1", attrs[i].attr,
			     bytes, len);
			expect(&c, "E* '*' @40");
		}
	for (len = 0; len < 40; len++) {
		if (len == 4)
			continue;
		with(&c, NEWTABLE, 0, NULL, NL31_TABLE_MAX_ROUTES, bytes, len);
		expect(&c, "E* '*' @16");
	}
	for (len = 0; len < 40; len++) {
		if (len == 1)
			continue;
		with(&c, NEWTABLE, 0, NULL, NL31_TABLE_MULTIPATH, bytes, len);
		expect(&c, "E* '*' @16");
	}
	expect_table(&c, "");
}

CASE(nested_flags, "an attribute marked nested or in network byte order is refused")
{
	struct client c;

	client_open(&c);
	with(&c, NEWROUTE, CREATE, "10.0.0.0/8 via 192.0.2.1", NL31_ROUTE_METRIC | NLA_F_NESTED,
	     bytes, 4);
	expect(&c, "EINVAL '*' @40");
	expect_table(&c, "");
}

CASE(prefix_too_long, "a prefix length beyond the address is refused, at the length")
{
	struct client c;

	client_open(&c);
	ask(&c, NEWROUTE, CREATE, "10.0.0.0/33 via 192.0.2.1");
	expect(&c, "EINVAL '*33*32*' @24");
	ask(&c, NEWROUTE, CREATE, "2001:db8::/129 via 2001:db8::1");
	expect(&c, "EINVAL '*129*128*' @36");
	ask(&c, GETROUTE, 0, "10.0.0.0/255");
	expect(&c, "EINVAL '*255*' @24");
}

CASE(host_bits, "bits beyond the prefix length are refused, at the address")
{
	struct client c;

	client_open(&c);
	ask(&c, NEWROUTE, CREATE, "10.0.0.1/31 via 192.0.2.1");
	expect(&c, "EINVAL 'host bits*31' @16");
	ask(&c, NEWROUTE, CREATE, "0.0.0.1/0 via 192.0.2.1");
	expect(&c, "EINVAL 'host bits*0' @16");
	ask(&c, NEWROUTE, CREATE, "2001:db8::1/127 via 2001:db8::1");
	expect(&c, "EINVAL 'host bits*127' @16");
	ask(&c, NEWROUTE, CREATE, "2001:db8:0:0:8000::/64 via 2001:db8::1");
	expect(&c, "EINVAL 'host bits*64' @16");
	ask(&c, GETROUTE, 0, "10.0.0.1/8");
	expect(&c, "EINVAL 'host bits*' @16");
	ask(&c, DELROUTE, BULK, "10.0.0.1/8");
	expect(&c, "EINVAL 'host bits*' @16");
	expect_table(&c, "");
}

CASE(length_alone, "a prefix length without an address is refused")
{
	struct client c;

	client_open(&c);
	with(&c, GETROUTE, MATCH, NULL, NL31_ROUTE_DST_LEN, "\10", 1);
	expect(&c, "EINVAL '*' @16");
	with(&c, DELROUTE, BULK, NULL, NL31_ROUTE_DST_LEN, "\0", 1);
	expect(&c, "EINVAL '*' @16");
}

CASE(unknown_type_of_route, "a route type that is none is refused, at the type")
{
	static const unsigned char types[] = { 0, 2, 5, 9, 255 };
	struct client c;
	size_t i;

	client_open(&c);
	for (i = 0; i < sizeof(types); i++) {
		with(&c, NEWROUTE, CREATE, "10.0.0.0/8", NL31_ROUTE_TYPE, &types[i], 1);
		expect(&c, "EINVAL '*type*' @32");
	}
}

CASE(gateway_is_no_host, "a gateway that cannot be a host's address is refused, at the gateway")
{
	static const char *const gateways[] = {
		"10.0.0.0/8 via 0.0.0.0", "10.0.0.0/8 via 224.0.0.1",
		"10.0.0.0/8 via 239.255.255.255", "10.0.0.0/8 via 255.255.255.255",
	};
	static const char *const gateways6[] = { "2001:db8::/32 via ::", "2001:db8::/32 via ff02::1" };
	struct client c;
	size_t i;

	client_open(&c);
	for (i = 0; i < sizeof(gateways) / sizeof(*gateways); i++) {
		ask(&c, NEWROUTE, CREATE, gateways[i]);
		expect(&c, "EINVAL '*gateway*' @32");
	}
	for (i = 0; i < 2; i++) {
		ask(&c, NEWROUTE, CREATE, gateways6[i]);
		expect(&c, "EINVAL '*gateway*' @44");
	}
}

CASE(gateway_of_another_family, "a gateway is of the family of the prefix")
{
	struct client c;

	client_open(&c);
	ask(&c, NEWROUTE, CREATE, "10.0.0.0/8 via 2001:db8::1");
	expect(&c, "EINVAL '*family*' @32");
	ask(&c, NEWROUTE, CREATE, "2001:db8::/32 via 192.0.2.1");
	expect(&c, "EINVAL '*family*' @44");
}

CASE(device_0, "device 0 is refused")
{
	struct client c;

	client_open(&c);
	ask(&c, NEWROUTE, CREATE, "10.0.0.0/8 via 192.0.2.1 dev 0");
	expect(&c, "ERANGE '*' @40");
}

CASE(trailing_bytes, "bytes behind the last attribute are refused")
{
	struct client c;
	int i;

	client_open(&c);
	for (i = 1; i <= 3; i++) {
		datagram(&c);
		payload(&c, message(&c, NEWROUTE, CREATE, "10.0.0.0/8 via 192.0.2.1"), bytes, i);
		transmit(&c);
		expect(&c, "EINVAL '*'*");
	}
	expect_table(&c, "");
}

CASE(attribute_length_wrong, "an attribute length below a header, or beyond the message, is refused")
{
	static const uint16_t lengths[] = { 0, 1, 3, 9, 12, 100, 65535 };
	struct nlattr *attr;
	struct client c;
	size_t i;

	client_open(&c);
	for (i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		datagram(&c);
		attribute(&c, message(&c, DELROUTE, BULK, NULL), NL31_ROUTE_METRIC, bytes, 4);
		attr = (struct nlattr *)(c.out + NLMSG_HDRLEN);
		attr->nla_len = lengths[i];
		transmit(&c);
		expect(&c, "E* '*'*");
	}
}

CASE(duplicates, "an attribute given twice is taken once: the last one counts, as everywhere in netlink")
{
	struct client c;

	client_open(&c);
	add(&c, "10.0.0.0/8 via 192.0.2.1 metric 5 metric 6");
	expect_table(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 metric 6");
}

CASE(large_attributes, "an attribute of nearly 64 KiB is refused and its error can be embedded")
{
	static char large[65531];
	struct client c;

	client_open(&c);
	with(&c, GREET, 0, NULL, NL31_GREET_TEXT, large, sizeof(large));
	expect(&c, "ERANGE '*' @16");
	with(&c, NEWROUTE, CREATE, NULL, NL31_ROUTE_DST, large, sizeof(large));
	expect(&c, "E* '*' @16");
}

/* A message whose header says @len, of which @here bytes are in the datagram. */
static void cut(struct client *c, uint32_t len, size_t here)
{
	datagram(c);
	message(c, DELROUTE, BULK, NULL)->nlmsg_len = len;
	payload(c, (struct nlmsghdr *)c->out, bytes, sizeof(bytes));
	((struct nlmsghdr *)c->out)->nlmsg_len = len;
	c->len = here;
	transmit(c);
}

CASE(length_beyond_the_datagram, "EINVAL with the header only (CAPPED) and a text, whatever the socket asks for")
{
	static const uint32_t lengths[] = { 17, 20, 100, 65536, 0x7fffffff, 0x80000000, 0xffffffff };
	struct client c;
	size_t i;
	int ask_tlvs;

	client_open(&c);
	add(&c, "10.0.0.0/8 via 192.0.2.1");
	for (ask_tlvs = 0; ask_tlvs < 2; ask_tlvs++) {
		client_set(&c, NETLINK_EXT_ACK, ask_tlvs);
		for (i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
			cut(&c, lengths[i], 16);
			expect(&c, "EINVAL CAPPED 'message length * 16 *rest*'");
		}
	}
	check(table_number(&c, "routes", 0) == 1, "something was deleted");
}

CASE(length_below_a_header, "a message length below its header is refused likewise")
{
	struct client c;
	uint32_t len;

	client_open(&c);
	add(&c, "10.0.0.0/8 via 192.0.2.1");
	for (len = 0; len < NLMSG_HDRLEN; len++) {
		cut(&c, len, 40);
		expect(&c, "EINVAL CAPPED 'message length *'");
	}
	check(table_number(&c, "routes", 0) == 1, "something was deleted");
}

CASE(cut_header, "a datagram too short for a header is refused, with a text")
{
	struct client c;
	size_t here;

	client_open(&c);
	for (here = 1; here < NLMSG_HDRLEN; here++) {
		cut(&c, 16, here);
		/* what there is of the header is answered: the number may be cut off */
		if (here < 12)
			c.first_seq = c.seq = *(uint32_t *)(c.out + 8) &
				(here <= 8 ? 0 : UINT32_MAX >> (32 - 8 * (here - 8)));
		expect(&c, "EINVAL CAPPED '*too few*'*");
		c.seq = c.first_seq = 2000;
	}
}

CASE(rest_is_refused, "what is before it in the datagram is done, the rest is refused, said once")
{
	struct client c;

	client_open(&c);
	datagram(&c);
	message(&c, NEWROUTE, CREATE | ACK, "10.0.0.0/8 via 192.0.2.1");
	message(&c, NEWROUTE, CREATE | ACK, "11.0.0.0/8 via 192.0.2.1")->nlmsg_len += 4000;
	message(&c, NEWROUTE, CREATE | ACK, "12.0.0.0/8 via 192.0.2.1");
	transmit(&c);
	expect(&c,
	       "1 ACK\n"
	       "2 EINVAL CAPPED 'message length *rest*'");
	expect_table(&c, "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1");
}

CASE(cut_transaction, "a transaction of which a message is cut is discarded, with that one answer")
{
	struct client c;

	client_open(&c);
	datagram(&c);
	message(&c, NEWROUTE, MULTI | CREATE, "10.0.0.0/8 via 192.0.2.1");
	message(&c, NEWROUTE, MULTI | CREATE, "11.0.0.0/8 via 192.0.2.1")->nlmsg_len += 4000;
	transmit(&c);
	expect(&c, "2 EINVAL CAPPED '*'");
	datagram(&c);
	message(&c, NEWROUTE, MULTI | CREATE, "12.0.0.0/8 via 192.0.2.1");
	message(&c, DONE, MULTI, NULL);
	transmit(&c);
	expect(&c, "");
	expect_table(&c, "");
}

CASE(cut_first_of_a_transaction, "even where the message that is cut is its first")
{
	struct client c;

	client_open(&c);
	datagram(&c);
	message(&c, NEWROUTE, MULTI | CREATE, "10.0.0.0/8 via 192.0.2.1")->nlmsg_len += 4000;
	transmit(&c);
	expect(&c, "EINVAL CAPPED '*'");
	datagram(&c);
	message(&c, NEWROUTE, MULTI | CREATE, "12.0.0.0/8 via 192.0.2.1");
	message(&c, DONE, MULTI, NULL);
	transmit(&c);
	expect(&c, "");
	expect_table(&c, "");
}

CASE(cut_end_of_a_transaction, "one whose NLMSG_DONE is cut is discarded, and the next one is another")
{
	struct client c;

	client_open(&c);
	datagram(&c);
	message(&c, NEWROUTE, MULTI | CREATE, "10.0.0.0/8 via 192.0.2.1");
	message(&c, DONE, MULTI, NULL)->nlmsg_len += 4000;
	transmit(&c);
	expect(&c, "2 EINVAL CAPPED '*'");
	datagram(&c);
	message(&c, NEWROUTE, MULTI | CREATE, "12.0.0.0/8 via 192.0.2.1");
	message(&c, DONE, MULTI, NULL);
	transmit(&c);
	expect(&c, "2 DONE 1");
	expect_table(&c, "NEWROUTE 12.0.0.0/8 unicast via 192.0.2.1");
}

CASE(cut_anywhere, "a cascade cut anywhere: what is whole is done, the rest gets one error")
{
	size_t len, whole, at, lengths[4];
	char *lines, *line;
	struct client c;
	int i, acks, errors;

	client_open(&c);
	datagram(&c);
	message(&c, NEWROUTE, CREATE | REPLACE | ACK, "10.0.0.0/8 via 192.0.2.1");
	message(&c, NOOP, 0, NULL);
	message(&c, DELROUTE, ACK, "10.0.0.0/8");
	message(&c, GREET, 0, "good evening");
	len = c.len;
	for (i = at = 0; i < 4; i++) {
		at += NLMSG_ALIGN(((struct nlmsghdr *)(c.out + at))->nlmsg_len);
		lengths[i] = at;
	}
	for (c.len = len; c.len; c.len--) {
		transmit(&c);
		lines = transcript(&c);
		for (whole = 0; whole < 4 && lengths[whole] <= c.len; whole++)
			;
		acks = errors = 0;
		for (line = strtok(lines, "\n"); line; line = strtok(NULL, "\n")) {
			errors += !!strstr(line, "EINVAL CAPPED");
			acks += !strstr(line, "EINVAL");
		}
		check(acks == (int)whole, "%d answers to %zu messages", acks, whole);
		check(errors == !(whole && lengths[whole - 1] == c.len),
		      "%d errors for %zu bytes", errors, c.len);
		free(lines);
	}
}
