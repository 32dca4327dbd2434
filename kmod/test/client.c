// SPDX-License-Identifier: GPL-2.0-only
/* A client of protocol 31 within the kernel: messages byte by byte. */
#include <net/net_namespace.h>

#include "client.h"

/* A socket that gets extended acks; released with sock_release(). */
struct socket *client_open(struct kunit *test)
{
	struct socket *sock;
	int on = 1;

	KUNIT_ASSERT_EQ(test, 0, sock_create_kern(&init_net, AF_NETLINK,
						  SOCK_RAW, NETLINK_NL31,
						  &sock));
	KUNIT_EXPECT_EQ(test, 0,
			sock->ops->setsockopt(sock, SOL_NETLINK,
					      NETLINK_EXT_ACK,
					      KERNEL_SOCKPTR(&on), sizeof(on)));
	return sock;
}

/* Begin a message; NLM_F_REQUEST is set besides @flags. */
void client_message(struct client_message *m, u16 type, u16 flags)
{
	memset(m, 0, sizeof(*m));
	m->nlh.nlmsg_len = NLMSG_HDRLEN;
	m->nlh.nlmsg_type = type;
	m->nlh.nlmsg_flags = NLM_F_REQUEST | flags;
}

/* Add an attribute as it is, right or not. */
struct nlattr *client_attr(struct client_message *m, u16 type, const void *data,
			   size_t len)
{
	struct nlattr *attr = (void *)m->data + m->nlh.nlmsg_len;

	attr->nla_len = NLA_HDRLEN + len;
	attr->nla_type = type;
	memcpy(nla_data(attr), data, len);
	m->nlh.nlmsg_len += NLA_ALIGN(attr->nla_len);
	return attr;
}

struct nlattr *client_attr_u8(struct client_message *m, u16 type, u8 value)
{
	return client_attr(m, type, &value, sizeof(value));
}

struct nlattr *client_attr_u32(struct client_message *m, u16 type, u32 value)
{
	return client_attr(m, type, &value, sizeof(value));
}

void client_send(struct kunit *test, struct socket *sock,
		 const struct client_message *m)
{
	/* with an address, or the kernel asks what its file's owner may do */
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct msghdr msg = {
		.msg_name = &kernel,
		.msg_namelen = sizeof(kernel),
	};
	struct kvec vec = {
		.iov_base = (void *)m->data,
		.iov_len = m->nlh.nlmsg_len,
	};

	KUNIT_ASSERT_EQ(test, m->nlh.nlmsg_len,
			kernel_sendmsg(sock, &msg, &vec, 1, vec.iov_len));
}

/* One datagram: its length, or -EAGAIN where there is none. */
int client_receive(struct socket *sock, void *buffer, size_t room)
{
	struct kvec vec = { .iov_base = buffer, .iov_len = room };
	struct msghdr msg = {};

	return kernel_recvmsg(sock, &msg, &vec, 1, room, MSG_DONTWAIT);
}

static void read_error(const struct nlmsghdr *nlh, struct client_answer *answer)
{
	const struct nlmsgerr *error = nlmsg_data(nlh);
	int from = sizeof(*error);
	const struct nlattr *attr;

	answer->error = error->error;
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		from += NLMSG_ALIGN(error->msg.nlmsg_len) - NLMSG_HDRLEN;
	attr = nlmsg_find_attr(nlh, from, NLMSGERR_ATTR_OFFS);
	if (attr)
		answer->offset = nla_get_u32(attr);
	attr = nlmsg_find_attr(nlh, from, NLMSGERR_ATTR_MSG);
	answer->has_text = attr && nla_len(attr) > 1;
}

/* The one answer that has come. */
struct client_answer client_answer(struct kunit *test, struct socket *sock)
{
	struct client_answer answer = { .error = -EAGAIN };
	struct client_message *m;
	int got;

	m = kunit_kmalloc(test, sizeof(*m), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m);
	got = client_receive(sock, m, sizeof(*m));
	if (got == -EAGAIN)
		goto out;
	KUNIT_ASSERT_GE(test, got, NLMSG_HDRLEN + (int)sizeof(int));
	KUNIT_EXPECT_EQ(test, got, (int)NLMSG_ALIGN(m->nlh.nlmsg_len));
	answer.type = m->nlh.nlmsg_type;
	if (answer.type == NLMSG_ERROR)
		read_error(&m->nlh, &answer);
	else
		answer.error = *(int *)nlmsg_data(&m->nlh);
	KUNIT_EXPECT_EQ(test, -EAGAIN, client_receive(sock, m, sizeof(*m)));
out:
	kunit_kfree(test, m);
	return answer;
}
