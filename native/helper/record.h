// A recording: drains the ring of events until the time is over, its input ends, or what it looks at or its parent is gone,
// and keeps to the budget meanwhile.
#ifndef LONGPOLE_RECORD_H
#define LONGPOLE_RECORD_H

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>
#include <bpf/libbpf.h>
#include "budget.h"
#include "options.h"
#include "records.h"

static bool any_target_lives(const struct options *options)
{
	for (int i = 0; i < options->target_count; i++)
		if (!kill(options->targets[i], 0) || errno == EPERM)
			return true;
	return false;
}

static void record(const struct options *options, struct ring_buffer *ring, __u64 until)
{
	pid_t parent = getppid();
	__u64 own = own_ns(), programs = programs_ns(), checked = now_ns(CLOCK_MONOTONIC);
	struct pollfd waiting[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = ring_buffer__epoll_fd(ring), .events = POLLIN } };
	while (!ending && getppid() == parent) {
		__u64 now = now_ns(CLOCK_MONOTONIC);
		if (until && now >= until)
			break;
		__u64 left = until ? (until - now) / 1000000 + 1 : 200;
		if (poll(waiting, 2, left < 200 ? (int)left : 200) < 0 && errno != EINTR)
			break;
		char ignored[256];
		if (waiting[0].revents && read(STDIN_FILENO, ignored, sizeof(ignored)) <= 0)
			break;
		ring_buffer__consume(ring);
		if (fflush(stdout))
			break;
		if (now - checked < 1000000000ull)
			continue;
		__u64 own_now = own_ns(), programs_now = programs_ns();
		double percent = 100.0 * (double)(own_now - own + programs_now - programs) / (double)(now - checked);
		if (options->budget > 0 && percent > options->budget)
			shed();
		own = own_now;
		programs = programs_now;
		checked = now;
		// Children of a target may outlive it, but then nobody is left to ask about.
		if (!any_target_lives(options))
			break;
	}
}

#endif
