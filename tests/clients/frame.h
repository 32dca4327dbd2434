/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Frames of all kinds that a router gets, and sockets that send them as they are. */
#ifndef NL31_TEST_FRAME_H
#define NL31_TEST_FRAME_H

#include "wire.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <sys/ioctl.h>

struct frame {
	struct virtio_net_hdr vnet;
	unsigned char data[4096];
	size_t size; /* of data */
};

static uint32_t random_state = 31;

static uint32_t random_below(uint32_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % limit;
}

static uint16_t checksum(const unsigned char *data, size_t size)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i + 1 < size; i += 2)
		sum += data[i] << 8 | data[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* What @name is reached by. */
static void mac_of(const char *name, unsigned char *mac)
{
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request))
		fail("%s has no address: %s", name, strerror(errno));
	memcpy(mac, request.ifr_hwaddr.sa_data, ETH_ALEN);
	close(fd);
}

enum kind {
	PLAIN, FRAGMENT, TTL_1, OPTIONS, TOO_BIG, GSO, UNREACHABLE, PROHIBIT, BLACKHOLE, NO_ROUTE,
	GATEWAY, BY_INDEX, NEIGHBOURS, LOCAL, SPOOFED, KINDS
};

/* An Ethernet header is in front. */
static void build4(struct frame *f, enum kind kind)
{
	static const unsigned char nets[KINDS] = {
		[UNREACHABLE] = 115, [PROHIBIT] = 116, [BLACKHOLE] = 117, [NO_ROUTE] = 118,
		[GATEWAY] = 114, [BY_INDEX] = 119,
	};
	unsigned char *h = f->data + ETH_HLEN;
	const unsigned options = kind == OPTIONS ? 4 : 0;
	unsigned size = 40 + options + random_below(200);
	uint16_t sum;

	if (kind == TOO_BIG)
		size = 1800;
	if (kind == GSO)
		size = 40 + 3000;
	f->data[12] = 0x08;
	f->data[13] = 0x00;
	memset(h, 0, size);
	h[0] = 0x45 + options / 4;
	h[2] = size >> 8;
	h[3] = size;
	h[4] = random_below(256);
	h[6] = kind == FRAGMENT ? 0x20 : random_below(2) ? 0x40 : 0;
	h[8] = kind == TTL_1 ? 1 : 64;
	h[9] = kind == GSO ? IPPROTO_TCP : IPPROTO_UDP;
	memcpy(h + 12, "\xc0\x00\x02", 3); /* 192.0.2.x */
	h[15] = 1 + random_below(200);
	memcpy(h + 16, "\xcb\x00\x71", 3); /* 203.0.113.x */
	if (nets[kind])
		h[18] = nets[kind];
	h[19] = 1 + random_below(200);
	if (kind == NEIGHBOURS) {
		memcpy(h + 16, "\xc6\x12", 2);
		h[18] = random_below(256);
	}
	if (kind == LOCAL)
		memcpy(h + 16, "\x0a\x01\x00\x01", 4);
	if (kind == SPOOFED)
		memcpy(h + 12, "\x0a\x02\x00\x01", 4);
	if (options)
		memcpy(h + 20, "\x94\x04\x00\x00", 4); /* router alert */
	sum = checksum(h, 20 + options);
	h[10] = sum >> 8;
	h[11] = sum;
	f->size = ETH_HLEN + size;
}

static void build6(struct frame *f, enum kind kind)
{
	static const unsigned char nets[KINDS] = {
		[UNREACHABLE] = 0x15, [PROHIBIT] = 0x16, [BLACKHOLE] = 0x17, [NO_ROUTE] = 0x18,
		[GATEWAY] = 0x14, [BY_INDEX] = 0x19,
	};
	unsigned char *h = f->data + ETH_HLEN;
	unsigned payload = 20 + random_below(200);

	if (kind == TOO_BIG)
		payload = 1800;
	if (kind == GSO)
		payload = 20 + 3000;
	f->data[12] = 0x86;
	f->data[13] = 0xdd;
	memset(h, 0, 40 + payload);
	h[0] = 0x60;
	h[4] = payload >> 8;
	h[5] = payload;
	h[6] = kind == GSO ? IPPROTO_TCP : IPPROTO_UDP;
	h[7] = kind == TTL_1 ? 1 : 64;
	memcpy(h + 8, "\x20\x01\x0d\xb8\x00\x01", 6);
	h[23] = 1 + random_below(200);
	memcpy(h + 24, "\x20\x01\x0d\xb8\x01\x13", 6);
	if (nets[kind])
		h[29] = nets[kind];
	h[39] = 1 + random_below(200);
	if (kind == NEIGHBOURS) {
		h[28] = 0;
		h[29] = 0x18;
		h[38] = random_below(256);
	}
	if (kind == LOCAL)
		inet_pton(AF_INET6, "fd00:1::1", h + 24);
	if (kind == SPOOFED)
		inet_pton(AF_INET6, "fd00:2::1", h + 8);
	if (kind == OPTIONS) {
		h[6] = 0; /* hop-by-hop: router alert */
		memcpy(h + 40, "\x11\x00\x05\x02\x00\x00\x01\x00", 8);
	}
	if (kind == FRAGMENT) {
		h[6] = 44;
		memcpy(h + 40, "\x11\x00\x00\x01", 4);
		h[44] = random_below(256);
	}
	f->size = ETH_HLEN + 40 + payload;
}

static void build(struct frame *f, enum kind kind, bool is_ipv6)
{
	memset(&f->vnet, 0, sizeof(f->vnet));
	if (is_ipv6)
		build6(f, kind);
	else
		build4(f, kind);
	if (kind == GSO) {
		const unsigned header = ETH_HLEN + (is_ipv6 ? 40 : 20);
		unsigned char *tcp = f->data + header;

		tcp[12] = 0x50;
		tcp[13] = 0x10;
		f->vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		f->vnet.gso_type = is_ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
		f->vnet.hdr_len = header + 20;
		f->vnet.gso_size = 1000;
		f->vnet.csum_start = header;
		f->vnet.csum_offset = 16;
	}
}

/* A socket that sends and receives frames at a peer. Context: the namespace of the peers */
static int packet_socket(const char *name)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = if_nametoindex(name),
	};
	int on = 1, size = 4 << 20;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		fail("no packet socket: %s", strerror(errno));
	if (!address.sll_ifindex || bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		return -1;
	}
	return fd;
}

static int send_frame(int fd, struct frame *f)
{
	struct iovec parts[] = {
		{ .iov_base = &f->vnet, .iov_len = sizeof(f->vnet) },
		{ .iov_base = f->data, .iov_len = f->size },
	};

	return writev(fd, parts, 2) == (ssize_t)(sizeof(f->vnet) + f->size) ? 0 : -errno;
}

#endif
