// What the tables in the kernel hold: totals of threads and of their waits, histograms, and who preempted. What is open when
// they are told counts as if it ended then.
#ifndef LONGPOLE_TOTALS_H
#define LONGPOLE_TOTALS_H

#include <stdbool.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "../stream.h"
#include "probe-table.h"
#include "proc-files.h"
#include "records.h"

static __u64 ended_ns;

// A thread that had the processor from the beginning to the end, and so never met a probe.
static void put_unseen(int pid, int tid)
{
	__u32 key = (__u32)tid;
	struct thread thread;
	if (!bpf_map__lookup_elem(skeleton->maps.threads, &key, sizeof(key), &thread, sizeof(thread), 0))
		return;
	memset(&thread, 0, sizeof(thread));
	thread.first_ns = thread.since = skeleton->bss->started_ns;
	thread.cpu_ns = ended_ns - thread.since;
	thread.tgid = (__u32)pid;
	thread.state = STATE_RUNNING;
	thread.syscall = -1;
	comm_of_thread(pid, tid, thread.comm);
	put(RECORD_THREAD, &key, sizeof(key), &thread, sizeof(thread));
}

// Of a thread that was last seen to get the processor: the time since, but no more than the kernel counts for it.
static __u64 still_running(int pid, int tid, const struct thread *thread, __u64 open)
{
	char path[64], line[128];
	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, tid);
	unsigned long long run;
	if (!thread->exec_ns || !read_line(path, line, sizeof(line)) || sscanf(line, "%llu", &run) != 1)
		return open;
	__u64 ran = run > thread->exec_ns ? run - thread->exec_ns : 0;
	return ran < open ? ran : open;
}

static bool is_open_wait(const struct wait_key *key, const struct thread *thread)
{
	return thread->state == STATE_BLOCKED && key->syscall == thread->syscall && key->detail == thread->detail;
}

// A wait that goes on, with those of its kind before.
static void put_open_wait(__u32 tid, const struct thread *thread, __u64 open, bool is_last)
{
	struct wait_key key = { .tid = tid, .syscall = thread->syscall, .detail = thread->detail };
	struct wait_total total = { 0 };
	bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.waits), &key, &total);
	total.ns += open;
	total.count += 1;
	if (open > total.longest_ns)
		total.longest_ns = open;
	if (is_last && thread->has_stack) {
		total.stacks += 1;
		struct wait_done done = { .type = RECORD_WAIT_DONE, .tid = tid, .value = thread->stacks, .ns = open };
		put(RECORD_WAIT_DONE, &done, sizeof(done), NULL, 0);
	}
	put(RECORD_WAIT, &key, sizeof(key), &total, sizeof(total));
}

// Those that nobody is in now. What threads that have ended waited for is told, and forgotten.
static void put_waits(int threads, int waits)
{
	struct wait_key key, next;
	bool more = !bpf_map_get_next_key(waits, NULL, &key);
	while (more) {
		struct wait_total total;
		struct thread thread;
		bool known = !bpf_map_lookup_elem(threads, &key.tid, &thread);
		if ((!known || !is_open_wait(&key, &thread)) && !bpf_map_lookup_elem(waits, &key, &total))
			put(RECORD_WAIT, &key, sizeof(key), &total, sizeof(total));
		more = !bpf_map_get_next_key(waits, &key, &next);
		if (!known || thread.state == STATE_ENDED)
			bpf_map_delete_elem(waits, &key);
		key = next;
	}
}

// Totals of all threads. What is open is told as if it ended now; the maps stay as they are, but for threads that have ended,
// and the next time tells more. is_last: there is no next time.
static void put_threads(bool is_last)
{
	static __u32 ended[16384];
	size_t ended_count = 0;
	int map = bpf_map__fd(skeleton->maps.threads), waits = bpf_map__fd(skeleton->maps.waits);
	__u32 tid, *before = NULL;
	for (; !bpf_map_get_next_key(map, before, &tid); before = &tid) {
		struct thread thread;
		if (bpf_map_lookup_elem(map, &tid, &thread))
			continue;
		__u64 open = ended_ns > thread.since ? ended_ns - thread.since : 0;
		if (thread.state == STATE_RUNNING)
			thread.cpu_ns += still_running((int)thread.tgid, (int)tid, &thread, open);
		if (thread.state == STATE_RUNNABLE)
			thread.runnable_ns += open;
		if (thread.state == STATE_BLOCKED) {
			thread.blocked_ns += open;
			put_open_wait(tid, &thread, open, is_last);
		}
		if (thread.state == STATE_ENDED && ended_count < sizeof(ended) / sizeof(ended[0]))
			ended[ended_count++] = tid;
		else if (is_last)
			comm_of_thread((int)thread.tgid, (int)tid, thread.comm);
		put(RECORD_THREAD, &tid, sizeof(tid), &thread, sizeof(thread));
	}
	put_waits(map, waits);
	for (size_t i = 0; i < ended_count; i++) {
		bpf_map_delete_elem(map, &ended[i]);
		if (!is_last)
			bpf_map_delete_elem(bpf_map__fd(skeleton->maps.faults), &ended[i]);
	}
}

// Of a recording; what is counted while it serves is told by process.
static void put_faults(void)
{
	int map = bpf_map__fd(skeleton->maps.faults);
	__u32 tid, *before = NULL;
	for (; !bpf_map_get_next_key(map, before, &tid); before = &tid) {
		struct fault_total total;
		if (!bpf_map_lookup_elem(map, &tid, &total))
			put(RECORD_FAULTS, &tid, sizeof(tid), &total, sizeof(total));
	}
}

static void put_tables(void)
{
	int histograms = bpf_map__fd(skeleton->maps.histograms), preemptors = bpf_map__fd(skeleton->maps.preemptors);
	struct histogram_key key, *before = NULL;
	for (; !bpf_map_get_next_key(histograms, before, &key); before = &key) {
		struct histogram histogram;
		if (!bpf_map_lookup_elem(histograms, &key, &histogram))
			put(RECORD_HISTOGRAM, &key, sizeof(key), &histogram, sizeof(histogram));
	}
	__u32 tgid, *last = NULL;
	for (; !bpf_map_get_next_key(preemptors, last, &tgid); last = &tgid) {
		struct preemptor by;
		if (!bpf_map_lookup_elem(preemptors, &tgid, &by))
			put(RECORD_PREEMPTOR, &tgid, sizeof(tgid), &by, sizeof(by));
	}
}

#endif
