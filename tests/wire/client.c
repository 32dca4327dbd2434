// SPDX-License-Identifier: MIT OR Apache-2.0
/* A client of protocol 31 for which requests and answers are text. See client.h. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "client.h"

#define RECEIVE_MAX	(1 << 17)

void client_set(struct client *c, int option, bool on)
{
	int value = on;

	if (mnl_socket_setsockopt(c->socket, option, &value, sizeof(value)))
		err(1, "socket option %d", option);
}

void client_open_at(struct client *c, uint32_t portid)
{
	memset(c, 0, sizeof(*c));
	c->socket = mnl_socket_open(NETLINK_NL31);
	if (!c->socket)
		err(1, "no socket of protocol 31: is CONFIG_NL31 set");
	if (mnl_socket_bind(c->socket, 0, portid))
		err(1, "bind");
	c->portid = mnl_socket_get_portid(c->socket);
	c->seq = 1000;
	c->in = malloc(RECEIVE_MAX);
	client_set(c, NETLINK_EXT_ACK, true);
	client_set(c, NETLINK_GET_STRICT_CHK, true);
}

void client_open(struct client *c)
{
	client_open_at(c, MNL_SOCKET_AUTOPID);
}

void client_close(struct client *c)
{
	mnl_socket_close(c->socket);
	free(c->out);
	free(c->in);
}

void client_join(struct client *c)
{
	int group = NL31_GRP_ROUTE;

	if (mnl_socket_setsockopt(c->socket, NETLINK_ADD_MEMBERSHIP, &group,
				  sizeof(group)))
		err(1, "cannot join the group");
	c->listens = true;
}

/* Requests */

static void *append(struct client *c, size_t len)
{
	void *at;

	if (c->len + len > c->room) {
		c->room = (c->len + len) * 2;
		c->out = realloc(c->out, c->room);
		if (!c->out)
			err(1, "out of memory");
	}
	at = c->out + c->len;
	memset(at, 0, len);
	c->len += len;
	return at;
}

void datagram(struct client *c)
{
	c->len = 0;
	c->first_seq = c->seq + 1;
}

void attribute(struct client *c, struct nlmsghdr *nlh, uint16_t type,
	       const void *data, size_t len)
{
	size_t at = (char *)nlh - c->out;
	struct nlattr *attr = append(c, MNL_ALIGN(MNL_ATTR_HDRLEN + len));

	attr->nla_type = type;
	attr->nla_len = MNL_ATTR_HDRLEN + len;
	memcpy(attr + 1, data, len);
	((struct nlmsghdr *)(c->out + at))->nlmsg_len = c->len - at;
}

void payload(struct client *c, struct nlmsghdr *nlh, const void *data, size_t len)
{
	size_t at = (char *)nlh - c->out;

	memcpy(append(c, len), data, len);
	((struct nlmsghdr *)(c->out + at))->nlmsg_len = c->len - at;
}

static void put_number(struct client *c, size_t at, uint16_t type, size_t len,
		       const char *word)
{
	uint32_t number = strtoul(word, NULL, 0);
	uint8_t byte = number;

	attribute(c, (struct nlmsghdr *)(c->out + at), type,
		  len == 1 ? (void *)&byte : (void *)&number, len);
}

static void put_address(struct client *c, size_t at, uint16_t type,
			const char *word)
{
	int family = strchr(word, ':') ? AF_INET6 : AF_INET;
	unsigned char address[16];

	if (inet_pton(family, word, address) != 1)
		errx(1, "'%s' is no address", word);
	attribute(c, (struct nlmsghdr *)(c->out + at), type, address,
		  family == AF_INET ? 4 : 16);
}

static const struct {
	const char *name;
	uint8_t type;
} route_types[] = {
	{ "unicast", NL31_TYPE_UNICAST },
	{ "blackhole", NL31_TYPE_BLACKHOLE },
	{ "unreachable", NL31_TYPE_UNREACHABLE },
	{ "prohibit", NL31_TYPE_PROHIBIT },
};

#define N_TYPES	(sizeof(route_types) / sizeof(*route_types))

static const struct {
	const char *name;
	uint16_t type;
	size_t len;
} numbers[] = {
	{ "dev", NL31_ROUTE_OIF, 4 },
	{ "metric", NL31_ROUTE_METRIC, 4 },
	{ "proto", NL31_ROUTE_PROTOCOL, 1 },
	{ "max", NL31_TABLE_MAX_ROUTES, 4 },
	{ "multipath", NL31_TABLE_MULTIPATH, 1 },
};

#define N_NUMBERS	(sizeof(numbers) / sizeof(*numbers))

static void put_words(struct client *c, size_t at, char *words)
{
	char *word, *save, *slash;
	size_t i;

	for (word = strtok_r(words, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		for (i = 0; i < N_TYPES; i++)
			if (!strcmp(word, route_types[i].name))
				break;
		if (i < N_TYPES) {
			attribute(c, (struct nlmsghdr *)(c->out + at),
				  NL31_ROUTE_TYPE, &route_types[i].type, 1);
			continue;
		}
		for (i = 0; i < N_NUMBERS; i++)
			if (!strcmp(word, numbers[i].name))
				break;
		if (i < N_NUMBERS) {
			put_number(c, at, numbers[i].type, numbers[i].len,
				   strtok_r(NULL, " ", &save));
			continue;
		}
		if (!strcmp(word, "via")) {
			put_address(c, at, NL31_ROUTE_GATEWAY,
				    strtok_r(NULL, " ", &save));
			continue;
		}
		if (!strcmp(word, "ifname")) {
			word = strtok_r(NULL, " ", &save);
			attribute(c, (struct nlmsghdr *)(c->out + at),
				  NL31_ROUTE_OIF_NAME, word, strlen(word) + 1);
			continue;
		}
		slash = strchr(word, '/');
		if (slash)
			*slash = '\0';
		put_address(c, at, NL31_ROUTE_DST, word);
		if (slash)
			put_number(c, at, NL31_ROUTE_DST_LEN, 1, slash + 1);
	}
}

struct nlmsghdr *message(struct client *c, unsigned int type,
			 unsigned int flags, const char *words)
{
	size_t at = c->len;
	struct nlmsghdr *nlh = append(c, NLMSG_HDRLEN);
	char *copy;

	nlh->nlmsg_len = NLMSG_HDRLEN;
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = flags & NO_REQUEST ? flags : flags | NLM_F_REQUEST;
	nlh->nlmsg_seq = ++c->seq;
	if (words && type == GREET) {
		attribute(c, nlh, NL31_GREET_TEXT, words, strlen(words));
	} else if (words) {
		copy = strdup(words);
		put_words(c, at, copy);
		free(copy);
	}
	return (struct nlmsghdr *)(c->out + at);
}

void transmit(struct client *c)
{
	if (mnl_socket_sendto(c->socket, c->out, c->len) != (ssize_t)c->len)
		err(1, "cannot send %zu bytes", c->len);
}

void ask(struct client *c, unsigned int type, unsigned int flags,
	 const char *words)
{
	datagram(c);
	message(c, type, flags, words);
	transmit(c);
}

/* Answers */

static void print_flag(FILE *f, struct nlmsghdr *nlh, uint16_t flag,
		       const char *name)
{
	if (nlh->nlmsg_flags & flag)
		fprintf(f, " %s", name);
	nlh->nlmsg_flags &= ~flag;
}

static void print_address(FILE *f, const struct nlattr *attr)
{
	char text[INET6_ADDRSTRLEN];
	uint16_t len = mnl_attr_get_payload_len(attr);

	if (len != 4 && len != 16)
		fprintf(f, "!address of %u bytes", len);
	else
		fputs(inet_ntop(len == 4 ? AF_INET : AF_INET6,
				mnl_attr_get_payload(attr), text, sizeof(text)),
		      f);
}

/*
 * Collect the attributes behind @offset; false where they are not well-formed. Only @pad
 * may come more than once.
 */
static bool attributes(const struct nlmsghdr *nlh, size_t offset,
		       const struct nlattr **tb, unsigned int max,
		       unsigned int pad)
{
	const char *at = (const char *)nlh + NLMSG_HDRLEN + offset;
	const char *end = (const char *)nlh + nlh->nlmsg_len;

	while (at < end) {
		const struct nlattr *attr = (const struct nlattr *)at;
		unsigned int type;

		if (!mnl_attr_ok(attr, end - at))
			return false;
		type = mnl_attr_get_type(attr);
		if (!type || type > max || (tb[type] && type != pad))
			return false;
		tb[type] = attr;
		at += MNL_ALIGN(attr->nla_len);
	}
	return at == end;
}

static bool has_len(const struct nlattr *attr, size_t len)
{
	return attr && mnl_attr_get_payload_len(attr) == len;
}

static void print_number(FILE *f, const char *name, const struct nlattr *attr,
			 size_t len)
{
	if (!has_len(attr, len))
		fprintf(f, " !%s", name);
	else if (len == 8)
		fprintf(f, " %s%llu", name,
			(unsigned long long)mnl_attr_get_u64(attr));
	else
		fprintf(f, " %s%u", name,
			len == 1 ? mnl_attr_get_u8(attr) :
				   mnl_attr_get_u32(attr));
}

/* Only where it is not 0; but it must be there. */
static void print_property(FILE *f, const char *name, const struct nlattr *attr,
			   size_t len)
{
	if (!has_len(attr, len) ||
	    (len == 1 ? mnl_attr_get_u8(attr) : mnl_attr_get_u32(attr)))
		print_number(f, name, attr, len);
}

static void print_route_flags(FILE *f, const struct client *c,
			      const struct nlattr *attr)
{
	static const char *const names[] = { "linkdown", "dead", "standby" };
	uint32_t flags;
	size_t i;

	if (!has_len(attr, 4) || !mnl_attr_get_u32(attr)) {
		fputs(" !flags", f);
		return;
	}
	flags = mnl_attr_get_u32(attr);
	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (flags & 1 << i && (1 << i != NL31_FLAG_STANDBY || c->tells_standby))
			fprintf(f, " %s", names[i]);
	if (flags >> i)
		fprintf(f, " !flags %#x", flags);
}

static void print_route(FILE *f, struct client *c, struct nlmsghdr *nlh)
{
	const bool is_dump = nlh->nlmsg_flags & NLM_F_MULTI;
	const struct nlattr *tb[NL31_ROUTE_MAX + 1] = {};
	size_t i;

	fprintf(f, "%s ", nlh->nlmsg_type == NEWROUTE ? "NEWROUTE" : "DELROUTE");
	if (!attributes(nlh, 0, tb, NL31_ROUTE_MAX, NL31_ROUTE_PAD))
		fputs("!attributes ", f);
	if (tb[NL31_ROUTE_DST])
		print_address(f, tb[NL31_ROUTE_DST]);
	if (has_len(tb[NL31_ROUTE_DST_LEN], 1))
		fprintf(f, "/%u", mnl_attr_get_u8(tb[NL31_ROUTE_DST_LEN]));
	for (i = 0; i < N_TYPES; i++)
		if (has_len(tb[NL31_ROUTE_TYPE], 1) &&
		    mnl_attr_get_u8(tb[NL31_ROUTE_TYPE]) == route_types[i].type)
			fprintf(f, " %s", route_types[i].name);
	if (tb[NL31_ROUTE_GATEWAY]) {
		fputs(" via ", f);
		print_address(f, tb[NL31_ROUTE_GATEWAY]);
	}
	if (tb[NL31_ROUTE_OIF])
		print_number(f, "dev ", tb[NL31_ROUTE_OIF], 4);
	if (tb[NL31_ROUTE_OIF_NAME] &&
	    mnl_attr_validate(tb[NL31_ROUTE_OIF_NAME], MNL_TYPE_NUL_STRING) < 0)
		fputs(" !ifname", f);
	else if (tb[NL31_ROUTE_OIF_NAME])
		fprintf(f, " ifname %s", mnl_attr_get_str(tb[NL31_ROUTE_OIF_NAME]));
	print_property(f, "metric ", tb[NL31_ROUTE_METRIC], 4);
	print_property(f, "proto ", tb[NL31_ROUTE_PROTOCOL], 1);
	if (tb[NL31_ROUTE_FLAGS])
		print_route_flags(f, c, tb[NL31_ROUTE_FLAGS]);
	/* each dump would have another one: told by what asks for it */
	if (is_dump && has_len(tb[NL31_ROUTE_GENERATION], 8))
		c->dump_gen = mnl_attr_get_u64(tb[NL31_ROUTE_GENERATION]);
	else if (tb[NL31_ROUTE_GENERATION])
		print_number(f, "gen ", tb[NL31_ROUTE_GENERATION], 8);

	/* by the kind of message the same bits say something else */
	if (is_dump) {
		print_flag(f, nlh, NLM_F_DUMP_INTR, "DUMP_INTR");
		print_flag(f, nlh, NLM_F_DUMP_FILTERED, "DUMP_FILTERED");
		nlh->nlmsg_flags &= ~NLM_F_MULTI;
	} else {
		print_flag(f, nlh, NLM_F_CREATE, "CREATE");
		print_flag(f, nlh, NLM_F_REPLACE, "REPLACE");
	}
}

static void print_table(FILE *f, struct nlmsghdr *nlh)
{
	const struct nlattr *tb[NL31_TABLE_MAX + 1] = {};

	if (!attributes(nlh, 0, tb, NL31_TABLE_MAX, NL31_TABLE_PAD))
		fputs("!attributes ", f);
	fputs("NEWTABLE", f);
	print_number(f, "gen ", tb[NL31_TABLE_GENERATION], 8);
	print_number(f, "routes ", tb[NL31_TABLE_ROUTES4], 4);
	print_number(f, "", tb[NL31_TABLE_ROUTES6], 4);
	print_number(f, "paths ", tb[NL31_TABLE_PATHS4], 4);
	print_number(f, "", tb[NL31_TABLE_PATHS6], 4);
	print_number(f, "nexthops ", tb[NL31_TABLE_NEXTHOPS], 4);
	print_number(f, "bytes ", tb[NL31_TABLE_BYTES4], 8);
	print_number(f, "", tb[NL31_TABLE_BYTES6], 8);
	print_number(f, "", tb[NL31_TABLE_NEXTHOP_BYTES], 8);
	print_number(f, "max ", tb[NL31_TABLE_MAX_ROUTES], 4);
	print_number(f, "lookups ", tb[NL31_TABLE_LOOKUPS], 8);
	print_number(f, "hits ", tb[NL31_TABLE_HITS], 8);
	print_number(f, "misses ", tb[NL31_TABLE_MISSES], 8);
	print_number(f, "errors ", tb[NL31_TABLE_ERRORS], 8);
	print_number(f, "multipath ", tb[NL31_TABLE_MULTIPATH], 1);
}

static void print_greeting(FILE *f, const struct client *c,
			   struct nlmsghdr *nlh)
{
	const struct nlattr *tb[NL31_GREET_MAX + 1] = {};

	fputs("GREET", f);
	if (!attributes(nlh, 0, tb, NL31_GREET_MAX, 0) ||
	    mnl_attr_validate(tb[NL31_GREET_TEXT], MNL_TYPE_NUL_STRING) < 0 ||
	    mnl_attr_validate(tb[NL31_GREET_VERSION], MNL_TYPE_NUL_STRING) < 0 ||
	    !has_len(tb[NL31_GREET_PORTID], 4)) {
		fputs(" !attributes", f);
		return;
	}
	if (mnl_attr_get_u32(tb[NL31_GREET_PORTID]) == c->portid)
		fputs(" port OURS", f);
	else
		print_number(f, "port ", tb[NL31_GREET_PORTID], 4);
	fprintf(f, " version %s", mnl_attr_get_str(tb[NL31_GREET_VERSION]));
	print_number(f, "abi ", tb[NL31_GREET_ABI], 4);
	fprintf(f, " '%s'", mnl_attr_get_str(tb[NL31_GREET_TEXT]));
}

/* Text and place of an extended ack; the generation at the end of a dump. */
static void print_tlvs(FILE *f, struct client *c, struct nlmsghdr *nlh,
		       size_t offset)
{
	const struct nlattr *tb[NLMSGERR_ATTR_MAX + 1] = {};

	if (!attributes(nlh, offset, tb, NLMSGERR_ATTR_MAX, 0))
		fputs(" !attributes", f);
	if (tb[NLMSGERR_ATTR_MSG])
		fprintf(f, " '%s'", mnl_attr_get_str(tb[NLMSGERR_ATTR_MSG]));
	if (tb[NLMSGERR_ATTR_OFFS])
		print_number(f, "@", tb[NLMSGERR_ATTR_OFFS], 4);
	if (has_len(tb[NLMSGERR_ATTR_COOKIE], 8))
		c->done_gen = mnl_attr_get_u64(tb[NLMSGERR_ATTR_COOKIE]);
	c->has_policy = tb[NLMSGERR_ATTR_POLICY];
	nlh->nlmsg_flags &= ~NLM_F_ACK_TLVS;
}

/* The message with this number in the last datagram sent. */
static const struct nlmsghdr *sent(const struct client *c, uint32_t seq)
{
	size_t at = 0;

	while (at + NLMSG_HDRLEN <= c->len) {
		const struct nlmsghdr *nlh = (void *)(c->out + at);

		if (nlh->nlmsg_seq == seq)
			return nlh;
		if (nlh->nlmsg_len < NLMSG_HDRLEN)
			return NULL;
		at += MNL_ALIGN(nlh->nlmsg_len);
	}
	return NULL;
}

/* Does an error embed the request: of one whose length makes no sense, a header by itself? */
static bool embeds(const struct client *c, const struct nlmsgerr *error,
		   const struct nlmsghdr *request, size_t len)
{
	struct nlmsghdr header = *request;

	/* an answer that comes by itself has the header of the last message, and no more */
	if (error->error == -ETIMEDOUT || header.nlmsg_len < NLMSG_HDRLEN ||
	    header.nlmsg_len > (size_t)(c->out + c->len - (const char *)request))
		header.nlmsg_len = NLMSG_HDRLEN;
	return !memcmp(&error->msg, &header, NLMSG_HDRLEN) &&
	       !memcmp(&error->msg + 1, request + 1, len - NLMSG_HDRLEN);
}

static void print_error(FILE *f, struct client *c, struct nlmsghdr *nlh)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(nlh);
	const struct nlmsghdr *request = sent(c, nlh->nlmsg_seq);
	bool capped = nlh->nlmsg_flags & NLM_F_CAPPED;
	size_t offset = sizeof(*error), embedded = NLMSG_HDRLEN;

	if (nlh->nlmsg_len < NLMSG_HDRLEN + sizeof(*error)) {
		fputs("!short error", f);
		return;
	}
	fputs(error->error ? strerrorname_np(-error->error) : "ACK", f);
	if (error->error)
		print_flag(f, nlh, NLM_F_CAPPED, "CAPPED");
	else if (!capped)
		fputs(" !not capped", f);
	nlh->nlmsg_flags &= ~NLM_F_CAPPED;
	if (!capped) {
		embedded = error->msg.nlmsg_len;
		offset += NLMSG_ALIGN(embedded) - NLMSG_HDRLEN;
		if (NLMSG_HDRLEN + offset > nlh->nlmsg_len) {
			fputs(" !short request", f);
			return;
		}
	}
	if (request && !embeds(c, error, request, embedded))
		fputs(" !another request", f);
	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS)
		print_tlvs(f, c, nlh, offset);
	else if (NLMSG_HDRLEN + offset != nlh->nlmsg_len)
		fputs(" !trailing bytes", f);
}

static void print_done(FILE *f, struct client *c, struct nlmsghdr *nlh)
{
	int value;

	if (nlh->nlmsg_len < NLMSG_HDRLEN + sizeof(value)) {
		fputs("DONE", f);
		return;
	}
	memcpy(&value, mnl_nlmsg_get_payload(nlh), sizeof(value));
	if (value < 0)
		fprintf(f, "DONE %s", strerrorname_np(-value));
	else
		fprintf(f, "DONE %d", value);
	nlh->nlmsg_flags &= ~NLM_F_MULTI;
	print_flag(f, nlh, NLM_F_DUMP_INTR, "DUMP_INTR");
	print_flag(f, nlh, NLM_F_DUMP_FILTERED, "DUMP_FILTERED");
	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS)
		print_tlvs(f, c, nlh, sizeof(value));
	else if (nlh->nlmsg_len != NLMSG_HDRLEN + sizeof(value))
		fputs(" !trailing bytes", f);
}

static void print_message(FILE *f, struct client *c, struct nlmsghdr *nlh)
{
	bool event = c->listens && !nlh->nlmsg_pid && !nlh->nlmsg_seq;

	if (event)
		fputs("event ", f);
	else if (c->first_seq != c->seq)
		fprintf(f, "%d ", nlh->nlmsg_seq - c->first_seq + 1);

	switch (nlh->nlmsg_type) {
	case NLMSG_ERROR:
		print_error(f, c, nlh);
		break;
	case NLMSG_DONE:
		print_done(f, c, nlh);
		break;
	case NL31_MSG_GREET:
		print_greeting(f, c, nlh);
		break;
	case NL31_MSG_NEWROUTE:
	case NL31_MSG_DELROUTE:
		print_route(f, c, nlh);
		break;
	case NL31_MSG_NEWTABLE:
		print_table(f, nlh);
		break;
	default:
		fprintf(f, "!type %u", nlh->nlmsg_type);
	}

	if (nlh->nlmsg_flags)
		fprintf(f, " !flags %#x", nlh->nlmsg_flags);
	if (!event && nlh->nlmsg_pid != c->portid)
		fprintf(f, " !port %u", nlh->nlmsg_pid);
	if (!event && (nlh->nlmsg_seq < c->first_seq || nlh->nlmsg_seq > c->seq))
		fprintf(f, " !seq %u", nlh->nlmsg_seq);
	fputc('\n', f);
}

char *receive(struct client *c)
{
	struct sockaddr_nl from = {};
	struct iovec iov = { c->in, RECEIVE_MAX };
	struct msghdr msg = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	struct nlmsghdr *nlh;
	char *lines;
	size_t size;
	ssize_t got;
	int left;
	FILE *f;

	got = recvmsg(mnl_socket_get_fd(c->socket), &msg, MSG_DONTWAIT);
	if (got < 0 && errno == EAGAIN)
		return NULL;
	f = open_memstream(&lines, &size);
	c->in_len = got < 0 ? 0 : got;
	if (got < 0)
		fprintf(f, "!%s\n", strerrorname_np(errno));
	if (from.nl_pid)
		fprintf(f, "!from %u\n", from.nl_pid);
	if (msg.msg_flags & MSG_TRUNC)
		fputs("!cut off\n", f);

	nlh = (struct nlmsghdr *)c->in;
	for (left = c->in_len; mnl_nlmsg_ok(nlh, left);
	     nlh = mnl_nlmsg_next(nlh, &left)) {
		/* what is explained is crossed out */
		struct nlmsghdr *copy = malloc(nlh->nlmsg_len);

		memcpy(copy, nlh, nlh->nlmsg_len);
		print_message(f, c, copy);
		free(copy);
	}
	if (left)
		fprintf(f, "!%d bytes left\n", left);
	fclose(f);
	return lines;
}

char *transcript(struct client *c)
{
	char *lines, *part;
	size_t size;
	FILE *f = open_memstream(&lines, &size);

	while ((part = receive(c))) {
		fputs(part, f);
		free(part);
	}
	fclose(f);
	return lines;
}
