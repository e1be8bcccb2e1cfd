// Threads that did not move: one that sleeps or runs when the recording begins meets no probe until it is switched. Its
// state, its system call and its stack are read from /proc then.
#ifndef LONGPOLE_SEED_THREADS_H
#define LONGPOLE_SEED_THREADS_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <bpf/libbpf.h>
#include "../stream.h"
#include "probe-table.h"
#include "proc-files.h"
#include "records.h"

// A sleeping thread's system call, and its stack as far as another process may read it.
static void seed_stack(int pid, int tid, struct thread *thread, __u64 sp, __u64 ip)
{
	static struct { struct stack_event event; __u8 copy[COPY_PIECE * COPY_PIECES]; } room;
	struct stack_event *event = &room.event;
	memset(event, 0, sizeof(*event));
	struct iovec here = { room.copy, sizeof(room.copy) }, there = { (void *)sp, sizeof(room.copy) };
	ssize_t copied = process_vm_readv(pid, &here, 1, &there, 1, 0);
	// All or nothing per region: shorter towards the end of the stack.
	for (size_t want = sizeof(room.copy) / 2; copied < 0 && want >= 64; want /= 2) {
		here.iov_len = there.iov_len = want;
		copied = process_vm_readv(pid, &here, 1, &there, 1, 0);
	}
	event->type = RECORD_WAIT_STACK;
	event->tgid = (__u32)pid;
	event->tid = (__u32)tid;
	event->syscall = thread->syscall;
	event->detail = thread->detail;
	event->time_ns = thread->since;
	event->value = 1;
	event->ip = ip;
	event->sp = sp;
	memcpy(event->comm, thread->comm, sizeof(event->comm));
	put(RECORD_WAIT_STACK, &room, sizeof(*event) + (size_t)(copied > 0 ? copied : 0), NULL, 0);
}

// Since when threads that are counted in are counted, and whether their stacks are sent.
static __u64 seeded_ns;
static bool seed_stacks = true;

static void seed_thread(int pid, int tid)
{
	char state = state_of_thread(pid, tid);
	struct thread thread = { .tgid = (__u32)pid, .state = STATE_BLOCKED, .syscall = -1, .detail = DETAIL_BEFORE };
	thread.first_ns = thread.since = seeded_ns;
	if (state == 'R' && !seed_stacks) {
		// It may run for long without a switch that would show it: the kernel's count says how much it does.
		__u32 key = (__u32)tid;
		thread.state = STATE_RUNNING;
		thread.detail = 0;
		thread.exec_ns = exec_of_thread(pid, tid);
		comm_of_thread(pid, tid, thread.comm);
		if (thread.exec_ns)
			bpf_map__update_elem(skeleton->maps.threads, &key, sizeof(key), &thread, sizeof(thread), BPF_NOEXIST);
		return;
	}
	// What runs or stands in the queue shows itself.
	if (state == 0 || !strchr("SDTt", state))
		return;
	comm_of_thread(pid, tid, thread.comm);
	char path[64], line[256];
	unsigned long long number = 0, args[6], sp = 0, ip = 0;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", pid, tid);
	if (read_line(path, line, sizeof(line)) &&
	    sscanf(line, "%lld %llx %llx %llx %llx %llx %llx %llx %llx", (long long *)&number, &args[0], &args[1], &args[2],
		   &args[3], &args[4], &args[5], &sp, &ip) == 9) {
		thread.syscall = (int)number;
		if (thread.syscall == 202)
			thread.detail |= (args[1] & DETAIL_FUTEX_OP) | ((__u32)args[2] == 2 ? DETAIL_FUTEX_HELD : 0);
	}
	if (state == 'D')
		thread.detail |= DETAIL_UNINTERRUPTIBLE;
	if (state == 'T' || state == 't')
		thread.detail |= DETAIL_STOPPED;
	if (sp && seed_stacks) {
		thread.stacks = 1;
		thread.has_stack = 1;
	}
	__u32 key = (__u32)tid;
	int failed = bpf_map__update_elem(skeleton->maps.threads, &key, sizeof(key), &thread, sizeof(thread), BPF_NOEXIST);
	if (!failed && sp && seed_stacks)
		seed_stack(pid, tid, &thread, sp, ip);
}

#endif
