// Which code has the processor: a stack of the target's thread that runs, user and kernel. Unit: samples.
// Hooks: the software event cpu-clock of each processor, at a rate. Cost: 18 us a sample.
#ifndef LONGPOLE_CPU_CLOCK_H
#define LONGPOLE_CPU_CLOCK_H

#include "../kernel-types.h"
#include <bpf/bpf_helpers.h>
#include "../stream.h"
#include "targets.h"
#include "stacks.h"

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

#endif
