// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dumps: the table, or what a filter selects of it, in as many parts as fit.
 *
 * Each part begins with a walk down to where the last one ended, so a dump
 * holds nothing while its reader takes its time, and goes on at the right place
 * whatever has changed; that something has is said with NLM_F_DUMP_INTR. Only
 * with NLM_F_ATOMIC it pins the version that it began with.
 */
#include <linux/slab.h>
#include <net/netlink.h>
#include <net/sock.h>

#include "dump.h"
#include "message.h"
#include "path_select.h"
#include "route.h"

/* Prefixes taken from the trie at a time. */
#define DUMP_CHUNK	16

/* Those looked through without a pause: others wait where a filter selects few. */
#define DUMP_STRETCH	4096

/**
 * struct dump - state between the parts of a dump
 * @filter: what is wanted
 * @table: the table
 * @pinned: the version, with NLM_F_ATOMIC
 * @started: it goes on until its NLMSG_DONE, whatever happens
 * @family: at which the next part goes on
 * @begun: with @key, which did not fit
 * @key: the prefix at which it goes on, in @family
 * @paths: how many of its paths were sent
 * @generation: of the version that it shows
 * @has_told: the first message, which carries @generation, has been made
 */
struct dump {
	struct nl31_route filter;
	struct nl31_table *table;
	struct nl31_version *pinned;
	bool started;
	enum nl31_family family;
	bool begun;
	struct lpm_key key;
	unsigned int paths;
	u64 generation;
	bool has_told;
};

static struct dump **dump_of(struct netlink_callback *cb)
{
	BUILD_BUG_ON(sizeof(struct dump *) > sizeof(cb->ctx));
	return (struct dump **)cb->ctx;
}

static int dump_start(struct netlink_callback *cb)
{
	struct dump *template = cb->data, *dump;

	dump = kmemdup(template, sizeof(*dump), GFP_KERNEL_ACCOUNT);
	cb->data = NULL;
	if (!dump)
		return -ENOMEM;
	template->started = true;
	if (dump->filter.given)
		cb->answer_flags |= NLM_F_DUMP_FILTERED;
	if (cb->nlh->nlmsg_flags & NLM_F_ATOMIC)
		dump->pinned = nl31_version_pin(dump->table);
	*dump_of(cb) = dump;
	return 0;
}

static int dump_done(struct netlink_callback *cb)
{
	struct dump *dump = *dump_of(cb);

	if (dump->pinned)
		nl31_version_unpin(dump->pinned);
	kfree(dump);
	return 0;
}

static int dump_path(struct sk_buff *skb, struct dump *dump,
		     const struct nlmsghdr *header, const struct lpm_key *key,
		     const struct nl31_path *path, bool is_standby)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)skb_tail_pointer(skb);
	int err;

	err = nl31_fill_route(skb, header, dump->family, key, path);
	if (!err)
		err = nl31_fill_route_flags(skb, nlh, path, dump->family,
					    is_standby);
	if (!err && !dump->has_told) {
		err = nl31_fill_generation(skb, nlh, dump->generation);
		dump->has_told = !err;
	}
	return err;
}

/* The paths of one prefix from number dump->paths on. */
static int dump_prefix(struct sk_buff *skb, struct dump *dump,
		       const struct nlmsghdr *header, const struct lpm_key *key,
		       struct nl31_path_list *list)
{
	const struct nl31_path *in_use = list->count > 1 ?
					 nl31_path_select(list, dump->family) :
					 NULL;
	const bool is_shared = READ_ONCE(dump->table->multipath);
	const bool filtered = dump->filter.given;
	unsigned int i;

	for (i = dump->paths; i < list->count; i++) {
		const struct nl31_path *path = &list->path[i];

		if (filtered && !nl31_route_selects(&dump->filter, path))
			continue;
		if (dump_path(skb, dump, header, key, path,
			      in_use && path > in_use &&
			      !(is_shared && nl31_path_shares(path, in_use)))) {
			dump->begun = true;
			dump->key = *key;
			dump->paths = i;
			return -EMSGSIZE;
		}
	}
	dump->paths = 0;
	return 0;
}

static int dump_family(struct sk_buff *skb, struct dump *dump,
		       const struct nlmsghdr *header, const struct lpm *trie)
{
	struct nl31_path_lists *lists = &dump->table->path_lists;
	const struct nl31_route *filter = &dump->filter;
	const bool below = filter->given & BIT(NL31_ROUTE_DST);
	struct lpm_entry entry[DUMP_CHUNK];
	const struct lpm_key *from = NULL;
	unsigned int i, count, seen = 0;
	struct lpm_iter it;
	int err;

	if (dump->begun)
		from = &dump->key;
	else if (below)
		from = &filter->key;

	nl31_lpm_iter_start(&it, trie, from, false);
	do {
		count = nl31_lpm_iter_fill(&it, entry, DUMP_CHUNK);
		for (i = 0; i < count; i++) {
			if (from) {
				int cmp = nl31_lpm_key_cmp(&entry[i].key, from);

				/* came to where the walk begins, under it */
				if (cmp < 0)
					continue;
				/* the prefix that the last part ended in is gone */
				if (cmp)
					dump->paths = 0;
				dump->begun = false;
				from = NULL;
			}
			if (below && !nl31_lpm_key_covers(&filter->key,
							  &entry[i].key))
				return 0;
			err = dump_prefix(skb, dump, header, &entry[i].key,
					  nl31_path_list_by_id(lists,
							       entry[i].value));
			if (err)
				return err;
		}
		seen += count;
	} while (count == DUMP_CHUNK && seen < DUMP_STRETCH);
	if (count < DUMP_CHUNK) {
		dump->begun = false;
		dump->paths = 0;
		return 0;
	}
	/* nothing but what is new before where the walk begins: from there again */
	if (from)
		return -EAGAIN;

	/* behind the last one */
	dump->begun = true;
	dump->key = entry[count - 1].key;
	dump->paths = NL31_PATHS_MAX;
	return -EAGAIN;
}

/* As much as fits, or as one looks through without a pause: -EAGAIN. */
static int dump_stretch(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct dump *dump = *dump_of(cb);
	const struct nlmsghdr header = {
		.nlmsg_type = NL31_MSG_NEWROUTE,
		.nlmsg_flags = NLM_F_MULTI |
			       (dump->filter.given ? NLM_F_DUMP_FILTERED : 0),
		.nlmsg_seq = cb->nlh->nlmsg_seq,
		.nlmsg_pid = NETLINK_CB(cb->skb).portid,
	};
	const struct nl31_version *v;
	unsigned int seq;
	int err = 0;

	rcu_read_lock();
	v = dump->pinned;
	if (!v) {
		v = nl31_table_current(dump->table);
	} else if (dump->family < NL31_FAMILIES &&
		   READ_ONCE(dump->pinned->is_lost)) {
		rcu_read_unlock();
		NL_SET_ERR_MSG(cb->extack,
			       "too much has changed to keep the snapshot; dump again, faster or without NLM_F_ATOMIC");
		return -ESTALE;
	}
	/*
	 * A change in place is seen before its number, which pairs with
	 * publish_in_place().
	 */
	smp_rmb(); /* what was read so far is not newer than this number */
	dump->generation = READ_ONCE(v->generation);
	/* never 0, which means that it does not matter */
	seq = (u32)dump->generation << 1 | 1;
	smp_rmb(); /* what is read from here on is not older */
	if (skb->len && seq != cb->seq) {
		/* what is in this part already is of another version */
		rcu_read_unlock();
		return -EMSGSIZE;
	}
	cb->seq = seq;
	/* nothing may have been sent of the version that it began with */
	if (!cb->prev_seq)
		cb->prev_seq = seq;

	for (; dump->family < NL31_FAMILIES; dump->family++) {
		if (!nl31_route_selects_family(&dump->filter, dump->family))
			continue;
		err = dump_family(skb, dump, &header, &v->trie[dump->family]);
		if (err)
			break;
	}
	rcu_read_unlock();
	return err;
}

static int dump_part(struct sk_buff *skb, struct netlink_callback *cb)
{
	int err;

	while ((err = dump_stretch(skb, cb)) == -EAGAIN)
		cond_resched();
	/*
	 * No message will tell of changes under a walk that found nothing: the
	 * NLMSG_DONE does, by the number behind the walk.
	 */
	if (!err && !skb->len)
		err = dump_stretch(skb, cb);
	/* what it marks is the first message of those that have this number */
	if (skb->len)
		nl_dump_check_consistent(cb, (struct nlmsghdr *)skb->data);
	/* nothing is left: the NLMSG_DONE that follows says what was shown */
	else if (!err && cb->extack)
		nl_set_extack_cookie_u64(cb->extack, (*dump_of(cb))->generation);
	return err && !skb->len ? err : skb->len;
}

/**
 * nl31_dump - NL31_MSG_GETROUTE with NLM_F_ROOT or NLM_F_MATCH
 * @req: the request
 *
 * Context: without the table's lock
 * Return: 0 when the dump has begun and will end with NLMSG_DONE, or an error
 */
int nl31_dump(struct nl31_request *req)
{
	struct nl31_table *t = req->table;
	struct dump dump = { .table = t };
	struct netlink_dump_control control = {
		.start = dump_start,
		.dump = dump_part,
		.done = dump_done,
		.data = &dump,
	};
	int err;

	err = nl31_route_parse_filter(req, &dump.filter);
	if (err)
		return err;

	err = netlink_dump_start(req->skb->sk, req->skb, req->nlh, &control);
	if (err == -EINTR)
		return 0;
	if (dump.started) {
		/* no memory for its first part; an error would be a second end */
		nl31_socket_overrun(NETLINK_CB(req->skb).sk);
		return 0;
	}
	if (err == -EBUSY)
		return nl31_extack_err(req, err,
				   "a dump is in progress on this socket");
	return err;
}
