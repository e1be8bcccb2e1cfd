// Which processes are looked at, and since when. Counts nothing by itself.
// Hooks: none. Cost: one look into a hash table wherever another probe asks whose event it is.
#ifndef LONGPOLE_TARGETS_H
#define LONGPOLE_TARGETS_H

#include "../kernel-types.h"
#include <bpf/bpf_helpers.h>

const volatile bool follow_children = true;
// For the agent, all the time: counts of each process, and nothing of a single request.
const volatile bool serving = false;

volatile __u64 started_ns = 0;
// Of a command that waits for its beginning: nothing counts before its program is there.
volatile bool counting = true;

// Since when a process is looked at; 0: since started_ns.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u64);
} targets SEC(".maps");

static __always_inline bool is_chosen(__u32 tgid)
{
	return bpf_map_lookup_elem(&targets, &tgid) != 0;
}

// Since when; 0 where it is none.
static __always_inline __u64 target_since(__u32 tgid)
{
	// Probes are attached one by one: nothing counts before all are there.
	if (!counting || !started_ns)
		return 0;
	__u64 *since = bpf_map_lookup_elem(&targets, &tgid);
	return !since ? 0 : *since ? *since : started_ns;
}

static __always_inline bool is_target(__u32 tgid)
{
	return target_since(tgid) != 0;
}

#endif
