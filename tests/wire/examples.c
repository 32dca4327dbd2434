// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Prints messages as they go over the wire, byte by byte: the examples of kmod/README.md.
 * The client binds itself to port id 4242 and counts from 1, so that they are the same
 * each time.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "examples.h"

#define PORT	4242

/* Bytes, eight a line, and behind the first line what they mean. */
static void bytes(const unsigned char *data, size_t len, const char *indent, const char *text)
{
	size_t at = 0, i;

	do {
		size_t part = len - at < 8 ? len - at : 8;

		for (i = 0; i < part; i++)
			printf("%s%02x", i ? " " : "  ", data[at + i]);
		/* no blanks at the end of a line */
		if (!at)
			printf("%*s%s%s", (int)(8 - part) * 3 + 2, "", indent, text);
		printf("\n");
		at += part;
	} while (at < len);
}

static const char *const types[] = {
	[NLMSG_NOOP] = "NLMSG_NOOP",
	[NLMSG_ERROR] = "NLMSG_ERROR",
	[NLMSG_DONE] = "NLMSG_DONE",
	[GREET] = "NL31_MSG_GREET",
	[NEWROUTE] = "NL31_MSG_NEWROUTE",
	[DELROUTE] = "NL31_MSG_DELROUTE",
	[GETROUTE] = "NL31_MSG_GETROUTE",
	[NEWTABLE] = "NL31_MSG_NEWTABLE",
	[GETTABLE] = "NL31_MSG_GETTABLE",
};

struct flag {
	uint16_t bit;
	const char *name;
};

static const struct flag common[] = {
	{ NLM_F_REQUEST, "REQUEST" }, { NLM_F_MULTI, "MULTI" },	   { NLM_F_ACK, "ACK" },
	{ NLM_F_ECHO, "ECHO" },	      { NLM_F_DUMP_INTR, "DUMP_INTR" },
	{ NLM_F_DUMP_FILTERED, "DUMP_FILTERED" },
};
static const struct flag news[] = {
	{ NLM_F_REPLACE, "REPLACE" }, { NLM_F_EXCL, "EXCL" },
	{ NLM_F_CREATE, "CREATE" },   { NLM_F_APPEND, "APPEND" },
};
static const struct flag gets[] = {
	{ NLM_F_ROOT, "ROOT" }, { NLM_F_MATCH, "MATCH" }, { NLM_F_ATOMIC, "ATOMIC" },
};
static const struct flag acks[] = {
	{ NLM_F_CAPPED, "CAPPED" }, { NLM_F_ACK_TLVS, "ACK_TLVS" },
};

static void name_flags(char *text, const struct flag *flags, size_t count, uint16_t *bits)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (*bits & flags[i].bit) {
			sprintf(text + strlen(text), "%s%s", *text ? " | " : "", flags[i].name);
			*bits &= ~flags[i].bit;
		}
}

#define NAME_FLAGS(text, flags, bits) name_flags(text, flags, sizeof(flags) / sizeof(*(flags)), bits)

static void print_header(const struct nlmsghdr *nlh)
{
	const unsigned char *raw = (const unsigned char *)nlh;
	uint16_t bits = nlh->nlmsg_flags;
	char text[256];

	sprintf(text, "length %u", nlh->nlmsg_len);
	bytes(raw, 4, "", text);
	bytes(raw + 4, 2, "", types[nlh->nlmsg_type]);
	*text = '\0';
	NAME_FLAGS(text, common, &bits);
	if (nlh->nlmsg_type == NLMSG_ERROR || nlh->nlmsg_type == NLMSG_DONE)
		NAME_FLAGS(text, acks, &bits);
	else if (nlh->nlmsg_type == GETROUTE)
		NAME_FLAGS(text, gets, &bits);
	else
		NAME_FLAGS(text, news, &bits);
	if (bits || !*text)
		sprintf(text + strlen(text), bits ? " | %#x" : "no flags", bits);
	bytes(raw + 6, 2, "", text);
	sprintf(text, "sequence number %u", nlh->nlmsg_seq);
	bytes(raw + 8, 4, "", text);
	sprintf(text, "port id %u", nlh->nlmsg_pid);
	bytes(raw + 12, 4, "", text);
}

enum value { NUMBER, ADDRESS, TEXT, NOTHING };

struct attr {
	const char *name;
	enum value value;
};

static const struct attr greet_attrs[] = {
	[NL31_GREET_TEXT] = { "NL31_GREET_TEXT", TEXT },
	[NL31_GREET_PORTID] = { "NL31_GREET_PORTID", NUMBER },
	[NL31_GREET_VERSION] = { "NL31_GREET_VERSION", TEXT },
	[NL31_GREET_ABI] = { "NL31_GREET_ABI", NUMBER },
};
static const struct attr route_attrs[] = {
	[NL31_ROUTE_DST] = { "NL31_ROUTE_DST", ADDRESS },
	[NL31_ROUTE_DST_LEN] = { "NL31_ROUTE_DST_LEN", NUMBER },
	[NL31_ROUTE_TYPE] = { "NL31_ROUTE_TYPE", NUMBER },
	[NL31_ROUTE_GATEWAY] = { "NL31_ROUTE_GATEWAY", ADDRESS },
	[NL31_ROUTE_OIF] = { "NL31_ROUTE_OIF", NUMBER },
	[NL31_ROUTE_METRIC] = { "NL31_ROUTE_METRIC", NUMBER },
	[NL31_ROUTE_PROTOCOL] = { "NL31_ROUTE_PROTOCOL", NUMBER },
	[NL31_ROUTE_GENERATION] = { "NL31_ROUTE_GENERATION", NUMBER },
	[NL31_ROUTE_PAD] = { "NL31_ROUTE_PAD", NOTHING },
	[NL31_ROUTE_OIF_NAME] = { "NL31_ROUTE_OIF_NAME", TEXT },
	[NL31_ROUTE_FLAGS] = { "NL31_ROUTE_FLAGS", NUMBER },
};
static const struct attr table_attrs[] = {
	[NL31_TABLE_GENERATION] = { "NL31_TABLE_GENERATION", NUMBER },
	[NL31_TABLE_ROUTES4] = { "NL31_TABLE_ROUTES4", NUMBER },
	[NL31_TABLE_ROUTES6] = { "NL31_TABLE_ROUTES6", NUMBER },
	[NL31_TABLE_PATHS4] = { "NL31_TABLE_PATHS4", NUMBER },
	[NL31_TABLE_PATHS6] = { "NL31_TABLE_PATHS6", NUMBER },
	[NL31_TABLE_NEXTHOPS] = { "NL31_TABLE_NEXTHOPS", NUMBER },
	[NL31_TABLE_BYTES4] = { "NL31_TABLE_BYTES4", NUMBER },
	[NL31_TABLE_BYTES6] = { "NL31_TABLE_BYTES6", NUMBER },
	[NL31_TABLE_NEXTHOP_BYTES] = { "NL31_TABLE_NEXTHOP_BYTES", NUMBER },
	[NL31_TABLE_MAX_ROUTES] = { "NL31_TABLE_MAX_ROUTES", NUMBER },
	[NL31_TABLE_LOOKUPS] = { "NL31_TABLE_LOOKUPS", NUMBER },
	[NL31_TABLE_HITS] = { "NL31_TABLE_HITS", NUMBER },
	[NL31_TABLE_MISSES] = { "NL31_TABLE_MISSES", NUMBER },
	[NL31_TABLE_ERRORS] = { "NL31_TABLE_ERRORS", NUMBER },
	[NL31_TABLE_PAD] = { "NL31_TABLE_PAD", NOTHING },
	[NL31_TABLE_MULTIPATH] = { "NL31_TABLE_MULTIPATH", NUMBER },
};
static const struct attr error_attrs[] = {
	[NLMSGERR_ATTR_MSG] = { "NLMSGERR_ATTR_MSG", TEXT },
	[NLMSGERR_ATTR_OFFS] = { "NLMSGERR_ATTR_OFFS", NUMBER },
	[NLMSGERR_ATTR_COOKIE] = { "NLMSGERR_ATTR_COOKIE", NUMBER },
};

static void print_value(const struct nlattr *attr, enum value value)
{
	uint16_t len = mnl_attr_get_payload_len(attr);
	const unsigned char *data = mnl_attr_get_payload(attr);
	size_t padded = MNL_ALIGN(len);
	char text[300] = "";

	if (value == ADDRESS)
		inet_ntop(len == 4 ? AF_INET : AF_INET6, data, text, sizeof(text));
	else if (value == TEXT)
		sprintf(text, "\"%.*s\"", (int)strnlen((const char *)data, len), data);
	else if (len == 1)
		sprintf(text, "%u", *data);
	else if (len == 4)
		sprintf(text, "%u", mnl_attr_get_u32(attr));
	else if (len == 8)
		sprintf(text, "%llu", (unsigned long long)mnl_attr_get_u64(attr));
	if (padded)
		bytes(data, padded, "  ", text);
}

static void print_attrs(const char *at, const char *end, const struct attr *attrs, size_t count)
{
	while (at < end) {
		const struct nlattr *attr = (const struct nlattr *)at;
		uint16_t type = mnl_attr_get_type(attr);
		char text[64];

		if (!mnl_attr_ok(attr, end - at) || type >= count || !attrs[type].name)
			errx(1, "cannot explain an attribute");
		snprintf(text, sizeof(text), "%s, length %u", attrs[type].name, attr->nla_len);
		bytes((const unsigned char *)at, MNL_ATTR_HDRLEN, "", text);
		print_value(attr, attrs[type].value);
		at += MNL_ALIGN(attr->nla_len);
	}
}

#define PRINT_ATTRS(at, end, attrs) print_attrs(at, end, attrs, sizeof(attrs) / sizeof(*(attrs)))

static void print_error(const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(nlh);
	const char *at = (const char *)(error + 1);
	char text[64];

	sprintf(text, error->error ? "-%s" : "no error", strerrorname_np(-error->error));
	bytes((const unsigned char *)&error->error, 4, "", text);
	bytes((const unsigned char *)&error->msg, NLMSG_HDRLEN, "", "header of the request");
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED)) {
		size_t len = NLMSG_ALIGN(error->msg.nlmsg_len) - NLMSG_HDRLEN;

		bytes((const unsigned char *)at, len, "", "the rest of it");
		at += len;
	}
	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS)
		PRINT_ATTRS(at, (const char *)nlh + nlh->nlmsg_len, error_attrs);
}

static void print_message(const struct nlmsghdr *nlh)
{
	const char *at = mnl_nlmsg_get_payload(nlh);
	const char *end = (const char *)nlh + nlh->nlmsg_len;
	char text[32];
	int value;

	print_header(nlh);
	switch (nlh->nlmsg_type) {
	case NLMSG_ERROR:
		print_error(nlh);
		break;
	case NLMSG_DONE:
		if (at == end)
			break;
		memcpy(&value, at, sizeof(value));
		sprintf(text, "%d", value);
		bytes((const unsigned char *)at, sizeof(value), "", text);
		PRINT_ATTRS(at + sizeof(value), end, error_attrs);
		break;
	case NL31_MSG_GREET:
		PRINT_ATTRS(at, end, greet_attrs);
		break;
	case NL31_MSG_NEWTABLE:
	case NL31_MSG_GETTABLE:
		PRINT_ATTRS(at, end, table_attrs);
		break;
	default:
		PRINT_ATTRS(at, end, route_attrs);
	}
}

static void print_datagram(const char *who, const char *data, size_t len)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)data;
	int left = len;

	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		printf("%s\n", who);
		print_message(nlh);
	}
}

/* Send what has been built, and show what goes and comes. */
static void show(struct client *c)
{
	char *lines;

	print_datagram("client:", c->out, c->len);
	transmit(c);
	while ((lines = receive(c))) {
		print_datagram("kernel:", c->in, c->in_len);
		free(lines);
	}
}

static void one(struct client *c, const char *title, unsigned int type, unsigned int flags,
		const char *words)
{
	printf("\n### %s\n\n```\n", title);
	datagram(c);
	message(c, type, flags, words);
	show(c);
	printf("```\n");
}

void examples(void)
{
	struct client c, listener;
	char *lines;

	if (unshare(CLONE_NEWNET))
		err(1, "no network namespace: run as root, with CONFIG_NET_NS");
	client_open_at(&c, PORT);
	c.seq = 0;
	/* from the start: without a listener a change moves the generation by less */
	client_open(&listener);
	client_join(&listener);

	one(&c, "Ping", NOOP, 0, NULL);
	one(&c, "Greet", GREET, 0, "good morning");
	one(&c, "Add a route: 10.0.0.0/8 via 192.0.2.1", NEWROUTE, CREATE | EXCL | ACK,
	    "10.0.0.0/8 via 192.0.2.1");
	one(&c, "Add a route that is there", NEWROUTE, CREATE | EXCL | ACK,
	    "10.0.0.0/8 via 192.0.2.1");
	one(&c, "Add a route with a mistake: the offset points at the address", NEWROUTE,
	    CREATE | EXCL, "10.0.0.1/8 via 192.0.2.1");
	one(&c, "Look an address up", GETROUTE, 0, "10.1.2.3");
	one(&c, "Dump what 10.0.0.0/8 covers", GETROUTE, MATCH, "10.0.0.0/8");

	printf("\n### Replace the table in one transaction\n\n```\n");
	datagram(&c);
	message(&c, NEWTABLE, MULTI | REPLACE, NULL);
	message(&c, NEWROUTE, MULTI | CREATE | EXCL, "2001:db8::/32 via fe80::1 dev 1 metric 10");
	message(&c, DONE, MULTI, NULL);
	show(&c);
	printf("```\n");

	printf("\n### An event, to a client that has joined NL31_GRP_ROUTE\n\n```\n");
	while (receive(&listener))
		;
	ask(&c, DELROUTE, 0, "2001:db8::/32");
	lines = receive(&listener);
	if (!lines)
		errx(1, "no event");
	print_datagram("kernel:", listener.in, listener.in_len);
	printf("```\n");

	one(&c, "What the table holds and takes", GETTABLE, 0, NULL);
}
