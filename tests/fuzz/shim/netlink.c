// SPDX-License-Identifier: GPL-2.0-only
/*
 * Netlink, the kernel's side of it: sockets, acknowledgements, dumps, groups. What
 * goes wrong there when memory is short goes wrong here, too.
 */
#include "kernel.h"
#include "shim.h"

/* A socket of a process. */
struct client {
	struct sock sk; /* first: the module sees it */
	bool open, listens, ext_ack, cap_ack;
	struct sk_buff *queue, **last;
	bool dumping;
	int dump_done; /* as netlink_sock.dump_done_errno */
	struct netlink_callback cb;
};

static struct client clients[SHIM_SOCKETS];
static struct notifier_block *notifier;
static struct sock *kernel_sock;
static bool is_admin = true;

/* Buffers */

struct sk_buff *alloc_skb(unsigned int size, gfp_t gfp)
{
	struct sk_buff *skb = kzalloc(sizeof(*skb), gfp);

	if (!skb)
		return NULL;
	skb->head = kmalloc(size, gfp);
	if (!skb->head) {
		kfree(skb);
		return NULL;
	}
	skb->data = skb->head;
	skb->tail = skb->head;
	skb->end = skb->head + size;
	refcount_set(&skb->users, 1);
	return skb;
}

void kfree_skb(struct sk_buff *skb)
{
	if (!skb || !refcount_dec_and_test(&skb->users))
		return;
	kfree(skb->head);
	kfree(skb);
}

void *skb_put(struct sk_buff *skb, unsigned int len)
{
	unsigned char *at = skb->tail;

	BUG_ON(len > (size_t)(skb->end - skb->tail));
	skb->tail += len;
	skb->len += len;
	return at;
}

void *skb_pull(struct sk_buff *skb, unsigned int len)
{
	BUG_ON(len > skb->len);
	skb->len -= len;
	return skb->data += len;
}

void skb_trim(struct sk_buff *skb, unsigned int len)
{
	if (skb->len > len) {
		skb->len = len;
		skb->tail = skb->data + len;
	}
}

struct sk_buff *nlmsg_new(size_t payload, gfp_t gfp)
{
	return alloc_skb(NLMSG_ALIGN(NLMSG_HDRLEN + payload), gfp);
}

struct nlmsghdr *nlmsg_put(struct sk_buff *skb, u32 portid, u32 seq, int type, int payload,
			   int flags)
{
	unsigned int size = NLMSG_ALIGN(NLMSG_HDRLEN + payload);
	struct nlmsghdr *nlh;

	if (skb_tailroom(skb) < (int)size)
		return NULL;
	nlh = skb_put(skb, size);
	nlh->nlmsg_type = type;
	nlh->nlmsg_len = NLMSG_HDRLEN + payload;
	nlh->nlmsg_flags = flags;
	nlh->nlmsg_pid = portid;
	nlh->nlmsg_seq = seq;
	memset((char *)nlh + nlh->nlmsg_len, 0, size - nlh->nlmsg_len);
	return nlh;
}

void nlmsg_cancel(struct sk_buff *skb, struct nlmsghdr *nlh)
{
	skb_trim(skb, (unsigned char *)nlh - skb->data);
}

/* Delivery */

static struct client *find(u32 portid)
{
	u32 i;

	for (i = 0; i < SHIM_SOCKETS; i++)
		if (clients[i].open && clients[i].sk.portid == portid)
			return &clients[i];
	return NULL;
}

static void deliver(struct client *c, struct sk_buff *skb)
{
	skb->next = NULL;
	*c->last = skb;
	c->last = &skb->next;
}

int nlmsg_unicast(struct sock *sk, struct sk_buff *skb, u32 portid)
{
	struct client *c = find(portid);

	might_sleep();
	BUG_ON(!sk);
	if (!c) {
		kfree_skb(skb);
		return -ECONNREFUSED;
	}
	deliver(c, skb);
	return 0;
}

int nlmsg_multicast(struct sock *sk, struct sk_buff *skb, u32 portid, unsigned int group,
		    gfp_t gfp)
{
	u32 i;

	might_sleep();
	BUG_ON(!sk || !group);
	for (i = 0; i < SHIM_SOCKETS; i++) {
		struct client *c = &clients[i];
		struct sk_buff *copy;

		if (!c->open || !c->listens || c->sk.portid == portid)
			continue;
		copy = alloc_skb(skb->len, gfp);
		if (!copy) {
			c->sk.sk_err = ENOBUFS;
			continue;
		}
		memcpy(skb_put(copy, skb->len), skb->data, skb->len);
		deliver(c, copy);
	}
	kfree_skb(skb);
	return 0;
}

bool netlink_has_listeners(struct sock *sk, unsigned int group)
{
	u32 i;

	(void)sk, (void)group;
	for (i = 0; i < SHIM_SOCKETS; i++)
		if (clients[i].open && clients[i].listens)
			return true;
	return false;
}

int netlink_set_err(struct sock *sk, u32 portid, u32 group, int code)
{
	u32 i;

	(void)sk, (void)group;
	for (i = 0; i < SHIM_SOCKETS; i++)
		if (clients[i].open && clients[i].listens && clients[i].sk.portid != portid)
			clients[i].sk.sk_err = -code;
	return 0;
}

/* Answers */

static size_t tlv_len(const struct client *c, int err, const struct netlink_ext_ack *extack)
{
	size_t len = 0;

	if (!c->ext_ack)
		return 0;
	if (extack->_msg)
		len += nla_total_size(strlen(extack->_msg) + 1);
	if (extack->cookie_len)
		len += nla_total_size(extack->cookie_len);
	if (err && extack->bad_attr)
		len += nla_total_size(4);
	if (err && extack->miss_type)
		len += nla_total_size(4);
	return len;
}

static void tlv_fill(struct sk_buff *skb, const struct nlmsghdr *nlh, int err,
		     const struct netlink_ext_ack *extack)
{
	if (extack->_msg)
		WARN_ON(nla_put_string(skb, NLMSGERR_ATTR_MSG, extack->_msg));
	if (extack->cookie_len)
		WARN_ON(nla_put(skb, NLMSGERR_ATTR_COOKIE, extack->cookie_len, extack->cookie));
	if (err && extack->bad_attr) {
		const char *at = (const char *)extack->bad_attr;

		WARN_ON(at < (char *)nlmsg_data(nlh) || at >= (char *)nlh + nlh->nlmsg_len);
		WARN_ON(nla_put_u32(skb, NLMSGERR_ATTR_OFFS, at - (const char *)nlh));
	}
	if (err && extack->miss_type)
		WARN_ON(nla_put_u32(skb, NLMSGERR_ATTR_MISS_TYPE, extack->miss_type));
}

void netlink_ack(struct sk_buff *in_skb, struct nlmsghdr *nlh, int err,
		 const struct netlink_ext_ack *extack)
{
	struct client *c = (struct client *)NETLINK_CB(in_skb).sk;
	size_t tlvs = tlv_len(c, err, extack);
	bool capped = !err || c->cap_ack;
	int flags = (capped ? NLM_F_CAPPED : 0) | (tlvs ? NLM_F_ACK_TLVS : 0);
	struct nlmsgerr *errmsg;
	struct sk_buff *skb;
	struct nlmsghdr *rep;

	skb = nlmsg_new(sizeof(*errmsg) + (capped ? 0 : NLMSG_ALIGN(nlmsg_len(nlh))) + tlvs,
			GFP_KERNEL);
	if (!skb) {
		NETLINK_CB(in_skb).sk->sk_err = ENOBUFS;
		return;
	}
	rep = nlmsg_put(skb, NETLINK_CB(in_skb).portid, nlh->nlmsg_seq, NLMSG_ERROR,
			sizeof(*errmsg), flags);
	errmsg = nlmsg_data(rep);
	errmsg->error = err;
	errmsg->msg = *nlh;
	if (!capped) {
		char *rest = skb_put(skb, NLMSG_ALIGN(nlmsg_len(nlh)));

		memset(rest, 0, NLMSG_ALIGN(nlmsg_len(nlh)));
		memcpy(rest, nlmsg_data(nlh), nlmsg_len(nlh));
	}
	if (tlvs)
		tlv_fill(skb, nlh, err, extack);
	nlmsg_end(skb, rep);
	nlmsg_unicast(in_skb->sk, skb, NETLINK_CB(in_skb).portid);
}

/* Dumps */

static int dump_part(struct client *c)
{
	struct netlink_ext_ack extack = {};
	struct netlink_callback *cb = &c->cb;
	struct nlmsghdr *nlh;
	struct sk_buff *skb;
	size_t tlvs;

	skb = alloc_skb(NLMSG_GOODSIZE, GFP_KERNEL);
	if (!skb)
		return -ENOBUFS;
	if (c->dump_done > 0) {
		cb->extack = &extack;
		c->dump_done = cb->dump(skb, cb);
		if (c->dump_done == -EMSGSIZE && skb->len)
			c->dump_done = skb->len;
		cb->extack = NULL;
	}
	if (c->dump_done > 0 || skb_tailroom(skb) < (int)NLMSG_SPACE(sizeof(int))) {
		deliver(c, skb);
		return 0;
	}
	nlh = nlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, NLMSG_DONE,
			sizeof(int), NLM_F_MULTI | cb->answer_flags);
	nl_dump_check_consistent(cb, nlh);
	memcpy(nlmsg_data(nlh), &c->dump_done, sizeof(int));
	tlvs = tlv_len(c, c->dump_done, &extack);
	if (tlvs) {
		nlh->nlmsg_flags |= NLM_F_ACK_TLVS;
		if (skb_tailroom(skb) >= (int)tlvs) {
			tlv_fill(skb, cb->nlh, c->dump_done, &extack);
			nlmsg_end(skb, nlh);
		}
	}
	deliver(c, skb);
	cb->done(cb);
	c->dumping = false;
	kfree_skb(cb->skb);
	return 0;
}

int netlink_dump_start(struct sock *ssk, struct sk_buff *skb, const struct nlmsghdr *nlh,
		       struct netlink_dump_control *control)
{
	struct client *c = find(NETLINK_CB(skb).portid);
	int err;

	might_sleep();
	BUG_ON(!ssk);
	if (!c)
		return -ECONNREFUSED;
	if (c->dumping)
		return -EBUSY;
	memset(&c->cb, 0, sizeof(c->cb));
	c->cb.dump = control->dump;
	c->cb.done = control->done;
	c->cb.data = control->data;
	c->cb.min_dump_alloc = control->min_dump_alloc;
	c->cb.skb = skb;
	c->cb.nlh = nlh;
	if (control->start) {
		err = control->start(&c->cb);
		if (err)
			return err;
	}
	refcount_inc(&skb->users);
	c->dumping = true;
	c->dump_done = INT_MAX;
	return dump_part(c) ? : -EINTR;
}

/* Sockets */

int netlink_register_notifier(struct notifier_block *nb)
{
	if (shim_fails(GFP_KERNEL))
		return -ENOMEM;
	notifier = nb;
	return 0;
}

int netlink_unregister_notifier(struct notifier_block *nb)
{
	BUG_ON(nb != notifier);
	notifier = NULL;
	return 0;
}

struct sock *netlink_kernel_create(struct net *net, int protocol, struct netlink_kernel_cfg *cfg)
{
	BUG_ON(protocol != 31);
	kernel_sock = kzalloc(sizeof(*kernel_sock), GFP_KERNEL);
	if (kernel_sock) {
		kernel_sock->net = net;
		kernel_sock->input = cfg->input;
	}
	return kernel_sock;
}

void netlink_kernel_release(struct sock *sk)
{
	might_sleep();
	kfree(sk);
	kernel_sock = NULL;
}

bool netlink_net_capable(const struct sk_buff *skb, int cap)
{
	(void)skb;
	BUG_ON(cap != CAP_NET_ADMIN);
	return is_admin;
}

void shim_admin(bool admin)
{
	is_admin = admin;
}

void shim_open(u32 nr, u32 portid, bool listens, bool ext_ack, bool cap_ack)
{
	struct client *c = &clients[nr];

	memset(c, 0, sizeof(*c));
	c->open = true;
	c->listens = listens;
	c->ext_ack = ext_ack;
	c->cap_ack = cap_ack;
	c->last = &c->queue;
	c->sk.portid = portid;
	c->sk.net = &shim_net;
}

void shim_close(u32 nr)
{
	struct client *c = &clients[nr];
	struct netlink_notify gone = {
		.net = &shim_net,
		.portid = c->sk.portid,
		.protocol = 31,
	};

	if (!c->open)
		return;
	c->open = false;
	if (c->dumping) {
		c->cb.done(&c->cb);
		kfree_skb(c->cb.skb);
	}
	while (c->queue) {
		struct sk_buff *skb = c->queue;

		c->queue = skb->next;
		kfree_skb(skb);
	}
	c->sk.dead = true;
	notifier->notifier_call(notifier, NETLINK_URELEASE, &gone);
	BUG_ON(c->sk.held);
	/* what was queued for now */
	shim_advance(0);
}

void shim_send(u32 nr, const void *data, size_t size, u32 fail)
{
	struct client *c = &clients[nr];
	struct sk_buff *skb;

	/* no more than there is, so that a read beyond its end shows */
	shim_fail_allocation(0);
	skb = alloc_skb(size, GFP_KERNEL);
	if (size)
		memcpy(skb_put(skb, size), data, size);
	skb->sk = kernel_sock;
	NETLINK_CB(skb).portid = c->sk.portid;
	NETLINK_CB(skb).sk = &c->sk;
	shim_fail_allocation(fail);
	kernel_sock->input(skb);
	kfree_skb(skb);
	/* what was queued for now, while no allocation fails */
	if (!fail)
		shim_advance(0);
	BUG_ON(shim_rcu_depth);
}

int shim_receive(u32 nr, void *data, size_t room)
{
	struct client *c = &clients[nr];
	struct sk_buff *skb = c->queue;
	int size;

	if (c->sk.sk_err) {
		int err = c->sk.sk_err;

		c->sk.sk_err = 0;
		return -err;
	}
	if (!skb)
		return 0;
	c->queue = skb->next;
	if (!c->queue)
		c->last = &c->queue;
	size = skb->len;
	BUG_ON((size_t)size > room);
	memcpy(data, skb->data, size);
	kfree_skb(skb);
	if (c->dumping) {
		int err = dump_part(c);

		if (err)
			c->sk.sk_err = -err;
	}
	return size;
}
