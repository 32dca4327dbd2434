/* SPDX-License-Identifier: GPL-2.0-only */
/* IP packets of any kind, well formed and not. */
#ifndef _NL31_TEST_MUTANT_H
#define _NL31_TEST_MUTANT_H

#include <linux/prandom.h>
#include <linux/types.h>

#define MUTANT_MAX	3000

/**
 * struct mutant - a packet that comes in
 * @data: the packet, from its IP header on
 * @len: bytes there are of it, whatever its header says
 * @linear: how many of them are in the skb's head, the others in a page
 * @pkt_type: PACKET_*
 * @is_ipv6: what its Ethernet header says
 * @is_shared: another has it, too
 */
struct mutant {
	u8 data[MUTANT_MAX];
	unsigned int len;
	unsigned int linear;
	u8 pkt_type;
	bool is_ipv6;
	bool is_shared;
};

void mutant_make(struct mutant *m, struct rnd_state *random);

#endif /* _NL31_TEST_MUTANT_H */
