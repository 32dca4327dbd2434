// SPDX-License-Identifier: GPL-2.0-only
/* Attributes, parsed as strictly as NL_VALIDATE_STRICT is. */
#include "kernel.h"

static int refuse(struct netlink_ext_ack *extack, const struct nlattr *attr, int err,
		  const char *text)
{
	NL_SET_ERR_MSG_ATTR(extack, attr, text);
	return err;
}

static int validate(const struct nlattr *attr, const struct nla_policy *policy,
		    struct netlink_ext_ack *extack)
{
	static const u8 exact[] = {
		[NLA_U8] = 1, [NLA_U16] = 2, [NLA_U32] = 4, [NLA_U64] = 8, [NLA_NUL_STRING] = 0,
	};
	int len = nla_len(attr);
	u32 value = len;

	if (exact[policy->type] && len != exact[policy->type])
		return refuse(extack, attr, -EINVAL, "invalid attribute length");
	if (policy->type != NLA_UNSPEC && attr->nla_type & NLA_F_NESTED)
		return refuse(extack, attr, -EINVAL, "NLA_F_NESTED not expected");
	switch (policy->type) {
	case NLA_REJECT:
		return refuse(extack, attr, -EINVAL, "Attribute failed policy validation");
	case NLA_UNSPEC:
		return refuse(extack, attr, -EINVAL, "Unsupported attribute");
	case NLA_STRING:
		if (len < 1)
			return refuse(extack, attr, -ERANGE, "Attribute failed policy validation");
		if (policy->len && !((char *)nla_data(attr))[len - 1])
			len--;
		/* fall through */
	case NLA_BINARY:
		if (policy->len && len > policy->len)
			return refuse(extack, attr, -ERANGE, "Attribute failed policy validation");
		break;
	case NLA_U8:
		value = nla_get_u8(attr);
		break;
	case NLA_U32:
		value = nla_get_u32(attr);
		break;
	default:
		shim_bug("a policy that the shim does not know");
	}
	if (policy->ranged && (value < policy->min || value > policy->max))
		return refuse(extack, attr, -ERANGE, "value out of range");
	return 0;
}

int nlmsg_parse(const struct nlmsghdr *nlh, int hdrlen, struct nlattr *tb[], int max,
		const struct nla_policy *policy, struct netlink_ext_ack *extack)
{
	struct nlattr *attr;
	int rem, err;

	if (nlmsg_len(nlh) < hdrlen) {
		NL_SET_ERR_MSG(extack, "Invalid header length");
		return -EINVAL;
	}
	memset(tb, 0, sizeof(*tb) * (max + 1));
	nlmsg_for_each_attr(attr, nlh, hdrlen, rem) {
		int type = nla_type(attr);

		if (!type || type > max)
			return refuse(extack, attr, -EINVAL, "Unknown attribute type");
		err = validate(attr, &policy[type], extack);
		if (err)
			return err;
		tb[type] = attr;
	}
	if (rem > 0) {
		NL_SET_ERR_MSG(extack, "bytes leftover after parsing attributes");
		return -EINVAL;
	}
	return 0;
}

struct nlattr *nlmsg_find_attr(const struct nlmsghdr *nlh, int hdrlen, int type)
{
	struct nlattr *attr;
	int rem;

	nlmsg_for_each_attr(attr, nlh, hdrlen, rem)
		if (nla_type(attr) == type)
			return attr;
	return NULL;
}

ssize_t nla_strscpy(char *to, const struct nlattr *attr, size_t size)
{
	const char *text = nla_data(attr);
	size_t len = nla_len(attr);

	BUG_ON(!size);
	if (len > 0 && !text[len - 1])
		len--;
	if (len >= size)
		len = size - 1;
	memcpy(to, text, len);
	memset(to + len, 0, size - len);
	return len;
}

int nla_put(struct sk_buff *skb, int type, int len, const void *data)
{
	struct nlattr *attr;

	if (skb_tailroom(skb) < nla_total_size(len))
		return -EMSGSIZE;
	attr = skb_put(skb, nla_total_size(len));
	attr->nla_type = type;
	attr->nla_len = nla_attr_size(len);
	memset((char *)attr + attr->nla_len, 0, nla_total_size(len) - attr->nla_len);
	memcpy(nla_data(attr), data, len);
	return 0;
}
