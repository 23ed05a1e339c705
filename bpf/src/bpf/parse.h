/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Headers, one after the other. Every parse_* checks the bounds of its header once, moves the
 * cursor behind it and returns the protocol of what follows, or a negative parse_error.
 */
#ifndef WIREPATH_PARSE_H
#define WIREPATH_PARSE_H

#include <linux/bpf.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "maps.h"

#define IPV4_MORE_FRAGMENTS	0x2000
#define IPV4_OFFSET		0x1fff
#define IPV6_MORE_FRAGMENTS	0x0001
#define IPV6_OFFSET		0xfff8

/*
 * RFC 8200 4.1 allows each extension header once and destination options twice, so an honest
 * chain is shorter than this.
 */
#define MAX_EXTENSIONS		8

enum parse_error {
	/* The frame ends before the header does. */
	CUT_SHORT = -1,
	/* A field contradicts another, or the chain of extension headers is too long. */
	CONTRADICTORY = -2,
};

enum fragment {
	FRAGMENT_NONE,
	/* The one that carries the ports. */
	FRAGMENT_FIRST,
	FRAGMENT_LATER,
};

struct hdr_cursor {
	void *pos;
	void *end;
};

/* What the IP header says; all zero as long as it could not be read. */
struct packet {
	struct address source;
	struct address destination;
	enum fragment fragment;
};

struct vlan_tag {
	__be16 control;
	__be16 ethertype;
};

struct arp_ipv4 {
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_length;
	__u8 protocol_length;
	__be16 operation;
	__u8 sender_mac[ETH_ALEN];
	__u8 sender[4];
	__u8 target_mac[ETH_ALEN];
	__u8 target[4];
};

struct ipv6_extension {
	__u8 next;
	/* In units of 8 bytes, without the first. */
	__u8 length;
};

struct ipv6_fragment {
	__u8 next;
	__u8 reserved;
	__be16 offset;
	__be32 id;
};

/* RFC 792; <linux/icmp.h> would pull in the C library's headers, which know no bpf. */
enum icmp_type {
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACHABLE = 3,
	ICMP_ECHO_REQUEST = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER_PROBLEM = 12,
};

struct icmp {
	__u8 type;
	__u8 code;
	__u16 checksum;
	__u32 rest;
};

/* NS and NA: RFC 4861 4.3 and 4.4. */
struct ndp {
	struct icmp6hdr icmp;
	struct in6_addr target;
};

struct ports {
	__be16 source;
	__be16 destination;
};

/*
 * The next size bytes, or NULL when the frame ends before. Test the result at once: kept for
 * later, the compiler may test it in ways that the verifier cannot follow.
 */
static __always_inline void *take(struct hdr_cursor *cur, __u32 size)
{
	void *hdr = cur->pos;

	if (hdr + size > cur->end)
		return NULL;
	cur->pos = hdr + size;
	return hdr;
}

static __always_inline void map_ipv4(struct address *address, const void *ipv4)
{
	address->word[0] = 0;
	address->word[1] = 0;
	address->word[2] = bpf_htonl(0xffff);
	__builtin_memcpy(&address->word[3], ipv4, sizeof(address->word[3]));
}

/* Ethernet and at most one 802.1Q tag; returns the EtherType in host order. */
static __always_inline int parse_ethernet(struct hdr_cursor *cur)
{
	struct ethhdr *eth = take(cur, sizeof(*eth));
	struct vlan_tag *tag;

	if (!eth)
		return CUT_SHORT;
	if (eth->h_proto != bpf_htons(ETH_P_8021Q))
		return bpf_ntohs(eth->h_proto);
	tag = take(cur, sizeof(*tag));
	if (!tag)
		return CUT_SHORT;
	return bpf_ntohs(tag->ethertype);
}

/* Options are skipped. */
static __always_inline int parse_ipv4(struct hdr_cursor *cur, struct packet *packet)
{
	struct iphdr *ip = take(cur, sizeof(*ip));
	__u16 place;

	if (!ip)
		return CUT_SHORT;
	if (ip->version != 4)
		return CONTRADICTORY;
	map_ipv4(&packet->source, &ip->saddr);
	map_ipv4(&packet->destination, &ip->daddr);

	if (ip->ihl < 5)
		return CONTRADICTORY;
	if (!take(cur, ip->ihl * 4 - sizeof(*ip)))
		return CUT_SHORT;

	place = bpf_ntohs(ip->frag_off);
	if (place & IPV4_OFFSET)
		packet->fragment = FRAGMENT_LATER;
	else if (place & IPV4_MORE_FRAGMENTS)
		packet->fragment = FRAGMENT_FIRST;
	return ip->protocol;
}

/* Skips one extension header of type next; returns the type after it. */
static __always_inline int parse_ipv6_extension(struct hdr_cursor *cur)
{
	struct ipv6_extension *extension = take(cur, 8);

	if (!extension || !take(cur, extension->length * 8))
		return CUT_SHORT;
	return extension->next;
}

/* An atomic fragment (RFC 6946), whole in itself, counts as a first one. */
static __always_inline int parse_ipv6_fragment(struct hdr_cursor *cur, struct packet *packet)
{
	struct ipv6_fragment *fragment = take(cur, sizeof(*fragment));

	if (!fragment)
		return CUT_SHORT;
	if (fragment->offset & bpf_htons(IPV6_OFFSET))
		packet->fragment = FRAGMENT_LATER;
	else
		packet->fragment = FRAGMENT_FIRST;
	return fragment->next;
}

/*
 * Extension headers are skipped. Behind a later fragment there are none to be seen: the type it
 * names is that of the first one.
 */
static __always_inline int parse_ipv6(struct hdr_cursor *cur, struct packet *packet)
{
	struct ipv6hdr *ip = take(cur, sizeof(*ip));
	int next, i;

	if (!ip)
		return CUT_SHORT;
	if (ip->version != 6)
		return CONTRADICTORY;
	__builtin_memcpy(&packet->source, &ip->saddr, sizeof(packet->source));
	__builtin_memcpy(&packet->destination, &ip->daddr, sizeof(packet->destination));

	next = ip->nexthdr;
	for (i = 0; i < MAX_EXTENSIONS; i++) {
		if (next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS)
			next = parse_ipv6_extension(cur);
		else if (next == IPPROTO_FRAGMENT)
			next = parse_ipv6_fragment(cur, packet);
		else
			return next;
		if (next < 0 || packet->fragment == FRAGMENT_LATER)
			return next;
	}
	return CONTRADICTORY;
}

#endif
