// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Packets forwarded on two processors while all that they depend on changes.
 *
 *	forward MODULE COUNT
 *
 * The first namespace is the router. Its ports a0, b0 and c0 are ends of veth pairs; the
 * other ends are in a namespace of neighbours, where packets are sent and received as they
 * are (AF_PACKET). COUNT is how many changes are made beside the traffic. Needs root, and a
 * kernel with netfilter, veth and rules. Prints KTAP.
 */
#include "frame.h"
#include "port.h"
#include "process.h"
#include "rtnetlink.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#define PORTS		3
#define SENDERS		4

static const char *const ports[PORTS] = { "a0", "b0", "c0" };
static const char *const peers[PORTS] = { "a1", "b1", "c1" };

static int router_ns, peers_ns;

/*
 * The whole table anew. 203.0.113.0/24 and its like lead to b0, or else to c0; 203.0.114.0/24
 * to a gateway without a device; 198.18.0.0/16 to as many neighbours; 203.0.119.0/24 to c0 by
 * its index; others nowhere.
 */
static int table_set(unsigned version)
{
	const unsigned flags = NLM_F_MULTI | NLM_F_CREATE | NLM_F_APPEND;
	const char *first = version % 2 ? "b0" : "c0", *second = version % 2 ? "c0" : "b0";
	char prefix[64];
	unsigned i;

	out.size = 0;
	put_message(&out, NL31_MSG_NEWTABLE, NLM_F_REQUEST | NLM_F_MULTI | NLM_F_REPLACE);
	put_path(NL31_MSG_NEWROUTE, flags, "203.0.113.0/24", 0,
		 version % 2 ? "10.2.0.2" : "10.3.0.2", first);
	put_path(NL31_MSG_NEWROUTE, flags, "203.0.113.0/24", 0,
		 version % 2 ? "10.3.0.2" : "10.2.0.2", second);
	put_path(NL31_MSG_NEWROUTE, flags, "203.0.114.0/24", 0, "10.2.0.2", NULL);
	put_path(NL31_MSG_NEWROUTE, flags, "198.18.0.0/16", 0, NULL, "b0");
	put_path(NL31_MSG_NEWROUTE, flags, "203.0.115.0/24", NL31_TYPE_UNREACHABLE, NULL, NULL);
	put_path(NL31_MSG_NEWROUTE, flags, "203.0.116.0/24", NL31_TYPE_PROHIBIT, NULL, NULL);
	put_path(NL31_MSG_NEWROUTE, flags, "203.0.117.0/24", NL31_TYPE_BLACKHOLE, NULL, NULL);
	put_path(NL31_MSG_NEWROUTE, flags, "192.0.2.0/24", 0, "10.1.0.2", "a0");
	put_path(NL31_MSG_NEWROUTE, flags, "2001:db8:113::/48", 0,
		 version % 2 ? "fd00:2::2" : "fd00:3::2", first);
	put_path(NL31_MSG_NEWROUTE, flags, "2001:db8:113::/48", 0,
		 version % 2 ? "fd00:3::2" : "fd00:2::2", second);
	put_path(NL31_MSG_NEWROUTE, flags, "2001:db8:114::/48", 0, "fd00:2::2", NULL);
	put_path(NL31_MSG_NEWROUTE, flags, "2001:db8:18::/48", 0, NULL, "b0");
	put_path(NL31_MSG_NEWROUTE, flags, "2001:db8:115::/48", NL31_TYPE_UNREACHABLE, NULL, NULL);
	put_path(NL31_MSG_NEWROUTE, flags, "2001:db8:116::/48", NL31_TYPE_PROHIBIT, NULL, NULL);
	put_path(NL31_MSG_NEWROUTE, flags, "2001:db8:117::/48", NL31_TYPE_BLACKHOLE, NULL, NULL);
	put_path(NL31_MSG_NEWROUTE, flags, "2001:db8:1::/48", 0, "fd00:1::2", "a0");
	if (if_nametoindex("c0")) {
		put_path(NL31_MSG_NEWROUTE, flags, "203.0.119.0/24", 0, "10.3.0.2", NULL);
		put_u32(&out, NL31_ROUTE_OIF, if_nametoindex("c0"));
		put_path(NL31_MSG_NEWROUTE, flags, "2001:db8:119::/48", 0, "fd00:3::2", NULL);
		put_u32(&out, NL31_ROUTE_OIF, if_nametoindex("c0"));
	}
	/* some more, so that publishing takes a while */
	for (i = 0; i < 200; i++) {
		snprintf(prefix, sizeof(prefix), "172.16.%u.0/24", i);
		put_path(NL31_MSG_NEWROUTE, flags, prefix, 0, "10.2.0.2", i % 2 ? "b0" : "c0");
	}
	put_message(&out, NLMSG_DONE, NLM_F_REQUEST);
	return request();
}

/* The router */

static void enter(int ns)
{
	if (setns(ns, CLONE_NEWNET))
		fail("cannot enter a namespace: %s", strerror(errno));
	rt_open();
}

/* Port @i and its peer, with addresses; the router is 10.N.0.1 and fd00:N::1, N = i + 1. */
static void cable(unsigned i)
{
	char address[32];

	rt_must(rt_veth_add(ports[i], peers[i], peers_ns), "cannot make", ports[i]);
	snprintf(address, sizeof(address), "10.%u.0.1", i + 1);
	rt_must(rt_address(RTM_NEWADDR, ports[i], address, 24), "no address for", ports[i]);
	snprintf(address, sizeof(address), "fd00:%u::1", i + 1);
	rt_must(rt_address(RTM_NEWADDR, ports[i], address, 64), "no address for", ports[i]);
	/* room for what is too big for the others */
	if (!i)
		rt_must(rt_link_mtu(ports[i], 2500), "cannot set the MTU of", ports[i]);
	rt_must(rt_link_up(ports[i], true), "cannot set up", ports[i]);
	enter(peers_ns);
	if (!i)
		rt_must(rt_link_mtu(peers[i], 2500), "cannot set the MTU of", peers[i]);
	snprintf(address, sizeof(address), "10.%u.0.2", i + 1);
	rt_must(rt_address(RTM_NEWADDR, peers[i], address, 24), "no address for", peers[i]);
	snprintf(address, sizeof(address), "fd00:%u::2", i + 1);
	rt_must(rt_address(RTM_NEWADDR, peers[i], address, 64), "no address for", peers[i]);
	rt_must(rt_link_up(peers[i], true), "cannot set up", peers[i]);
	enter(router_ns);
}

/* Device nl31, and Linux's default routes over it. */
static void own_device(void)
{
	if (rt_link_up("nl31", true))
		return;
	rt_route(RTM_NEWROUTE, "0.0.0.0", 0, NULL, "nl31");
	rt_route(RTM_NEWROUTE, "::", 0, NULL, "nl31");
}

static int open_namespace(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail("cannot open the network namespace: %s", strerror(errno));
	return fd;
}

/* A new namespace that is entered, and stays while its file is open. */
static int new_namespace(void)
{
	int fd;

	if (unshare(CLONE_NEWNET))
		fail("no namespace: %s", strerror(errno));
	fd = open_namespace();
	rt_open();
	rt_must(rt_link_up("lo", true), "cannot set up", "lo");
	return fd;
}

/* No packets but those that the tests send, or nearly. */
static void quiet(void)
{
	write_file("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
	write_file("/proc/sys/net/ipv6/conf/default/accept_ra", "0");
}

static void forwarding_on(void)
{
	write_file("/proc/sys/net/ipv4/ip_forward", "1");
	write_file("/proc/sys/net/ipv6/conf/all/forwarding", "1");
}

static void set_up(void)
{
	unsigned i;

	testing = "set_up";
	router_ns = open_namespace();
	rt_open();
	rt_must(rt_link_up("lo", true), "cannot set up", "lo");
	quiet();
	forwarding_on();
	write_file("/proc/sys/net/ipv4/icmp_ratelimit", "0");
	/* overflown by 198.18.0.0/16 and 2001:db8:18::/48 */
	write_file("/proc/sys/net/ipv4/neigh/default/gc_thresh3", "64");
	write_file("/proc/sys/net/ipv6/neigh/default/gc_thresh3", "64");
	peers_ns = new_namespace();
	quiet();
	enter(router_ns);
	nl31_fd = open_socket();
	for (i = 0; i < PORTS; i++) {
		cable(i);
		rt_must(port_set(ports[i], NL31_URPF_OFF), "no port", ports[i]);
	}
	own_device();
	rt_must(table_set(1), "no table", "at first");
	passed();
}

/* To the router from its peers, as long as this process is there. @what: 0 and 1 from a1,
 * 2 from b1; 3 sends from the router itself. */
static void traffic(unsigned what, volatile unsigned *sent)
{
	const unsigned from = what == 2 ? 1 : 0;
	unsigned char mac[ETH_ALEN];
	int fd = -1, error;
	struct frame f;

	random_state += what * 7919;
	mac_of(ports[from], mac);
	if (setns(peers_ns, CLONE_NEWNET))
		fail("cannot enter a namespace: %s", strerror(errno));
	for (;;) {
		if (fd < 0)
			fd = packet_socket(peers[from]);
		memcpy(f.data, mac, ETH_ALEN);
		memset(f.data + ETH_ALEN, 2, ETH_ALEN);
		build(&f, random_below(KINDS), random_below(2));
		error = fd < 0 ? -ENODEV : send_frame(fd, &f);
		if (!error)
			++*sent;
		if (!error || error == -EMSGSIZE)
			continue;
		close(fd);
		fd = -1;
		usleep(1000);
	}
}

/* Datagrams of the router's own, by the table. */
static void own_traffic(volatile unsigned *sent)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int fd6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	static char data[3000];
	char address[64];

	for (;;) {
		unsigned net = 113 + random_below(6);

		snprintf(address, sizeof(address), "203.0.%u.%u", net, 1 + random_below(200));
		inet_pton(AF_INET, address, &to.sin_addr);
		snprintf(address, sizeof(address), "2001:db8:%u::%u", net,
			 1 + random_below(200));
		inet_pton(AF_INET6, address, &to6.sin6_addr);
		/* that there is no way is an answer, too */
		sendto(fd, data, random_below(sizeof(data)), 0, (struct sockaddr *)&to,
		       sizeof(to));
		sendto(fd6, data, random_below(sizeof(data)), 0, (struct sockaddr *)&to6,
		       sizeof(to6));
		++*sent;
	}
}

/* Packets are counted where they belong, each once. */

/* Not drops. */
#define FORWARDED	-1
#define HANDED_UP	-2

/* What has come to port a0: @count since @before. It may be on its way on another processor. */
static void await_counts(const struct counts *before, unsigned count, struct counts *now)
{
	unsigned tries;

	for (tries = 0;; tries++) {
		port_counts("a0", now);
		if (now->received - before->received >= count)
			return;
		if (tries == 500)
			fail("%u packets sent, %llu received", count,
			     (unsigned long long)(now->received - before->received));
		usleep(20000);
	}
}

/* Since @before, where a packet of a case is counted. */
static uint64_t counted(const struct counts *now, const struct counts *before, int where)
{
	if (where == FORWARDED)
		return now->forwarded - before->forwarded;
	if (where == HANDED_UP)
		return now->handed_up - before->handed_up;
	where -= NL31_PORT_DROP_URPF;
	return now->drop[where] - before->drop[where];
}

static void packets_are_counted_once(unsigned count)
{
	static const struct {
		enum kind kind;
		int where;
	} cases[] = {
		{ PLAIN, FORWARDED }, { FRAGMENT, FORWARDED }, { GSO, FORWARDED },
		{ GATEWAY, FORWARDED }, { BY_INDEX, FORWARDED },
		{ OPTIONS, HANDED_UP }, { LOCAL, HANDED_UP }, { SPOOFED, HANDED_UP },
		{ TTL_1, NL31_PORT_DROP_TTL }, { NO_ROUTE, NL31_PORT_DROP_NO_ROUTE },
		{ UNREACHABLE, NL31_PORT_DROP_UNREACHABLE },
		{ PROHIBIT, NL31_PORT_DROP_PROHIBIT }, { BLACKHOLE, NL31_PORT_DROP_BLACKHOLE },
	};
	struct counts before, now;
	unsigned char mac[ETH_ALEN];
	struct frame f;
	unsigned i, j;
	int fd;

	testing = "packets_are_counted_once";
	mac_of("a0", mac);
	enter(peers_ns);
	fd = packet_socket("a1");
	enter(router_ns);
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		/* the last ones may still be looking for their neighbour */
		usleep(100000);
		port_counts("a0", &before);
		for (j = 0; j < count; j++) {
			memcpy(f.data, mac, ETH_ALEN);
			memset(f.data + ETH_ALEN, 2, ETH_ALEN);
			build(&f, cases[i].kind, j % 2);
			if (send_frame(fd, &f))
				fail("cannot send: %s", strerror(errno));
		}
		await_counts(&before, count, &now);
		for (j = 0; j < sizeof(cases) / sizeof(*cases); j++) {
			const uint64_t n = counted(&now, &before, cases[j].where);

			/* some of the neighbours' own are for Linux, too */
			if (cases[j].where == cases[i].where ?
				    n < count || (n > count && cases[i].where != HANDED_UP) :
				    n && cases[j].where != HANDED_UP)
				fail("%u packets of kind %u sent, %llu counted as those of kind %u",
				     count, cases[i].kind, (unsigned long long)n, cases[j].kind);
		}
	}
	close(fd);
	passed();
}

/* @count packets of each family get through. */
static void expect_flow(const char *from, const char *peer, unsigned count)
{
	unsigned char mac[ETH_ALEN];
	unsigned sent = 0, got[2] = { 0 }, tries = 0, i;
	struct frame f, in;
	int fd, to[2];

	mac_of(from, mac);
	enter(peers_ns);
	fd = packet_socket(peer);
	to[0] = packet_socket("b1");
	to[1] = packet_socket("c1");
	enter(router_ns);
	if (fd < 0 || to[0] < 0 || to[1] < 0)
		fail("no packet socket: %s", strerror(errno));
	/* the first ones may find no neighbour yet */
	while (got[0] < count || got[1] < count) {
		memcpy(f.data, mac, ETH_ALEN);
		memset(f.data + ETH_ALEN, 2, ETH_ALEN);
		build(&f, PLAIN, sent % 2);
		if (send_frame(fd, &f))
			fail("cannot send: %s", strerror(errno));
		sent++;
		for (i = 0; i < 2; i++) {
			struct iovec parts[] = {
				{ .iov_base = &in.vnet, .iov_len = sizeof(in.vnet) },
				{ .iov_base = in.data, .iov_len = sizeof(in.data) },
			};
			struct msghdr msg = { .msg_iov = parts, .msg_iovlen = 2 };
			ssize_t size;

			while ((size = recvmsg(to[i], &msg, MSG_DONTWAIT)) > 0) {
				const unsigned char *h = in.data + ETH_HLEN;

				got[0] += h[0] == 0x45 && h[8] == 63 &&
					  !memcmp(h + 16, "\xcb\x00\x71", 3);
				got[1] += h[0] == 0x60 && h[7] == 63 &&
					  !memcmp(h + 24, "\x20\x01\x0d\xb8\x01\x13", 6);
			}
		}
		if (sent > 2 * count) {
			usleep(10000);
			if (++tries > 1000)
				fail("of %u packets %u of IPv4 and %u of IPv6 got through", sent,
				     got[0], got[1]);
		}
	}
	close(fd);
	close(to[0]);
	close(to[1]);
}

/* The storm */

/* Where a device that comes and goes is, and what it is called. */
struct wanderer {
	const char *name;
	bool is_away;
};

static void change(unsigned nr, struct wanderer *c, int other_ns)
{
	static bool has_address, has_route, has_rule, has_rule6;
	const char *port = ports[random_below(PORTS)];

	switch (random_below(17)) {
	case 0:
	case 1:
		table_set(nr);
		break;
	case 2:
		rt_link_up("b0", false);
		rt_link_up("b0", true);
		break;
	case 3:
		if (!c->is_away)
			rt_link_up(c->name, random_below(2));
		break;
	case 4: /* goes, and comes again */
		if (c->is_away || strcmp(c->name, "c0"))
			break;
		rt_must(rt_link_delete("c0"), "cannot delete", "c0");
		cable(2);
		port_set("c0", NL31_URPF_OFF);
		break;
	case 5: {
		const char *name = strcmp(c->name, "c0") ? "c0" : "c0-renamed";

		if (c->is_away)
			break;
		rt_link_up(c->name, false);
		if (!rt_link_rename(c->name, name))
			c->name = name;
		rt_link_up(c->name, true);
		break;
	}
	case 6: /* away, and back */
		if (!c->is_away) {
			rt_must(rt_link_move(c->name, other_ns), "cannot move", c->name);
			c->is_away = true;
		} else {
			enter(other_ns);
			rt_must(rt_link_move(c->name, router_ns), "cannot move back", c->name);
			enter(router_ns);
			c->is_away = false;
			rt_address(RTM_NEWADDR, c->name, "10.3.0.1", 24);
			rt_address(RTM_NEWADDR, c->name, "fd00:3::1", 64);
			rt_link_up(c->name, true);
			port_set(c->name, NL31_URPF_OFF);
		}
		break;
	case 7:
		port_delete(port);
		break;
	case 8:
	case 9:
		port_set(port, random_below(4));
		break;
	case 10:
		rt_address(has_address ? RTM_DELADDR : RTM_NEWADDR, "b0", "203.0.113.77", 25);
		rt_address(has_address ? RTM_DELADDR : RTM_NEWADDR, "b0", "2001:db8:113::77", 64);
		has_address = !has_address;
		break;
	case 11:
		rt_route(has_route ? RTM_DELROUTE : RTM_NEWROUTE, "203.0.113.0", 26, "10.2.0.2",
			 "b0");
		rt_route(has_route ? RTM_DELROUTE : RTM_NEWROUTE, "2001:db8:113::", 64,
			 "fd00:2::2", "b0");
		has_route = !has_route;
		break;
	case 12:
		if (!rt_rule(has_rule ? RTM_DELRULE : RTM_NEWRULE, AF_INET))
			has_rule = !has_rule;
		break;
	case 13:
		if (!rt_rule(has_rule6 ? RTM_DELRULE : RTM_NEWRULE, AF_INET6))
			has_rule6 = !has_rule6;
		break;
	case 14:
		rt_link_mtu("b0", random_below(2) ? 1500 : 1000 + random_below(400));
		break;
	case 15: /* comes again with a port */
		if (!rt_link_delete("nl31"))
			port_set("a0", NL31_URPF_OFF);
		own_device();
		break;
	case 16:
		write_file("/proc/sys/net/ipv4/ip_forward", random_below(8) ? "1" : "0");
		write_file("/proc/sys/net/ipv6/conf/all/forwarding",
			   random_below(8) ? "1" : "0");
		break;
	}
}

/* All as set_up() has made it. */
static void calm_down(struct wanderer *c, int other_ns)
{
	unsigned i;

	if (c->is_away) {
		enter(other_ns);
		rt_must(rt_link_move(c->name, router_ns), "cannot move back", c->name);
		enter(router_ns);
	}
	rt_link_delete(c->name);
	cable(2);
	rt_link_up("b0", true);
	rt_must(rt_link_mtu("b0", 1500), "cannot set the MTU of", "b0");
	/* both may be there or not; IPv6 has gone with a small MTU */
	rt_address(RTM_DELADDR, "b0", "203.0.113.77", 25);
	rt_address(RTM_DELADDR, "b0", "2001:db8:113::77", 64);
	rt_address(RTM_NEWADDR, "b0", "fd00:2::1", 64);
	rt_route(RTM_DELROUTE, "203.0.113.0", 26, "10.2.0.2", "b0");
	rt_route(RTM_DELROUTE, "2001:db8:113::", 64, "fd00:2::2", "b0");
	rt_rule(RTM_DELRULE, AF_INET);
	rt_rule(RTM_DELRULE, AF_INET6);
	forwarding_on();
	for (i = 0; i < PORTS; i++)
		rt_must(port_set(ports[i], NL31_URPF_OFF), "no port", ports[i]);
	own_device();
	rt_must(table_set(1), "no table", "at last");
}

static pid_t senders[SENDERS];
static volatile unsigned *sent;

static void begin_traffic(void)
{
	unsigned i;

	for (i = 0; i < SENDERS; i++) {
		senders[i] = spawn(i % 2);
		if (senders[i])
			continue;
		/* it would keep the module */
		close(nl31_fd);
		if (i == 3)
			own_traffic(&sent[i]);
		traffic(i, &sent[i]);
	}
}

static unsigned all_sent(void)
{
	return sent[0] + sent[1] + sent[2] + sent[3];
}

static void end_traffic(void)
{
	unsigned i;

	for (i = 0; i < SENDERS; i++)
		end(senders[i]);
}

static void packets_beside_changes(unsigned count)
{
	struct wanderer c = { .name = "c0" };
	const unsigned before = all_sent();
	unsigned i, seen = 0;
	int other_ns;

	testing = "packets_beside_changes";
	other_ns = new_namespace();
	enter(router_ns);
	begin_traffic();
	for (i = 0; i < count; i++) {
		change(i, &c, other_ns);
		/* each change meets some packets */
		while (all_sent() < seen + 5)
			usleep(1000);
		seen = all_sent();
	}
	end_traffic();
	calm_down(&c, other_ns);
	for (i = 0; i < PORTS; i++) {
		struct counts counts;

		port_counts(ports[i], &counts);
	}
	expect_flow("a0", "a1", 100);
	close(other_ns);
	printf("# %s: figure changes=%u packets=%u\n", testing, count, all_sent() - before);
	passed();
}

/* A router in a namespace of its own, all of whose devices have packets, goes with it. */
static void namespaces_go_under_traffic(unsigned count)
{
	unsigned i, tries;

	testing = "namespaces_go_under_traffic";
	for (i = 0; i < count; i++) {
		unsigned char mac[ETH_ALEN];
		int ns = new_namespace(), fd, before = nl31_fd;
		struct frame f;
		pid_t pid;

		forwarding_on();
		nl31_fd = open_socket();
		rt_must(rt_veth_add("x0", "x1", peers_ns), "cannot make", "x0");
		rt_must(rt_veth_add("y0", "y1", peers_ns), "cannot make", "y0");
		rt_must(rt_address(RTM_NEWADDR, "y0", "10.2.0.1", 24), "no address for", "y0");
		rt_must(rt_link_up("x0", true), "cannot set up", "x0");
		rt_must(rt_link_up("y0", true), "cannot set up", "y0");
		rt_must(port_set("x0", NL31_URPF_OFF), "no port", "x0");
		rt_must(port_set("y0", NL31_URPF_LOOSE), "no port", "y0");
		own_device();
		out.size = 0;
		put_path(NL31_MSG_NEWROUTE, NLM_F_ACK | NLM_F_CREATE, "203.0.113.0/24", 0, NULL,
			 "y0");
		rt_must(request(), "no route to", "y0");
		out.size = 0;
		put_path(NL31_MSG_NEWROUTE, NLM_F_ACK | NLM_F_CREATE, "2001:db8:113::/48", 0,
			 NULL, "y0");
		rt_must(request(), "no route to", "y0");
		out.size = 0;
		put_path(NL31_MSG_NEWROUTE, NLM_F_ACK | NLM_F_CREATE, "203.0.114.0/24", 0,
			 "10.2.0.2", NULL);
		rt_must(request(), "no route to", "10.2.0.2");
		mac_of("x0", mac);
		enter(peers_ns);
		rt_must(rt_link_up("x1", true), "cannot set up", "x1");
		rt_must(rt_link_up("y1", true), "cannot set up", "y1");
		pid = spawn(i % 2);
		if (!pid) {
			/* it must not keep the namespace */
			close(ns);
			close(nl31_fd);
			fd = packet_socket("x1");
			for (;;) {
				memcpy(f.data, mac, ETH_ALEN);
				memset(f.data + ETH_ALEN, 2, ETH_ALEN);
				build(&f, random_below(KINDS), random_below(2));
				send_frame(fd, &f);
				++*sent;
			}
		}
		for (tries = *sent; *sent < tries + 200;)
			usleep(1000);
		close(nl31_fd);
		nl31_fd = before;
		close(ns);
		/* the peers' ends go when the kernel has taken the namespace down */
		for (tries = 0; if_nametoindex("x1") || if_nametoindex("y1"); tries++) {
			if (tries == 6000)
				fail("namespace %u does not go", i);
			usleep(20000);
		}
		end(pid);
		enter(router_ns);
	}
	passed();
}

/* The module goes from under its ports, and comes again. */
static void module_goes_under_traffic(const char *module, unsigned count)
{
	unsigned i, tries, seen;

	testing = "module_goes_under_traffic";
	begin_traffic();
	for (i = 0; i < count; i++) {
		int fd, error;

		seen = all_sent();
		while (all_sent() < seen + 200)
			usleep(1000);
		close(nl31_fd);
		for (tries = 0; syscall(SYS_delete_module, "nl31", O_NONBLOCK); tries++) {
			if ((errno != EAGAIN && errno != EBUSY) || tries == 6000)
				fail("unloading %u: %s", i, strerror(errno));
			usleep(10000);
		}
		if (if_nametoindex("nl31"))
			fail("device nl31 is there without the module");
		seen = all_sent();
		while (all_sent() < seen + 50)
			usleep(1000);
		fd = open(module, O_RDONLY | O_CLOEXEC);
		error = fd < 0 || syscall(SYS_finit_module, fd, "", 0);
		if (error)
			fail("loading %u: %s", i, strerror(errno));
		close(fd);
		nl31_fd = open_socket();
		for (tries = 0; tries < PORTS; tries++)
			rt_must(port_set(ports[tries], NL31_URPF_OFF), "no port", ports[tries]);
		own_device();
		rt_must(table_set(1), "no table", "again");
	}
	end_traffic();
	expect_flow("a0", "a1", 100);
	passed();
}

/* For the steps that follow. */
static void tidy(void)
{
	unsigned i;

	rt_link_delete("nl31");
	for (i = 0; i < PORTS; i++)
		rt_link_delete(ports[i]);
	out.size = 0;
	put_message(&out, NL31_MSG_NEWTABLE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_REPLACE);
	rt_must(request(), "cannot empty", "the table");
	close(nl31_fd);
}

int main(int argc, char **argv)
{
	unsigned count = argc > 2 ? atoi(argv[2]) : 0;

	set_up_system();
	if (!count) {
		printf("usage: forward MODULE COUNT\n");
		finish(2);
	}
	sent = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sent == MAP_FAILED)
		fail("no memory: %s", strerror(errno));
	printf("KTAP version 1\n1..5\n");
	set_up();
	packets_are_counted_once(200);
	packets_beside_changes(count);
	namespaces_go_under_traffic(1 + count / 20);
	module_goes_under_traffic(argv[1], 1 + count / 40);
	tidy();
	finish(0);
}
