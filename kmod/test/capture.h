/* SPDX-License-Identifier: GPL-2.0-only */
/* A device that keeps what is sent, and through which packets come in. */
#ifndef _NL31_TEST_CAPTURE_H
#define _NL31_TEST_CAPTURE_H

#include <kunit/test.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>

/* Tells packets of a test from those that IPv6 sends by itself. */
#define CAPTURE_MARK	31

struct net_device *capture_open(struct kunit *test, struct net *net,
				const char *name);
void capture_close(struct net_device *dev);
void capture_carrier(struct net_device *dev, bool on);
struct sk_buff *capture_sent(struct net_device *dev);
void capture_address(struct kunit *test, struct net_device *dev, int family,
		     const void *address, u8 len);
void capture_route(struct kunit *test, struct net *net, int family, u8 type,
		   const void *prefix, u8 len, struct net_device *dev,
		   const void *gateway);
void capture_flush(struct net_device *dev);
void capture_discard(struct net_device *dev);
unsigned long capture_discarded(const struct net_device *dev);

#endif /* _NL31_TEST_CAPTURE_H */
