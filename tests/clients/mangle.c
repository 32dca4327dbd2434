// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Malformed datagrams, by the million: truncated, with bits flipped, with attributes of
 * any kind, length and nesting, cascades cut anywhere, under a forged name. A model of the
 * protocol in this file, written from the ABI's header, says for each what the answer has
 * to be; the kernel's is compared with it, message by message, and so is the table.
 *
 *	mangle COUNT [SEED]
 *
 * First each truncation and each single-bit flip of each valid message, then random ones
 * up to COUNT. Needs root. Prints KTAP.
 */
#include "wire.h"

#include <net/if.h>
#include <sys/ioctl.h>

/* More than a batch can add to a table that is emptied when it is half full. */
#define PREFIXES_MAX	4096
#define PATHS_MAX	NL31_PATHS_MAX

/* Datagrams between two comparisons of the whole table. */
#define BATCH		64

/* The model */

struct path {
	uint8_t type, protocol, gateway_len;
	unsigned char gateway[16];
	uint32_t oif, metric;
	char name[16]; /* of the device, instead of oif */
};

struct prefix {
	uint8_t bytes, len; /* 4 or 16 */
	unsigned char address[16];
	unsigned paths;
	struct path path[PATHS_MAX];
};

struct table {
	unsigned prefixes;
	uint32_t max_routes;
	struct prefix prefix[PREFIXES_MAX];
};

/* Every attribute a message may have; those that repeat, the last one counts. */
struct attrs {
	const struct nlattr *attr[32];
	uint32_t given;
};

enum transaction { NONE, OPEN, FAILED };

static struct table table, edited;
static enum transaction transaction;
static int transaction_count;

/* Events may come: NLM_F_ECHO was set in the datagram or in its transaction. */
static bool echo;

/* What has to come for a datagram. */
struct expected {
	enum { ERROR, ACK, DONE, REPLY, DUMP } what;
	uint32_t seq;
	uint16_t type; /* of a REPLY */
	int value;     /* of a DONE */
	size_t offset; /* of the message in the datagram, to show it */
};

static struct expected expected[8192];
static unsigned expected_count;

static void expect(int what, uint32_t seq, uint16_t type, int value, size_t offset)
{
	if (expected_count == sizeof(expected) / sizeof(*expected))
		fail("more answers than there is room for");
	expected[expected_count++] = (struct expected){ what, seq, type, value, offset };
}

static size_t attr_size(const struct nlattr *attr)
{
	return attr->nla_len - sizeof(*attr);
}

/* Strict: whole, aligned, known, not flagged. @sizes: for each type the least and the
 * largest size; 0, 0 for those that are refused. */
static bool parse(const struct nlmsghdr *nlh, const uint16_t sizes[][2], unsigned max,
		  struct attrs *attrs)
{
	const unsigned char *at = (const void *)nlh;
	size_t left = nlh->nlmsg_len - NLMSG_HDRLEN;

	memset(attrs, 0, sizeof(*attrs));
	at += NLMSG_HDRLEN;
	while (left >= sizeof(struct nlattr)) {
		const struct nlattr *attr = (const void *)at;
		size_t step;

		if (attr->nla_len < sizeof(*attr) || attr->nla_len > left)
			return false;
		if (!attr->nla_type || attr->nla_type > max || !sizes[attr->nla_type][1] ||
		    attr_size(attr) < sizes[attr->nla_type][0] ||
		    attr_size(attr) > sizes[attr->nla_type][1])
			return false;
		attrs->attr[attr->nla_type] = attr;
		attrs->given |= 1u << attr->nla_type;
		step = NLMSG_ALIGN(attr->nla_len);
		if (step > left)
			step = left;
		at += step;
		left -= step;
	}
	return !left;
}

static uint32_t value(const struct nlattr *attr)
{
	uint32_t value = 0;

	if (!attr)
		return 0;
	if (attr_size(attr) == 1)
		return *(const uint8_t *)(attr + 1);
	memcpy(&value, attr + 1, 4);
	return value;
}

static bool is_zero(const unsigned char *bytes, size_t count)
{
	while (count--)
		if (*bytes++)
			return false;
	return true;
}

static bool good_gateway(const struct path *path)
{
	const unsigned char *g = path->gateway;

	if (path->gateway_len == 16)
		return !is_zero(g, 16) && g[0] != 0xff;
	return !is_zero(g, 4) && (g[0] & 0xf0) != 0xe0 && memcmp(g, "\xff\xff\xff\xff", 4);
}

/* As the kernel takes for a device's name, with a zero behind. */
static bool good_name(const char *name, size_t size)
{
	size_t i;

	if (strnlen(name, size) != size - 1 || !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	for (i = 0; i < size - 1; i++)
		if (strchr("/: \t\n\v\f\r\xa0", name[i]))
			return false;
	return true;
}

#define BIT(attr)	(1u << NL31_ROUTE_##attr)
#define PATH_BITS	(BIT(TYPE) | BIT(GATEWAY) | BIT(OIF) | BIT(OIF_NAME) | BIT(METRIC) | \
			 BIT(PROTOCOL))

/* A route message as prefix (its paths unused), path and what was given. */
static bool parse_route(const struct nlmsghdr *nlh, struct prefix *prefix, struct path *path,
			uint32_t *given)
{
	static const uint16_t sizes[NL31_ROUTE_MAX + 1][2] = {
		[NL31_ROUTE_DST] = { 4, 16 },	 [NL31_ROUTE_DST_LEN] = { 1, 1 },
		[NL31_ROUTE_TYPE] = { 1, 1 },	 [NL31_ROUTE_GATEWAY] = { 4, 16 },
		[NL31_ROUTE_OIF] = { 4, 4 },	 [NL31_ROUTE_METRIC] = { 4, 4 },
		[NL31_ROUTE_PROTOCOL] = { 1, 1 }, [NL31_ROUTE_OIF_NAME] = { 2, 16 },
		[NL31_ROUTE_TABLE] = { 4, 4 },
	};
	struct attrs a;
	unsigned i;

	memset(prefix, 0, offsetof(struct prefix, path));
	memset(path, 0, sizeof(*path));
	if (!parse(nlh, sizes, NL31_ROUTE_MAX, &a))
		return false;
	*given = a.given;
	if (a.attr[NL31_ROUTE_DST]) {
		size_t size = attr_size(a.attr[NL31_ROUTE_DST]);

		if (size != 4 && size != 16)
			return false;
		prefix->bytes = size;
		prefix->len = size * 8;
		memcpy(prefix->address, a.attr[NL31_ROUTE_DST] + 1, size);
		if (a.attr[NL31_ROUTE_DST_LEN])
			prefix->len = value(a.attr[NL31_ROUTE_DST_LEN]);
		if (prefix->len > size * 8)
			return false;
		for (i = prefix->len; i < size * 8; i++)
			if (prefix->address[i / 8] & 0x80 >> i % 8)
				return false;
	} else if (a.attr[NL31_ROUTE_DST_LEN]) {
		return false;
	}
	path->type = value(a.attr[NL31_ROUTE_TYPE]);
	if (a.attr[NL31_ROUTE_TYPE] && path->type != NL31_TYPE_UNICAST &&
	    (path->type < NL31_TYPE_BLACKHOLE || path->type > NL31_TYPE_PROHIBIT))
		return false;
	path->protocol = value(a.attr[NL31_ROUTE_PROTOCOL]);
	path->metric = value(a.attr[NL31_ROUTE_METRIC]);
	path->oif = value(a.attr[NL31_ROUTE_OIF]);
	if (a.attr[NL31_ROUTE_OIF] && !path->oif)
		return false;
	if (value(a.attr[NL31_ROUTE_TABLE]))
		return false;
	*given &= ~BIT(TABLE);
	if (a.attr[NL31_ROUTE_OIF_NAME]) {
		size_t size = attr_size(a.attr[NL31_ROUTE_OIF_NAME]);

		memcpy(path->name, a.attr[NL31_ROUTE_OIF_NAME] + 1, size);
		if (a.attr[NL31_ROUTE_OIF] || !good_name(path->name, size))
			return false;
	}
	if (a.attr[NL31_ROUTE_GATEWAY]) {
		path->gateway_len = attr_size(a.attr[NL31_ROUTE_GATEWAY]);
		if (path->gateway_len != 4 && path->gateway_len != 16)
			return false;
		memcpy(path->gateway, a.attr[NL31_ROUTE_GATEWAY] + 1, path->gateway_len);
		if (prefix->bytes && prefix->bytes != path->gateway_len)
			return false;
		if (!good_gateway(path))
			return false;
	}
	return true;
}

static bool covers(const struct prefix *a, const struct prefix *b)
{
	unsigned i;

	if (a->bytes != b->bytes || a->len > b->len)
		return false;
	for (i = 0; i < a->len; i++)
		if ((a->address[i / 8] ^ b->address[i / 8]) & 0x80 >> i % 8)
			return false;
	return true;
}

static struct prefix *find(struct table *t, const struct prefix *p)
{
	unsigned i;

	for (i = 0; i < t->prefixes; i++)
		if (t->prefix[i].len == p->len && covers(&t->prefix[i], p))
			return &t->prefix[i];
	return NULL;
}

static bool same_path(const struct path *a, const struct path *b)
{
	return a->type == b->type && a->protocol == b->protocol && a->oif == b->oif &&
	       !strcmp(a->name, b->name) && a->metric == b->metric &&
	       a->gateway_len == b->gateway_len && !memcmp(a->gateway, b->gateway, sizeof(a->gateway));
}

static bool selects(uint32_t given, const struct path *want, const struct path *p)
{
	return (!(given & BIT(TYPE)) || want->type == p->type) &&
	       (!(given & BIT(OIF)) || want->oif == p->oif ||
		(p->name[0] && want->oif == if_nametoindex(p->name))) &&
	       (!(given & BIT(OIF_NAME)) || !strcmp(want->name, p->name)) &&
	       (!(given & BIT(METRIC)) || want->metric == p->metric) &&
	       (!(given & BIT(PROTOCOL)) || want->protocol == p->protocol) &&
	       (!(given & BIT(GATEWAY)) ||
		(want->gateway_len == p->gateway_len &&
		 !memcmp(want->gateway, p->gateway, sizeof(p->gateway))));
}

static void remove_prefix(struct table *t, struct prefix *p)
{
	*p = t->prefix[--t->prefixes];
}

static void remove_path(struct table *t, struct prefix *p, unsigned at)
{
	p->paths--;
	memmove(&p->path[at], &p->path[at + 1], (p->paths - at) * sizeof(p->path[0]));
	if (!p->paths)
		remove_prefix(t, p);
}

/* State of a device: 0 where there is none, 1 where it is down, 2 where it is up. */
static int device(uint32_t index)
{
	static int states[16], fd;
	struct ifreq request = { .ifr_ifindex = index };

	if (index < 16 && states[index])
		return states[index] - 1;
	if (!fd)
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fail("cannot open a socket: %s", strerror(errno));
	if (index > INT32_MAX || ioctl(fd, SIOCGIFNAME, &request)) {
		if (index < 16)
			states[index] = 1;
		return 0;
	}
	if (ioctl(fd, SIOCGIFFLAGS, &request))
		fail("cannot tell the state of device %u: %s", index, strerror(errno));
	if (index < 16)
		states[index] = request.ifr_flags & IFF_UP ? 3 : 2;
	return request.ifr_flags & IFF_UP ? 2 : 1;
}

static bool is_usable(const struct path *path)
{
	uint32_t index = path->name[0] ? if_nametoindex(path->name) : path->oif;

	return (!path->oif && !path->name[0]) || (index && device(index) == 2);
}

static bool good_path(struct path *path)
{
	if (!path->type)
		path->type = NL31_TYPE_UNICAST;
	if (path->type != NL31_TYPE_UNICAST)
		return !path->gateway_len && !path->oif && !path->name[0];
	return (path->gateway_len || path->oif || path->name[0]) &&
	       (!path->oif || device(path->oif));
}

static bool model_new(struct table *t, const struct nlmsghdr *nlh)
{
	const unsigned how = nlh->nlmsg_flags &
			     (NLM_F_CREATE | NLM_F_EXCL | NLM_F_REPLACE | NLM_F_APPEND);
	int same = -1, equal = -1;
	unsigned i, end = 0;
	struct prefix prefix, *p;
	struct path path;
	uint32_t given;

	if (how != NLM_F_CREATE && how != (NLM_F_CREATE | NLM_F_EXCL) &&
	    how != (NLM_F_CREATE | NLM_F_REPLACE) && how != NLM_F_REPLACE &&
	    how != (NLM_F_CREATE | NLM_F_APPEND))
		return false;
	if (!parse_route(nlh, &prefix, &path, &given) || !prefix.bytes || !good_path(&path))
		return false;

	p = find(t, &prefix);
	for (i = 0; p && i < p->paths; i++) {
		if (p->path[i].metric <= path.metric)
			end = i + 1;
		if (p->path[i].metric == path.metric && same < 0)
			same = i;
		if (same_path(&p->path[i], &path))
			equal = i;
	}
	if (how & NLM_F_APPEND && equal >= 0)
		return false;
	if (how & NLM_F_REPLACE) {
		if (same >= 0 && (equal == same || equal < 0)) {
			p->path[same] = path;
			return true;
		}
		if (equal >= 0 || !(how & NLM_F_CREATE))
			return false;
	}
	if (!(how & NLM_F_APPEND) && !(how & NLM_F_REPLACE) && same >= 0)
		return false;
	if (!p) {
		if (t->prefixes >= t->max_routes)
			return false;
		if (t->prefixes == PREFIXES_MAX)
			fail("the model is full");
		p = &t->prefix[t->prefixes++];
		memcpy(p, &prefix, offsetof(struct prefix, path));
	}
	if (p->paths == PATHS_MAX)
		return false;
	memmove(&p->path[end + 1], &p->path[end], (p->paths - end) * sizeof(path));
	p->path[end] = path;
	p->paths++;
	return true;
}

static bool model_del(struct table *t, const struct nlmsghdr *nlh)
{
	struct prefix prefix, *p;
	struct path path;
	uint32_t given;
	unsigned i, j;

	if (!parse_route(nlh, &prefix, &path, &given))
		return false;
	if (nlh->nlmsg_flags & NLM_F_BULK) {
		for (i = t->prefixes; i--;) {
			p = &t->prefix[i];
			if (prefix.bytes && !covers(&prefix, p))
				continue;
			for (j = p->paths; j--;)
				if (selects(given, &path, &p->path[j]))
					remove_path(t, p, j);
		}
		return true;
	}
	if (!prefix.bytes)
		return false;
	p = find(t, &prefix);
	if (!p)
		return false;
	if (given & PATH_BITS) {
		for (i = 0; i < p->paths; i++) {
			if (selects(given, &path, &p->path[i])) {
				remove_path(t, p, i);
				return true;
			}
		}
		return false;
	}
	if (nlh->nlmsg_flags & NLM_F_NONREC && p->paths > 1)
		return false;
	remove_prefix(t, p);
	return true;
}

static bool model_new_table(struct table *t, const struct nlmsghdr *nlh)
{
	static const uint16_t sizes[NL31_TABLE_MAX + 1][2] = {
		[NL31_TABLE_MAX_ROUTES] = { 4, 4 },
		[NL31_TABLE_MULTIPATH] = { 1, 1 },
	};
	const struct nlattr *limit, *multipath;
	struct attrs a;

	if (!parse(nlh, sizes, NL31_TABLE_MAX, &a))
		return false;
	limit = a.attr[NL31_TABLE_MAX_ROUTES];
	if (limit && !value(limit))
		return false;
	multipath = a.attr[NL31_TABLE_MULTIPATH];
	if (multipath && value(multipath) > 1)
		return false;
	if (nlh->nlmsg_flags & (NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND))
		return false;
	if (!limit && !multipath && !(nlh->nlmsg_flags & NLM_F_REPLACE))
		return false;
	if (nlh->nlmsg_flags & NLM_F_REPLACE)
		t->prefixes = 0;
	if (limit)
		t->max_routes = value(limit);
	return true;
}

static bool is_change(unsigned type)
{
	return type == NL31_MSG_NEWROUTE || type == NL31_MSG_DELROUTE ||
	       type == NL31_MSG_NEWTABLE;
}

static bool model_change(struct table *t, const struct nlmsghdr *nlh)
{
	return nlh->nlmsg_type == NL31_MSG_NEWROUTE ? model_new(t, nlh) :
	       nlh->nlmsg_type == NL31_MSG_DELROUTE ? model_del(t, nlh) :
						      model_new_table(t, nlh);
}

static bool model_greet(const struct nlmsghdr *nlh)
{
	static const uint16_t sizes[NL31_GREET_MAX + 1][2] = {
		[NL31_GREET_TEXT] = { 1, NL31_TEXT_MAX + 1 },
	};
	const struct nlattr *text;
	struct attrs a;
	const char *end;

	if (!parse(nlh, sizes, NL31_GREET_MAX, &a))
		return false;
	/* the one NUL beyond the longest text has to be its end */
	text = a.attr[NL31_GREET_TEXT];
	end = text ? (const char *)(text + 1) + attr_size(text) : NULL;
	return !text || attr_size(text) <= NL31_TEXT_MAX || !end[-1];
}

static bool model_get_table(const struct nlmsghdr *nlh)
{
	static const uint16_t sizes[NL31_TABLE_MAX + 1][2];
	struct attrs a;

	return parse(nlh, sizes, NL31_TABLE_MAX, &a) && !(nlh->nlmsg_flags & NLM_F_DUMP);
}

/* Is there a path for an address? */
static bool model_get(const struct table *t, const struct nlmsghdr *nlh)
{
	struct prefix prefix;
	struct path path;
	uint32_t given;
	unsigned i, j;

	if (!parse_route(nlh, &prefix, &path, &given) || !prefix.bytes || given & PATH_BITS)
		return false;
	for (i = 0; i < t->prefixes; i++) {
		if (!covers(&t->prefix[i], &prefix))
			continue;
		for (j = 0; j < t->prefix[i].paths; j++)
			if (is_usable(&t->prefix[i].path[j]))
				return true;
	}
	return false;
}

static void copy_table(struct table *to, const struct table *from)
{
	to->prefixes = from->prefixes;
	to->max_routes = from->max_routes;
	memcpy(to->prefix, from->prefix, from->prefixes * sizeof(from->prefix[0]));
}

/* Flags that have no meaning are refused. */
static bool good_flags(const struct nlmsghdr *nlh)
{
	unsigned known = NLM_F_REQUEST | NLM_F_ACK | NLM_F_MULTI;

	switch (nlh->nlmsg_type) {
	case NL31_MSG_NEWROUTE:
	case NL31_MSG_NEWTABLE:
		known |= NLM_F_ECHO | NLM_F_CREATE | NLM_F_EXCL | NLM_F_REPLACE | NLM_F_APPEND;
		break;
	case NL31_MSG_DELROUTE:
		known |= NLM_F_ECHO | NLM_F_NONREC | NLM_F_BULK;
		break;
	case NLMSG_DONE:
		known |= NLM_F_ECHO;
		break;
	case NL31_MSG_GETROUTE:
		known |= NLM_F_DUMP | NLM_F_ATOMIC;
		break;
	case NL31_MSG_GETTABLE:
		known |= NLM_F_DUMP;
		break;
	case NLMSG_NOOP:
	case NL31_MSG_GREET:
		break;
	default:
		known = ~0u;
	}
	return nlh->nlmsg_flags & NLM_F_REQUEST && !(nlh->nlmsg_flags & ~known);
}

static void model_transact(const struct nlmsghdr *nlh, size_t offset)
{
	const bool done = nlh->nlmsg_type == NLMSG_DONE;
	const size_t payload = nlh->nlmsg_len - NLMSG_HDRLEN;
	bool ok;

	if (transaction == FAILED) {
		if (done)
			transaction = NONE;
		return;
	}
	if (done) {
		int number = 0;

		ok = good_flags(nlh) && transaction == OPEN &&
		     (!payload || payload == sizeof(int));
		if (payload == sizeof(int))
			memcpy(&number, NLMSG_DATA(nlh), sizeof(number));
		if (ok && number < 0) {
			expect(DONE, nlh->nlmsg_seq, 0, number, offset);
		} else if (ok) {
			copy_table(&table, &edited);
			expect(DONE, nlh->nlmsg_seq, 0, transaction_count, offset);
		} else {
			expect(ERROR, nlh->nlmsg_seq, 0, 0, offset);
		}
		transaction = NONE;
		return;
	}
	ok = good_flags(nlh) && is_change(nlh->nlmsg_type);
	if (ok && transaction == NONE) {
		copy_table(&edited, &table);
		transaction_count = 0;
		transaction = OPEN;
	}
	if (ok)
		ok = model_change(&edited, nlh);
	if (ok) {
		transaction_count++;
		return;
	}
	expect(ERROR, nlh->nlmsg_seq, 0, 0, offset);
	transaction = FAILED;
}

static void model_message(const struct nlmsghdr *nlh, size_t offset)
{
	const unsigned flags = nlh->nlmsg_flags;
	const uint32_t seq = nlh->nlmsg_seq;
	bool ok;

	echo |= !!(flags & NLM_F_ECHO);
	if (nlh->nlmsg_type == NLMSG_ERROR)
		return;
	if (flags & NLM_F_MULTI || nlh->nlmsg_type == NLMSG_DONE) {
		model_transact(nlh, offset);
		return;
	}
	if (!good_flags(nlh)) {
		expect(ERROR, seq, 0, 0, offset);
		return;
	}
	if (is_change(nlh->nlmsg_type)) {
		ok = transaction != OPEN && model_change(&table, nlh);
		if (!ok)
			expect(ERROR, seq, 0, 0, offset);
		else if (flags & NLM_F_ACK)
			expect(ACK, seq, 0, 0, offset);
		return;
	}
	switch (nlh->nlmsg_type) {
	case NLMSG_NOOP:
		if (nlh->nlmsg_len == NLMSG_HDRLEN)
			expect(DONE, seq, 0, 0, offset);
		else
			expect(ERROR, seq, 0, 0, offset);
		return;
	case NL31_MSG_GREET:
		ok = model_greet(nlh);
		if (ok)
			expect(REPLY, seq, NL31_MSG_GREET, 0, offset);
		break;
	case NL31_MSG_GETTABLE:
		ok = model_get_table(nlh);
		if (ok)
			expect(REPLY, seq, NL31_MSG_NEWTABLE, 0, offset);
		break;
	case NL31_MSG_GETROUTE:
		if (flags & NLM_F_DUMP) {
			struct prefix prefix;
			struct path path;
			uint32_t given;

			ok = parse_route(nlh, &prefix, &path, &given);
			expect(ok ? DUMP : ERROR, seq, 0, 0, offset);
			return;
		}
		ok = model_get(&table, nlh);
		if (ok)
			expect(REPLY, seq, NL31_MSG_NEWROUTE, 0, offset);
		break;
	default:
		ok = false;
	}
	if (!ok)
		expect(ERROR, seq, 0, 0, offset);
	else if (flags & NLM_F_ACK)
		expect(ACK, seq, 0, 0, offset);
}

/* What has to come for a datagram. */
static void model_datagram(const unsigned char *data, size_t size)
{
	size_t at = 0;

	expected_count = 0;
	echo &= transaction != NONE;
	while (at < size) {
		struct nlmsghdr header = { 0 };

		memcpy(&header, data + at,
		       size - at < sizeof(header) ? size - at : sizeof(header));
		if (size - at < sizeof(header) || header.nlmsg_len < sizeof(header) ||
		    header.nlmsg_len > size - at) {
			expect(ERROR, header.nlmsg_seq, 0, 0, at);
			if (size - at >= sizeof(header) &&
			    header.nlmsg_type == NLMSG_DONE)
				transaction = NONE;
			else if (transaction == OPEN ||
				 (size - at >= sizeof(header) &&
				  header.nlmsg_flags & NLM_F_MULTI))
				transaction = FAILED;
			return;
		}
		model_message((const void *)(data + at), at);
		at += NLMSG_ALIGN(header.nlmsg_len);
	}
}

/* The exchange */

/* What is compared now, to be shown where it differs. */
static const struct datagram *sent;
static unsigned exchanges;

__attribute__((noreturn, format(printf, 2, 3)))
static void differs(size_t offset, const char *format, ...)
{
	va_list args;
	size_t i;

	printf("# datagram %u of %zu bytes, message at %zu:", exchanges, sent->size, offset);
	for (i = 0; i < sent->size && i < 512; i++)
		printf("%s%02x", i % 4 ? "" : " ", sent->data[i]);
	printf("\n# ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fail("the kernel does not do what the protocol says");
}

/* How far the answers to a datagram are. */
struct progress {
	unsigned next; /* in expected[] */
	bool dumping;
	uint32_t dump_seq;
};

/* Only a table message looks the same as event and as reply. */
static bool is_event(const struct nlmsghdr *nlh, const struct expected *next)
{
	switch (nlh->nlmsg_type) {
	case NL31_MSG_NEWROUTE:
		/* the first message of a dump has one, too */
		return !(nlh->nlmsg_flags & NLM_F_MULTI) &&
		       find_attr(nlh, NLMSG_HDRLEN, NL31_ROUTE_GENERATION);
	case NL31_MSG_DELROUTE:
		return true;
	case NL31_MSG_NEWTABLE:
		return !next || next->what != REPLY || next->type != nlh->nlmsg_type ||
		       next->seq != nlh->nlmsg_seq;
	default:
		return false;
	}
}

static void answer(void *ctx, const struct nlmsghdr *nlh)
{
	const struct expected *e;
	struct progress *p = ctx;
	int error = 0;

	/* parts of a dump come between answers to what was sent behind it */
	if (p->dumping && nlh->nlmsg_seq == p->dump_seq && nlh->nlmsg_flags & NLM_F_MULTI) {
		p->dumping = nlh->nlmsg_type != NLMSG_DONE;
		return;
	}
	if (nlh->nlmsg_type == NLMSG_ERROR)
		error = ((const struct nlmsgerr *)NLMSG_DATA(nlh))->error;

	e = &expected[p->next];
	if (is_event(nlh, p->next < expected_count ? e : NULL)) {
		if (!echo)
			differs(0, "an event came without NLM_F_ECHO");
		return;
	}
	if (p->next == expected_count)
		differs(0, "a message of type %u, error %d (%s), number %u came that nothing asks for",
			nlh->nlmsg_type, error,
			nlh->nlmsg_type == NLMSG_ERROR && error_text(nlh) ? error_text(nlh) : "",
			nlh->nlmsg_seq);
	if (nlh->nlmsg_seq != e->seq)
		differs(e->offset, "number %u was answered instead of %u", nlh->nlmsg_seq, e->seq);
	p->next++;

	switch (e->what) {
	case ERROR:
		if (nlh->nlmsg_type != NLMSG_ERROR || error >= 0)
			differs(e->offset, "wrong success: type %u", nlh->nlmsg_type);
		if (!error_text(nlh))
			differs(e->offset, "error %d has no text", error);
		break;
	case ACK:
		if (nlh->nlmsg_type != NLMSG_ERROR || error)
			differs(e->offset, "refused with %d, %s", error,
				error ? error_text(nlh) : "?");
		break;
	case DONE:
		if (nlh->nlmsg_type != NLMSG_DONE)
			differs(e->offset, "refused with %d, %s", error,
				error ? error_text(nlh) : "?");
		if (*(const int *)NLMSG_DATA(nlh) != e->value)
			differs(e->offset, "done with %d instead of %d",
				*(const int *)NLMSG_DATA(nlh), e->value);
		break;
	case REPLY:
		if (nlh->nlmsg_type != e->type)
			differs(e->offset, "answered with type %u, error %d, %s", nlh->nlmsg_type,
				error, error ? error_text(nlh) : "?");
		break;
	case DUMP:
		/* a socket has one dump at a time */
		if (p->dumping && error == -EBUSY)
			break;
		if (p->dumping || !(nlh->nlmsg_flags & NLM_F_MULTI))
			differs(e->offset, "a dump begins with type %u, error %d, %s",
				nlh->nlmsg_type, error, error ? error_text(nlh) : "?");
		p->dumping = nlh->nlmsg_type != NLMSG_DONE;
		p->dump_seq = nlh->nlmsg_seq;
	}
}

/*
 * Messages of ports become such as there are none: the model knows nothing of ports, which
 * are clients/fail_port.c's and forward.c's.
 */
static void without_ports(struct datagram *d)
{
	const uint16_t none = NL31_MSG_MAX + 1;
	struct nlmsghdr header;
	size_t at;

	for (at = 0; at + NLMSG_HDRLEN <= d->size; at += NLMSG_ALIGN(header.nlmsg_len)) {
		memcpy(&header, d->data + at, sizeof(header));
		if (header.nlmsg_type >= NL31_MSG_NEWPORT &&
		    header.nlmsg_type <= NL31_MSG_GETPORT)
			memcpy(d->data + at + offsetof(struct nlmsghdr, nlmsg_type),
			       &none, sizeof(none));
		if (header.nlmsg_len < NLMSG_HDRLEN || header.nlmsg_len > d->size - at)
			break;
	}
}

static void exchange(int fd, struct datagram *d)
{
	static unsigned char buffer[DATAGRAM_MAX];
	struct progress p = { 0 };
	ssize_t size;

	if (!d->size)
		return;
	without_ports(d);
	sent = d;
	exchanges++;
	model_datagram(d->data, d->size);
	must_send(fd, d->data, d->size);
	while ((size = receive(fd, buffer, sizeof(buffer)))) {
		if (size < 0)
			fail("cannot receive: %s", strerror(errno));
		for_each_message(buffer, size, answer, &p);
	}
	if (p.next != expected_count)
		differs(expected[p.next].offset, "no answer (%d)", expected[p.next].what);
	if (p.dumping)
		differs(0, "a dump does not end");
}

/* The kernel's table is the model's. */
static void compare_tables(int fd)
{
	static struct dump dump;
	static unsigned next[PREFIXES_MAX];
	unsigned paths = 0, i;
	size_t at = 0;

	dump_table(fd, &dump);
	for (i = 0; i < table.prefixes; i++) {
		next[i] = 0;
		paths += table.prefix[i].paths;
	}
	if (dump.paths != paths)
		differs(0, "the table has %u paths, the model %u", dump.paths, paths);
	while (at < dump.size) {
		unsigned char message[512];
		struct nlmsghdr *nlh = (void *)message;
		size_t size = 0;
		struct prefix prefix, *p;
		struct path path;
		uint32_t given;

		/* up to where the next one's first attribute is */
		do {
			const struct nlattr *attr = (const void *)(dump.data + at + size);

			if (size && attr->nla_type == NL31_ROUTE_DST)
				break;
			size += NLMSG_ALIGN(attr->nla_len);
		} while (at + size < dump.size);
		if (size > sizeof(message) - NLMSG_HDRLEN)
			fail("a route of %zu bytes", size);
		memset(nlh, 0, sizeof(*nlh));
		nlh->nlmsg_len = NLMSG_HDRLEN + size;
		memcpy(message + NLMSG_HDRLEN, dump.data + at, size);
		at += size;
		if (!parse_route(nlh, &prefix, &path, &given))
			differs(0, "the table has a route that cannot be");
		p = find(&table, &prefix);
		if (!p)
			differs(0, "the table has a prefix that the model has not");
		i = next[p - table.prefix]++;
		if (i >= p->paths || !same_path(&p->path[i], &path))
			differs(0, "path %u of a prefix of length %u is another", i, p->len);
	}
}

/* Seeds */

#define DO	(NLM_F_REQUEST | NLM_F_ACK)
#define ADD	(DO | NLM_F_CREATE | NLM_F_EXCL)
#define CHANGE	(NLM_F_REQUEST | NLM_F_MULTI)

static void full_route(struct datagram *d, unsigned flags, const char *prefix,
		       const char *gateway)
{
	put_route(d, NL31_MSG_NEWROUTE, flags, prefix, gateway, 20);
	put_u8(d, NL31_ROUTE_TYPE, NL31_TYPE_UNICAST);
	put_u8(d, NL31_ROUTE_PROTOCOL, 4);
}

/* Puts valid message number @nr; false where there are no more. */
static bool put_seed(struct datagram *d, unsigned nr)
{
	switch (nr) {
	case 0:
		put_message(d, NLMSG_NOOP, NLM_F_REQUEST);
		return true;
	case 1:
		put_message(d, NL31_MSG_GREET, DO);
		put_attr(d, NL31_GREET_TEXT, "it's me", 7);
		return true;
	case 2:
		put_message(d, NL31_MSG_GETTABLE, NLM_F_REQUEST);
		return true;
	case 3:
		put_message(d, NL31_MSG_NEWTABLE, DO);
		put_u32(d, NL31_TABLE_MAX_ROUTES, 2000);
		return true;
	case 4:
		put_route(d, NL31_MSG_NEWROUTE, ADD, "10.0.0.0/8", "192.0.2.1", -1);
		return true;
	case 5:
		full_route(d, ADD, "10.1.0.0/16", "192.0.2.1");
		return true;
	case 6:
		full_route(d, ADD, "2001:db8::/32", "2001:db8::1");
		put_attr(d, NL31_ROUTE_OIF_NAME, "lo", 3);
		return true;
	case 7:
		put_route(d, NL31_MSG_NEWROUTE, DO | NLM_F_CREATE | NLM_F_REPLACE, "10.0.0.0/8",
			  "192.0.2.2", -1);
		return true;
	case 8:
		put_route(d, NL31_MSG_NEWROUTE, DO | NLM_F_REPLACE, "10.0.0.0/8", "192.0.2.3", 0);
		return true;
	case 9:
		put_route(d, NL31_MSG_NEWROUTE, DO | NLM_F_CREATE | NLM_F_APPEND, "10.1.0.0/16",
			  "192.0.2.4", 20);
		return true;
	case 10:
		put_route(d, NL31_MSG_NEWROUTE, ADD, "192.0.2.0/24", NULL, 7);
		put_u32(d, NL31_ROUTE_OIF, 1);
		return true;
	case 11:
		put_route(d, NL31_MSG_NEWROUTE, ADD, "198.51.100.0/24", NULL, -1);
		put_u8(d, NL31_ROUTE_TYPE, NL31_TYPE_BLACKHOLE);
		return true;
	case 12:
		put_route(d, NL31_MSG_GETROUTE, DO, "10.1.2.3", NULL, -1);
		return true;
	case 13:
		put_route(d, NL31_MSG_GETROUTE, NLM_F_REQUEST, "2001:db8:1::/48", NULL, -1);
		return true;
	case 14:
		put_message(d, NL31_MSG_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP);
		return true;
	case 15:
		put_route(d, NL31_MSG_GETROUTE, NLM_F_REQUEST | NLM_F_MATCH | NLM_F_ATOMIC,
			  "10.0.0.0/8", "192.0.2.1", 20);
		return true;
	case 16:
		put_route(d, NL31_MSG_DELROUTE, DO, "10.1.0.0/16", NULL, -1);
		return true;
	case 17:
		put_route(d, NL31_MSG_DELROUTE, DO | NLM_F_NONREC, "10.1.0.0/16", NULL, -1);
		return true;
	case 18:
		put_route(d, NL31_MSG_DELROUTE, DO, "10.1.0.0/16", "192.0.2.4", 20);
		return true;
	case 19:
		put_route(d, NL31_MSG_DELROUTE, DO | NLM_F_BULK, "2001:db8::/32", NULL, 20);
		return true;
	case 20:
		put_message(d, NL31_MSG_DELROUTE, DO | NLM_F_BULK);
		put_u8(d, NL31_ROUTE_PROTOCOL, 4);
		return true;
	case 21:
		put_route(d, NL31_MSG_NEWROUTE, ADD, "2001:db8:1:2:3:4:5:6/128", "fe80::1", 1);
		put_u32(d, NL31_ROUTE_OIF, 1);
		return true;
	case 22:
		put_route(d, NL31_MSG_NEWROUTE, ADD, "0.0.0.0/0", "192.0.2.9", -1);
		return true;
	case 23:
		put_route(d, NL31_MSG_NEWROUTE, CHANGE | NLM_F_CREATE, "172.16.0.0/12",
			  "192.0.2.5", 3);
		return true;
	case 24:
		put_route(d, NL31_MSG_DELROUTE, CHANGE, "172.16.0.0/12", NULL, -1);
		return true;
	case 25:
		put_route(d, NL31_MSG_DELROUTE, CHANGE | NLM_F_BULK, "10.0.0.0/8", NULL, -1);
		return true;
	case 26:
		put_message(d, NL31_MSG_NEWTABLE, CHANGE | NLM_F_REPLACE);
		return true;
	case 27:
		put_message(d, NLMSG_DONE, NLM_F_REQUEST);
		return true;
	default:
		return false;
	}
}

#define SEEDS	28

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t random_state;

static uint64_t random_u64(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static unsigned below(unsigned bound)
{
	return random_u64() % bound;
}

/* A route message that is valid in itself, over few prefixes and paths. */
static void put_random_route(struct datagram *d)
{
	static const unsigned hows[] = {
		NLM_F_CREATE, NLM_F_CREATE | NLM_F_EXCL, NLM_F_CREATE | NLM_F_REPLACE,
		NLM_F_REPLACE, NLM_F_CREATE | NLM_F_APPEND, NLM_F_CREATE | NLM_F_APPEND,
	};
	unsigned flags = NLM_F_REQUEST | (below(2) ? NLM_F_ACK : 0) | (below(8) ? 0 : NLM_F_ECHO);
	bool six = below(3) == 0;
	char prefix[64], gateway[64];

	if (six) {
		snprintf(prefix, sizeof(prefix), "2001:db8:%x::/%u", below(4) << 12,
			 36 + below(4) * 4);
		snprintf(gateway, sizeof(gateway), "2001:db8::%u", 1 + below(4));
	} else {
		snprintf(prefix, sizeof(prefix), "10.%u.0.0/%u", below(8) << 5, 11 + below(6));
		snprintf(gateway, sizeof(gateway), "192.0.2.%u", 1 + below(4));
	}
	switch (below(4)) {
	case 0:
		put_route(d, NL31_MSG_DELROUTE, flags | (below(4) ? 0 : NLM_F_NONREC), prefix,
			  below(2) ? gateway : NULL, below(2) ? (int)below(3) : -1);
		break;
	case 1:
		put_route(d, NL31_MSG_GETROUTE, flags, prefix, NULL, -1);
		break;
	default:
		put_route(d, NL31_MSG_NEWROUTE, flags | hows[below(6)], prefix, gateway,
			  below(3) ? (int)below(3) : -1);
		if (!below(4))
			put_u8(d, NL31_ROUTE_PROTOCOL, below(3));
	}
}

/* Attributes of any type and length, some of them within each other. */
static void put_soup(struct datagram *d)
{
	static const unsigned types[] = {
		NL31_MSG_GREET, NL31_MSG_NEWROUTE, NL31_MSG_DELROUTE, NL31_MSG_GETROUTE,
		NL31_MSG_NEWTABLE, NL31_MSG_GETTABLE, NLMSG_NOOP, NLMSG_DONE, 4, 22, 65535,
	};
	unsigned char data[300];
	unsigned count = below(12), i;

	put_message(d, types[below(sizeof(types) / sizeof(*types))],
		    below(2) ? DO | (below(16) << 8) : below(1 << 16));
	while (count--) {
		unsigned type = below(20), size = below(4) ? below(20) : below(sizeof(data));

		for (i = 0; i < size; i++)
			data[i] = random_u64();
		if (!below(4) && size >= 12) {
			struct nlattr inner = { .nla_len = below(2) ? size - 4 : size,
						.nla_type = below(12) };

			memcpy(data + 4 * below(2), &inner, sizeof(inner));
			type |= below(2) ? NLA_F_NESTED : 0;
		}
		if (!below(32))
			type |= NLA_F_NET_BYTEORDER;
		put_attr(d, type, data, size);
	}
	if (!below(64)) {
		static unsigned char large[65535 - sizeof(struct nlattr)];

		put_attr(d, below(12), large, sizeof(large) - below(4));
	}
}

static void mutate(struct datagram *d)
{
	size_t at = below(d->size), count, i;
	uint32_t word;

	switch (below(8)) {
	case 0: /* cut */
		d->size = at;
		break;
	case 1: /* a length, a type, flags */
		word = below(2) ? below(64) : below(1 << 16);
		memcpy(d->data + (at & ~1ul), &word, 2);
		break;
	case 2: /* a byte */
		d->data[at] = random_u64();
		break;
	case 3: /* bytes gone from the middle */
		count = below(24);
		if (at + count < d->size) {
			memmove(d->data + at, d->data + at + count, d->size - at - count);
			d->size -= count;
		}
		break;
	case 4: /* bytes twice */
		count = below(24);
		if (at + count <= d->size && d->size + count <= sizeof(d->data)) {
			memmove(d->data + at + count, d->data + at, d->size - at);
			d->size += count;
		}
		break;
	case 5: /* a forged sender */
		if (d->size >= NLMSG_HDRLEN) {
			word = random_u64();
			memcpy(d->data + 12, &word, sizeof(word));
		}
		break;
	default: /* bits */
		for (i = 1 + below(3); i--;)
			d->data[below(d->size)] ^= 1 << below(8);
	}
}

static void random_datagram(struct datagram *d)
{
	unsigned count = 1 + below(5), mutations = below(4);

	d->size = 0;
	while (count--) {
		switch (below(8)) {
		case 0 ... 1:
			put_soup(d);
			break;
		case 2 ... 3:
			put_seed(d, below(SEEDS));
			break;
		default:
			put_random_route(d);
		}
		if (!below(16))
			last_message(d)->nlmsg_flags ^= NLM_F_MULTI;
	}
	while (mutations-- && d->size)
		mutate(d);
}

/* Between two batches: no transaction is open, and the table does not grow for ever. */
static void end_batch(int fd)
{
	static struct datagram d;

	d.size = 0;
	put_message(&d, NLMSG_DONE, NLM_F_REQUEST);
	if (transaction != NONE)
		exchange(fd, &d);
	if (table.prefixes > PREFIXES_MAX / 2 || table.max_routes < 100 || !below(50)) {
		d.size = 0;
		put_message(&d, NL31_MSG_NEWTABLE, DO | NLM_F_REPLACE);
		put_u32(&d, NL31_TABLE_MAX_ROUTES, PREFIXES_MAX);
		exchange(fd, &d);
	}
	compare_tables(fd);
}

/* Every truncation, with the header's length as it was and as it would have to be, and
 * every single-bit flip. */
static void exhaustive(int fd)
{
	static struct datagram seed, d;
	unsigned nr;

	testing = "each_truncation_and_bit";
	for (nr = 0; seed.size = 0, put_seed(&seed, nr); nr++) {
		size_t bit, size;

		if (nr >= SEEDS)
			fail("SEEDS is out of date");
		for (size = 1; size <= seed.size; size++) {
			d.size = size;
			memcpy(d.data, seed.data, size);
			exchange(fd, &d);
			if (size < NLMSG_HDRLEN)
				continue;
			((struct nlmsghdr *)d.data)->nlmsg_len = size;
			exchange(fd, &d);
			if (size % 16 == 0)
				end_batch(fd);
		}
		for (bit = 0; bit < seed.size * 8; bit++) {
			d.size = seed.size;
			memcpy(d.data, seed.data, seed.size);
			d.data[bit / 8] ^= 1 << bit % 8;
			exchange(fd, &d);
			if (bit % 16 == 15)
				end_batch(fd);
		}
		end_batch(fd);
	}
	printf("# %s: figure datagrams=%u\n", testing, exchanges);
	passed();
}

/* Memory of the kernel that cannot be taken back, in KiB. */
static long kernel_memory(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long size = -1;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "SUnreclaim: %ld", &size) == 1)
			break;
	if (size < 0)
		fail("/proc/meminfo does not tell SUnreclaim");
	fclose(file);
	return size;
}

static long memory_when_empty(int fd)
{
	static struct datagram d;

	end_batch(fd);
	d.size = 0;
	put_message(&d, NL31_MSG_NEWTABLE, DO | NLM_F_REPLACE);
	put_u32(&d, NL31_TABLE_MAX_ROUTES, PREFIXES_MAX);
	exchange(fd, &d);
	/* freed by and by */
	sleep(2);
	return kernel_memory();
}

/* What a debug kernel keeps back of freed memory has filled up in the first half. */
#define GROWTH_MAX	1024

static void at_random(int fd, unsigned count)
{
	static struct datagram d;
	unsigned i, begun = exchanges;
	long half = 0, end;

	testing = "at_random";
	if (count <= begun)
		fail("COUNT leaves none for this test: more than %u", begun);
	for (i = 0; exchanges < count; i++) {
		random_datagram(&d);
		exchange(fd, &d);
		if (i % BATCH == BATCH - 1)
			end_batch(fd);
		if (!half && exchanges >= begun + (count - begun) / 2)
			half = memory_when_empty(fd);
	}
	end = memory_when_empty(fd);
	printf("# %s: figure datagrams=%u kernel_kib_at_half=%ld kernel_kib_at_end=%ld\n", testing,
	       exchanges - begun, half, end);
	if (half && end > half + GROWTH_MAX)
		fail("the kernel's memory grows: %ld KiB, then %ld KiB", half, end);
	passed();
}

int main(int argc, char **argv)
{
	unsigned count = argc > 1 ? atoi(argv[1]) : 100000;
	unsigned seed = argc > 2 ? strtoul(argv[2], NULL, 10) : 31;
	static struct datagram d;
	int fd;

	set_up_system();
	printf("KTAP version 1\n1..2\n# random numbers of seed %u\n", seed);
	random_state = seed;
	fd = open_socket();
	put_message(&d, NL31_MSG_NEWTABLE, DO | NLM_F_REPLACE);
	put_u32(&d, NL31_TABLE_MAX_ROUTES, PREFIXES_MAX);
	exchange(fd, &d);
	exhaustive(fd);
	at_random(fd, count);
	finish(0);
}
