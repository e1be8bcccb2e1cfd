// The probes on tracepoints by name: in which mode each is wanted, what is given up with it, and whether it is attached.
#ifndef LONGPOLE_PROBE_TABLE_H
#define LONGPOLE_PROBE_TABLE_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <bpf/libbpf.h>
#include "options.h"
#include "longpole-probe.skel.h"

enum mode { RECORDS = 1, SERVES = 2, ALWAYS = 3 };

// A probe on the kernel: the two programs that can do its work, and whether the recording is worth nothing without it.
struct probe {
	const char *name;
	const char *tracepoint;
	enum mode mode;
	bool needed;
	// given up together, while it serves; "" for those that tell who waits
	const char *group;
	// no tracepoint, but an iterator of this name
	const char *iterator;
	// a software event may do its work: whoever attaches that tells of it
	bool is_told_later;
	bool attached;
	// this kernel took everything else, but not its program
	bool refused;
	struct bpf_link *link;
};

static struct probe probes[] = {
	{ .name = "sched-wakeup", .tracepoint = "sched_wakeup", .mode = ALWAYS, .needed = true },
	{ .name = "sched-wakeup-new", .tracepoint = "sched_wakeup_new", .mode = ALWAYS, .needed = true },
	{ .name = "process-fork", .tracepoint = "sched_process_fork", .mode = ALWAYS },
	{ .name = "process-exec", .tracepoint = "sched_process_exec", .mode = ALWAYS },
	{ .name = "block-io-issue", .tracepoint = "block_rq_issue", .mode = RECORDS },
	{ .name = "block-io-done", .tracepoint = "block_rq_complete", .mode = ALWAYS, .group = "block-io" },
	{ .name = "block-io-end", .tracepoint = "block_bio_complete", .mode = SERVES, .group = "block-io" },
	{ .name = "block-io-begin", .tracepoint = "block_bio_queue", .mode = SERVES, .group = "block-io" },
	{ .name = "tcp-state", .tracepoint = "inet_sock_set_state", .mode = ALWAYS, .group = "tcp" },
	{ .name = "tcp-end", .tracepoint = "tcp_destroy_sock", .mode = SERVES, .group = "tcp" },
	{ .name = "tcp-retransmit", .tracepoint = "tcp_retransmit_skb", .mode = ALWAYS, .group = "tcp" },
	{ .name = "tcp-reset-sent", .tracepoint = "tcp_send_reset", .mode = SERVES, .group = "tcp" },
	{ .name = "tcp-reset-received", .tracepoint = "tcp_receive_reset", .mode = SERVES, .group = "tcp" },
	{ .name = "tcp-open", .iterator = "task_file", .mode = SERVES, .group = "tcp" },
	{ .name = "kernel-lock-end", .tracepoint = "contention_end", .mode = ALWAYS, .group = "kernel-locks" },
	{ .name = "kernel-lock-begin", .tracepoint = "contention_begin", .mode = ALWAYS, .group = "kernel-locks" },
	{ .name = "page-fault-kernel", .tracepoint = "page_fault_kernel", .mode = ALWAYS, .group = "page-faults" },
	{ .name = "page-fault-user", .tracepoint = "page_fault_user", .mode = ALWAYS, .group = "page-faults",
	  .is_told_later = true },
	{ .name = "sched-switch", .tracepoint = "sched_switch", .mode = ALWAYS, .needed = true },
};
#define PROBES (sizeof(probes) / sizeof(probes[0]))

static struct longpole_probe_bpf *skeleton;

static struct bpf_program *program_of(const struct probe *probe, bool typed)
{
	char name[64];
	if (probe->iterator)
		return skeleton->progs.each_file;
	snprintf(name, sizeof(name), "%s_%s", typed ? "typed" : "raw", probe->tracepoint);
	return bpf_object__find_program_by_name(skeleton->obj, name);
}

static bool is_wanted(const struct options *options, const struct probe *probe)
{
	return options->only_probe || (probe->mode & (options->serve ? SERVES : RECORDS));
}

static void detach(struct probe *probe)
{
	bpf_link__destroy(probe->link);
	probe->link = NULL;
	probe->attached = false;
}

// Those that are given up together.
static void detach_group(const char *group)
{
	for (size_t i = 0; i < PROBES; i++)
		if (probes[i].attached && probes[i].group && !strcmp(probes[i].group, group))
			detach(&probes[i]);
}

static void detach_all(void)
{
	for (size_t i = 0; i < PROBES; i++)
		if (probes[i].attached)
			detach(&probes[i]);
}

#endif
