/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ports: devices whose packets the table forwards.
 *
 * A port hooks into its device as an L3 handler, behind PREROUTING and before
 * Linux's lookup, and ends with its device. RTNL guards the list of ports and all
 * changes; packets and dumps reach a port under RCU.
 */
#ifndef _NL31_PORT_H
#define _NL31_PORT_H

#include <linux/container_of.h>
#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/u64_stats_sync.h>
#include <net/l3mdev.h>
#include <uapi/linux/nl31.h>

/* What becomes of a packet, in the order of enum nl31_port_attr. */
enum nl31_port_count {
	NL31_PORT_COUNT_FORWARDED,
	NL31_PORT_COUNT_HANDED_UP,
	NL31_PORT_COUNT_DROP_URPF,
	NL31_PORT_COUNT_DROP_NO_ROUTE,
	NL31_PORT_COUNT_DROP_BLACKHOLE,
	NL31_PORT_COUNT_DROP_UNREACHABLE,
	NL31_PORT_COUNT_DROP_PROHIBIT,
	NL31_PORT_COUNT_DROP_TTL,
	NL31_PORT_COUNT_DROP_TOO_BIG,
	NL31_PORT_COUNT_DROP_POLICY,
	NL31_PORT_COUNT_DROP_OTHER,
	NL31_PORT_COUNTS
};

struct nl31_port_stats {
	u64_stats_t count[NL31_PORT_COUNTS];
	struct u64_stats_sync syncp;
};

/**
 * struct nl31_port - a device whose packets the table forwards
 * @ops: what the device calls; leads from the device to the port
 * @ports: the ports of its namespace
 * @forwarding: whether it does
 * @urpf: enum nl31_urpf
 * @stats: per CPU
 * @dev: the device; ends after the port
 * @list: in nl31_ports.list
 * @rcu: frees it
 */
struct nl31_port {
	struct l3mdev_ops ops;
	struct nl31_ports *ports;
	bool forwarding;
	u8 urpf;
	struct nl31_port_stats __percpu *stats;
	struct net_device *dev;
	struct list_head list;
	struct rcu_head rcu;
};

/**
 * struct nl31_ports - the ports of a network namespace
 * @list: them, by the index of their devices
 * @changes: how often the list or a port has changed
 * @sock: the kernel's socket of the namespace, for events; or NULL
 * @ended: tells of a port that ends with its device; under RTNL
 */
struct nl31_ports {
	struct list_head list;
	unsigned int changes;
	struct sock *sock;
	void (*ended)(struct nl31_ports *ports, const struct nl31_port *port);
};

struct netlink_ext_ack;
struct sock;

void nl31_ports_init(struct nl31_ports *ports, struct sock *sock,
		     void (*ended)(struct nl31_ports *ports,
				   const struct nl31_port *port));

struct nl31_port *nl31_port_find(const struct nl31_ports *ports,
				 const struct net_device *dev);
int nl31_port_check(const struct net_device *dev,
		    struct netlink_ext_ack *extack);
struct nl31_port *nl31_port_add(struct nl31_ports *ports, struct net_device *dev,
				struct netlink_ext_ack *extack);
void nl31_port_set(struct nl31_port *port, bool forwarding, u8 urpf);
void nl31_port_del(struct nl31_port *port);
void nl31_port_event(struct nl31_ports *ports, const struct net_device *dev,
		     unsigned long event);

u64 nl31_port_counted(const struct nl31_port *port, enum nl31_port_count what);

/**
 * nl31_port_receive - a packet has come in on a port
 * @dev: the device of the port
 * @skb: the packet; its header is checked, PREROUTING is done
 * @proto: AF_INET or AF_INET6
 *
 * Implemented above, by receive.c.
 *
 * Context: RCU read side, bottom halves disabled
 * Return: the packet for Linux to go on with; NULL if it was consumed
 */
struct sk_buff *nl31_port_receive(struct net_device *dev, struct sk_buff *skb,
				  u16 proto);

/**
 * nl31_port_of - the port of a device
 * @dev: the device
 *
 * Another module may have put its own handler into the place of the port's.
 *
 * Context: RCU read side, or RTNL
 * Return: NULL if it is none
 */
static inline struct nl31_port *nl31_port_of(const struct net_device *dev)
{
	const struct l3mdev_ops *ops = READ_ONCE(dev->l3mdev_ops);

	if (unlikely(!ops || ops->l3mdev_l3_rcv != nl31_port_receive))
		return NULL;
	return container_of(ops, struct nl31_port, ops);
}

/**
 * nl31_port_count - count a packet
 * @port: where it came in
 * @what: what became of it
 *
 * Context: RCU read side, bottom halves disabled
 */
static inline void nl31_port_count(struct nl31_port *port,
				   enum nl31_port_count what)
{
	struct nl31_port_stats *stats = this_cpu_ptr(port->stats);

	u64_stats_update_begin(&stats->syncp);
	u64_stats_inc(&stats->count[what]);
	u64_stats_update_end(&stats->syncp);
}

#endif /* _NL31_PORT_H */
