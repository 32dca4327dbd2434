/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A client of protocol 31 for which requests and answers are text.
 *
 * A request is a type, flags and words:
 *
 *	route	[PREFIX] [unicast|blackhole|unreachable|prohibit] [via ADDRESS]
 *		[dev INDEX] [metric NUMBER] [proto NUMBER]
 *	table	[max NUMBER]
 *	greet	the text, whole
 *
 * An address without /LENGTH goes without NL31_ROUTE_DST_LEN. An answer is a line:
 *
 *	ACK, which is always capped
 *	EEXIST [CAPPED] 'text' [@offset of the attribute to blame in the message]
 *	DONE NUMBER [DUMP_INTR] ['text']
 *	NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1 [metric 5] [proto 4] [gen 7] [FLAGS]
 *	NEWTABLE gen 3 routes 1 0 paths 1 0 nexthops 1 bytes 1 0 1 max 100 lookups 2 hits 1 ...
 *	GREET port OURS version 0.1.0 abi 1 'text'
 *
 * What every message must have is not in the line unless it is wrong, and then after a !:
 * a sender with port id 0; for answers the client's port id and the sequence number of
 * its last request, for events 0 and 0; in an error the request, as it was sent; nothing
 * unknown, nothing behind the end.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include <libmnl/libmnl.h>
#include <linux/nl31.h>

#define NOOP		NLMSG_NOOP
#define DONE		NLMSG_DONE
#define GREET		NL31_MSG_GREET
#define NEWROUTE	NL31_MSG_NEWROUTE
#define DELROUTE	NL31_MSG_DELROUTE
#define GETROUTE	NL31_MSG_GETROUTE
#define NEWTABLE	NL31_MSG_NEWTABLE
#define GETTABLE	NL31_MSG_GETTABLE

/* NLM_F_REQUEST is set unless NO_REQUEST is given. */
#define NO_REQUEST	0x10000
#define ACK		NLM_F_ACK
#define ECHO		NLM_F_ECHO
#define MULTI		NLM_F_MULTI
#define CREATE		NLM_F_CREATE
#define EXCL		NLM_F_EXCL
#define REPLACE		NLM_F_REPLACE
#define APPEND		NLM_F_APPEND
#define NONREC		NLM_F_NONREC
#define BULK		NLM_F_BULK
#define ROOT		NLM_F_ROOT
#define MATCH		NLM_F_MATCH
#define DUMP		NLM_F_DUMP
#define ATOMIC		NLM_F_ATOMIC

struct client {
	struct mnl_socket *socket;
	uint32_t portid;
	uint32_t seq;		/* of the last message */
	uint32_t first_seq;	/* of the first message of the last datagram */
	bool listens;
	char *out;		/* the datagram, as it will be or was sent */
	size_t len, room;
	char *in;		/* the last datagram received */
	size_t in_len;
	bool tells_standby;	/* lines of dumps say what is not in use */
	uint64_t dump_gen;	/* in the first message of the last dump */
	uint64_t done_gen;	/* in its NLMSG_DONE */
	bool has_policy;	/* the last error said what the attribute may be */
};

/* A socket in the current network namespace; strict, with extended acks. */
void client_open(struct client *c);
void client_open_at(struct client *c, uint32_t portid);
void client_close(struct client *c);
void client_join(struct client *c);
void client_set(struct client *c, int option, bool on);

/*
 * Build a datagram of several messages, and send it. Attributes and payload go behind the
 * last message, which may move with them.
 */
void datagram(struct client *c);
struct nlmsghdr *message(struct client *c, unsigned int type,
			 unsigned int flags, const char *words);
void attribute(struct client *c, struct nlmsghdr *nlh, uint16_t type,
	       const void *data, size_t len);
void payload(struct client *c, struct nlmsghdr *nlh, const void *data, size_t len);
void transmit(struct client *c);

/* A datagram of one message. */
void ask(struct client *c, unsigned int type, unsigned int flags,
	 const char *words);

/*
 * One datagram received, as lines; NULL where nothing has come. The kernel answers
 * within the call that sends, so nothing has to be waited for. Of a dump it makes the
 * next part within the call that receives.
 */
char *receive(struct client *c);

/* All that has come, as lines. */
char *transcript(struct client *c);

#endif
