// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Fails open: forwards between two ports while the program in user space that should do it is
 * silent, and keeps the kernel's own hands off their frames while it works.
 *
 * At the ingress of both ports, behind packet sockets, which have had their copy by then.
 */
#include "kernel.h"

char terms[] SEC("license") = "Dual MIT/GPL";

/* The two ports; set before loading. */
const volatile u32 wire_a = 0;
const volatile u32 wire_b = 0;

/* So long after its last beat user space counts as silent. */
#define STALE_NS 200000000ll

struct beat {
	u64 monotonic_ns; /* written by user space while it forwards */
	u64 forwarded[2]; /* here, of what came in at wire_a and at wire_b */
	u64 bytes[2];
	u64 unused[3];
};
struct {
	uint_(type, MAP_ARRAY);
	uint_(max_entries, 1);
	uint_(map_flags, MAP_F_MMAPABLE);
	type_(key, u32);
	type_(value, struct beat);
} ghost_beat SEC(".maps");

SEC("classifier") int ghost_open(struct __sk_buff *skb)
{
	u32 first = 0, from_b = skb->ifindex != wire_a;
	struct beat *beat = map_lookup(&ghost_beat, &first);

	if (beat) {
		long long age = ktime_ns() - *(volatile u64 *)&beat->monotonic_ns;
		if (age < STALE_NS)
			return TCX_DROP;
		__sync_fetch_and_add(&beat->forwarded[from_b & 1], 1);
		__sync_fetch_and_add(&beat->bytes[from_b & 1], skb->len);
	}
	return redirect(from_b ? wire_a : wire_b, 0);
}
