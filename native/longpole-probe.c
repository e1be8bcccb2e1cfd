// longpole-probe: loads the probes of longpole-probe.bpf.c, and writes what they see of
// chosen processes as records (stream.h) on standard output until standard input is
// closed, the time is over or its parent is gone. All probes hang on file descriptors of
// this process: whatever ends it, the kernel takes them off. Its parts are the files of helper/.
#define _GNU_SOURCE
#include <sys/prctl.h>
#include <sys/resource.h>
#include "helper/attach.h"
#include "helper/record.h"
#include "helper/report.h"
#include "helper/rights.h"
#include "helper/seed-threads.h"
#include "helper/serve.h"
#include "helper/software-events.h"
#include "helper/totals.h"

int main(int count, char **words)
{
	struct options options = read_options(count, words);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	signal(SIGHUP, on_signal);
	signal(SIGPIPE, SIG_IGN);
	libbpf_set_print(NULL);
	// Kernels before 5.11 count the memory of maps against it; where it cannot be raised, loading says so.
	setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY });
	processors = libbpf_num_possible_cpus();
	if (options.look) {
		drop_rights(&options);
		put_hello(&options, 0, 0);
		fflush(stdout);
		look();
		return 0;
	}
	if (processors < 1 || processors > MAX_PROCESSORS)
		fail("%d processors: made for at most %d", processors, MAX_PROCESSORS);

	__u64 begun = now_ns(CLOCK_MONOTONIC);
	int statistics = bpf_enable_stats(BPF_STATS_RUN_TIME), statistics_error = errno;
	__u64 own_before = own_ns();
	const char *rung = attach_probes(&options);
	put_event("on-cpu", attach_events(EVENT_CPU_CLOCK, PERF_COUNT_SW_CPU_CLOCK, (__u64)options.hz, 0, skeleton->progs.on_cpu_sample));
	attach_page_faults(&options, rung);
	const char *refused = statistics >= 0 ? "" : strerror(statistics_error);
	char switched[8] = "";
	// Or somebody has switched it on for all.
	bool is_counted = statistics >= 0 ||
			  (read_line("/proc/sys/kernel/bpf_stats_enabled", switched, sizeof(switched)) && switched[0] == '1');
	put_probe("own-cost", is_counted ? "bpf_stats" : "none", is_counted ? "" : refused);
	if (options.only_probe) {
		fflush(stdout);
		return 0;
	}
	seeded_ns = skeleton->bss->started_ns;
	for (int i = 0; i < options.target_count && !options.at_exec; i++)
		for_each_thread(options.targets[i], seed_thread);
	__u64 monotonic = now_ns(CLOCK_MONOTONIC);
	put_hello(&options, skeleton->bss->started_ns, monotonic - begun);
	fflush(stdout);

	struct ring_buffer *ring = ring_buffer__new(bpf_map__fd(skeleton->maps.events), on_event, NULL, NULL);
	if (!ring)
		fail("no ring buffer: %s", strerror(errno));
	// Of a command that has not begun yet, from now on: it begins as soon as it is told that all is ready.
	__u64 from = options.at_exec ? monotonic : skeleton->bss->started_ns;
	__u64 until = options.seconds > 0 ? from + (__u64)(options.seconds * 1e9) : 0;
	if (options.serve) {
		drop_rights(&options);
		serve(&options, ring);
		return fflush(stdout) ? 1 : 0;
	}
	record(&options, ring, until);

	// From here on no total changes, at one moment for all probes: taking them off takes a while.
	has_begun = skeleton->data->counting;
	skeleton->data->counting = false;
	ended_ns = now_ns(CLOCK_MONOTONIC);
	detach_all();
	for (int which = 0; which < EVENTS; which++)
		detach_events((enum software_event)which);
	ring_buffer__consume(ring);
	for (int i = 0; i < options.target_count; i++)
		for_each_thread(options.targets[i], put_unseen);
	put_threads(true);
	put_faults();
	put_tables();
	put_end(RECORD_END, own_before, 0);
	return fflush(stdout) ? 1 : 0;
}
