/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The maps, and the layout of what is in them: src/keys.rs writes the same in Rust. */
#ifndef WIREPATH_MAPS_H
#define WIREPATH_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define MAX_QUEUES	1024
#define MAX_LISTENERS	4096
#define MAX_ADDRESSES	1024
#define MAX_NETWORKS	65536

enum verdict {
#define VERDICT(name, action, help) VERDICT_##name,
#include "verdicts.h"
#undef VERDICT
	VERDICT_COUNT
};

enum address_kind {
	/* Not in the map. */
	ADDRESS_NONE,
	/* On the interface too: the kernel keeps all that is not expressly ours. */
	ADDRESS_SHARED,
	/* Unknown to the kernel: ARP, NDP, ICMP and every TCP port are ours. */
	ADDRESS_OWNED,
};

/* In network order; IPv4 is mapped to ::ffff:a.b.c.d. */
struct address {
	__u32 word[4];
};

struct endpoint {
	struct address address;
	__be16 port;
	__u16 pad;
};

_Static_assert(sizeof(struct endpoint) == 20, "as in keys.rs");

/*
 * Addresses that begin alike, in one list of networks: so many bits of what follows count, those of
 * the whole number of the list among them.
 */
struct network {
	__u32 prefixlen;
	__u32 list;
	struct address address;
};

_Static_assert(sizeof(struct network) == 24, "as in keys.rs");

enum access { ACCESS_DENY, ACCESS_ALLOW };

/* In host order, both included; empty while first is 0. */
struct port_range {
	__u16 first;
	__u16 last;
};

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, MAX_QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

/* Values are the numbers of lists of networks; 0 for none. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_LISTENERS);
	__type(key, struct endpoint);
	__type(value, __u32);
} listeners SEC(".maps");

/* Values are of enum access. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_NETWORKS);
	__type(key, struct network);
	__type(value, __u32);
} networks SEC(".maps");

/* Values are of enum address_kind. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_ADDRESSES);
	__type(key, struct address);
	__type(value, __u32);
} addresses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct port_range);
} active_ports SEC(".maps");

/* Frames by enum verdict. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VERDICT_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

#endif
