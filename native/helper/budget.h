// What it costs, its own time and that of its programs in the kernel, and what it gives up when that is more than it may
// take.
#ifndef LONGPOLE_BUDGET_H
#define LONGPOLE_BUDGET_H

#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "page-fault-events.h"
#include "probe-table.h"
#include "records.h"

// What is given up after page faults, first to last, when the helper takes more than its budget.
static const char *const SHED_ORDER[] = { "kernel-lock-begin", "kernel-lock-end", "block-io-issue", "block-io-done",
					  "tcp-state", "tcp-retransmit" };

// Processor time of the programs in the kernel, as far as it counts it.
static __u64 programs_ns(void)
{
	__u64 sum = 0;
	struct bpf_program *program;
	bpf_object__for_each_program(program, skeleton->obj) {
		int fd = bpf_program__fd(program);
		struct bpf_prog_info info = { 0 };
		__u32 size = sizeof(info);
		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size))
			sum += info.run_time_ns;
	}
	return sum;
}

static __u64 own_ns(void)
{
	struct rusage use;
	getrusage(RUSAGE_SELF, &use);
	return ((__u64)use.ru_utime.tv_sec + (__u64)use.ru_stime.tv_sec) * 1000000000ull +
	       ((__u64)use.ru_utime.tv_usec + (__u64)use.ru_stime.tv_usec) * 1000ull;
}

// Gives up the next thing; false when nothing is left that could be.
static bool shed(void)
{
	if (ends_faults()) {
		detach_page_faults();
		put_probe(PAGE_FAULTS, "shed", "over its budget of processor time");
		return true;
	}
	for (size_t i = 0; i < sizeof(SHED_ORDER) / sizeof(SHED_ORDER[0]); i++) {
		for (size_t j = 0; j < PROBES; j++) {
			if (strcmp(probes[j].name, SHED_ORDER[i]) || !probes[j].attached)
				continue;
			detach(&probes[j]);
			put_probe(probes[j].name, "shed", "over its budget of processor time");
			return true;
		}
	}
	if (skeleton->data->wait_stacks_per_tenth > 1) {
		skeleton->data->wait_stacks_per_tenth /= 4;
		skeleton->data->wait_stack_interval_ns *= 4;
		put_probe("wait-stacks", "shed", "fewer stacks: over its budget of processor time");
		return true;
	}
	return false;
}

#endif
