// Loses and repeats frames that come in on one interface, at rates that may change while it runs.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#define SEC(name) __attribute__((section(name), used))
#define MILLION 1000000

// The four helpers and map macros that this needs of libbpf's headers, which a machine that only
// runs the tests need not have.
static void *(*const map_lookup)(void *, const void *) = (void *)BPF_FUNC_map_lookup_elem;
static __u32 (*const prandom)(void) = (void *)BPF_FUNC_get_prandom_u32;
static long (*const clone_redirect)(struct __sk_buff *, __u32, __u64) =
	(void *)BPF_FUNC_clone_redirect;

// Read and written by fault.rs, which knows these layouts.
struct rates {
	__u32 drop_per_million;
	__u32 duplicate_per_million;
	__u32 duplicate_to; // interface index
	__u32 queues; // to spread frames over, at random; 0 leaves them alone
};

struct counts {
	__u64 seen;
	__u64 dropped;
	__u64 duplicated;
};

struct {
	int (*type)[BPF_MAP_TYPE_ARRAY];
	int (*max_entries)[1];
	__u32 *key;
	struct rates *value;
} rates SEC(".maps");

struct {
	int (*type)[BPF_MAP_TYPE_ARRAY];
	int (*max_entries)[1];
	__u32 *key;
	struct counts *value;
} counts SEC(".maps");

static int happens(__u32 per_million)
{
	return prandom() % MILLION < per_million;
}

SEC("tc")
int fault(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct rates *rate = map_lookup(&rates, &zero);
	struct counts *count = map_lookup(&counts, &zero);

	if (!rate || !count)
		return TC_ACT_OK;

	__sync_fetch_and_add(&count->seen, 1);
	if (happens(rate->drop_per_million)) {
		__sync_fetch_and_add(&count->dropped, 1);
		return TC_ACT_SHOT;
	}
	if (rate->queues)
		skb->queue_mapping = 1 + prandom() % rate->queues;
	if (happens(rate->duplicate_per_million)) {
		if (clone_redirect(skb, rate->duplicate_to, 0) == 0)
			__sync_fetch_and_add(&count->duplicated, 1);
	}
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual MIT/GPL";
