// SPDX-License-Identifier: GPL-2.0-only
/* Messages to clients: what answers and events are made of. */
#include <net/netlink.h>
#include <net/sock.h>
#include <uapi/linux/nl31.h>

#include "message.h"

/* The index that the device of a name has now. */
static int fill_device(struct sk_buff *skb, struct nlmsghdr *nlh,
		       const struct nl31_device *device)
{
	const u32 ifindex = device->name[0] ? READ_ONCE(device->ifindex) : 0;

	if (!ifindex)
		return 0;
	if (nla_put_u32(skb, NL31_ROUTE_OIF, ifindex)) {
		nlmsg_cancel(skb, nlh);
		return -EMSGSIZE;
	}
	nlmsg_end(skb, nlh);
	return 0;
}

/**
 * nl31_fill_route - append a route message
 * @skb: to this
 * @header: header but for the length
 * @family: of @key
 * @key: the prefix
 * @path: one of its paths
 *
 * Return: 0, or -EMSGSIZE with nothing appended
 */
int nl31_fill_route(struct sk_buff *skb, const struct nlmsghdr *header,
		    enum nl31_family family, const struct lpm_key *key,
		   const struct nl31_path *path)
{
	const unsigned int address = nla_total_size(family == NL31_IPV4 ? 4 :
								      16);
	const unsigned int len = NLMSG_HDRLEN + address + nla_total_size(1) +
				 path->attrs_len;
	struct nlmsghdr *nlh;
	struct nlattr *attr;
	unsigned int at;
	void *attrs;

	/* by hand: a dump does little else, a million times */
	if (skb_tailroom(skb) < len + NL31_PATH_ATTRS_BLOCK)
		return -EMSGSIZE;
	nlh = __skb_put(skb, len);
	*nlh = *header;
	nlh->nlmsg_len = len;

	attr = (void *)nlh + NLMSG_HDRLEN;
	attr->nla_type = NL31_ROUTE_DST;
	if (family == NL31_IPV4) {
		const __be32 ipv4 = cpu_to_be32(key->word[0] >> 32);

		attr->nla_len = nla_attr_size(sizeof(ipv4));
		memcpy(nla_data(attr), &ipv4, sizeof(ipv4));
	} else {
		const __be64 high = cpu_to_be64(key->word[0]);
		const __be64 low = cpu_to_be64(key->word[1]);

		attr->nla_len = nla_attr_size(sizeof(high) + sizeof(low));
		memcpy(nla_data(attr), &high, sizeof(high));
		memcpy(nla_data(attr) + sizeof(high), &low, sizeof(low));
	}

	attr = (void *)attr + address;
	attr->nla_len = nla_attr_size(1);
	attr->nla_type = NL31_ROUTE_DST_LEN;
	/* the byte and the zeros behind it */
	*(__le32 *)nla_data(attr) = cpu_to_le32(key->len);

	/* the end of the last block is overwritten, or not sent */
	attrs = (void *)attr + nla_total_size(1);
	for (at = 0; at < path->attrs_len; at += NL31_PATH_ATTRS_BLOCK)
		memcpy(attrs + at, path->attrs + at, NL31_PATH_ATTRS_BLOCK);
	return path->device ? fill_device(skb, nlh, path->device) : 0;
}

/**
 * nl31_fill_route_flags - append to a route message what its path is worth now
 * @skb: the message is the last one in it
 * @nlh: its header
 * @path: its path
 * @family: of the message
 * @is_standby: a path before it is in use, and does not share the load with it
 *
 * Return: 0, or -EMSGSIZE with the message taken back
 */
int nl31_fill_route_flags(struct sk_buff *skb, struct nlmsghdr *nlh,
			  const struct nl31_path *path, enum nl31_family family,
			  bool is_standby)
{
	u32 flags = 0;

	switch (path->device ? READ_ONCE(path->device->state) : NL31_DEV_UP) {
	case NL31_DEV_UP:
		if (nl31_adjacency_has_failed(path->adjacency, family))
			flags = NL31_FLAG_LINKDOWN;
		else if (is_standby)
			flags = NL31_FLAG_STANDBY;
		break;
	case NL31_DEV_DOWN:
		flags = NL31_FLAG_LINKDOWN;
		break;
	default:
		flags = NL31_FLAG_LINKDOWN | NL31_FLAG_DEAD;
	}
	if (!flags)
		return 0;
	if (nla_put_u32(skb, NL31_ROUTE_FLAGS, flags)) {
		nlmsg_cancel(skb, nlh);
		return -EMSGSIZE;
	}
	nlmsg_end(skb, nlh);
	return 0;
}

/**
 * nl31_fill_generation - append its generation to a route message
 * @skb: the message is the last one in it
 * @nlh: its header
 * @generation: number of a change
 *
 * Return: 0, or -EMSGSIZE with the message taken back
 */
int nl31_fill_generation(struct sk_buff *skb, struct nlmsghdr *nlh,
			 u64 generation)
{
	if (nla_put_u64_64bit(skb, NL31_ROUTE_GENERATION, generation,
			      NL31_ROUTE_PAD)) {
		nlmsg_cancel(skb, nlh);
		return -EMSGSIZE;
	}
	nlmsg_end(skb, nlh);
	return 0;
}

/**
 * nl31_fill_table - append a table message
 * @skb: to this
 * @portid: header
 * @seq: header
 * @t: the table
 *
 * Context: the table's lock
 * Return: 0, or -EMSGSIZE with nothing appended
 */
int nl31_fill_table(struct sk_buff *skb, u32 portid, u32 seq,
		    struct nl31_table *t)
{
	const struct nl31_version *v = nl31_table_current(t);
	u64 hits = nl31_table_counted(t, NL31_COUNT_HIT);
	u64 misses = nl31_table_counted(t, NL31_COUNT_MISS);
	u64 errors = nl31_table_counted(t, NL31_COUNT_ERROR);
	const struct lpm *ipv4 = &v->trie[NL31_IPV4];
	const struct lpm *ipv6 = &v->trie[NL31_IPV6];
	const int pad = NL31_TABLE_PAD;
	struct nlmsghdr *nlh;

	nlh = nlmsg_put(skb, portid, seq, NL31_MSG_NEWTABLE, 0, 0);
	if (!nlh)
		return -EMSGSIZE;
	if (nla_put_u64_64bit(skb, NL31_TABLE_GENERATION, v->generation, pad) ||
	    nla_put_u32(skb, NL31_TABLE_ROUTES4, ipv4->entries) ||
	    nla_put_u32(skb, NL31_TABLE_ROUTES6, ipv6->entries) ||
	    nla_put_u32(skb, NL31_TABLE_PATHS4, v->paths[NL31_IPV4]) ||
	    nla_put_u32(skb, NL31_TABLE_PATHS6, v->paths[NL31_IPV6]) ||
	    nla_put_u32(skb, NL31_TABLE_NEXTHOPS, t->path_lists.count) ||
	    nla_put_u64_64bit(skb, NL31_TABLE_BYTES4, ipv4->bytes, pad) ||
	    nla_put_u64_64bit(skb, NL31_TABLE_BYTES6, ipv6->bytes, pad) ||
	    nla_put_u64_64bit(skb, NL31_TABLE_NEXTHOP_BYTES, t->path_lists.bytes,
			      pad) ||
	    nla_put_u32(skb, NL31_TABLE_MAX_ROUTES, t->max_routes) ||
	    nla_put_u64_64bit(skb, NL31_TABLE_LOOKUPS, hits + misses, pad) ||
	    nla_put_u64_64bit(skb, NL31_TABLE_HITS, hits, pad) ||
	    nla_put_u64_64bit(skb, NL31_TABLE_MISSES, misses, pad) ||
	    nla_put_u64_64bit(skb, NL31_TABLE_ERRORS, errors, pad) ||
	    nla_put_u8(skb, NL31_TABLE_MULTIPATH, t->multipath)) {
		nlmsg_cancel(skb, nlh);
		return -EMSGSIZE;
	}
	nlmsg_end(skb, nlh);
	return 0;
}

/**
 * nl31_done_new - an NLMSG_DONE as answer
 * @portid: of the requester
 * @seq: of the request
 * @value: what it carries
 */
struct sk_buff *nl31_done_new(u32 portid, u32 seq, int value)
{
	struct sk_buff *skb = nlmsg_new(sizeof(int), GFP_KERNEL);
	struct nlmsghdr *nlh;

	if (!skb)
		return NULL;
	nlh = nlmsg_put(skb, portid, seq, NLMSG_DONE, sizeof(int), 0);
	memcpy(nlmsg_data(nlh), &value, sizeof(value));
	return skb;
}

/**
 * nl31_error_new - an NLMSG_ERROR about a message of which there is the header only
 * @portid: of the requester
 * @nlh: the header; what it says of the length is replaced
 * @err: the error
 * @text: for a person
 *
 * netlink_ack() would copy as much as the length says, and can leave out the
 * request only for sockets that have asked for that.
 */
struct sk_buff *nl31_error_new(u32 portid, const struct nlmsghdr *nlh, int err,
			       const char *text)
{
	struct nlmsgerr error = { .error = err, .msg = *nlh };
	struct nlmsghdr *answer;
	struct sk_buff *skb;

	skb = nlmsg_new(sizeof(error) + nla_total_size(strlen(text) + 1),
			GFP_KERNEL);
	if (!skb)
		return NULL;
	/* many clients use this length to find the text */
	error.msg.nlmsg_len = NLMSG_HDRLEN;
	answer = nlmsg_put(skb, portid, nlh->nlmsg_seq, NLMSG_ERROR,
			   sizeof(error), NLM_F_CAPPED | NLM_F_ACK_TLVS);
	memcpy(nlmsg_data(answer), &error, sizeof(error));
	WARN_ON_ONCE(nla_put_string(skb, NLMSGERR_ATTR_MSG, text));
	nlmsg_end(skb, answer);
	return skb;
}

/**
 * nl31_socket_overrun - tell a socket that a message for it was lost
 * @sk: the client's socket; its next recv() fails with ENOBUFS
 */
void nl31_socket_overrun(struct sock *sk)
{
	WRITE_ONCE(sk->sk_err, ENOBUFS);
	sk_error_report(sk);
}
