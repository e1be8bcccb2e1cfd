// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * The probes: where threads of chosen processes spend their time, seen from the kernel.
 *
 * Totals are exact and kept here, per thread and per kind of wait; stacks are samples,
 * sent through a ring buffer. Each probe on the scheduler exists twice, as a typed and as
 * a raw tracepoint, and the loader takes the first that this kernel lets it attach.
 */
#include "kernel-types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "stream.h"

/* The kernel lends its tracing functions to programs under a licence compatible with its own only. */
char LICENSE[] SEC("license") = "Dual MIT/GPL";

const volatile bool follow_children = true;
/* For the agent, all the time: counts of each process, and nothing of a single request. */
const volatile bool serving = false;
/* Until Linux 5.11 these two tracepoints name a queue before what they are about. */
const volatile bool bio_after_queue = false;
const volatile bool request_after_queue = false;
/* At most one stack of a thread's waits in this time, and so many of all in a tenth of a second per processor. */
volatile __u64 wait_stack_interval_ns = 10000000;
volatile __u32 wait_stacks_per_tenth = 20;
const volatile __u32 copy_pieces = COPY_PIECES;
/* BPF_RB_NO_WAKEUP where the reader looks by itself now and then. */
const volatile __u64 wakeup = 0;
const volatile __u64 kernel_stack_bytes = 16384;
volatile __u64 started_ns = 0;
/* Of a command that waits for its beginning: nothing counts before its program is there. */
volatile bool counting = true;

/* Since when a process is looked at; 0: since started_ns. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u64);
} targets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, 1); /* memory as it is needed */
	__type(key, __u32);
	__type(value, struct thread);
} threads SEC(".maps");

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
	__type(key, struct histogram_key);
	__type(value, struct histogram);
} histograms SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__uint(map_flags, 1);
	__type(key, __u32);
	__type(value, struct preemptor);
} preemptors SEC(".maps");

struct beginning {
	__u64 ns;
	/* of a lock its address, of block I/O its bytes */
	__u64 about;
	__u32 tgid;
	__u32 kind;
	__u32 which;
	__u32 pad;
};

/*
 * Beginnings of what ends later: a request, a connection or a lock, by address or thread. Not allocated as it is needed, nor are
 * the counts: a lock that is waited for may be that of the kernel's allocator.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct beginning);
} begun SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct count_key);
	__type(value, struct count_total);
} counts SEC(".maps");

struct owner {
	/* when its connection was begun; 0: it is there */
	__u64 since;
	__u32 tgid;
	__u32 pad;
};

/* Whose a TCP socket is, by its address: what happens to it mostly happens while another process has the processor. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__uint(map_flags, 1);
	__type(key, __u64);
	__type(value, struct owner);
} sockets SEC(".maps");

/* Who listens, by network namespace and port. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, 1);
	__type(key, __u64);
	__type(value, struct listener);
} listeners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} events SEC(".maps");

struct event_space {
	struct stack_event event;
	__u8 copy[COPY_PIECE * COPY_PIECES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct event_space);
} space SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct histogram);
} empty_histogram SEC(".maps");

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

/* Of what could not be kept or sent. */
__u64 lost_events = 0;
__u64 lost_threads = 0;
__u64 lost_waits = 0;
__u64 stacks_skipped = 0;
__u64 lost_counts = 0;

/* Looks at all open files, with the one that runs: a listener that the last one did not meet is gone. */
volatile __u32 looks = 0;

static __always_inline bool is_chosen(__u32 tgid)
{
	return bpf_map_lookup_elem(&targets, &tgid) != 0;
}

/* Since when; 0 where it is none. */
static __always_inline __u64 target_since(__u32 tgid)
{
	/* Probes are attached one by one: nothing counts before all are there. */
	if (!counting || !started_ns)
		return 0;
	__u64 *since = bpf_map_lookup_elem(&targets, &tgid);
	return !since ? 0 : *since ? *since : started_ns;
}

static __always_inline bool is_target(__u32 tgid)
{
	return target_since(tgid) != 0;
}

/* The registers with which `task` entered the kernel; false for one that never was outside of it. */
static __always_inline bool user_registers_of(struct task_struct *task, struct user_registers *to)
{
	void *stack = BPF_CORE_READ(task, stack);
	if (!stack)
		return false;
	/* They stand at the top of its stack, below nothing or below the 16 bytes that FRED keeps free. */
	__u64 top = (__u64)stack + kernel_stack_bytes;
	if (!bpf_probe_read_kernel(to, sizeof(*to), (void *)(top - sizeof(*to))) && (to->cs & 0xffff) == 0x33)
		return true;
	return !bpf_probe_read_kernel(to, sizeof(*to), (void *)(top - 16 - sizeof(*to))) && (to->cs & 0xffff) == 0x33;
}

static __always_inline void send_stack(void *ctx, __u32 type, __u32 tgid, __u32 tid, const struct user_registers *regs,
				       __s32 syscall, __u32 detail, __u64 value, __u64 now)
{
	__u32 slot = type == RECORD_WAIT_STACK ? 1 : 0;
	struct event_space *room = bpf_map_lookup_elem(&space, &slot);
	if (!room)
		return;
	struct stack_event *event = &room->event;
	event->type = type;
	event->tgid = tgid;
	event->tid = tid;
	event->syscall = syscall;
	event->time_ns = now;
	event->value = value;
	event->detail = detail;
	event->ip = event->sp = event->bp = event->bx = 0;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	long kernel = bpf_get_stack(ctx, event->kernel, sizeof(event->kernel), 0);
	long user = bpf_get_stack(ctx, event->user, sizeof(event->user), BPF_F_USER_STACK);
	/* Shifted, not divided: clang 14 fails on signed division for BPF. */
	event->kernel_frames = kernel > 0 ? (__u64)kernel >> 3 : 0;
	event->user_frames = user > 0 ? (__u64)user >> 3 : 0;
	__u32 copied = 0;
	if (regs) {
		event->ip = regs->ip;
		event->sp = regs->sp;
		event->bp = regs->bp;
		event->bx = regs->bx;
#pragma unroll
		for (int i = 0; i < COPY_PIECES; i++) {
			if (i >= copy_pieces)
				break;
			/* To the end of a piece of memory, so that each piece lies within one page. */
			if (bpf_probe_read_user(room->copy + i * COPY_PIECE, COPY_PIECE, (void *)(regs->sp + i * COPY_PIECE)))
				break;
			copied += COPY_PIECE;
		}
	}
	if (copied > COPY_PIECE * COPY_PIECES)
		copied = COPY_PIECE * COPY_PIECES;
	if (bpf_ringbuf_output(&events, room, sizeof(struct stack_event) + copied, wakeup))
		__sync_fetch_and_add(&lost_events, 1);
}

/* The greatest power of two that is no more than this, by halving; 0 of 0. */
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

static __always_inline void add_count(__u32 tgid, __u32 kind, __u32 which, __u64 ns, __u64 bytes)
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
	__sync_fetch_and_add(&into->count, 1);
	__sync_fetch_and_add(&into->ns, ns);
	__sync_fetch_and_add(&into->bytes, bytes);
	__u32 exponent = exponent_of(ns);
	__u32 slot = exponent < COUNT_FIRST_EXPONENT ? 0 : exponent - COUNT_FIRST_EXPONENT + 1;
	if (slot >= COUNT_SLOTS)
		slot = COUNT_SLOTS - 1;
	__sync_fetch_and_add(&into->slots[slot], 1);
}

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

/* Whether this wait's stack is taken: the first of its kind always, others by time and within the processor's rate. */
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

/* Switches and the kernel's clock for threads differ by interrupts; more than this is time that no switch told of. */
#define CLOCKS_DIFFER_NS 1000000

/* ns: since the thread was seen to get the processor. Where a switch went unseen, the kernel's own count holds. */
static __always_inline void add_processor_time(struct thread *thread, struct task_struct *task, __u64 ns)
{
	__u64 exec = BPF_CORE_READ(task, se.sum_exec_runtime);
	__u64 ran = exec - thread->exec_ns;
	thread->cpu_ns += thread->exec_ns && ns > ran + CLOCKS_DIFFER_NS ? ran : ns;
	thread->exec_ns = exec;
}

#define TASK_UNINTERRUPTIBLE 2
#define TASK_STOPPED_OR_TRACED 12
#define TASK_DEAD 0x80
#define FUTEX 202

static __always_inline void leave(void *ctx, bool preempt, struct task_struct *prev, struct task_struct *next, __u64 now)
{
	__u32 tgid = BPF_CORE_READ(prev, tgid);
	__u64 from = target_since(tgid);
	if (!from)
		return;
	__u32 tid = BPF_CORE_READ(prev, pid);
	/* Not seen before: it ran since the recording began. */
	struct thread *thread = thread_of(prev, tid, tgid, STATE_RUNNING, from);
	if (!thread || thread->state == STATE_ENDED)
		return;
	add_processor_time(thread, prev, now - thread->since);
	thread->since = now;
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
	bool has_regs = user_registers_of(prev, &regs);
	__s32 syscall = has_regs && (__s64)regs.orig_ax >= 0 ? (__s32)regs.orig_ax : -1;
	__u32 detail = 0;
	if (syscall == FUTEX) {
		detail = regs.si & DETAIL_FUTEX_OP;
		if ((__u32)regs.dx == 2)
			detail |= DETAIL_FUTEX_HELD;
	}
	if (BPF_CORE_READ_BITFIELD_PROBED(prev, in_iowait))
		detail |= DETAIL_IOWAIT;
	if (state & TASK_UNINTERRUPTIBLE)
		detail |= DETAIL_UNINTERRUPTIBLE;
	if (state & TASK_STOPPED_OR_TRACED)
		detail |= DETAIL_STOPPED;
	thread->syscall = syscall;
	thread->detail = detail;
	if (!takes_stack(thread, tid, now))
		return;
	thread->last_stack_ns = now;
	thread->stacks += 1;
	thread->has_stack = 1;
	send_stack(ctx, RECORD_WAIT_STACK, tgid, tid, has_regs ? &regs : 0, syscall, detail, thread->stacks, now);
}

static __always_inline void enter(struct task_struct *next, __u64 now)
{
	__u32 tgid = BPF_CORE_READ(next, tgid);
	__u64 from = target_since(tgid);
	if (!from)
		return;
	__u32 tid = BPF_CORE_READ(next, pid);
	/* Not seen before: it stood in the queue since the recording began. */
	struct thread *thread = thread_of(next, tid, tgid, STATE_RUNNABLE, from);
	if (!thread || thread->state == STATE_ENDED)
		return;
	if (thread->state == STATE_BLOCKED) {
		end_wait(thread, tid, now);
	} else if (thread->state == STATE_RUNNABLE) {
		thread->runnable_ns += now - thread->since;
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
		/* One that slept since before the recording, and that was not counted in at its beginning. */
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

static __always_inline int on_fork(struct task_struct *parent, struct task_struct *child)
{
	__u32 parent_tgid = BPF_CORE_READ(parent, tgid);
	__u32 tgid = BPF_CORE_READ(child, tgid);
	if (!follow_children || tgid == parent_tgid || !is_target(parent_tgid))
		return 0;
	__u64 now = bpf_ktime_get_ns();
	bpf_map_update_elem(&targets, &tgid, &now, BPF_ANY);
	struct exec_event event = { .type = RECORD_EXEC, .tgid = tgid, .time_ns = now };
	bpf_ringbuf_output(&events, &event, sizeof(event), wakeup);
	return 0;
}

static __always_inline int on_exec(struct task_struct *task)
{
	__u32 tgid = BPF_CORE_READ(task, tgid);
	if (!is_chosen(tgid))
		return 0;
	__u32 tid = BPF_CORE_READ(task, pid);
	if (!counting && !started_ns) {
		started_ns = bpf_ktime_get_ns();
		counting = true;
		thread_of(task, tid, tgid, STATE_RUNNING, started_ns);
	}
	struct thread *thread = bpf_map_lookup_elem(&threads, &tid);
	if (thread)
		bpf_core_read_str(thread->comm, sizeof(thread->comm), &task->comm);
	struct exec_event event = { .type = RECORD_EXEC, .tgid = tgid, .time_ns = bpf_ktime_get_ns() };
	bpf_ringbuf_output(&events, &event, sizeof(event), wakeup);
	return 0;
}

#define ARG(type, n) ((type)(ctx[n]))
#define BOTH(name, body)                                                                                               \
	SEC("tp_btf/" #name) int typed_##name(__u64 *ctx) { body }                                                     \
	SEC("raw_tp/" #name) int raw_##name(__u64 *ctx) { body }

BOTH(sched_switch, return on_switch(ctx, (bool)ctx[0], ARG(struct task_struct *, 1), ARG(struct task_struct *, 2));)
BOTH(sched_wakeup, return on_wakeup(ARG(struct task_struct *, 0), false);)
BOTH(sched_wakeup_new, return on_wakeup(ARG(struct task_struct *, 0), true);)
BOTH(sched_process_fork, return on_fork(ARG(struct task_struct *, 0), ARG(struct task_struct *, 1));)
BOTH(sched_process_exec, return on_exec(ARG(struct task_struct *, 0));)

static __always_inline int begin(__u64 key)
{
	struct beginning beginning = { .ns = bpf_ktime_get_ns() };
	bpf_map_update_elem(&begun, &key, &beginning, BPF_ANY);
	return 0;
}

/* Nanoseconds since `key` began; 0 where that was not seen. */
static __always_inline __u64 since_begin(__u64 key)
{
	struct beginning *at = bpf_map_lookup_elem(&begun, &key);
	if (!at)
		return 0;
	__u64 ns = bpf_ktime_get_ns() - at->ns;
	bpf_map_delete_elem(&begun, &key);
	return ns;
}

/* An argument that stands at another place in other kernels; it must not become one load at a place that is computed. */
#define ARG_AT(n)                                                                                                      \
	({                                                                                                             \
		__u64 value = ctx[n];                                                                                  \
		asm volatile("" : "+r"(value));                                                                        \
		value;                                                                                                 \
	})

/* ---- block I/O: requests of everybody for a recording, and what each asked for while it serves ---- */

BOTH(block_rq_issue, if (request_after_queue) return begin(ARG_AT(1)); return begin(ARG_AT(0));)

static __always_inline __u32 kind_of_bio(__u32 operation, __u64 bytes)
{
	if (operation == 0)
		return COUNT_BLOCK_READ;
	if (operation == 2)
		return COUNT_BLOCK_FLUSH;
	/* Also secure, and as zeroes for which no data are sent. */
	if (operation == 3 || operation == 5 || operation == 9)
		return COUNT_BLOCK_DISCARD;
	/* 7 appends to a zone; what is left sets up zones, or is of drivers. */
	if (operation != 1 && operation != 7)
		return 0;
	return bytes ? COUNT_BLOCK_WRITE : COUNT_BLOCK_FLUSH;
}

static __always_inline __u32 disk_of(struct bio *bio)
{
	struct gendisk *disk = bpf_core_field_exists(bio->bi_bdev)
				       ? BPF_CORE_READ(bio, bi_bdev, bd_disk)
				       : BPF_CORE_READ((struct bio___with_disk *)bio, bi_disk);
	return (__u32)BPF_CORE_READ(disk, major) << 20 | ((__u32)BPF_CORE_READ(disk, first_minor) & 0xfffff);
}

static __always_inline int on_bio_queued(__u64 address)
{
	if (!counting || !started_ns)
		return 0;
	/* What a driver hands on (device mapper, software RAID) is a part of what was counted already. */
	if (BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), bio_list))
		return 0;
	struct bio *bio = (struct bio *)address;
	__u64 bytes = BPF_CORE_READ(bio, bi_iter.bi_size);
	__u32 kind = kind_of_bio(BPF_CORE_READ(bio, bi_opf) & 0xff, bytes);
	if (!kind)
		return 0;
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct beginning beginning = { .ns = bpf_ktime_get_ns(), .about = bytes, .kind = kind, .which = disk_of(bio),
				       .tgid = is_target(tgid) ? tgid : 0 };
	if (bpf_map_update_elem(&begun, &address, &beginning, BPF_ANY))
		__sync_fetch_and_add(&lost_counts, 1);
	return 0;
}

static __always_inline int on_bio_done(__u64 address)
{
	struct beginning *at = bpf_map_lookup_elem(&begun, &address);
	if (!at)
		return 0;
	add_count(at->tgid, at->kind, at->which, bpf_ktime_get_ns() - at->ns, at->about);
	bpf_map_delete_elem(&begun, &address);
	return 0;
}

/* Parts of memory that one request has at most; each is of another bio at the most. */
#define MOST_BIOS 256

static __always_inline int on_block_done(struct request *request)
{
	if (serving) {
		struct bio *bio = BPF_CORE_READ(request, bio);
		for (int i = 0; i < MOST_BIOS && bio; i++) {
			struct bio *next = BPF_CORE_READ(bio, bi_next);
			on_bio_done((__u64)bio);
			bio = next;
		}
		return 0;
	}
	__u64 ns = since_begin((__u64)request);
	if (ns)
		count_in(HISTOGRAM_BLOCK_IO, BPF_CORE_READ(request, part, bd_dev), BPF_CORE_READ(request, cmd_flags) & 0xff, ns);
	return 0;
}

/* Ends what hardware did; what a driver of the kernel did itself ends by block_bio_complete. */
BOTH(block_rq_complete, return on_block_done(ARG(struct request *, 0));)
BOTH(block_bio_queue, if (bio_after_queue) return on_bio_queued(ARG_AT(1)); return on_bio_queued(ARG_AT(0));)
BOTH(block_bio_complete, return on_bio_done(ctx[1]);)

/* ---- TCP ---- */

#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_SYN_RECV 3
#define TCP_CLOSE 7
#define TCP_LISTEN 10
#define IPPROTO_TCP 6

static __always_inline __u64 place_of(struct sock *sock)
{
	return (__u64)BPF_CORE_READ(sock, __sk_common.skc_net.net, ns.inum) << 16 | BPF_CORE_READ(sock, __sk_common.skc_num);
}

static __always_inline void own(__u64 socket, __u32 tgid, __u64 since)
{
	struct owner owner = { .since = since, .tgid = tgid };
	if (bpf_map_update_elem(&sockets, &socket, &owner, BPF_ANY))
		__sync_fetch_and_add(&lost_counts, 1);
}

static __always_inline void listens(struct sock *sock, __u32 tgid)
{
	__u64 place = place_of(sock);
	/* Without a port yet: it gets one now, and is found at the next tick. */
	if (!(place & 0xffff) || !is_target(tgid))
		return;
	struct listener listener = { .socket = (__u64)sock, .tgid = tgid, .look = looks };
	if (bpf_map_update_elem(&listeners, &place, &listener, BPF_ANY))
		__sync_fetch_and_add(&lost_counts, 1);
}

/* A port that the system chose is given back before the state changes, and skc_num with it: inet_sport still has it. */
static __always_inline void listens_no_more(struct sock *sock)
{
	__u64 place = (__u64)BPF_CORE_READ(sock, __sk_common.skc_net.net, ns.inum) << 16 |
		      __builtin_bswap16(BPF_CORE_READ((struct inet_sock *)sock, inet_sport));
	struct listener *held = bpf_map_lookup_elem(&listeners, &place);
	/* Another one may share the port. */
	if (held && held->socket == (__u64)sock)
		bpf_map_delete_elem(&listeners, &place);
}

static __always_inline int on_own_tcp_state(__u64 socket, int from, int to)
{
	if (to == TCP_SYN_SENT) {
		__u32 tgid = bpf_get_current_pid_tgid() >> 32;
		if (is_target(tgid))
			own(socket, tgid, bpf_ktime_get_ns());
		return 0;
	}
	if (to == TCP_LISTEN) {
		listens((struct sock *)socket, bpf_get_current_pid_tgid() >> 32);
		return 0;
	}
	if (from == TCP_LISTEN) {
		listens_no_more((struct sock *)socket);
		return 0;
	}
	if (from == TCP_SYN_RECV && to == TCP_ESTABLISHED) {
		__u64 place = place_of((struct sock *)socket);
		struct listener *listener = bpf_map_lookup_elem(&listeners, &place);
		if (listener)
			own(socket, listener->tgid, 0);
		return 0;
	}
	struct owner *owner = bpf_map_lookup_elem(&sockets, &socket);
	if (!owner)
		return 0;
	if (from == TCP_SYN_SENT && owner->since) {
		add_count(owner->tgid, to == TCP_ESTABLISHED ? COUNT_CONNECT : COUNT_CONNECT_FAILED, 0,
			  bpf_ktime_get_ns() - owner->since, 0);
		owner->since = 0;
	}
	return 0;
}

static __always_inline int on_tcp_state(__u64 socket, int from, int to)
{
	if (serving)
		return on_own_tcp_state(socket, from, to);
	if (to == TCP_SYN_SENT)
		return is_target(bpf_get_current_pid_tgid() >> 32) ? begin(socket) : 0;
	if (from != TCP_SYN_SENT)
		return 0;
	__u64 ns = since_begin(socket);
	if (ns)
		count_in(HISTOGRAM_CONNECT, to == TCP_ESTABLISHED ? 0 : 1, 0, ns);
	return 0;
}

static __always_inline int on_tcp_trouble(__u64 socket, __u32 kind)
{
	struct owner *owner = bpf_map_lookup_elem(&sockets, &socket);
	if (owner && counting)
		add_count(owner->tgid, kind, 0, 0, 0);
	return 0;
}

static __always_inline int on_tcp_retransmit(__u64 socket)
{
	if (serving)
		return on_tcp_trouble(socket, COUNT_RETRANSMIT);
	count_in(HISTOGRAM_RETRANSMIT, 0, 0, 1);
	return 0;
}

/* Not when it is closed: a reset that a process sends by closing comes after that. */
static __always_inline int on_tcp_destroy(__u64 socket)
{
	bpf_map_delete_elem(&sockets, &socket);
	return 0;
}

BOTH(inet_sock_set_state, return on_tcp_state(ctx[0], (int)ctx[1], (int)ctx[2]);)
BOTH(tcp_destroy_sock, return on_tcp_destroy(ctx[0]);)
BOTH(tcp_retransmit_skb, return on_tcp_retransmit(ctx[0]);)
BOTH(tcp_send_reset, return on_tcp_trouble(ctx[0], COUNT_RESET_SENT);)
BOTH(tcp_receive_reset, return on_tcp_trouble(ctx[0], COUNT_RESET_RECEIVED);)

/* Run once a tick over all open files: connections that are older than the helper get owners, and what is open is counted. */
SEC("iter/task_file") int each_file(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct task_struct *task = ctx->task;
	if (!file || !task)
		return 0;
	__u32 tgid = task->tgid;
	if (!is_target(tgid))
		return 0;
	struct socket *socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	struct sock *sock = BPF_CORE_READ(socket, sk);
	if (!sock || BPF_CORE_READ_BITFIELD_PROBED(sock, sk_protocol) != IPPROTO_TCP)
		return 0;
	__u8 state = BPF_CORE_READ(sock, __sk_common.skc_state);
	if (state == TCP_LISTEN) {
		listens(sock, tgid);
	} else if (state == TCP_ESTABLISHED) {
		own((__u64)sock, tgid, 0);
		add_count(tgid, COUNT_ROUND_TRIP, 0, (__u64)(BPF_CORE_READ((struct tcp_sock *)sock, srtt_us) >> 3) * 1000, 0);
	}
	return 0;
}

/* ---- locks of the kernel, by the thread that waits ---- */

/* The top bit keeps threads apart from what others use as keys. */
#define THREAD_KEY(who) ((who) | 1ull << 63)
/* A beginning as old as this belongs to an end that was missed. */
#define MISSED_NS 10000000000ull

/* A mutex begins anew each time it goes from spinning to sleeping, and an interrupt may wait for a lock meanwhile: the first counts. */
static __always_inline int on_contention_begin(__u64 lock)
{
	__u64 who = bpf_get_current_pid_tgid(), key = THREAD_KEY(who);
	if (!is_target(who >> 32))
		return 0;
	__u64 now = bpf_ktime_get_ns();
	struct beginning *held = bpf_map_lookup_elem(&begun, &key);
	if (held && now - held->ns < MISSED_NS)
		return 0;
	struct beginning beginning = { .ns = now, .about = lock };
	if (bpf_map_update_elem(&begun, &key, &beginning, BPF_ANY))
		__sync_fetch_and_add(&lost_counts, 1);
	return 0;
}

static __always_inline int on_contention_end(__u64 lock)
{
	__u64 who = bpf_get_current_pid_tgid(), key = THREAD_KEY(who);
	__u32 tgid = who >> 32;
	if (!is_target(tgid))
		return 0;
	struct beginning *held = bpf_map_lookup_elem(&begun, &key);
	if (!held || held->about != lock)
		return 0;
	__u64 ns = bpf_ktime_get_ns() - held->ns;
	bpf_map_delete_elem(&begun, &key);
	if (serving)
		add_count(tgid, COUNT_KERNEL_LOCK, 0, ns, 0);
	else
		count_in(HISTOGRAM_KERNEL_LOCK, 0, 0, ns);
	return 0;
}

BOTH(contention_begin, return on_contention_begin(ctx[0]);)
BOTH(contention_end, return on_contention_end(ctx[0]);)

static __always_inline int sample(struct bpf_perf_event_data *ctx, __u32 type)
{
	__u64 who = bpf_get_current_pid_tgid();
	__u32 tgid = who >> 32;
	if (!is_target(tgid))
		return 0;
	struct user_registers regs;
	bool has_regs = true;
	__s32 syscall = -1;
	if ((ctx->regs.cs & 3) == 3) {
		regs.ip = ctx->regs.ip;
		regs.sp = ctx->regs.sp;
		regs.bp = ctx->regs.bp;
		regs.bx = ctx->regs.bx;
	} else {
		has_regs = user_registers_of((struct task_struct *)bpf_get_current_task(), &regs);
		if (has_regs && (__s64)regs.orig_ax >= 0)
			syscall = (__s32)regs.orig_ax;
	}
	send_stack(ctx, type, tgid, (__u32)who, has_regs ? &regs : 0, syscall, 0, ctx->sample_period, bpf_ktime_get_ns());
	return 0;
}

SEC("perf_event") int on_cpu_sample(struct bpf_perf_event_data *ctx)
{
	return sample(ctx, RECORD_SAMPLE);
}

SEC("perf_event") int on_page_fault(struct bpf_perf_event_data *ctx)
{
	return sample(ctx, RECORD_FAULT);
}
