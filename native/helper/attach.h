// Loads the object and attaches its probes, on the first rung that the kernel takes: typed tracepoints, raw ones; each
// without the programs that it refuses. All hang on file descriptors of this process: whatever ends it, the kernel takes
// them off.
#ifndef LONGPOLE_ATTACH_H
#define LONGPOLE_ATTACH_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include "capabilities.h"
#include "options.h"
#include "page-fault-events.h"
#include "probe-table.h"
#include "records.h"

// Stacks of waits while it serves: for each kind the first, and then one of a thread in so long, ten a second and processor.
#define SERVE_WAIT_STACK_NS 5000000000ull
#define SERVE_PIECES 8

static void unload(void)
{
	for (size_t i = 0; i < PROBES; i++) {
		bpf_link__destroy(probes[i].link);
		probes[i].link = NULL;
		probes[i].attached = false;
	}
	longpole_probe_bpf__destroy(skeleton);
}

static void set_up(const struct options *options, const struct btf *btf)
{
	skeleton->rodata->follow_children = options->follow;
	skeleton->rodata->bio_after_queue = arguments_of(btf, "block_bio_queue") > 1;
	skeleton->rodata->request_after_queue = arguments_of(btf, "block_rq_issue") > 1;
	skeleton->rodata->minor_period = fault_period(options);
	if (options->serve) {
		skeleton->rodata->serving = true;
		skeleton->rodata->wakeup = BPF_RB_NO_WAKEUP;
		skeleton->rodata->copy_pieces = SERVE_PIECES;
		skeleton->data->wait_stack_interval_ns = SERVE_WAIT_STACK_NS;
		skeleton->data->wait_stacks_per_tenth = 1;
	}
	skeleton->data->counting = !options->at_exec;
}

// Opens, loads and attaches all on one rung; 0, or the error of the first needed thing that failed, in `reason`.
static int load(const struct options *options, const struct btf *btf, bool typed, char *reason, size_t room)
{
	skeleton = longpole_probe_bpf__open();
	if (!skeleton) {
		snprintf(reason, room, "the object cannot be opened: %s", strerror(errno));
		return -errno;
	}
	set_up(options, btf);
	for (size_t i = 0; i < PROBES; i++) {
		bpf_program__set_autoload(program_of(&probes[i], !typed), false);
		bpf_program__set_autoload(program_of(&probes[i], typed),
					  is_wanted(options, &probes[i]) && !probes[i].refused && is_there(btf, &probes[i]));
	}
	int error = longpole_probe_bpf__load(skeleton);
	if (error) {
		snprintf(reason, room, "loading as %s: %s", typed ? "tp_btf" : "raw_tp", strerror(-error));
		unload();
		return error;
	}
	for (int i = 0; i < options->target_count; i++) {
		__u32 tgid = (__u32)options->targets[i];
		__u64 since = 0;
		bpf_map__update_elem(skeleton->maps.targets, &tgid, sizeof(tgid), &since, sizeof(since), BPF_ANY);
	}
	for (size_t i = 0; i < PROBES; i++) {
		struct probe *probe = &probes[i];
		if (!is_wanted(options, probe) || probe->refused)
			continue;
		if (!is_there(btf, probe)) {
			error = -ESRCH;
		} else {
			probe->link = probe->iterator ? bpf_program__attach_iter(program_of(probe, typed), NULL)
						      : bpf_program__attach(program_of(probe, typed));
			error = probe->link ? 0 : -errno;
		}
		probe->attached = !error;
		if (error && probe->needed) {
			snprintf(reason, room, "attaching %s as %s: %s", probe->tracepoint, typed ? "tp_btf" : "raw_tp",
				 strerror(-error));
			unload();
			return error;
		}
	}
	// Only now that no switch goes unseen: attaching takes a while, in which threads would change without a trace.
	if (!options->at_exec)
		skeleton->bss->started_ns = now_ns(CLOCK_MONOTONIC);
	return 0;
}

// One program that a kernel does not take keeps all from being loaded: finds out which, by leaving them out and taking them in again.
static int load_without_refused(const struct options *options, const struct btf *btf, bool typed, char *reason, size_t room)
{
	char ignored[200];
	for (size_t i = 0; i < PROBES; i++)
		probes[i].refused = !probes[i].needed;
	int error = load(options, btf, typed, reason, room);
	if (error)
		return error;
	for (size_t i = 0; i < PROBES; i++) {
		if (!probes[i].refused || !is_wanted(options, &probes[i]) || !is_there(btf, &probes[i]))
			continue;
		unload();
		probes[i].refused = false;
		if (load(options, btf, typed, ignored, sizeof(ignored))) {
			probes[i].refused = true;
			error = load(options, btf, typed, reason, room);
			if (error)
				return error;
		}
	}
	return 0;
}

static const char *attach_probes(const struct options *options)
{
	struct btf *btf = btf__load_vmlinux_btf();
	if (!btf)
		fail("no BTF of this kernel (/sys/kernel/btf/vmlinux): %s", strerror(errno));
	char typed[200], raw[200];
	const char *rung = "tp_btf";
	if (load(options, btf, true, typed, sizeof(typed)) && load_without_refused(options, btf, true, typed, sizeof(typed))) {
		rung = "raw_tp";
		for (size_t i = 0; i < PROBES; i++)
			probes[i].refused = false;
		if (load(options, btf, false, raw, sizeof(raw)) && load_without_refused(options, btf, false, raw, sizeof(raw)))
			fail("%s; %s", typed, raw);
	}
	for (size_t i = 0; i < PROBES; i++) {
		const struct probe *probe = &probes[i];
		if (is_wanted(options, probe) && !probe->is_told_later)
			put_probe(probe->name, !probe->attached ? "none" : probe->iterator ? "iter" : rung, reason_of(btf, probe));
	}
	btf__free(btf);
	return rung;
}

#endif
