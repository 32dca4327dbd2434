// SPDX-License-Identifier: MIT OR Apache-2.0
/* What holds for every message: ping, greeting, REQUEST, ACK, order, whose answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "case.h"

CASE(noop_is_answered_with_done, "NLMSG_NOOP is answered with NLMSG_DONE of the same seq")
{
	struct client c;

	client_open(&c);
	ask(&c, NOOP, 0, NULL);
	expect(&c, "DONE 0");
}

CASE(noop_with_ack_has_one_terminator, "NLM_F_ACK adds nothing to an answer that ends with NLMSG_DONE")
{
	struct client c;

	client_open(&c);
	ask(&c, NOOP, ACK, NULL);
	expect(&c, "DONE 0");
}

CASE(noop_carries_nothing, "NLMSG_NOOP with a payload is refused")
{
	struct client c;

	client_open(&c);
	datagram(&c);
	attribute(&c, message(&c, NOOP, 0, NULL), 1, "1234", 4);
	transmit(&c);
	expect(&c, "EINVAL '*'");
}

CASE(greet_names_the_port, "GREET names the sender's port id, the text, version and ABI")
{
	struct client c;
	char text[64];

	client_open(&c);
	ask(&c, GREET, 0, "good morning");
	snprintf(text, sizeof(text),
		 "GREET port OURS version ?*.?*.?* abi 1 '*%u*good morning'", c.portid);
	expect_lines(__FILE__, __LINE__, &c, text);
}

CASE(greet_without_text, "the text of GREET is optional")
{
	struct client c;

	client_open(&c);
	ask(&c, GREET, ACK, NULL);
	expect(&c,
	       "GREET port OURS version * abi 1 'hello*'\n"
	       "ACK");
}

CASE(greet_text_limit, "a greeting has at most 255 bytes")
{
	char text[NL31_TEXT_MAX + 2];
	struct client c;

	client_open(&c);
	memset(text, 'x', sizeof(text));
	text[NL31_TEXT_MAX] = '\0';
	ask(&c, GREET, 0, text);
	expect(&c, "GREET port OURS version * abi 1 '*you said: x*x'");
	text[NL31_TEXT_MAX] = 'x';
	text[NL31_TEXT_MAX + 1] = '\0';
	ask(&c, GREET, 0, text);
	expect(&c, "ERANGE '*' @16");
}

CASE(greet_refuses_the_replys_attributes, "what only the reply carries is refused in GREET")
{
	uint32_t number = 1;
	struct client c;

	client_open(&c);
	datagram(&c);
	attribute(&c, message(&c, GREET, 0, NULL), NL31_GREET_PORTID, &number, 4);
	transmit(&c);
	expect(&c, "EINVAL '*' @16");
}

CASE(request_missing, "without NLM_F_REQUEST every message gets EINVAL")
{
	static const unsigned int types[] = {
		NOOP, GREET, NEWROUTE, DELROUTE, GETROUTE, NEWTABLE, GETTABLE, DONE, 4, 15, 22, 65535,
	};
	struct client c;
	size_t i;

	client_open(&c);
	for (i = 0; i < sizeof(types) / sizeof(*types); i++) {
		ask(&c, types[i], NO_REQUEST, NULL);
		expect(&c, "EINVAL '*NLM_F_REQUEST*'");
		ask(&c, types[i], NO_REQUEST | ACK, NULL);
		expect(&c, "EINVAL '*NLM_F_REQUEST*'");
	}
}

CASE(error_is_not_answered, "an NLMSG_ERROR is never answered")
{
	struct client c;

	client_open(&c);
	ask(&c, NLMSG_ERROR, ACK, NULL);
	expect(&c, "");
	ask(&c, NLMSG_ERROR, NO_REQUEST, NULL);
	expect(&c, "");
}

CASE(unknown_type, "an unknown type gets EOPNOTSUPP")
{
	struct client c;

	client_open(&c);
	ask(&c, NL31_MSG_MAX + 1, 0, NULL);
	expect(&c, "EOPNOTSUPP '*25*'");
	ask(&c, NLMSG_MIN_TYPE - 1, ACK, NULL);
	expect(&c, "EOPNOTSUPP '*15*'");
}

CASE(ack_is_one_error_0, "NLM_F_ACK: one NLMSG_ERROR with 0 behind whatever else is answered")
{
	struct client c;

	client_open(&c);
	ask(&c, NEWROUTE, CREATE | EXCL | ACK, "10.0.0.0/8 via 192.0.2.1");
	expect(&c, "ACK");
	ask(&c, GETROUTE, ACK, "10.1.2.3");
	expect(&c,
	       "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1\n"
	       "ACK");
	ask(&c, GETTABLE, ACK, NULL);
	expect(&c,
	       "NEWTABLE *\n"
	       "ACK");
	ask(&c, DELROUTE, ACK, "10.0.0.0/8");
	expect(&c, "ACK");
}

CASE(no_ack_no_answer, "a change without NLM_F_ACK that succeeds is not answered")
{
	struct client c;

	client_open(&c);
	ask(&c, NEWROUTE, CREATE | EXCL, "10.0.0.0/8 via 192.0.2.1");
	expect(&c, "");
	ask(&c, DELROUTE, 0, "10.0.0.0/8");
	expect(&c, "");
	ask(&c, NEWTABLE, 0, "max 7");
	expect(&c, "");
}

CASE(error_without_ack, "errors are answered without NLM_F_ACK too, once with it")
{
	struct client c;

	client_open(&c);
	ask(&c, DELROUTE, 0, "10.0.0.0/8");
	expect(&c, "ESRCH '*'");
	ask(&c, DELROUTE, ACK, "10.0.0.0/8");
	expect(&c, "ESRCH '*'");
}

CASE(cascade_is_answered_in_order, "messages of one datagram are answered in their order, each with its seq")
{
	struct client c;

	client_open(&c);
	datagram(&c);
	message(&c, NOOP, 0, NULL);
	message(&c, NEWROUTE, CREATE | EXCL | ACK, "10.0.0.0/8 via 192.0.2.1");
	message(&c, NEWROUTE, CREATE | EXCL, "10.0.0.0/8 via 192.0.2.1");
	message(&c, NEWROUTE, CREATE | EXCL, "10.1.0.0/16 via 192.0.2.2");
	message(&c, GETROUTE, ACK, "10.1.2.3");
	message(&c, NL31_MSG_MAX + 1, 0, NULL);
	message(&c, GREET, 0, "bye");
	transmit(&c);
	expect(&c,
	       "1 DONE 0\n"
	       "2 ACK\n"
	       "3 EEXIST '*'\n"
	       "5 NEWROUTE 10.1.0.0/16 unicast via 192.0.2.2\n"
	       "5 ACK\n"
	       "6 EOPNOTSUPP '*'\n"
	       "7 GREET *bye'");
}

CASE(cascade_error_is_alone, "a change that fails in a cascade takes nothing else with it")
{
	struct client c;

	client_open(&c);
	datagram(&c);
	message(&c, NEWROUTE, CREATE | EXCL, "10.0.0.0/8 via 192.0.2.1");
	message(&c, NEWROUTE, CREATE | EXCL, "10.0.0.0/8 via 192.0.2.9");
	message(&c, DELROUTE, 0, "203.0.113.0/24");
	message(&c, DELROUTE, BULK, "10.128.0.0/9");
	message(&c, NEWROUTE, CREATE | EXCL, "10.2.0.0/16 via 192.0.2.2");
	transmit(&c);
	expect(&c,
	       "2 EEXIST '*'\n"
	       "3 ESRCH '*'");
	expect_table(&c,
		     "NEWROUTE 10.0.0.0/8 unicast via 192.0.2.1\n"
		     "NEWROUTE 10.2.0.0/16 unicast via 192.0.2.2");
}

CASE(forged_portid, "a forged nlmsg_pid changes nothing: answers go to the sender, with its port id")
{
	struct client c, victim;

	client_open(&victim);
	client_open(&c);
	datagram(&c);
	message(&c, NOOP, 0, NULL)->nlmsg_pid = victim.portid;
	message(&c, GREET, ACK, "it is me")->nlmsg_pid = victim.portid;
	message(&c, DELROUTE, 0, "10.0.0.0/8")->nlmsg_pid = victim.portid;
	transmit(&c);
	expect(&c,
	       "1 DONE 0\n"
	       "2 GREET port OURS * 'hello*it is me'\n"
	       "2 ACK\n"
	       "3 ESRCH '*'");
	expect(&victim, "");
}

CASE(seq_is_any_number, "the sequence number is the client's: 0, the largest, the same again")
{
	struct client c;

	client_open(&c);
	c.seq = UINT32_MAX - 1;
	ask(&c, NOOP, 0, NULL);
	expect(&c, "DONE 0");
	ask(&c, NOOP, 0, NULL);
	check(c.seq == 0, "the number has not wrapped");
	expect(&c, "DONE 0");
	c.seq--;
	ask(&c, NOOP, 0, NULL);
	expect(&c, "DONE 0");
}

CASE(capped, "with NETLINK_CAP_ACK an error embeds the header only, marked NLM_F_CAPPED; success always does")
{
	struct client c;

	client_open(&c);
	client_set(&c, NETLINK_CAP_ACK, true);
	ask(&c, DELROUTE, 0, "10.0.0.0/8 metric 77");
	expect(&c, "ESRCH CAPPED 'there is no such prefix'");
	ask(&c, NEWTABLE, ACK, "max 5");
	expect(&c, "ACK");
	client_set(&c, NETLINK_CAP_ACK, false);
	ask(&c, DELROUTE, 0, "10.0.0.0/8 metric 77");
	expect(&c, "ESRCH 'there is no such prefix'");
}

CASE(ack_tlvs, "texts and offsets come only to sockets that set NETLINK_EXT_ACK")
{
	struct client c;

	client_open(&c);
	client_set(&c, NETLINK_EXT_ACK, false);
	ask(&c, DELROUTE, 0, "10.0.0.1/8");
	expect(&c, "EINVAL");
	client_set(&c, NETLINK_CAP_ACK, true);
	ask(&c, DELROUTE, 0, "10.0.0.1/8");
	expect(&c, "EINVAL CAPPED");
	client_set(&c, NETLINK_EXT_ACK, true);
	ask(&c, DELROUTE, 0, "10.0.0.1/8");
	expect(&c, "EINVAL CAPPED 'host bits*' @16");
}

CASE(errors_are_counted, "GETTABLE counts requests answered with an error")
{
	struct client c;

	client_open(&c);
	ask(&c, DELROUTE, 0, "10.0.0.0/8");
	ask(&c, NOOP, NO_REQUEST, NULL);
	ask(&c, NOOP, 0, NULL);
	free(transcript(&c));
	check(table_number(&c, "errors", 0) == 2, "not 2 errors");
}
