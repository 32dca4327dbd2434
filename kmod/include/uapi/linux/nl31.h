/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * nl31: a routing table driven over AF_NETLINK, protocol 31.
 *
 * Every message is a struct nlmsghdr followed by attributes (struct nlattr);
 * there is no fixed header between them. Integers are in host byte order,
 * addresses in network byte order. The length of an address attribute gives
 * the family: 4 bytes for IPv4, 16 bytes for IPv6.
 *
 * Requests are parsed strictly: an unknown attribute, an attribute of the wrong
 * length, bits set beyond the prefix length or trailing bytes fail the request
 * with an extended ack that carries a text and the offset of the attribute. So
 * does a flag in the header that has no meaning for its type. Clients pass over
 * attributes of answers that they do not know.
 */
#ifndef _UAPI_LINUX_NL31_H
#define _UAPI_LINUX_NL31_H

#include <linux/netlink.h>

#define NETLINK_NL31		31

/* Raised when a client written against an older header would misread us. */
#define NL31_ABI_VERSION	1

/* Longest greeting, without a terminating NUL. */
#define NL31_TEXT_MAX		255

/* Most paths that one prefix can have. */
#define NL31_PATHS_MAX		64

/**
 * enum nl31_msg - message types
 *
 * @NL31_MSG_GREET: Anyone. Request: NL31_GREET_TEXT (optional). Reply:
 *	NL31_MSG_GREET with all of enum nl31_greet_attr.
 * @NL31_MSG_NEWROUTE: CAP_NET_ADMIN. One path of one prefix, see enum
 *	nl31_route_attr. NLM_F_CREATE | NLM_F_EXCL adds it (-EEXIST if the prefix
 *	has a path of this metric; NLM_F_CREATE alone is the same),
 *	NLM_F_CREATE | NLM_F_REPLACE replaces the first path of this metric or
 *	creates it, NLM_F_REPLACE changes it (-ENOENT if there is none),
 *	NLM_F_CREATE | NLM_F_APPEND adds it behind those of the same metric
 *	(-EEXIST if exactly this path is there). Also the reply to
 *	NL31_MSG_GETROUTE, and the event for a new path: one that was appended
 *	behind those of its metric, or with NLM_F_REPLACE set took the place of
 *	the first of its metric.
 * @NL31_MSG_DELROUTE: CAP_NET_ADMIN. NL31_ROUTE_DST and NL31_ROUTE_DST_LEN
 *	without any path attribute: the prefix and all its paths, or -ENOTEMPTY
 *	with NLM_F_NONREC when it has more than one. With path attributes: the
 *	first path that has all of them. -ESRCH if there is none. With NLM_F_BULK
 *	every path that matches the attributes (NL31_ROUTE_DST selects all that
 *	this prefix covers; no attribute at all selects the whole table). Also
 *	the event for a path that is gone.
 * @NL31_MSG_GETROUTE: Anyone. NL31_ROUTE_DST alone: the longest match of an
 *	address; with a shorter NL31_ROUTE_DST_LEN: the longest prefix that
 *	covers that prefix. The reply is the path in use, -ENETUNREACH if there
 *	is none. NLM_F_DUMP (or either of its bits): a dump in address order,
 *	IPv4 first, of all paths, or of those that match the attributes given
 *	(NL31_ROUTE_DST as in a bulk delete); replies of a filtered dump carry
 *	NLM_F_DUMP_FILTERED. A change during the dump sets NLM_F_DUMP_INTR in the
 *	first message behind it, with NLM_F_ATOMIC the dump shows the table as it
 *	was at its start. The first message carries NL31_ROUTE_GENERATION; the
 *	NLMSG_DONE carries it as a u64 in NLMSGERR_ATTR_COOKIE, for a socket that
 *	has set NETLINK_EXT_ACK.
 * @NL31_MSG_NEWTABLE: CAP_NET_ADMIN. Sets NL31_TABLE_MAX_ROUTES,
 *	NL31_TABLE_MULTIPATH, or both; what is not given stays. With NLM_F_REPLACE
 *	the table is emptied too; as the first message of a transaction this
 *	replaces the whole table at once. Also the reply to NL31_MSG_GETTABLE, and
 *	the event for changed settings.
 * @NL31_MSG_GETTABLE: Anyone. Reply: NL31_MSG_NEWTABLE with all of enum
 *	nl31_table_attr.
 *
 * @NL31_MSG_NEWPORT: CAP_NET_ADMIN. Makes a device a port, see enum nl31_port_attr.
 *	NLM_F_CREATE | NLM_F_EXCL makes one (-EEXIST if the device is one;
 *	NLM_F_CREATE alone is the same), NLM_F_CREATE | NLM_F_REPLACE makes or
 *	changes one, NLM_F_REPLACE changes one (-ENOENT if there is none). A
 *	change leaves attributes alone that are not given. Also the reply to
 *	NL31_MSG_GETPORT, and the event for a port that is new or has changed.
 * @NL31_MSG_DELPORT: CAP_NET_ADMIN. Ends a port; -ESRCH if the device is none.
 *	Also the event for a port that has ended; its device may be gone.
 * @NL31_MSG_GETPORT: Anyone. The port of a device, -ESRCH if it is none; with
 *	NLM_F_DUMP and no attribute all ports. Reply: NL31_MSG_NEWPORT with all of
 *	enum nl31_port_attr.
 *
 * NLMSG_NOOP is answered with NLMSG_DONE. The port messages belong to no
 * transaction.
 *
 * Changes that are marked NLM_F_MULTI and closed by an NLMSG_DONE are one
 * transaction: all of it or nothing is applied, and one answer is sent, either
 * NLMSG_DONE with the number of changes (int) or one NLMSG_ERROR that embeds
 * the header of the message that failed and carries its sequence number; what
 * follows up to the NLMSG_DONE is then discarded. It may span datagrams. An
 * NLMSG_DONE that carries a negative int discards it all, and is answered by an
 * NLMSG_DONE with the same int. While one is open, changes that are not part of it
 * get -EBUSY.
 */
enum nl31_msg {
	NL31_MSG_GREET = 16,	/* NLMSG_MIN_TYPE */
	NL31_MSG_NEWROUTE,
	NL31_MSG_DELROUTE,
	NL31_MSG_GETROUTE,
	NL31_MSG_NEWTABLE,
	NL31_MSG_GETTABLE,
	NL31_MSG_NEWPORT,
	NL31_MSG_DELPORT,
	NL31_MSG_GETPORT,

	/* private: */
	__NL31_MSG_MAX,
	NL31_MSG_MAX = __NL31_MSG_MAX - 1
};

/**
 * enum nl31_group - multicast groups
 *
 * @NL31_GRP_NONE: no group
 * @NL31_GRP_ROUTE: NL31_MSG_NEWROUTE, NL31_MSG_DELROUTE and NL31_MSG_NEWTABLE,
 *	one message for each path changed, with port id 0 and sequence number 0
 * @NL31_GRP_PORT: NL31_MSG_NEWPORT and NL31_MSG_DELPORT
 */
enum nl31_group {
	NL31_GRP_NONE,
	NL31_GRP_ROUTE,
	NL31_GRP_PORT,

	/* private: */
	__NL31_GRP_MAX,
	NL31_GRP_MAX = __NL31_GRP_MAX - 1
};

/**
 * enum nl31_greet_attr - attributes of NL31_MSG_GREET
 *
 * @NL31_GREET_UNSPEC: never used
 * @NL31_GREET_TEXT: string, at most NL31_TEXT_MAX bytes: the greeting; in the
 *	reply one that names the sender's port id and repeats its text
 * @NL31_GREET_PORTID: u32, reply: port id of the sender's socket
 * @NL31_GREET_VERSION: string, reply: version of the module
 * @NL31_GREET_ABI: u32, reply: NL31_ABI_VERSION of the module
 */
enum nl31_greet_attr {
	NL31_GREET_UNSPEC,
	NL31_GREET_TEXT,
	NL31_GREET_PORTID,
	NL31_GREET_VERSION,
	NL31_GREET_ABI,

	/* private: */
	__NL31_GREET_MAX,
	NL31_GREET_MAX = __NL31_GREET_MAX - 1
};

/**
 * enum nl31_route_attr - attributes of the route messages
 *
 * @NL31_ROUTE_UNSPEC: never used
 * @NL31_ROUTE_DST: 4 or 16 bytes: the prefix, or the address to look up
 * @NL31_ROUTE_DST_LEN: u8: prefix length, at most 32 or 128; where absent, the
 *	whole address
 * @NL31_ROUTE_TYPE: u8, enum nl31_route_type; where absent, unicast
 * @NL31_ROUTE_GATEWAY: 4 or 16 bytes, of the family of NL31_ROUTE_DST
 * @NL31_ROUTE_OIF: u32: index of a device that is there; a unicast path has a
 *	gateway, a device, or both. The path is deleted with its device.
 * @NL31_ROUTE_METRIC: u32: the lowest is used; where absent, 0
 * @NL31_ROUTE_PROTOCOL: u8: what installed the path, by the numbers of RTPROT_*
 *	in linux/rtnetlink.h; where absent, 0
 * @NL31_ROUTE_GENERATION: u64, events: number of the change. Events that follow
 *	each other have numbers that follow each other; a gap means that some
 *	were lost. In the first message of a dump: number of the last change in
 *	what it shows.
 * @NL31_ROUTE_PAD: padding, to be ignored
 * @NL31_ROUTE_OIF_NAME: string, 1 to 15 bytes and a zero: name of the device,
 *	instead of NL31_ROUTE_OIF. It need not exist: the path waits for it, and
 *	is used whenever a device has this name. Messages about such a path carry
 *	NL31_ROUTE_OIF besides while there is one.
 * @NL31_ROUTE_FLAGS: u32, enum nl31_route_flag, dumps: why a path is not in use;
 *	absent for one that is
 * @NL31_ROUTE_TABLE: u32, reserved: 0, or absent
 */
enum nl31_route_attr {
	NL31_ROUTE_UNSPEC,
	NL31_ROUTE_DST,
	NL31_ROUTE_DST_LEN,
	NL31_ROUTE_TYPE,
	NL31_ROUTE_GATEWAY,
	NL31_ROUTE_OIF,
	NL31_ROUTE_METRIC,
	NL31_ROUTE_PROTOCOL,
	NL31_ROUTE_GENERATION,
	NL31_ROUTE_PAD,
	NL31_ROUTE_OIF_NAME,
	NL31_ROUTE_FLAGS,
	NL31_ROUTE_TABLE,

	/* private: */
	__NL31_ROUTE_MAX,
	NL31_ROUTE_MAX = __NL31_ROUTE_MAX - 1
};

/**
 * enum nl31_route_flag - why a path is not in use
 *
 * @NL31_FLAG_LINKDOWN: its device is down, without carrier or not there; or no
 *	device was found that its gateway is connected to
 * @NL31_FLAG_DEAD: its device is not there. A path by name waits for it, one by
 *	index is about to be deleted.
 * @NL31_FLAG_STANDBY: a path before it is in use, and does not share the load with it
 */
enum nl31_route_flag {
	NL31_FLAG_LINKDOWN = 1,
	NL31_FLAG_DEAD = 2,
	NL31_FLAG_STANDBY = 4
};

/**
 * enum nl31_route_type - what a path does, by the numbers of RTN_*
 *
 * @NL31_TYPE_UNICAST: send to the gateway or out of the device
 * @NL31_TYPE_BLACKHOLE: drop silently
 * @NL31_TYPE_UNREACHABLE: drop, host unreachable
 * @NL31_TYPE_PROHIBIT: drop, administratively prohibited
 */
enum nl31_route_type {
	NL31_TYPE_UNICAST = 1,
	NL31_TYPE_BLACKHOLE = 6,
	NL31_TYPE_UNREACHABLE = 7,
	NL31_TYPE_PROHIBIT = 8
};

/**
 * enum nl31_table_attr - attributes of the table messages
 *
 * @NL31_TABLE_UNSPEC: never used
 * @NL31_TABLE_GENERATION: u64: number of the last change
 * @NL31_TABLE_ROUTES4: u32: IPv4 prefixes
 * @NL31_TABLE_ROUTES6: u32: IPv6 prefixes
 * @NL31_TABLE_PATHS4: u32: paths of the IPv4 prefixes
 * @NL31_TABLE_PATHS6: u32: paths of the IPv6 prefixes
 * @NL31_TABLE_NEXTHOPS: u32: distinct lists of paths in use
 * @NL31_TABLE_BYTES4: u64: memory of the IPv4 trie, as allocated
 * @NL31_TABLE_BYTES6: u64: memory of the IPv6 trie, as allocated
 * @NL31_TABLE_NEXTHOP_BYTES: u64: memory of the lists of paths, as allocated
 * @NL31_TABLE_MAX_ROUTES: u32, at least 1: limit for ROUTES4 + ROUTES6; a new
 *	prefix beyond it gets -ENOSPC
 * @NL31_TABLE_LOOKUPS: u64: addresses looked up
 * @NL31_TABLE_HITS: u64: lookups that found a path
 * @NL31_TABLE_MISSES: u64: lookups that found none
 * @NL31_TABLE_ERRORS: u64: requests answered with an error
 * @NL31_TABLE_PAD: padding, to be ignored
 * @NL31_TABLE_MULTIPATH: u8: 1: of the usable paths of a prefix, all unicast ones of the
 *	lowest metric share the load, by flows; 0: the first one serves. At first 0.
 */
enum nl31_table_attr {
	NL31_TABLE_UNSPEC,
	NL31_TABLE_GENERATION,
	NL31_TABLE_ROUTES4,
	NL31_TABLE_ROUTES6,
	NL31_TABLE_PATHS4,
	NL31_TABLE_PATHS6,
	NL31_TABLE_NEXTHOPS,
	NL31_TABLE_BYTES4,
	NL31_TABLE_BYTES6,
	NL31_TABLE_NEXTHOP_BYTES,
	NL31_TABLE_MAX_ROUTES,
	NL31_TABLE_LOOKUPS,
	NL31_TABLE_HITS,
	NL31_TABLE_MISSES,
	NL31_TABLE_ERRORS,
	NL31_TABLE_PAD,
	NL31_TABLE_MULTIPATH,

	/* private: */
	__NL31_TABLE_MAX,
	NL31_TABLE_MAX = __NL31_TABLE_MAX - 1
};

/**
 * enum nl31_urpf - is the source of a packet checked by the table?
 *
 * @NL31_URPF_OFF: no
 * @NL31_URPF_LOOSE: there has to be a route to it
 * @NL31_URPF_STRICT: the path in use has to lead over the port
 * @NL31_URPF_FEASIBLE: one of the paths has to lead over the port
 */
enum nl31_urpf {
	NL31_URPF_OFF,
	NL31_URPF_LOOSE,
	NL31_URPF_STRICT,
	NL31_URPF_FEASIBLE
};

/**
 * enum nl31_port_attr - attributes of the port messages
 *
 * @NL31_PORT_UNSPEC: never used
 * @NL31_PORT_IFINDEX: u32: index of the device
 * @NL31_PORT_IFNAME: string, 1 to 15 bytes and a zero: its name; requests carry
 *	the index or the name
 * @NL31_PORT_FORWARDING: u8: 1: packets that come in are forwarded by the table;
 *	0: left to Linux. A new port forwards where this is absent.
 * @NL31_PORT_URPF: u8, enum nl31_urpf; off where absent
 * @NL31_PORT_RECEIVED: u64: IP packets that came in and were looked at; the sum of
 *	those that follow
 * @NL31_PORT_FORWARDED: u64: sent on
 * @NL31_PORT_HANDED_UP: u64: left to Linux: for the router itself, with options, by
 *	a route of Linux, or while forwarding is off
 * @NL31_PORT_DROP_URPF: u64: dropped: source address, by NL31_PORT_URPF
 * @NL31_PORT_DROP_NO_ROUTE: u64: no route
 * @NL31_PORT_DROP_BLACKHOLE: u64: the route is a blackhole
 * @NL31_PORT_DROP_UNREACHABLE: u64: the route is unreachable
 * @NL31_PORT_DROP_PROHIBIT: u64: the route prohibits it
 * @NL31_PORT_DROP_TTL: u64: TTL or hop limit exceeded
 * @NL31_PORT_DROP_TOO_BIG: u64: too big for the path, and must not be fragmented
 * @NL31_PORT_DROP_POLICY: u64: by a policy of IPsec
 * @NL31_PORT_DROP_OTHER: u64: memory is short, or the packet is not to be forwarded
 * @NL31_PORT_PAD: padding, to be ignored
 */
enum nl31_port_attr {
	NL31_PORT_UNSPEC,
	NL31_PORT_IFINDEX,
	NL31_PORT_IFNAME,
	NL31_PORT_FORWARDING,
	NL31_PORT_URPF,
	NL31_PORT_RECEIVED,
	NL31_PORT_FORWARDED,
	NL31_PORT_HANDED_UP,
	NL31_PORT_DROP_URPF,
	NL31_PORT_DROP_NO_ROUTE,
	NL31_PORT_DROP_BLACKHOLE,
	NL31_PORT_DROP_UNREACHABLE,
	NL31_PORT_DROP_PROHIBIT,
	NL31_PORT_DROP_TTL,
	NL31_PORT_DROP_TOO_BIG,
	NL31_PORT_DROP_POLICY,
	NL31_PORT_DROP_OTHER,
	NL31_PORT_PAD,

	/* private: */
	__NL31_PORT_MAX,
	NL31_PORT_MAX = __NL31_PORT_MAX - 1
};

#endif /* _UAPI_LINUX_NL31_H */
