// SPDX-License-Identifier: GPL-2.0-only
/* A request on its way through the module, and its errors. */
#include <net/netlink.h>
#include <uapi/linux/nl31.h>

#include "request.h"

/**
 * nl31_request_parse - the attributes of a request
 * @req: the request
 * @tb: where to put them, @max + 1
 * @max: highest type known
 * @policy: for each type
 *
 * As strict as nlmsg_parse(), which passes over a claim of network byte order,
 * and then a number would be taken for another one.
 *
 * Return: 0, or an error with text and place
 */
int nl31_request_parse(struct nl31_request *req, struct nlattr **tb, int max,
		       const struct nla_policy *policy)
{
	const struct nlattr *attr;
	int err, rem;

	err = nlmsg_parse(req->nlh, 0, tb, max, policy, &req->extack);
	if (err)
		return err;
	nlmsg_for_each_attr(attr, req->nlh, 0, rem)
		if (attr->nla_type & NLA_F_NET_BYTEORDER)
			return nl31_extack_attr_err(req, attr, -EINVAL,
						"NLA_F_NET_BYTEORDER is set, and no attribute knows it");
	return 0;
}

/* The flags that have a meaning, by the type of the request. */
static u16 known_flags(u16 type)
{
	const u16 all = NLM_F_REQUEST | NLM_F_ACK;
	const u16 change = all | NLM_F_MULTI | NLM_F_ECHO;

	switch (type) {
	case NLMSG_DONE:
		return change;
	case NL31_MSG_NEWROUTE:
		return change | NLM_F_CREATE | NLM_F_EXCL | NLM_F_REPLACE |
		       NLM_F_APPEND;
	case NL31_MSG_DELROUTE:
		return change | NLM_F_NONREC | NLM_F_BULK;
	case NL31_MSG_NEWTABLE:
		/* all but REPLACE are refused with a text of their own */
		return change | NLM_F_REPLACE | NLM_F_CREATE | NLM_F_EXCL |
		       NLM_F_APPEND;
	case NL31_MSG_GETROUTE:
		return all | NLM_F_DUMP | NLM_F_ATOMIC;
	case NL31_MSG_GETTABLE:
		/* a dump is refused with an error of its own */
		return all | NLM_F_DUMP;
	case NL31_MSG_NEWPORT:
		return change | NLM_F_CREATE | NLM_F_EXCL | NLM_F_REPLACE;
	case NL31_MSG_DELPORT:
		return change;
	case NL31_MSG_GETPORT:
		return all | NLM_F_DUMP;
	case NLMSG_NOOP:
	case NL31_MSG_GREET:
		return all;
	default:
		/* the type is what is wrong */
		return U16_MAX;
	}
}

/**
 * nl31_request_check_flags - refuse flags that have no meaning
 * @req: the request
 *
 * A flag that is ignored today could not be given a meaning later.
 *
 * Return: 0 or -EINVAL
 */
int nl31_request_check_flags(struct nl31_request *req)
{
	const u16 flags = req->nlh->nlmsg_flags;
	const u16 unknown = flags & ~known_flags(req->nlh->nlmsg_type);

	if (!(flags & NLM_F_REQUEST))
		return nl31_extack_err(req, -EINVAL, "NLM_F_REQUEST is not set");
	/* told where transactions are */
	if (unknown & ~NLM_F_MULTI)
		return nl31_extack_err(req, -EINVAL,
				       "flags %#x have no meaning in messages of type %u",
				       unknown & ~NLM_F_MULTI,
				       req->nlh->nlmsg_type);
	return 0;
}
