// The state of each thread of a target: running, runnable, blocked or ended, and its totals. Unit: nanoseconds.
// Hooks: none of its own. Cost: a look into a hash table; an entry where a thread is new.
#ifndef LONGPOLE_THREADS_H
#define LONGPOLE_THREADS_H

#include "../kernel-types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "../stream.h"

// Allocated at once, some 3 MB: programs on software events may use no other table before Linux 6.1.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct thread);
} threads SEC(".maps");

__u64 lost_threads = 0;

static __always_inline struct thread *thread_of(struct task_struct *task, __u32 tid, __u32 tgid, __u32 state, __u64 since)
{
	struct thread *known = bpf_map_lookup_elem(&threads, &tid);
	if (known)
		return known;
	struct thread fresh = { .first_ns = since, .since = since, .tgid = tgid, .state = state, .syscall = -1 };
	bpf_core_read_str(fresh.comm, sizeof(fresh.comm), &task->comm);
	if (bpf_map_update_elem(&threads, &tid, &fresh, BPF_NOEXIST))
		__sync_fetch_and_add(&lost_threads, 1);
	return bpf_map_lookup_elem(&threads, &tid);
}

#endif
