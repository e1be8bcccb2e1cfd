// Which code has the processor: a stack of the target's thread that runs, user and kernel. Unit: samples.
// Hooks: the software event cpu-clock of each processor, at a rate. Cost: 18 us a sample.
#ifndef LONGPOLE_CPU_CLOCK_H
#define LONGPOLE_CPU_CLOCK_H

#include "../kernel-types.h"
#include <bpf/bpf_helpers.h>
#include "../stream.h"
#include "targets.h"
#include "stacks.h"

SEC("perf_event") int on_cpu_sample(struct bpf_perf_event_data *ctx)
{
	__u64 who = bpf_get_current_pid_tgid();
	__u32 tgid = who >> 32;
	if (!is_target(tgid))
		return 0;
	struct user_registers regs;
	__s32 syscall;
	bool has_regs = registers_of_event(ctx, &regs, &syscall);
	send_stack(ctx, RECORD_SAMPLE, tgid, (__u32)who, has_regs ? &regs : 0, syscall, 0, ctx->sample_period, bpf_ktime_get_ns());
	return 0;
}

#endif
