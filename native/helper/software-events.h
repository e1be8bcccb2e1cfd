// Software events of perf, one per processor and kind, each with a program of the object.
#ifndef LONGPOLE_SOFTWARE_EVENTS_H
#define LONGPOLE_SOFTWARE_EVENTS_H

#include <errno.h>
#include <unistd.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <bpf/libbpf.h>

#define MAX_PROCESSORS 1024

static int sample_fds[2][MAX_PROCESSORS];
static struct bpf_link *sample_links[2][MAX_PROCESSORS];
static int processors;

// One software event per processor; `which` is its place among the fds. Returns 0 or the first error.
static int attach_samples(int which, __u64 config, __u64 hz, __u64 period, struct bpf_program *program)
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
		sample_fds[which][cpu] = fd;
		sample_links[which][cpu] = link;
		attached++;
	}
	return attached > 0 ? 0 : error;
}

#endif
