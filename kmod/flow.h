/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Flows: packets that are to take the same path, as they would come out of order
 * or not fit the path's MTU otherwise.
 *
 * A flow is two addresses, a protocol and two ports, the same in both directions. An
 * ICMP error belongs to the flow of the packet that it is about. Fragments have
 * addresses only: all of a packet go together. The flow label of IPv6 is not looked
 * at, as senders may change it.
 */
#ifndef _NL31_FLOW_H
#define _NL31_FLOW_H

#include <linux/siphash.h>
#include <linux/types.h>

#include "family.h"

struct sk_buff;

u32 nl31_flow_hash(const struct sk_buff *skb, enum nl31_family family,
		   const hsiphash_key_t *key);

#endif /* _NL31_FLOW_H */
