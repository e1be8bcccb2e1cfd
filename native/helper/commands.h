// Commands of the agent, a line each, on standard input:
//
//   target PID          counts this process, and those that it starts, from now on
//   shed page-faults|kernel-locks|tcp|block-io|wait-stacks|on-cpu|times
//   tick SECONDS
//   facts ID PID        what names it: its program, its folder, and some variables
//   maps ID PID         the parts of its memory that hold code
//   io ID PID[ PID...]  bytes from and to disks
#ifndef LONGPOLE_COMMANDS_H
#define LONGPOLE_COMMANDS_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/libbpf.h>
#include "page-fault-events.h"
#include "peek.h"
#include "probe-table.h"
#include "seed-threads.h"
#include "software-events.h"

static double tick_seconds;

static void add_target(int pid)
{
	__u32 tgid = (__u32)pid;
	__u64 known;
	// A child of one that is counted is counted already.
	if (pid <= 0 || !skeleton || !bpf_map__lookup_elem(skeleton->maps.targets, &tgid, sizeof(tgid), &known, sizeof(known), 0))
		return;
	seeded_ns = now_ns(CLOCK_MONOTONIC);
	if (bpf_map__update_elem(skeleton->maps.targets, &tgid, sizeof(tgid), &seeded_ns, sizeof(seeded_ns), BPF_NOEXIST))
		return;
	for_each_thread(pid, seed_thread);
}

static void shed_one(const char *what)
{
	if (!skeleton)
		return;
	if (!strcmp(what, "on-cpu")) {
		detach_events(EVENT_CPU_CLOCK);
	} else if (!strcmp(what, "wait-stacks")) {
		skeleton->data->wait_stacks_per_tenth = 0;
	} else if (!strcmp(what, "times")) {
		skeleton->data->counting = false;
		detach_all();
	} else if (!strcmp(what, PAGE_FAULTS)) {
		detach_page_faults();
	} else {
		detach_group(what);
	}
}

static void obey(char *line)
{
	char *rest = strchr(line, ' ');
	if (!rest)
		return;
	*rest++ = 0;
	if (!strcmp(line, "target"))
		add_target(atoi(rest));
	else if (!strcmp(line, "shed"))
		shed_one(rest);
	else if (!strcmp(line, "tick") && atof(rest) >= 0.1)
		tick_seconds = atof(rest);
	__u32 id = (__u32)strtoul(rest, &rest, 10);
	if (!strcmp(line, "facts"))
		put_facts(id, atoi(rest));
	else if (!strcmp(line, "maps"))
		put_maps(id, atoi(rest));
	else if (!strcmp(line, "io"))
		put_io(id, rest);
}

// False when its input has ended.
static bool read_commands(void)
{
	static char lines[65536];
	static size_t held;
	ssize_t got = read(STDIN_FILENO, lines + held, sizeof(lines) - 1 - held);
	if (got <= 0)
		return got < 0 && (errno == EINTR || errno == EAGAIN);
	held += (size_t)got;
	lines[held] = 0;
	char *line = lines;
	for (char *end = strchr(line, '\n'); end; end = strchr(line, '\n')) {
		*end = 0;
		obey(line);
		line = end + 1;
	}
	held -= (size_t)(line - lines);
	memmove(lines, line, held);
	// No command is as long: whatever it was, it is not for us.
	if (held == sizeof(lines) - 1)
		held = 0;
	return true;
}

#endif
