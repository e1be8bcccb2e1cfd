// Page faults of targets: how many, how long they take, and which code they happen to. A minor fault finds its page in memory
// or makes a new one, a major one waits for a disk.
// Unit: faults, and nanoseconds from the beginning of the kernel's handler until the page is there: of major ones all of it, of
// minor ones the processor's time. What the processor takes to enter the exception and to leave it is not in them.
// Hooks: fault-begin.h for the beginning; the software events page-faults-maj, each, and page-faults-min, one of `minor_period`,
// for the end: they come last in the kernel's handler. (handle_mm_fault by fentry and fexit would tell the same, and is refused
// where software events are allowed.) What the kernel maps ahead by itself (MAP_POPULATE, mlock) has no event.
// Cost: docs/record.md has what a fault takes more in all.
#ifndef LONGPOLE_PAGE_FAULT_H
#define LONGPOLE_PAGE_FAULT_H

#include "../kernel-types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "../stream.h"
#include "targets.h"
#include "threads.h"
#include "stacks.h"
#include "process-counts.h"
#include "fault-begin.h"

// Of so many minor faults one is seen.
const volatile __u32 minor_period = 1;

// A stack of a thread's faults: not sooner than this after the last one of its kind, and of minor ones after so many of them.
#define FAULT_STACK_NS 10000000ull
#define MINOR_FAULTS_A_STACK 1009

// By thread. The stacks stand for what was not told with an earlier one.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct fault_total);
} faults SEC(".maps");

// Of the thread that runs; 0 where nothing counts for it.
static __always_inline struct fault_total *faults_of(__u32 tgid, __u32 tid)
{
	if (!is_target(tgid))
		return 0;
	struct fault_total *known = bpf_map_lookup_elem(&faults, &tid);
	if (known && known->tgid == tgid)
		return known;
	// Not known yet, or its number was another one's.
	struct fault_total fresh = { .tgid = tgid };
	if (bpf_map_update_elem(&faults, &tid, &fresh, BPF_ANY))
		__sync_fetch_and_add(&lost_counts, 1);
	return bpf_map_lookup_elem(&faults, &tid);
}

static __always_inline void send_fault(struct bpf_perf_event_data *ctx, __u64 who, __u32 detail, __u64 count, __u64 ns, __u64 now)
{
	struct user_registers regs;
	__s32 syscall = -1;
	bool has_regs = registers_of_event(ctx, &regs, &syscall);
	send_stack_about(ctx, RECORD_FAULT, who >> 32, (__u32)who, has_regs ? &regs : 0, syscall, detail, count, now, ctx->addr, ns);
}

SEC("perf_event") int on_minor_fault(struct bpf_perf_event_data *ctx)
{
	// First of all, so that its own time is not in it.
	__u64 now = bpf_ktime_get_ns(), who = bpf_get_current_pid_tgid();
	__u32 tgid = who >> 32, tid = (__u32)who;
	struct fault_total *total = faults_of(tgid, tid);
	if (!total)
		return 0;
	total->minor_seen += 1;
	__u64 begun = fault_begun_here(tid), ns = now - begun;
	struct thread *thread = bpf_map_lookup_elem(&threads, &tid);
	// One in which the thread lost the processor is not timed: what it waited stands elsewhere.
	bool is_timed = begun && (!thread || thread->since <= begun);
	if (is_timed) {
		total->minor_timed += 1;
		total->minor_ns += ns;
	}
	if (serving) {
		if (is_timed)
			add_counts(tgid, COUNT_MINOR_FAULT, 0, minor_period, ns, 0);
		return 0;
	}
	__u64 untold = (total->minor_seen - total->minor_told) * minor_period;
	if (untold < MINOR_FAULTS_A_STACK || now - total->minor_stack_ns < FAULT_STACK_NS)
		return 0;
	total->minor_stack_ns = now;
	total->minor_told = total->minor_seen;
	send_fault(ctx, who, 0, untold, 0, now);
	return 0;
}

SEC("perf_event") int on_major_fault(struct bpf_perf_event_data *ctx)
{
	__u64 now = bpf_ktime_get_ns(), who = bpf_get_current_pid_tgid();
	__u32 tgid = who >> 32, tid = (__u32)who;
	struct fault_total *total = faults_of(tgid, tid);
	if (!total)
		return 0;
	__u64 begun = fault_begun_here(tid);
	struct thread *thread = bpf_map_lookup_elem(&threads, &tid);
	// It slept for its page: it began where it was last switched away, or here if it did not sleep after all.
	if (thread && thread->fault_ns > begun)
		begun = thread->fault_ns;
	__u64 ns = begun ? now - begun : 0;
	total->major += 1;
	total->major_ns += ns;
	if (serving) {
		add_count(tgid, COUNT_MAJOR_FAULT, 0, ns, 0);
		return 0;
	}
	if (now - total->major_stack_ns < FAULT_STACK_NS)
		return 0;
	total->major_stack_ns = now;
	__u64 untold = total->major - total->major_told, untold_ns = total->major_ns - total->major_ns_told;
	total->major_told = total->major;
	total->major_ns_told = total->major_ns;
	send_fault(ctx, who, DETAIL_MAJOR_FAULT, untold, untold_ns, now);
	return 0;
}

#endif
