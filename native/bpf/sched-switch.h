// Where each thread's time goes: on the processor, in the run queue, blocked, by system call; whose wake-up ended a wait, and
// who got the processor of a thread that was preempted. Unit: nanoseconds, exact, and a histogram of the run queue; stacks of
// waits are samples. Hooks: sched:sched_switch, sched:sched_wakeup, sched:sched_wakeup_new. Cost: some 0.9 us a switch, and
// a stack where one is taken (stacks.h).
#ifndef LONGPOLE_SCHED_SWITCH_H
#define LONGPOLE_SCHED_SWITCH_H

#include "../kernel-types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "../stream.h"
#include "tracepoint.h"
#include "targets.h"
#include "threads.h"
#include "stacks.h"
#include "histograms.h"
#include "blocking-syscall.h"
#include "fault-begin.h"

// At most one stack of a thread's waits in this time, and so many of all in a tenth of a second per processor.
volatile __u64 wait_stack_interval_ns = 10000000;
volatile __u32 wait_stacks_per_tenth = 20;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, 1);
	__type(key, struct wait_key);
	__type(value, struct wait_total);
} waits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__uint(map_flags, 1);
	__type(key, __u32);
	__type(value, struct preemptor);
} preemptors SEC(".maps");

struct rate {
	__u64 tenth;
	__u32 used;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rate);
} stack_rate SEC(".maps");

__u64 lost_waits = 0;
__u64 stacks_skipped = 0;

static __always_inline void end_wait(struct thread *thread, __u32 tid, __u64 now)
{
	__u64 ns = now - thread->since;
	thread->blocked_ns += ns;
	struct wait_key key = { .tid = tid, .syscall = thread->syscall, .detail = thread->detail };
	struct wait_total *total = bpf_map_lookup_elem(&waits, &key);
	if (total) {
		total->ns += ns;
		total->count += 1;
		if (ns > total->longest_ns)
			total->longest_ns = ns;
		if (thread->has_stack)
			total->stacks += 1;
	} else {
		struct wait_total fresh = { .ns = ns, .count = 1, .longest_ns = ns, .stacks = thread->has_stack ? 1 : 0 };
		if (bpf_map_update_elem(&waits, &key, &fresh, BPF_NOEXIST))
			__sync_fetch_and_add(&lost_waits, 1);
	}
	if (!thread->has_stack)
		return;
	thread->has_stack = 0;
	__u64 waker = bpf_get_current_pid_tgid();
	struct wait_done done = { .type = RECORD_WAIT_DONE, .tid = tid, .value = thread->stacks, .ns = ns,
				  .waker_tgid = waker >> 32, .waker_tid = (__u32)waker };
	if (bpf_ringbuf_output(&events, &done, sizeof(done), BPF_RB_NO_WAKEUP))
		__sync_fetch_and_add(&lost_events, 1);
}

// Whether this wait's stack is taken: the first of its kind always, others by time and within the processor's rate.
static __always_inline bool takes_stack(struct thread *thread, __u32 tid, __u64 now)
{
	struct wait_key key = { .tid = tid, .syscall = thread->syscall, .detail = thread->detail };
	bool is_first = bpf_map_lookup_elem(&waits, &key) == 0;
	if (!is_first && now - thread->last_stack_ns < wait_stack_interval_ns)
		return false;
	__u32 zero = 0;
	struct rate *rate = bpf_map_lookup_elem(&stack_rate, &zero);
	if (!rate)
		return false;
	__u64 tenth = now / 100000000;
	if (rate->tenth != tenth) {
		rate->tenth = tenth;
		rate->used = 0;
	}
	if (rate->used >= wait_stacks_per_tenth) {
		__sync_fetch_and_add(&stacks_skipped, 1);
		return false;
	}
	rate->used += 1;
	return true;
}

static __always_inline __u32 state_of(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return BPF_CORE_READ(task, __state);
	return (__u32)BPF_CORE_READ((struct task_struct___state_as_long *)task, state);
}

// Switches and the kernel's clock for threads differ by interrupts; more than this is time that no switch told of.
#define CLOCKS_DIFFER_NS 1000000

// ns: since the thread was seen to get the processor. Where a switch went unseen, the kernel's own count holds.
static __always_inline void add_processor_time(struct thread *thread, struct task_struct *task, __u64 ns)
{
	__u64 exec = BPF_CORE_READ(task, se.sum_exec_runtime);
	__u64 ran = exec - thread->exec_ns;
	thread->cpu_ns += thread->exec_ns && ns > ran + CLOCKS_DIFFER_NS ? ran : ns;
	thread->exec_ns = exec;
}

// The kernel takes a switch to be when it begins to choose who is next; the tracepoint comes when that is done, 9 us later on a
// processor that slept. What of its waits was seen since the last look is put right by the kernel's count: the difference is
// processor time. More than the clocks differ by is of a switch that went unseen.
static __always_inline void settle_queue_time(struct thread *thread, struct task_struct *task)
{
	if (!bpf_core_field_exists(task->sched_info.run_delay))
		return;
	__u64 delay = BPF_CORE_READ(task, sched_info.run_delay);
	__s64 more = (__s64)(thread->queued_ns - (delay - thread->delay_ns));
	if (thread->delay_ns && more > -CLOCKS_DIFFER_NS && more < CLOCKS_DIFFER_NS &&
	    (__s64)thread->runnable_ns >= more && (__s64)thread->cpu_ns >= -more) {
		thread->runnable_ns -= (__u64)more;
		thread->cpu_ns += (__u64)more;
	}
	thread->delay_ns = delay;
	thread->queued_ns = 0;
}

#define TASK_DEAD 0x80

static __always_inline void leave(void *ctx, bool preempt, struct task_struct *prev, struct task_struct *next, __u64 now)
{
	__u32 tgid = BPF_CORE_READ(prev, tgid);
	__u64 from = target_since(tgid);
	if (!from)
		return;
	__u32 tid = BPF_CORE_READ(prev, pid);
	// Not seen before: it ran since the recording began.
	struct thread *thread = thread_of(prev, tid, tgid, STATE_RUNNING, from);
	if (!thread || thread->state == STATE_ENDED)
		return;
	add_processor_time(thread, prev, now - thread->since);
	thread->since = now;
	settle_queue_time(thread, prev);
	keep_fault_begin(thread, tid);
	__u32 state = state_of(prev);
	if (state & TASK_DEAD) {
		thread->state = STATE_ENDED;
		thread->ended_ns = now;
		bpf_core_read_str(thread->comm, sizeof(thread->comm), &prev->comm);
		return;
	}
	if (preempt || state == 0) {
		thread->state = STATE_RUNNABLE;
		thread->preemptions += 1;
		__u32 other = BPF_CORE_READ(next, tgid);
		struct preemptor *by = bpf_map_lookup_elem(&preemptors, &other);
		if (by) {
			__sync_fetch_and_add(&by->count, 1);
		} else {
			struct preemptor fresh = { .count = 1 };
			bpf_core_read_str(fresh.comm, sizeof(fresh.comm), &next->comm);
			bpf_map_update_elem(&preemptors, &other, &fresh, BPF_NOEXIST);
		}
		return;
	}
	thread->state = STATE_BLOCKED;
	thread->waits += 1;
	struct user_registers regs;
	bool has_regs = note_blocking_syscall(thread, prev, state, &regs);
	if (!takes_stack(thread, tid, now))
		return;
	thread->last_stack_ns = now;
	thread->stacks += 1;
	thread->has_stack = 1;
	send_stack(ctx, RECORD_WAIT_STACK, tgid, tid, has_regs ? &regs : 0, thread->syscall,
		   thread->detail, thread->stacks, now);
}

static __always_inline void enter(struct task_struct *next, __u64 now)
{
	__u32 tgid = BPF_CORE_READ(next, tgid);
	__u64 from = target_since(tgid);
	if (!from)
		return;
	__u32 tid = BPF_CORE_READ(next, pid);
	// Not seen before: it stood in the queue since the recording began.
	struct thread *thread = thread_of(next, tid, tgid, STATE_RUNNABLE, from);
	if (!thread || thread->state == STATE_ENDED)
		return;
	if (thread->state == STATE_BLOCKED) {
		end_wait(thread, tid, now);
	} else if (thread->state == STATE_RUNNABLE) {
		thread->runnable_ns += now - thread->since;
		thread->queued_ns += now - thread->since;
		count_in(HISTOGRAM_RUN_QUEUE, 0, 0, now - thread->since);
	} else {
		add_processor_time(thread, next, now - thread->since);
	}
	thread->exec_ns = BPF_CORE_READ(next, se.sum_exec_runtime);
	thread->state = STATE_RUNNING;
	thread->since = now;
}

static __always_inline int on_switch(void *ctx, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u64 now = bpf_ktime_get_ns();
	leave(ctx, preempt, prev, next, now);
	enter(next, now);
	return 0;
}

static __always_inline int on_wakeup(struct task_struct *task, bool is_new)
{
	__u32 tgid = BPF_CORE_READ(task, tgid);
	__u64 from = target_since(tgid);
	if (!from)
		return 0;
	__u64 now = bpf_ktime_get_ns();
	__u32 tid = BPF_CORE_READ(task, pid);
	struct thread *thread = bpf_map_lookup_elem(&threads, &tid);
	if (!thread) {
		// One that slept since before the recording, and that was not counted in at its beginning.
		thread = thread_of(task, tid, tgid, is_new ? STATE_RUNNABLE : STATE_BLOCKED, is_new ? now : from);
		if (!thread)
			return 0;
		if (!is_new)
			thread->detail = DETAIL_BEFORE;
	}
	if (thread->state != STATE_BLOCKED)
		return 0;
	end_wait(thread, tid, now);
	thread->state = STATE_RUNNABLE;
	thread->since = now;
	return 0;
}

BOTH(sched_switch, return on_switch(ctx, (bool)ctx[0], ARG(struct task_struct *, 1), ARG(struct task_struct *, 2));)
BOTH(sched_wakeup, return on_wakeup(ARG(struct task_struct *, 0), false);)
BOTH(sched_wakeup_new, return on_wakeup(ARG(struct task_struct *, 0), true);)

#endif
