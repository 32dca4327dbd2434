// SPDX-License-Identifier: GPL-2.0-only
/* What the greeting and the table messages mean. */
#include <net/netlink.h>
#include <net/sock.h>
#include <uapi/linux/nl31.h>

#include "message.h"
#include "table_request.h"

static const struct nla_policy greet_policy[NL31_GREET_MAX + 1] = {
	[NL31_GREET_TEXT] = { .type = NLA_STRING, .len = NL31_TEXT_MAX },
	[NL31_GREET_PORTID] = { .type = NLA_REJECT },
	[NL31_GREET_VERSION] = { .type = NLA_REJECT },
	[NL31_GREET_ABI] = { .type = NLA_REJECT },
};

/**
 * nl31_greet - NL31_MSG_GREET
 * @req: the request
 *
 * Return: 0 when it has been answered, or an error
 */
noinline_for_stack int nl31_greet(struct nl31_request *req)
{
	static const char greeting[] = "hello, port 4294967295, you said: ";
	const u32 portid = NETLINK_CB(req->skb).portid;
	char text[sizeof(greeting) + NL31_TEXT_MAX];
	struct nlattr *tb[NL31_GREET_MAX + 1];
	struct nlmsghdr *nlh;
	struct sk_buff *skb;
	int err, len;

	err = nl31_request_parse(req, tb, NL31_GREET_MAX, greet_policy);
	if (err)
		return err;

	len = snprintf(text, sizeof(text), "hello, port %u", portid);
	if (tb[NL31_GREET_TEXT]) {
		len += snprintf(text + len, sizeof(text) - len, ", you said: ");
		nla_strscpy(text + len, tb[NL31_GREET_TEXT],
			    sizeof(text) - len);
	}

	skb = nlmsg_new(nla_total_size(sizeof(text)) + nla_total_size(4) +
			nla_total_size(sizeof(NL31_MODULE_VERSION)) +
			nla_total_size(4), GFP_KERNEL);
	if (!skb)
		return -ENOMEM;
	nlh = nlmsg_put(skb, portid, req->nlh->nlmsg_seq, NL31_MSG_GREET, 0, 0);
	if (WARN_ON_ONCE(!nlh ||
			 nla_put_string(skb, NL31_GREET_TEXT, text) ||
			 nla_put_u32(skb, NL31_GREET_PORTID, portid) ||
			 nla_put_string(skb, NL31_GREET_VERSION,
					NL31_MODULE_VERSION) ||
			 nla_put_u32(skb, NL31_GREET_ABI, NL31_ABI_VERSION))) {
		kfree_skb(skb);
		return -EMSGSIZE;
	}
	nlmsg_end(skb, nlh);
	nlmsg_unicast(req->skb->sk, skb, portid);
	return 0;
}

static const struct nla_policy no_table_policy[NL31_TABLE_MAX + 1] = {};

static const struct nla_policy table_policy[NL31_TABLE_MAX + 1] = {
	[NL31_TABLE_MAX_ROUTES] = NLA_POLICY_MIN(NLA_U32, 1),
	[NL31_TABLE_MULTIPATH] = NLA_POLICY_MAX(NLA_U8, 1),
};

/**
 * nl31_table_get - NL31_MSG_GETTABLE
 * @req: the request
 *
 * Context: process, without the table's lock
 * Return: 0 when it has been answered, or an error
 */
int nl31_table_get(struct nl31_request *req)
{
	struct nlattr *tb[NL31_TABLE_MAX + 1];
	struct sk_buff *skb;
	int err;

	err = nl31_request_parse(req, tb, NL31_TABLE_MAX, no_table_policy);
	if (err)
		return err;
	if (req->nlh->nlmsg_flags & NLM_F_DUMP)
		return nl31_extack_err(req, -EOPNOTSUPP,
				   "there is one table: get it without NLM_F_DUMP");

	skb = nlmsg_new(NL31_TABLE_MSG_MAX, GFP_KERNEL);
	if (!skb)
		return -ENOMEM;
	mutex_lock(&req->table->lock);
	err = nl31_fill_table(skb, NETLINK_CB(req->skb).portid,
			      req->nlh->nlmsg_seq, req->table);
	mutex_unlock(&req->table->lock);
	if (WARN_ON_ONCE(err)) {
		kfree_skb(skb);
		return err;
	}
	nlmsg_unicast(req->skb->sk, skb, NETLINK_CB(req->skb).portid);
	return 0;
}

/**
 * nl31_table_new - NL31_MSG_NEWTABLE
 * @req: the request
 *
 * Context: the table's lock, an edit that was begun for this request
 * Return: 0, or an error with nothing changed
 */
int nl31_table_new(struct nl31_request *req)
{
	const u16 flags = req->nlh->nlmsg_flags;
	struct nlattr *tb[NL31_TABLE_MAX + 1];
	struct nl31_table *t = req->table;
	int err;

	err = nl31_request_parse(req, tb, NL31_TABLE_MAX, table_policy);
	if (err)
		return err;
	if (flags & (NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND))
		return nl31_extack_err(req, -EINVAL,
				   "the table always exists: set NLM_F_REPLACE or nothing");
	if (!tb[NL31_TABLE_MAX_ROUTES] && !tb[NL31_TABLE_MULTIPATH] &&
	    !(flags & NLM_F_REPLACE))
		return nl31_extack_err(req, -EINVAL,
				   "neither limit nor multipath is given (attributes %d, %d)",
				   NL31_TABLE_MAX_ROUTES, NL31_TABLE_MULTIPATH);
	if (flags & NLM_F_REPLACE)
		nl31_edit_clear(t);
	if (tb[NL31_TABLE_MAX_ROUTES])
		t->edit.max_routes = nla_get_u32(tb[NL31_TABLE_MAX_ROUTES]);
	if (tb[NL31_TABLE_MULTIPATH])
		t->edit.multipath = nla_get_u8(tb[NL31_TABLE_MULTIPATH]);
	return 0;
}
