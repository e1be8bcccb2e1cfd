// The system call in which a thread blocks, and what is known of the wait besides: a futex's operation, whether the kernel
// counts it as a wait for a disk. Unit: none; it parts the times of sched-switch.h.
// Hooks: none of its own: the number stands in the registers with which the thread entered the kernel (orig_ax), which is
// looked up at the switch. Cost: one read of some 170 bytes at each switch that blocks; raw_syscalls:sys_enter and sys_exit
// would take 12 % of a program that makes many calls.
#ifndef LONGPOLE_BLOCKING_SYSCALL_H
#define LONGPOLE_BLOCKING_SYSCALL_H

#include "../kernel-types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "../stream.h"
#include "stacks.h"

#define TASK_UNINTERRUPTIBLE 2
#define TASK_STOPPED_OR_TRACED 12
#define FUTEX 202

// In `thread` what `task` blocks in; its registers in `regs`, false where it has none.
static __always_inline bool note_blocking_syscall(struct thread *thread, struct task_struct *task, __u32 state,
						  struct user_registers *regs)
{
	bool has_regs = user_registers_of(task, regs);
	__s32 syscall = has_regs && (__s64)regs->orig_ax >= 0 ? (__s32)regs->orig_ax : -1;
	__u32 detail = 0;
	if (syscall == FUTEX) {
		detail = regs->si & DETAIL_FUTEX_OP;
		if ((__u32)regs->dx == 2)
			detail |= DETAIL_FUTEX_HELD;
	}
	if (BPF_CORE_READ_BITFIELD_PROBED(task, in_iowait))
		detail |= DETAIL_IOWAIT;
	if (state & TASK_UNINTERRUPTIBLE)
		detail |= DETAIL_UNINTERRUPTIBLE;
	if (state & TASK_STOPPED_OR_TRACED)
		detail |= DETAIL_STOPPED;
	thread->syscall = syscall;
	thread->detail = detail;
	return has_regs;
}

#endif
