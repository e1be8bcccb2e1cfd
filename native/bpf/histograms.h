// How long something took, of all targets together: a recording's. Unit: nanoseconds, in slots of a quarter of a power of two.
// Hooks: none of its own. Cost: a look into a hash table and three additions.
#ifndef LONGPOLE_HISTOGRAMS_H
#define LONGPOLE_HISTOGRAMS_H

#include "../kernel-types.h"
#include <bpf/bpf_helpers.h>
#include "../stream.h"

// The greatest power of two that is no more than this, by halving; 0 of 0.
static __always_inline __u32 exponent_of(__u64 ns)
{
	__u32 exponent = 0;
	__u64 rest = ns;
	if (rest >> 32) { exponent += 32; rest >>= 32; }
	if (rest >> 16) { exponent += 16; rest >>= 16; }
	if (rest >> 8) { exponent += 8; rest >>= 8; }
	if (rest >> 4) { exponent += 4; rest >>= 4; }
	if (rest >> 2) { exponent += 2; rest >>= 2; }
	if (rest >> 1) exponent += 1;
	return exponent;
}

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__uint(map_flags, 1);
	__type(key, struct histogram_key);
	__type(value, struct histogram);
} histograms SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct histogram);
} empty_histogram SEC(".maps");

static __always_inline void count_in(__u32 kind, __u32 which, __u32 operation, __u64 ns)
{
	struct histogram_key key = { .kind = kind, .which = which, .operation = operation };
	struct histogram *into = bpf_map_lookup_elem(&histograms, &key);
	if (!into) {
		__u32 zero = 0;
		struct histogram *empty = bpf_map_lookup_elem(&empty_histogram, &zero);
		if (!empty)
			return;
		bpf_map_update_elem(&histograms, &key, empty, BPF_NOEXIST);
		into = bpf_map_lookup_elem(&histograms, &key);
		if (!into)
			return;
	}
	__sync_fetch_and_add(&into->count, 1);
	__sync_fetch_and_add(&into->sum_ns, ns);
	__u32 exponent = exponent_of(ns);
	__u32 quarter = exponent >= 2 ? (ns >> (exponent - 2)) & 3 : exponent == 1 ? (ns & 1) * 2 : 0;
	__u32 slot = exponent * 4 + quarter;
	if (slot >= HISTOGRAM_SLOTS)
		slot = HISTOGRAM_SLOTS - 1;
	__sync_fetch_and_add(&into->slots[slot], 1);
}

#endif
