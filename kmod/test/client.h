/* SPDX-License-Identifier: GPL-2.0-only */
/* A client of protocol 31 within the kernel, in the initial namespace. */
#ifndef _NL31_TEST_CLIENT_H
#define _NL31_TEST_CLIENT_H

#include <kunit/test.h>
#include <linux/net.h>
#include <net/netlink.h>
#include <uapi/linux/nl31.h>

#define CLIENT_MESSAGE_MAX	1024

/**
 * struct client_message - a message that is being built, or has come
 * @nlh: its header
 * @data: the same as bytes
 */
struct client_message {
	union {
		struct nlmsghdr nlh;
		u8 data[CLIENT_MESSAGE_MAX];
	};
};

/**
 * struct client_answer - what the end of an answer says
 * @error: the error, or what an NLMSG_DONE carries; -EAGAIN: there is no answer
 * @type: NLMSG_ERROR or NLMSG_DONE
 * @offset: of the attribute to blame, 0 for none
 * @has_text: there is a text for a person
 */
struct client_answer {
	int error;
	u16 type;
	u32 offset;
	bool has_text;
};

struct socket *client_open(struct kunit *test);

void client_message(struct client_message *m, u16 type, u16 flags);
struct nlattr *client_attr(struct client_message *m, u16 type, const void *data,
			   size_t len);
struct nlattr *client_attr_u8(struct client_message *m, u16 type, u8 value);
struct nlattr *client_attr_u32(struct client_message *m, u16 type, u32 value);

void client_send(struct kunit *test, struct socket *sock,
		 const struct client_message *m);
int client_receive(struct socket *sock, void *buffer, size_t room);
struct client_answer client_answer(struct kunit *test, struct socket *sock);

#endif /* _NL31_TEST_CLIENT_H */
