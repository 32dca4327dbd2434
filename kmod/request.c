// SPDX-License-Identifier: GPL-2.0-only
/* A request on its way through the module. */
#include <net/netlink.h>

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
			return nl31_refuse_attr(req, attr, -EINVAL,
						"NLA_F_NET_BYTEORDER is set, and no attribute knows it");
	return 0;
}
