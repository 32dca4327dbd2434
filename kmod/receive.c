// SPDX-License-Identifier: GPL-2.0-only
/* Packets that come in on a port. */
#include "port.h"

struct sk_buff *nl31_port_receive(struct net_device *dev, struct sk_buff *skb,
				  u16 proto)
{
	struct nl31_port *port = nl31_port_of(dev);

	if (likely(port))
		nl31_port_count(port, NL31_PORT_COUNT_HANDED_UP);
	return skb;
}
