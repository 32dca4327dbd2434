// SPDX-License-Identifier: GPL-2.0-only
/* Ports: devices whose packets the table forwards. See port.h. */
#include <linux/err.h>
#include <linux/netlink.h>
#include <linux/percpu.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "port.h"

static struct nl31_port *nl31_port_alloc(void)
{
	struct nl31_port *port;
	int cpu;

	port = kzalloc(sizeof(*port), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!port)
		return NULL;
	port->stats = alloc_percpu_gfp(struct nl31_port_stats,
				       GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!port->stats) {
		kfree(port);
		return NULL;
	}
	for_each_possible_cpu(cpu)
		u64_stats_init(&per_cpu_ptr(port->stats, cpu)->syncp);
	return port;
}

static void nl31_port_free_rcu(struct rcu_head *rcu)
{
	struct nl31_port *port = container_of(rcu, struct nl31_port, rcu);

	free_percpu(port->stats);
	kfree(port);
}

/**
 * nl31_port_check - can the table forward what comes in on a device?
 * @dev: the device, not a port
 * @extack: for the text of an error
 *
 * Context: RTNL
 * Return: 0, -EINVAL or -EBUSY
 */
int nl31_port_check(const struct net_device *dev, struct netlink_ext_ack *extack)
{
	if (dev->flags & IFF_LOOPBACK) {
		NL_SET_ERR_MSG(extack, "the loopback device cannot be a port");
		return -EINVAL;
	}
	if (netif_is_l3_master(dev) || netif_is_l3_slave(dev)) {
		NL_SET_ERR_MSG(extack,
			       "the device is a VRF or belongs to one");
		return -EBUSY;
	}
	if (netif_is_any_bridge_port(dev) || netif_is_lag_port(dev)) {
		NL_SET_ERR_MSG(extack,
			       "the device belongs to a bridge or bond: make that the port");
		return -EBUSY;
	}
	if (dev->l3mdev_ops) {
		NL_SET_ERR_MSG(extack,
			       "another L3 handler has the device");
		return -EBUSY;
	}
	return 0;
}

static void nl31_port_insert(struct nl31_ports *ports, struct nl31_port *port)
{
	struct list_head *at = &ports->list;
	struct nl31_port *other;

	list_for_each_entry(other, &ports->list, list) {
		if (other->dev->ifindex > port->dev->ifindex)
			break;
		at = &other->list;
	}
	list_add_rcu(&port->list, at);
	WRITE_ONCE(ports->changes, ports->changes + 1);
}

/**
 * nl31_port_add - make a device a port
 * @ports: the ports of its namespace
 * @dev: the device, not a port
 * @extack: for the text of an error
 *
 * It does not forward until nl31_port_set() says so.
 *
 * Context: process, RTNL
 * Return: the port or ERR_PTR
 */
struct nl31_port *nl31_port_add(struct nl31_ports *ports, struct net_device *dev,
				struct netlink_ext_ack *extack)
{
	struct nl31_port *port;
	int err;

	ASSERT_RTNL();
	err = nl31_port_check(dev, extack);
	if (err)
		return ERR_PTR(err);
	port = nl31_port_alloc();
	if (!port)
		return ERR_PTR(-ENOMEM);
	port->ops.l3mdev_l3_rcv = nl31_port_receive;
	port->ports = ports;
	port->dev = dev;
	nl31_port_insert(ports, port);
	/* packets that see the flag see the handler */
	smp_store_release(&dev->l3mdev_ops, &port->ops);
	dev->priv_flags |= IFF_L3MDEV_RX_HANDLER;
	return port;
}

/**
 * nl31_port_set - change a port
 * @port: the port
 * @forwarding: the table forwards its packets
 * @urpf: enum nl31_urpf
 *
 * Context: RTNL
 */
void nl31_port_set(struct nl31_port *port, bool forwarding, u8 urpf)
{
	ASSERT_RTNL();
	if (port->forwarding == forwarding && port->urpf == urpf)
		return;
	WRITE_ONCE(port->urpf, urpf);
	WRITE_ONCE(port->forwarding, forwarding);
	WRITE_ONCE(port->ports->changes, port->ports->changes + 1);
}

/**
 * nl31_port_del - end a port
 * @port: the port
 *
 * Context: process, RTNL
 */
void nl31_port_del(struct nl31_port *port)
{
	struct net_device *dev = port->dev;

	ASSERT_RTNL();
	if (dev->l3mdev_ops == &port->ops) {
		dev->priv_flags &= ~IFF_L3MDEV_RX_HANDLER;
		/* a packet that saw the flag follows the pointer */
		synchronize_net();
		WRITE_ONCE(dev->l3mdev_ops, NULL);
	}
	list_del_rcu(&port->list);
	WRITE_ONCE(port->ports->changes, port->ports->changes + 1);
	call_rcu(&port->rcu, nl31_port_free_rcu);
}

/**
 * nl31_port_event - a device has changed
 * @ports: the ports of its namespace
 * @dev: the device
 * @event: NETDEV_*
 *
 * Context: process, RTNL
 */
void nl31_port_event(struct nl31_ports *ports, const struct net_device *dev,
		     unsigned long event)
{
	struct nl31_port *port = nl31_port_find(ports, dev);
	bool has_ended;

	if (!port)
		return;
	switch (event) {
	case NETDEV_UNREGISTER:
		has_ended = true;
		break;
	case NETDEV_CHANGEUPPER:
		/* packets go to the handler of the VRF now */
		has_ended = netif_is_l3_slave(dev);
		break;
	default:
		has_ended = false;
	}
	if (!has_ended && dev->l3mdev_ops == &port->ops)
		return;
	if (ports->ended)
		ports->ended(ports, port);
	nl31_port_del(port);
}

/**
 * nl31_port_find - the port of a device
 * @ports: the ports of its namespace
 * @dev: the device
 *
 * Also where another module has replaced the handler of the port.
 *
 * Context: RTNL, or RCU read side
 * Return: NULL if it is none
 */
struct nl31_port *nl31_port_find(const struct nl31_ports *ports,
				 const struct net_device *dev)
{
	struct nl31_port *port;

	list_for_each_entry_rcu(port, &ports->list, list, lockdep_rtnl_is_held())
		if (port->dev == dev)
			return port;
	return NULL;
}

/**
 * nl31_port_counted - how many packets there were
 * @port: where they came in
 * @what: what became of them
 *
 * Context: RCU read side, or RTNL
 */
u64 nl31_port_counted(const struct nl31_port *port, enum nl31_port_count what)
{
	u64 sum = 0, count;
	unsigned int start;
	int cpu;

	for_each_possible_cpu(cpu) {
		const struct nl31_port_stats *stats = per_cpu_ptr(port->stats, cpu);

		do {
			start = u64_stats_fetch_begin(&stats->syncp);
			count = u64_stats_read(&stats->count[what]);
		} while (u64_stats_fetch_retry(&stats->syncp, start));
		sum += count;
	}
	return sum;
}

/**
 * nl31_ports_init - no ports yet
 * @ports: zeroed
 * @sock: the kernel's socket of the namespace, or NULL
 * @ended: called under RTNL for a port that ends with its device, before it does
 */
void nl31_ports_init(struct nl31_ports *ports, struct sock *sock,
		     void (*ended)(struct nl31_ports *ports,
				   const struct nl31_port *port))
{
	INIT_LIST_HEAD(&ports->list);
	ports->sock = sock;
	ports->ended = ended;
}
