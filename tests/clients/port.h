/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Ports of nl31 and their counters. */
#ifndef NL31_TEST_PORT_H
#define NL31_TEST_PORT_H

#include "wire.h"

static int nl31_fd = -1;
static struct datagram out;

static int request(void)
{
	static unsigned char in[1 << 16];
	const struct nlmsghdr *nlh = (const void *)in;
	ssize_t size;

	must_send(nl31_fd, out.data, out.size);
	size = receive(nl31_fd, in, sizeof(in));
	if (size <= 0)
		fail("no answer of nl31: %s", size ? strerror(errno) : "nothing comes");
	if (nlh->nlmsg_type == NLMSG_DONE)
		return 0;
	if (nlh->nlmsg_type != NLMSG_ERROR)
		fail("a message of type %u came", nlh->nlmsg_type);
	return ((const struct nlmsgerr *)NLMSG_DATA(nlh))->error;
}

static int port_set(const char *name, unsigned urpf)
{
	out.size = 0;
	put_message(&out, NL31_MSG_NEWPORT,
		    NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
	put_attr(&out, NL31_PORT_IFNAME, name, strlen(name) + 1);
	put_u8(&out, NL31_PORT_URPF, urpf);
	return request();
}

static int port_delete(const char *name)
{
	out.size = 0;
	put_message(&out, NL31_MSG_DELPORT, NLM_F_REQUEST | NLM_F_ACK);
	put_attr(&out, NL31_PORT_IFNAME, name, strlen(name) + 1);
	return request();
}

struct counts {
	uint64_t received, forwarded, handed_up, sum;
	uint64_t drop[NL31_PORT_DROP_OTHER - NL31_PORT_DROP_URPF + 1];
};

static void port_counts(const char *name, struct counts *counts)
{
	static unsigned char in[8192];
	unsigned type;

	out.size = 0;
	put_message(&out, NL31_MSG_GETPORT, NLM_F_REQUEST);
	put_attr(&out, NL31_PORT_IFNAME, name, strlen(name) + 1);
	must_send(nl31_fd, out.data, out.size);
	if (receive(nl31_fd, in, sizeof(in)) <= 0 ||
	    ((const struct nlmsghdr *)in)->nlmsg_type != NL31_MSG_NEWPORT)
		fail("%s does not tell its counters", name);
	memset(counts, 0, sizeof(*counts));
	for (type = NL31_PORT_RECEIVED; type <= NL31_PORT_DROP_OTHER; type++) {
		const struct nlattr *attr = find_attr((const void *)in, NLMSG_HDRLEN, type);
		uint64_t value;

		if (!attr)
			fail("%s has no counter %u", name, type);
		memcpy(&value, attr + 1, sizeof(value));
		if (type == NL31_PORT_RECEIVED)
			counts->received = value;
		else
			counts->sum += value;
		if (type == NL31_PORT_FORWARDED)
			counts->forwarded = value;
		if (type == NL31_PORT_HANDED_UP)
			counts->handed_up = value;
		if (type >= NL31_PORT_DROP_URPF)
			counts->drop[type - NL31_PORT_DROP_URPF] = value;
	}
	if (counts->received != counts->sum)
		fail("%s: %llu received, but %llu in all", name,
		     (unsigned long long)counts->received, (unsigned long long)counts->sum);
}

static void put_path(unsigned type, unsigned flags, const char *prefix, unsigned kind,
		     const char *gateway, const char *name)
{
	put_route(&out, type, NLM_F_REQUEST | flags, prefix, gateway, -1);
	if (kind)
		put_u8(&out, NL31_ROUTE_TYPE, kind);
	if (name)
		put_attr(&out, NL31_ROUTE_OIF_NAME, name, strlen(name) + 1);
}

#endif
