// When something began that ends later, by its address or by the thread it happens to. Unit: nanoseconds.
// Hooks: none of its own. Cost: an entry into a hash table and its removal.
#ifndef LONGPOLE_BEGINNINGS_H
#define LONGPOLE_BEGINNINGS_H

#include "../kernel-types.h"
#include <bpf/bpf_helpers.h>

struct beginning {
	__u64 ns;
	// of a lock its address, of block I/O its bytes
	__u64 about;
	__u32 tgid;
	__u32 kind;
	__u32 which;
	__u32 pad;
};

// Beginnings of what ends later: a request, a connection or a lock, by address or thread. Not allocated as it is needed, nor are
// the counts: a lock that is waited for may be that of the kernel's allocator.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct beginning);
} begun SEC(".maps");

static __always_inline int begin(__u64 key)
{
	struct beginning beginning = { .ns = bpf_ktime_get_ns() };
	bpf_map_update_elem(&begun, &key, &beginning, BPF_ANY);
	return 0;
}

// Nanoseconds since `key` began; 0 where that was not seen.
static __always_inline __u64 since_begin(__u64 key)
{
	struct beginning *at = bpf_map_lookup_elem(&begun, &key);
	if (!at)
		return 0;
	__u64 ns = bpf_ktime_get_ns() - at->ns;
	bpf_map_delete_elem(&begun, &key);
	return ns;
}

#endif
