// The first record, which tells what follows, and the last, or that of a tick: costs, and what could not be kept.
#ifndef LONGPOLE_REPORT_H
#define LONGPOLE_REPORT_H

#include <stdbool.h>
#include <sys/resource.h>
#include "../stream.h"
#include "budget.h"
#include "options.h"
#include "page-fault-events.h"
#include "records.h"
#include "software-events.h"
#include "totals.h"

// Whether the command's program was ever there.
static bool has_begun;

static void put_end(__u32 type, __u64 own_before, __u64 programs_before)
{
	struct {
		__u64 started_ns, ended_ns, lost_events, lost_threads, lost_waits, stacks_skipped, own_ns, programs_ns, resident_kb, lost_counts;
	} end = { .started_ns = has_begun ? skeleton->bss->started_ns : ended_ns,
		  .ended_ns = ended_ns,
		  .lost_events = skeleton->bss->lost_events,
		  .lost_threads = skeleton->bss->lost_threads,
		  .lost_waits = skeleton->bss->lost_waits,
		  .stacks_skipped = skeleton->bss->stacks_skipped,
		  .own_ns = own_ns() - own_before,
		  .programs_ns = programs_ns() - programs_before,
		  .lost_counts = skeleton->bss->lost_counts };
	struct rusage use;
	getrusage(RUSAGE_SELF, &use);
	end.resident_kb = (__u64)use.ru_maxrss;
	put(type, &end, sizeof(end), NULL, 0);
}

static void put_hello(const struct options *options, __u64 started_ns, __u64 attach_ns)
{
	__u64 monotonic = now_ns(CLOCK_MONOTONIC), wall = now_ns(CLOCK_REALTIME);
	struct {
		__u32 version, processors;
		__u64 started_ns, started_unix_ns, attach_ns;
		__u32 hz, fault_period;
	} hello = { .version = STREAM_VERSION, .processors = (__u32)processors, .started_ns = started_ns,
		    .started_unix_ns = wall - (monotonic - started_ns), .attach_ns = attach_ns,
		    .hz = (__u32)options->hz, .fault_period = fault_period(options) };
	put(RECORD_HELLO, &hello, sizeof(hello), NULL, 0);
}

#endif
