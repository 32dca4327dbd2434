/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What becomes of a packet that has got a dst of ours: the part of ip_forward() and
 * ip6_forward() behind the lookup, and the errors of routes that lead nowhere.
 *
 * They are the input of a dst. Its output is Linux's: neighbours, fragmentation,
 * POSTROUTING.
 */
#ifndef _NL31_FORWARD_H
#define _NL31_FORWARD_H

struct sk_buff;

int nl31_forward4(struct sk_buff *skb);
int nl31_forward6(struct sk_buff *skb);
int nl31_reject4(struct sk_buff *skb);
int nl31_reject6(struct sk_buff *skb);

#endif /* _NL31_FORWARD_H */
