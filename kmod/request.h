/* SPDX-License-Identifier: GPL-2.0-only */
/* A request on its way through the module, and its errors. */
#ifndef _NL31_REQUEST_H
#define _NL31_REQUEST_H

#include <linux/netlink.h>

#include "table.h"

#define NL31_MODULE_VERSION	"0.1.0"

/**
 * struct nl31_request - one message of a datagram at a time
 * @skb: the datagram
 * @table: the table of its namespace
 * @nlh: the message; its length is checked
 * @extack: text and place of the error; empty as long as there is none
 * @text: room for a text that is made for this error
 */
struct nl31_request {
	struct sk_buff *skb;
	struct nl31_table *table;
	const struct nlmsghdr *nlh;
	struct netlink_ext_ack extack;
	char text[128];
};

/* Fail a request with a text for the reader of the error. */
#define nl31_extack_err(req, err, fmt, ...) ({				\
	struct nl31_request *__req = (req);				\
	snprintf(__req->text, sizeof(__req->text), fmt, ##__VA_ARGS__);	\
	__req->extack._msg = __req->text;				\
	(err);								\
})

/* The same, pointing at the attribute that is to blame. */
#define nl31_extack_attr_err(req, attr, err, fmt, ...) ({		\
	struct nl31_request *_req = (req);				\
	_req->extack.bad_attr = (attr);					\
	nl31_extack_err(_req, err, fmt, ##__VA_ARGS__);			\
})

struct nla_policy;

int nl31_request_parse(struct nl31_request *req, struct nlattr **tb, int max,
		       const struct nla_policy *policy);
int nl31_request_check_flags(struct nl31_request *req);

#endif /* _NL31_REQUEST_H */
