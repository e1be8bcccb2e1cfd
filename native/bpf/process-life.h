// Processes that a target starts, which become targets, and programs that they become. Unit: one record (exec_event) each.
// Hooks: sched:sched_process_fork, sched:sched_process_exec. Cost: little, since processes are rare.
#ifndef LONGPOLE_PROCESS_LIFE_H
#define LONGPOLE_PROCESS_LIFE_H

#include "../kernel-types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "../stream.h"
#include "tracepoint.h"
#include "targets.h"
#include "threads.h"
#include "stacks.h"

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

BOTH(sched_process_fork, return on_fork(ARG(struct task_struct *, 0), ARG(struct task_struct *, 1));)
BOTH(sched_process_exec, return on_exec(ARG(struct task_struct *, 0));)

#endif
