// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Steers the frames of our addresses and ports to the AF_XDP socket of the queue they came in on,
 * and leaves all others to the kernel.
 */
#include <stdbool.h>

#include "maps.h"
#include "parse.h"

#define ARP_HARDWARE_ETHERNET	1
#define NDP_SOLICITATION	135
#define NDP_ADVERTISEMENT	136

static __always_inline enum address_kind kind_of(const struct address *address)
{
	__u32 *kind = bpf_map_lookup_elem(&addresses, address);

	return kind ? *kind : ADDRESS_NONE;
}

static __always_inline bool is_owned(const struct address *address)
{
	return kind_of(address) == ADDRESS_OWNED;
}

static __always_inline bool is_active_port(__be16 port)
{
	__u32 zero = 0;
	struct port_range *range = bpf_map_lookup_elem(&active_ports, &zero);
	__u16 number = bpf_ntohs(port);

	return range && range->first && range->first <= number && number <= range->last;
}

/* Why TCP to this address and port is ours, or passed when it is not. */
static __always_inline enum verdict claim_tcp(const struct address *address, __be16 port)
{
	struct endpoint endpoint = { .address = *address, .port = port };
	enum address_kind kind;

	/* Established connections of a server come here: one lookup is all they pay. */
	if (bpf_map_lookup_elem(&listeners, &endpoint))
		return VERDICT_listener;
	kind = kind_of(address);
	if (kind == ADDRESS_NONE)
		return VERDICT_passed;
	if (is_active_port(port))
		return VERDICT_active_open;
	return kind == ADDRESS_OWNED ? VERDICT_owned_port : VERDICT_passed;
}

/* For what cannot be steered by port: the kernel has no use for it when the address is owned. */
static __always_inline enum verdict drop_if_owned(const struct address *address)
{
	return is_owned(address) ? VERDICT_malformed : VERDICT_passed;
}

/*
 * We do not reassemble. All TCP and ICMP fragments to an owned address end here. On a shared
 * address only a first fragment shows its ports: ours are dropped, and the later ones, which
 * nobody can tell apart, pass. Without its first fragment the kernel never completes the packet,
 * and lets it time out in silence (RFC 1122 3.3.2).
 */
static __always_inline enum verdict judge_fragment(struct hdr_cursor *cur,
						   const struct packet *packet, int protocol)
{
	struct ports *ports;

	if (protocol != IPPROTO_TCP) {
		if (protocol != IPPROTO_ICMP && protocol != IPPROTO_ICMPV6)
			return VERDICT_passed;
		return is_owned(&packet->destination) ? VERDICT_fragment : VERDICT_passed;
	}
	if (is_owned(&packet->destination))
		return VERDICT_fragment;
	if (packet->fragment == FRAGMENT_LATER)
		return VERDICT_passed;
	ports = take(cur, sizeof(*ports));
	if (!ports)
		return VERDICT_passed;
	if (claim_tcp(&packet->destination, ports->destination) == VERDICT_passed)
		return VERDICT_passed;
	return VERDICT_fragment;
}

/*
 * Whether the list of a listener keeps this peer off. Only a SYN asks: who has a connection may
 * go on, and without a SYN there is none.
 */
static __always_inline bool is_denied(const struct packet *packet, __be16 port)
{
	struct endpoint endpoint = { .address = packet->destination, .port = port };
	__u32 *list = bpf_map_lookup_elem(&listeners, &endpoint);
	struct network peer = {
		.prefixlen = 8 * (sizeof(peer) - sizeof(peer.prefixlen)),
		.address = packet->source,
	};
	__u32 *access;

	if (!list || !*list)
		return false;
	peer.list = *list;
	access = bpf_map_lookup_elem(&networks, &peer);
	return !access || *access != ACCESS_ALLOW;
}

static __always_inline enum verdict judge_tcp(struct hdr_cursor *cur, const struct packet *packet)
{
	struct hdr_cursor whole = *cur;
	struct ports *ports = take(cur, sizeof(*ports));
	struct tcphdr *tcp;
	enum verdict claim;

	/* Too short for ports: the kernel would drop it without an answer. */
	if (!ports)
		return drop_if_owned(&packet->destination);
	claim = claim_tcp(&packet->destination, ports->destination);
	if (claim == VERDICT_passed)
		return claim;
	tcp = take(&whole, sizeof(*tcp));
	if (!tcp || tcp->doff < 5 || !take(&whole, tcp->doff * 4 - sizeof(*tcp)))
		return VERDICT_malformed;
	if (claim == VERDICT_listener && tcp->syn && !tcp->ack &&
	    is_denied(packet, ports->destination))
		return VERDICT_denied;
	return claim;
}

/* An ICMP error is ours when the segment that it quotes, which we sent, is. */
static __always_inline enum verdict judge_quote(struct hdr_cursor *cur,
						const struct packet *quoted, int protocol)
{
	struct ports *ports;

	if (protocol != IPPROTO_TCP || quoted->fragment == FRAGMENT_LATER)
		return VERDICT_passed;
	ports = take(cur, sizeof(*ports));
	if (!ports || claim_tcp(&quoted->source, ports->source) == VERDICT_passed)
		return VERDICT_passed;
	return VERDICT_icmp_quote;
}

static __always_inline enum verdict judge_icmp(struct hdr_cursor *cur, const struct packet *packet)
{
	struct icmp *icmp = take(cur, sizeof(*icmp));
	struct packet quoted = {};
	int protocol;

	if (!icmp)
		return drop_if_owned(&packet->destination);
	switch (icmp->type) {
	case ICMP_ECHO_REPLY:
	case ICMP_ECHO_REQUEST:
		return is_owned(&packet->destination) ? VERDICT_icmp : VERDICT_passed;
	case ICMP_UNREACHABLE:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETER_PROBLEM:
		if (is_owned(&packet->destination))
			return VERDICT_icmp;
		protocol = parse_ipv4(cur, &quoted);
		return judge_quote(cur, &quoted, protocol);
	default:
		return VERDICT_passed;
	}
}

/* Solicitations come to a multicast address: what they are about is in the target. */
static __always_inline enum verdict judge_ndp(struct hdr_cursor *cur, const struct packet *packet)
{
	struct ndp *ndp = take(cur, sizeof(*ndp));
	struct address target;

	if (!ndp)
		return drop_if_owned(&packet->destination);
	__builtin_memcpy(&target, &ndp->target, sizeof(target));
	if (is_owned(&target) || is_owned(&packet->destination))
		return VERDICT_ndp;
	return VERDICT_passed;
}

static __always_inline enum verdict judge_icmpv6(struct hdr_cursor *cur,
						 const struct packet *packet)
{
	struct hdr_cursor whole = *cur;
	struct icmp6hdr *icmp = take(cur, sizeof(*icmp));
	struct packet quoted = {};
	int protocol;

	if (!icmp)
		return drop_if_owned(&packet->destination);
	switch (icmp->icmp6_type) {
	case NDP_SOLICITATION:
	case NDP_ADVERTISEMENT:
		return judge_ndp(&whole, packet);
	case ICMPV6_ECHO_REQUEST:
	case ICMPV6_ECHO_REPLY:
		return is_owned(&packet->destination) ? VERDICT_icmp : VERDICT_passed;
	case ICMPV6_DEST_UNREACH:
	case ICMPV6_PKT_TOOBIG:
	case ICMPV6_TIME_EXCEED:
	case ICMPV6_PARAMPROB:
		if (is_owned(&packet->destination))
			return VERDICT_icmp;
		protocol = parse_ipv6(cur, &quoted);
		return judge_quote(cur, &quoted, protocol);
	default:
		return VERDICT_passed;
	}
}

/* Requests for an owned address, and the replies that it gets. */
static __always_inline enum verdict judge_arp(struct hdr_cursor *cur)
{
	struct arp_ipv4 *arp = take(cur, sizeof(*arp));
	struct address target;

	if (!arp || arp->hardware != bpf_htons(ARP_HARDWARE_ETHERNET) ||
	    arp->protocol != bpf_htons(ETH_P_IP) || arp->hardware_length != ETH_ALEN ||
	    arp->protocol_length != sizeof(arp->target))
		return VERDICT_passed;
	map_ipv4(&target, arp->target);
	return is_owned(&target) ? VERDICT_arp : VERDICT_passed;
}

static __always_inline enum verdict judge_ipv4(struct hdr_cursor *cur)
{
	struct packet packet = {};
	int protocol = parse_ipv4(cur, &packet);

	if (protocol < 0)
		return drop_if_owned(&packet.destination);
	if (packet.fragment != FRAGMENT_NONE)
		return judge_fragment(cur, &packet, protocol);
	if (protocol == IPPROTO_TCP)
		return judge_tcp(cur, &packet);
	if (protocol == IPPROTO_ICMP)
		return judge_icmp(cur, &packet);
	return VERDICT_passed;
}

static __always_inline enum verdict judge_ipv6(struct hdr_cursor *cur)
{
	struct packet packet = {};
	int protocol = parse_ipv6(cur, &packet);

	/* The kernel would follow a longer chain than we do, and answer for our port. */
	if (protocol == CONTRADICTORY && kind_of(&packet.destination) != ADDRESS_NONE)
		return VERDICT_malformed;
	if (protocol < 0)
		return drop_if_owned(&packet.destination);
	if (packet.fragment != FRAGMENT_NONE)
		return judge_fragment(cur, &packet, protocol);
	if (protocol == IPPROTO_TCP)
		return judge_tcp(cur, &packet);
	if (protocol == IPPROTO_ICMPV6)
		return judge_icmpv6(cur, &packet);
	return VERDICT_passed;
}

static __always_inline enum verdict judge(struct hdr_cursor *cur)
{
	switch (parse_ethernet(cur)) {
	case ETH_P_IP:
		return judge_ipv4(cur);
	case ETH_P_IPV6:
		return judge_ipv6(cur);
	case ETH_P_ARP:
		return judge_arp(cur);
	default:
		return VERDICT_passed;
	}
}

static __always_inline void count(__u32 verdict)
{
	__u64 *counter = bpf_map_lookup_elem(&counters, &verdict);

	if (counter)
		(*counter)++;
}

enum action { PASS, REDIRECT, DROP };

static __always_inline enum action action_of(enum verdict verdict)
{
	switch (verdict) {
#define VERDICT(name, action, help) case VERDICT_##name: return action;
#include "verdicts.h"
#undef VERDICT
	default:
		return PASS;
	}
}

/* A frame may lie in several buffers: its headers are in the first. */
SEC("xdp.frags")
int steer(struct xdp_md *ctx)
{
	struct hdr_cursor cur = {
		.pos = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
	};
	enum verdict verdict = judge(&cur);
	int result = XDP_PASS;

	switch (action_of(verdict)) {
	case PASS:
		break;
	case REDIRECT:
		result = bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_DROP);
		if (result != XDP_REDIRECT)
			verdict = VERDICT_no_socket;
		break;
	case DROP:
		result = XDP_DROP;
		break;
	}
	count(verdict);
	return result;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
