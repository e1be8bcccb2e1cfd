// Software events of perf, one per processor and kind, each with a program of the object.
#ifndef LONGPOLE_SOFTWARE_EVENTS_H
#define LONGPOLE_SOFTWARE_EVENTS_H

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <bpf/libbpf.h>

#define MAX_PROCESSORS 1024

enum software_event { EVENT_CPU_CLOCK, EVENT_FAULT_BEGIN, EVENT_MINOR_FAULT, EVENT_MAJOR_FAULT, EVENTS };

static struct bpf_link *event_links[EVENTS][MAX_PROCESSORS];
static int processors;

// One per processor, so often a second or once in so many. Returns 0 or the first error.
static int attach_events(enum software_event which, __u64 config, __u64 hz, __u64 period, struct bpf_program *program)
{
	int attached = 0, error = 0;
	for (int cpu = 0; cpu < processors; cpu++) {
		struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .config = config };
		attr.freq = hz > 0;
		if (hz > 0)
			attr.sample_freq = hz;
		else
			attr.sample_period = period;
		int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
		if (fd < 0) {
			// A processor that is off.
			if (errno != ENODEV)
				error = -errno;
			continue;
		}
		struct bpf_link *link = bpf_program__attach_perf_event(program, fd);
		if (!link) {
			error = -errno;
			close(fd);
			continue;
		}
		event_links[which][cpu] = link;
		attached++;
	}
	return attached > 0 ? 0 : error;
}

static bool has_events(enum software_event which)
{
	for (int cpu = 0; cpu < processors; cpu++)
		if (event_links[which][cpu])
			return true;
	return false;
}

static void detach_events(enum software_event which)
{
	for (int cpu = 0; cpu < processors; cpu++) {
		// Its descriptor goes with it.
		bpf_link__destroy(event_links[which][cpu]);
		event_links[which][cpu] = NULL;
	}
}

#endif
