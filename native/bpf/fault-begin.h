// When the page fault began that the processor's thread is in, or was in last. It is noted for every process, since that takes
// less than asking whose fault it is; where a thread loses the processor, the switch keeps it with the thread.
// Unit: nanoseconds of the kernel's monotonic clock.
// Hooks: exceptions:page_fault_user and exceptions:page_fault_kernel; where the kernel has none of these, the software event
// page-faults. Cost: docs/record.md has what a fault takes more in all.
#ifndef LONGPOLE_FAULT_BEGIN_H
#define LONGPOLE_FAULT_BEGIN_H

#include "../kernel-types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "../stream.h"
#include "tracepoint.h"

struct fault_begin {
	__u64 ns;
	__u32 tid;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fault_begin);
} fault_begins SEC(".maps");

static __always_inline int on_fault_begin(void)
{
	__u32 zero = 0;
	struct fault_begin *begin = bpf_map_lookup_elem(&fault_begins, &zero);
	if (begin) {
		begin->ns = bpf_ktime_get_ns();
		begin->tid = (__u32)bpf_get_current_pid_tgid();
	}
	return 0;
}

// One of the kernel that nobody resolves: it reads the user's memory on trial, as these programs do for their stacks.
static __always_inline bool is_on_trial(void)
{
	return BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), pagefault_disabled) != 0;
}

BOTH(page_fault_user, return on_fault_begin();)
BOTH(page_fault_kernel, return is_on_trial() ? 0 : on_fault_begin();)

SEC("perf_event") int on_fault_event(struct bpf_perf_event_data *ctx)
{
	return on_fault_begin();
}

// The last fault of a thread that began on this processor; 0 where another thread's came after it.
static __always_inline __u64 fault_begun_here(__u32 tid)
{
	__u32 zero = 0;
	struct fault_begin *begin = bpf_map_lookup_elem(&fault_begins, &zero);
	return begin && begin->tid == tid ? begin->ns : 0;
}

// At a switch: the thread may be in that fault, and others come before it goes on. An earlier one of it may still stand with
// this processor, if it began the one it is in on another and has lost that since.
static __always_inline void keep_fault_begin(struct thread *thread, __u32 tid)
{
	__u64 ns = fault_begun_here(tid);
	if (ns > thread->fault_ns)
		thread->fault_ns = ns;
}

#endif
