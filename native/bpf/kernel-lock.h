// Waits for locks within the kernel, sleeping or spinning, by the thread that waits. Unit: nanoseconds.
// Hooks: lock:contention_begin, lock:contention_end (Linux 5.19 and later). Cost: 2.3 us a wait in all; under contention they
// come more often than anything else here.
#ifndef LONGPOLE_KERNEL_LOCK_H
#define LONGPOLE_KERNEL_LOCK_H

#include "../kernel-types.h"
#include <bpf/bpf_helpers.h>
#include "../stream.h"
#include "tracepoint.h"
#include "targets.h"
#include "beginnings.h"
#include "histograms.h"
#include "process-counts.h"

// The top bit keeps threads apart from what others use as keys.
#define THREAD_KEY(who) ((who) | 1ull << 63)
// A beginning as old as this belongs to an end that was missed.
#define MISSED_NS 10000000000ull

// A mutex begins anew each time it goes from spinning to sleeping, and an interrupt may wait for a lock meanwhile: the first counts.
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

#endif
