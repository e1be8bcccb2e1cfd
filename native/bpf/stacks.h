// The stack of the thread that is looked at: frames of the kernel and, by frame pointers, of the user, and a copy of the
// user's stack from its pointer upwards, by which the reader finds callers without frame pointers.
// Unit: one record (stack_event) a stack. Hooks: none of its own. Cost: a sample with its stack takes some 18 us; whoever
// sends one keeps to a rate.
#ifndef LONGPOLE_STACKS_H
#define LONGPOLE_STACKS_H

#include "../kernel-types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "../stream.h"

const volatile __u32 copy_pieces = COPY_PIECES;
// BPF_RB_NO_WAKEUP where the reader looks by itself now and then.
const volatile __u64 wakeup = 0;
const volatile __u64 kernel_stack_bytes = 16384;

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

__u64 lost_events = 0;

// The registers with which `task` entered the kernel; false for one that never was outside of it.
static __always_inline bool user_registers_of(struct task_struct *task, struct user_registers *to)
{
	void *stack = BPF_CORE_READ(task, stack);
	if (!stack)
		return false;
	// They stand at the top of its stack, below nothing or below the 16 bytes that FRED keeps free.
	__u64 top = (__u64)stack + kernel_stack_bytes;
	if (!bpf_probe_read_kernel(to, sizeof(*to), (void *)(top - sizeof(*to))) && (to->cs & 0xffff) == 0x33)
		return true;
	return !bpf_probe_read_kernel(to, sizeof(*to), (void *)(top - 16 - sizeof(*to))) && (to->cs & 0xffff) == 0x33;
}

// The user's registers at a software event, and the system call that it was in, if any.
static __always_inline bool registers_of_event(struct bpf_perf_event_data *ctx, struct user_registers *regs, __s32 *syscall)
{
	*syscall = -1;
	if ((ctx->regs.cs & 3) == 3) {
		regs->ip = ctx->regs.ip;
		regs->sp = ctx->regs.sp;
		regs->bp = ctx->regs.bp;
		regs->bx = ctx->regs.bx;
		return true;
	}
	bool has_regs = user_registers_of((struct task_struct *)bpf_get_current_task(), regs);
	if (has_regs && (__s64)regs->orig_ax >= 0)
		*syscall = (__s32)regs->orig_ax;
	return has_regs;
}

// address, took_ns: of what the stack is about, where it has such.
static __always_inline void send_stack_about(void *ctx, __u32 type, __u32 tgid, __u32 tid, const struct user_registers *regs,
					     __s32 syscall, __u32 detail, __u64 value, __u64 now, __u64 address, __u64 took_ns)
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
	event->address = address;
	event->took_ns = took_ns;
	event->ip = event->sp = event->bp = event->bx = 0;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	long kernel = bpf_get_stack(ctx, event->kernel, sizeof(event->kernel), 0);
	long user = bpf_get_stack(ctx, event->user, sizeof(event->user), BPF_F_USER_STACK);
	// Shifted, not divided: clang 14 fails on signed division for BPF.
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
			// To the end of a piece of memory, so that each piece lies within one page.
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

static __always_inline void send_stack(void *ctx, __u32 type, __u32 tgid, __u32 tid, const struct user_registers *regs,
				       __s32 syscall, __u32 detail, __u64 value, __u64 now)
{
	send_stack_about(ctx, type, tgid, tid, regs, syscall, detail, value, now, 0, 0);
}

#endif
