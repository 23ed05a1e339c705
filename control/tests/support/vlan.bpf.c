// An access port of a switch: its station knows of no tag, and the trunk of no frame without one.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#define SEC(name) __attribute__((section(name), used))
#define htons(number) __builtin_bswap16(number)
#define TAG 7

static void *(*const map_lookup)(void *, const void *) = (void *)BPF_FUNC_map_lookup_elem;
static long (*const vlan_push)(struct __sk_buff *, __be16, __u16) = (void *)BPF_FUNC_skb_vlan_push;
static long (*const vlan_pop)(struct __sk_buff *) = (void *)BPF_FUNC_skb_vlan_pop;

// Read by vlan.rs, which knows this layout.
struct counts {
	__u64 tagged;
	__u64 others;
};

struct {
	int (*type)[BPF_MAP_TYPE_ARRAY];
	int (*max_entries)[1];
	__u32 *key;
	struct counts *value;
} counts SEC(".maps");

// What the station sends.
SEC("tc")
int access(struct __sk_buff *skb)
{
	return vlan_push(skb, htons(ETH_P_8021Q), TAG) ? TC_ACT_SHOT : TC_ACT_OK;
}

// What comes from the trunk.
SEC("tc")
int trunk(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct counts *count = map_lookup(&counts, &zero);

	if (!count)
		return TC_ACT_SHOT;
	if (!skb->vlan_present || skb->vlan_tci != TAG) {
		__sync_fetch_and_add(&count->others, 1);
		return TC_ACT_SHOT;
	}
	__sync_fetch_and_add(&count->tagged, 1);
	return vlan_pop(skb) ? TC_ACT_SHOT : TC_ACT_OK;
}

char _license[] SEC("license") = "Dual MIT/GPL";
