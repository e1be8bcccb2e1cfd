// How often something happened to a process, how long it took and how much it moved: what the agent sends, all the time.
// Unit: events, nanoseconds and bytes; slots of a power of two. Hooks: none of its own. Cost: a look into a hash table and
// four additions.
#ifndef LONGPOLE_PROCESS_COUNTS_H
#define LONGPOLE_PROCESS_COUNTS_H

#include "../kernel-types.h"
#include <bpf/bpf_helpers.h>
#include "../stream.h"
#include "histograms.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct count_key);
	__type(value, struct count_total);
} counts SEC(".maps");

__u64 lost_counts = 0;

// times: how many events of this length the one that was seen stands for
static __always_inline void add_counts(__u32 tgid, __u32 kind, __u32 which, __u32 times, __u64 ns, __u64 bytes)
{
	struct count_key key = { .tgid = tgid, .kind = kind, .which = which };
	struct count_total *into = bpf_map_lookup_elem(&counts, &key);
	if (!into) {
		struct count_total fresh = { 0 };
		bpf_map_update_elem(&counts, &key, &fresh, BPF_NOEXIST);
		into = bpf_map_lookup_elem(&counts, &key);
		if (!into) {
			__sync_fetch_and_add(&lost_counts, 1);
			return;
		}
	}
	__sync_fetch_and_add(&into->count, times);
	__sync_fetch_and_add(&into->ns, times * ns);
	__sync_fetch_and_add(&into->bytes, times * bytes);
	__u32 exponent = exponent_of(ns);
	__u32 slot = exponent < COUNT_FIRST_EXPONENT ? 0 : exponent - COUNT_FIRST_EXPONENT + 1;
	if (slot >= COUNT_SLOTS)
		slot = COUNT_SLOTS - 1;
	__sync_fetch_and_add(&into->slots[slot], times);
}

static __always_inline void add_count(__u32 tgid, __u32 kind, __u32 which, __u64 ns, __u64 bytes)
{
	add_counts(tgid, kind, which, 1, ns, bytes);
}

#endif
