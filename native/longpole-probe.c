/*
 * longpole-probe: loads the probes of longpole-probe.bpf.c, and writes what they see of
 * chosen processes as records (stream.h) on standard output until standard input is
 * closed, the time is over or its parent is gone. All probes hang on file descriptors of
 * this process: whatever ends it, the kernel takes them off.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <linux/types.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <math.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include "stream.h"
#include "longpole-probe.skel.h"

#define MAX_TARGETS 256
#define MAX_PROCESSORS 1024

struct options {
	int targets[MAX_TARGETS];
	int target_count;
	int hz;
	double seconds;
	/* percent of one core; 0 for no limit */
	double budget;
	bool follow;
	bool at_exec;
	bool only_probe;
	/* goes on until its input ends: takes commands, sends totals every `tick` seconds */
	bool serve;
	/* serves, but only looks: nothing is attached */
	bool look;
	double tick;
	/* what it becomes once all is attached, keeping only what it needs; -1: what it is */
	int uid, gid;
};

enum mode { RECORDS = 1, SERVES = 2, ALWAYS = 3 };

/* A probe on the kernel: the two programs that can do its work, and whether the recording is worth nothing without it. */
struct probe {
	const char *name;
	const char *tracepoint;
	enum mode mode;
	bool needed;
	/* given up together, while it serves; "" for those that tell who waits */
	const char *group;
	/* no tracepoint, but an iterator of this name */
	const char *iterator;
	bool attached;
	/* this kernel took everything else, but not its program */
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
	{ .name = "sched-switch", .tracepoint = "sched_switch", .mode = ALWAYS, .needed = true },
};
#define PROBES (sizeof(probes) / sizeof(probes[0]))

/* What is given up, first to last, when the helper takes more than its budget. */
static const char *const SHED_ORDER[] = { "kernel-lock-begin", "kernel-lock-end", "block-io-issue", "block-io-done",
					  "tcp-state", "tcp-retransmit" };

static struct longpole_probe_bpf *skeleton;
static int sample_fds[2][MAX_PROCESSORS];
static struct bpf_link *sample_links[2][MAX_PROCESSORS];
static int processors;
static volatile sig_atomic_t ending;

static void on_signal(int signal) { (void)signal; ending = 1; }

static __u64 now_ns(clockid_t clock)
{
	struct timespec at;
	clock_gettime(clock, &at);
	return (__u64)at.tv_sec * 1000000000ull + (__u64)at.tv_nsec;
}

static void fail(const char *format, ...)
{
	va_list values;
	va_start(values, format);
	fprintf(stderr, "longpole-probe: ");
	vfprintf(stderr, format, values);
	fprintf(stderr, "\n");
	va_end(values);
	exit(1);
}

static void put(__u32 type, const void *one, size_t one_size, const void *two, size_t two_size)
{
	__u32 head[2] = { (__u32)(4 + one_size + two_size), type };
	if (fwrite(head, sizeof(head), 1, stdout) != 1 || (one_size && fwrite(one, one_size, 1, stdout) != 1) ||
	    (two_size && fwrite(two, two_size, 1, stdout) != 1))
		ending = 1;
}

static void put_probe(const char *name, const char *rung, const char *reason)
{
	char text[512];
	int size = snprintf(text, sizeof(text), "%s%c%s%c%s", name, 0, rung, 0, reason);
	put(RECORD_PROBE, text, (size_t)(size < (int)sizeof(text) ? size + 1 : (int)sizeof(text)), NULL, 0);
}

static int on_event(void *unused, void *data, size_t size)
{
	(void)unused;
	put(*(const __u32 *)data, data, size, NULL, 0);
	return 0;
}

/* ---- arguments ---- */

static void usage(void)
{
	fprintf(stderr, "usage: longpole-probe --pid N[,N...] [--hz 49] [--seconds N] [--budget PERCENT] [--no-follow] [--at-exec]\n"
			"       longpole-probe --serve [--tick 10] [--hz 19] [--uid N --gid N]\n"
			"       longpole-probe --look [--uid N --gid N]\n"
			"       longpole-probe --check\n");
	exit(2);
}

static double number(const char *text, double low, double high)
{
	char *end;
	double value = text ? strtod(text, &end) : NAN;
	if (!text || *end || !(value >= low && value <= high))
		usage();
	return value;
}

static struct options read_options(int count, char **words)
{
	struct options options = { .hz = 49, .follow = true, .tick = 10, .uid = -1, .gid = -1 };
	for (int i = 1; i < count; i++) {
		const char *word = words[i];
		if (!strcmp(word, "--check")) {
			options.only_probe = true;
		} else if (!strcmp(word, "--no-follow")) {
			options.follow = false;
		} else if (!strcmp(word, "--serve")) {
			options.serve = true;
		} else if (!strcmp(word, "--look")) {
			options.serve = options.look = true;
		} else if (!strcmp(word, "--tick")) {
			options.tick = number(words[++i], 0.1, 3600);
		} else if (!strcmp(word, "--uid")) {
			options.uid = (int)number(words[++i], 1, 2147483647);
		} else if (!strcmp(word, "--gid")) {
			options.gid = (int)number(words[++i], 1, 2147483647);
		} else if (!strcmp(word, "--at-exec")) {
			options.at_exec = true;
		} else if (!strcmp(word, "--hz")) {
			options.hz = (int)number(words[++i], 1, 999);
		} else if (!strcmp(word, "--seconds")) {
			options.seconds = number(words[++i], 0.01, 86400);
		} else if (!strcmp(word, "--budget")) {
			options.budget = number(words[++i], 0, 10000);
		} else if (!strcmp(word, "--pid") && words[i + 1]) {
			for (char *part = strtok(words[++i], ","); part; part = strtok(NULL, ",")) {
				if (options.target_count == MAX_TARGETS)
					usage();
				options.targets[options.target_count++] = (int)number(part, 1, 1 << 22);
			}
		} else {
			usage();
		}
	}
	if (!options.only_probe && (options.target_count == 0) != options.serve)
		usage();
	return options;
}

/* ---- loading and attaching ---- */

static struct bpf_program *program_of(const struct probe *probe, bool typed)
{
	char name[64];
	if (probe->iterator)
		return skeleton->progs.each_file;
	snprintf(name, sizeof(name), "%s_%s", typed ? "typed" : "raw", probe->tracepoint);
	return bpf_object__find_program_by_name(skeleton->obj, name);
}

static bool is_there(const struct btf *btf, const struct probe *probe)
{
	char name[64];
	snprintf(name, sizeof(name), "%s%s", probe->iterator ? "bpf_iter__" : "btf_trace_",
		 probe->iterator ? probe->iterator : probe->tracepoint);
	return btf__find_by_name_kind(btf, name, probe->iterator ? BTF_KIND_STRUCT : BTF_KIND_TYPEDEF) > 0;
}

/* Arguments of a tracepoint, from the type of the functions that may hang on it, which are handed one of their own before; 0: none. */
static int arguments_of(const struct btf *btf, const char *tracepoint)
{
	char name[64];
	snprintf(name, sizeof(name), "btf_trace_%s", tracepoint);
	const struct btf_type *type = btf__type_by_id(btf, (__u32)btf__resolve_type(btf, (__u32)btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF)));
	if (type && btf_is_ptr(type))
		type = btf__type_by_id(btf, type->type);
	return type && btf_is_func_proto(type) ? (int)btf_vlen(type) - 1 : 0;
}

/* Stacks of waits while it serves: for each kind the first, and then one of a thread in so long, ten a second and processor. */
#define SERVE_WAIT_STACK_NS 5000000000ull
#define SERVE_PIECES 8

static bool is_wanted(const struct options *options, const struct probe *probe)
{
	return options->only_probe || (probe->mode & (options->serve ? SERVES : RECORDS));
}

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
	if (options->serve) {
		skeleton->rodata->serving = true;
		skeleton->rodata->wakeup = BPF_RB_NO_WAKEUP;
		skeleton->rodata->copy_pieces = SERVE_PIECES;
		skeleton->data->wait_stack_interval_ns = SERVE_WAIT_STACK_NS;
		skeleton->data->wait_stacks_per_tenth = 1;
	}
	skeleton->data->counting = !options->at_exec;
}

/* Opens, loads and attaches all on one rung; 0, or the error of the first needed thing that failed, in `reason`. */
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
	/* Only now that no switch goes unseen: attaching takes a while, in which threads would change without a trace. */
	if (!options->at_exec)
		skeleton->bss->started_ns = now_ns(CLOCK_MONOTONIC);
	return 0;
}

/* One program that a kernel does not take keeps all from being loaded: finds out which, by leaving them out and taking them in again. */
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

static const char *reason_of(const struct btf *btf, const struct probe *probe)
{
	if (probe->attached)
		return "";
	if (!is_there(btf, probe))
		return probe->iterator ? "this kernel has no such iterator" : "this kernel has no such tracepoint";
	return probe->refused ? "this kernel does not take its program" : "attaching was refused";
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
		if (is_wanted(options, probe))
			put_probe(probe->name, !probe->attached ? "none" : probe->iterator ? "iter" : rung, reason_of(btf, probe));
	}
	btf__free(btf);
	return rung;
}

/* One software event per processor; `which` is its place among the fds. Returns 0 or the first error. */
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
			/* A processor that is off. */
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

/* ---- threads that did not move ---- */

static bool read_line(const char *path, char *to, size_t room)
{
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	bool read = fgets(to, (int)room, file) != NULL;
	fclose(file);
	if (read)
		to[strcspn(to, "\n")] = 0;
	return read;
}

static char state_of_thread(int pid, int tid)
{
	char path[64], line[512];
	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	if (!read_line(path, line, sizeof(line)))
		return 0;
	/* After the name in brackets, which may hold brackets itself. */
	const char *end = strrchr(line, ')');
	return end && end[1] == ' ' ? end[2] : 0;
}

static void comm_of_thread(int pid, int tid, char *to)
{
	char path[64], line[64];
	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", pid, tid);
	if (read_line(path, line, sizeof(line))) {
		memset(to, 0, 16);
		memcpy(to, line, strnlen(line, 15));
	}
}

/* A sleeping thread's system call, and its stack as far as another process may read it. */
static void seed_stack(int pid, int tid, struct thread *thread, __u64 sp, __u64 ip)
{
	static struct { struct stack_event event; __u8 copy[COPY_PIECE * COPY_PIECES]; } room;
	struct stack_event *event = &room.event;
	memset(event, 0, sizeof(*event));
	struct iovec here = { room.copy, sizeof(room.copy) }, there = { (void *)sp, sizeof(room.copy) };
	ssize_t copied = process_vm_readv(pid, &here, 1, &there, 1, 0);
	/* All or nothing per region: shorter towards the end of the stack. */
	for (size_t want = sizeof(room.copy) / 2; copied < 0 && want >= 64; want /= 2) {
		here.iov_len = there.iov_len = want;
		copied = process_vm_readv(pid, &here, 1, &there, 1, 0);
	}
	event->type = RECORD_WAIT_STACK;
	event->tgid = (__u32)pid;
	event->tid = (__u32)tid;
	event->syscall = thread->syscall;
	event->detail = thread->detail;
	event->time_ns = thread->since;
	event->value = 1;
	event->ip = ip;
	event->sp = sp;
	memcpy(event->comm, thread->comm, sizeof(event->comm));
	put(RECORD_WAIT_STACK, &room, sizeof(*event) + (size_t)(copied > 0 ? copied : 0), NULL, 0);
}

/* What the kernel has counted for a thread; 0 where it does not tell. */
static __u64 exec_of_thread(int pid, int tid)
{
	char path[64], line[128];
	unsigned long long run = 0;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, tid);
	return read_line(path, line, sizeof(line)) && sscanf(line, "%llu", &run) == 1 ? run : 0;
}

/* Since when threads that are counted in are counted, and whether their stacks are sent. */
static __u64 seeded_ns;
static bool seed_stacks = true;

static void seed_thread(int pid, int tid)
{
	char state = state_of_thread(pid, tid);
	struct thread thread = { .tgid = (__u32)pid, .state = STATE_BLOCKED, .syscall = -1, .detail = DETAIL_BEFORE };
	thread.first_ns = thread.since = seeded_ns;
	if (state == 'R' && !seed_stacks) {
		/* It may run for long without a switch that would show it: the kernel's count says how much it does. */
		__u32 key = (__u32)tid;
		thread.state = STATE_RUNNING;
		thread.detail = 0;
		thread.exec_ns = exec_of_thread(pid, tid);
		comm_of_thread(pid, tid, thread.comm);
		if (thread.exec_ns)
			bpf_map__update_elem(skeleton->maps.threads, &key, sizeof(key), &thread, sizeof(thread), BPF_NOEXIST);
		return;
	}
	/* What runs or stands in the queue shows itself. */
	if (state == 0 || !strchr("SDTt", state))
		return;
	comm_of_thread(pid, tid, thread.comm);
	char path[64], line[256];
	unsigned long long number = 0, args[6], sp = 0, ip = 0;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", pid, tid);
	if (read_line(path, line, sizeof(line)) &&
	    sscanf(line, "%lld %llx %llx %llx %llx %llx %llx %llx %llx", (long long *)&number, &args[0], &args[1], &args[2],
		   &args[3], &args[4], &args[5], &sp, &ip) == 9) {
		thread.syscall = (int)number;
		if (thread.syscall == 202)
			thread.detail |= (args[1] & DETAIL_FUTEX_OP) | ((__u32)args[2] == 2 ? DETAIL_FUTEX_HELD : 0);
	}
	if (state == 'D')
		thread.detail |= DETAIL_UNINTERRUPTIBLE;
	if (state == 'T' || state == 't')
		thread.detail |= DETAIL_STOPPED;
	if (sp && seed_stacks) {
		thread.stacks = 1;
		thread.has_stack = 1;
	}
	__u32 key = (__u32)tid;
	int failed = bpf_map__update_elem(skeleton->maps.threads, &key, sizeof(key), &thread, sizeof(thread), BPF_NOEXIST);
	if (!failed && sp && seed_stacks)
		seed_stack(pid, tid, &thread, sp, ip);
}

static void for_each_thread(int pid, void (*visit)(int pid, int tid))
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *folder = opendir(path);
	if (!folder)
		return;
	for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
		if (entry->d_name[0] != '.')
			visit(pid, atoi(entry->d_name));
	closedir(folder);
}

/* ---- the end ---- */

static __u64 ended_ns;
/* Whether the command's program was ever there. */
static bool has_begun;

/* A thread that had the processor from the beginning to the end, and so never met a probe. */
static void put_unseen(int pid, int tid)
{
	__u32 key = (__u32)tid;
	struct thread thread;
	if (!bpf_map__lookup_elem(skeleton->maps.threads, &key, sizeof(key), &thread, sizeof(thread), 0))
		return;
	memset(&thread, 0, sizeof(thread));
	thread.first_ns = thread.since = skeleton->bss->started_ns;
	thread.cpu_ns = ended_ns - thread.since;
	thread.tgid = (__u32)pid;
	thread.state = STATE_RUNNING;
	thread.syscall = -1;
	comm_of_thread(pid, tid, thread.comm);
	put(RECORD_THREAD, &key, sizeof(key), &thread, sizeof(thread));
}

/* Of a thread that was last seen to get the processor: the time since, but no more than the kernel counts for it. */
static __u64 still_running(int pid, int tid, const struct thread *thread, __u64 open)
{
	char path[64], line[128];
	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, tid);
	unsigned long long run;
	if (!thread->exec_ns || !read_line(path, line, sizeof(line)) || sscanf(line, "%llu", &run) != 1)
		return open;
	__u64 ran = run > thread->exec_ns ? run - thread->exec_ns : 0;
	return ran < open ? ran : open;
}

static bool is_open_wait(const struct wait_key *key, const struct thread *thread)
{
	return thread->state == STATE_BLOCKED && key->syscall == thread->syscall && key->detail == thread->detail;
}

/* A wait that goes on, with those of its kind before. */
static void put_open_wait(__u32 tid, const struct thread *thread, __u64 open, bool is_last)
{
	struct wait_key key = { .tid = tid, .syscall = thread->syscall, .detail = thread->detail };
	struct wait_total total = { 0 };
	bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.waits), &key, &total);
	total.ns += open;
	total.count += 1;
	if (open > total.longest_ns)
		total.longest_ns = open;
	if (is_last && thread->has_stack) {
		total.stacks += 1;
		struct wait_done done = { .type = RECORD_WAIT_DONE, .tid = tid, .value = thread->stacks, .ns = open };
		put(RECORD_WAIT_DONE, &done, sizeof(done), NULL, 0);
	}
	put(RECORD_WAIT, &key, sizeof(key), &total, sizeof(total));
}

/* Those that nobody is in now. What threads that have ended waited for is told, and forgotten. */
static void put_waits(int threads, int waits)
{
	struct wait_key key, next;
	bool more = !bpf_map_get_next_key(waits, NULL, &key);
	while (more) {
		struct wait_total total;
		struct thread thread;
		bool known = !bpf_map_lookup_elem(threads, &key.tid, &thread);
		if ((!known || !is_open_wait(&key, &thread)) && !bpf_map_lookup_elem(waits, &key, &total))
			put(RECORD_WAIT, &key, sizeof(key), &total, sizeof(total));
		more = !bpf_map_get_next_key(waits, &key, &next);
		if (!known || thread.state == STATE_ENDED)
			bpf_map_delete_elem(waits, &key);
		key = next;
	}
}

/*
 * Totals of all threads. What is open is told as if it ended now; the maps stay as they are, but for threads that have ended,
 * and the next time tells more. is_last: there is no next time.
 */
static void put_threads(bool is_last)
{
	static __u32 ended[16384];
	size_t ended_count = 0;
	int map = bpf_map__fd(skeleton->maps.threads), waits = bpf_map__fd(skeleton->maps.waits);
	__u32 tid, *before = NULL;
	for (; !bpf_map_get_next_key(map, before, &tid); before = &tid) {
		struct thread thread;
		if (bpf_map_lookup_elem(map, &tid, &thread))
			continue;
		__u64 open = ended_ns > thread.since ? ended_ns - thread.since : 0;
		if (thread.state == STATE_RUNNING)
			thread.cpu_ns += still_running((int)thread.tgid, (int)tid, &thread, open);
		if (thread.state == STATE_RUNNABLE)
			thread.runnable_ns += open;
		if (thread.state == STATE_BLOCKED) {
			thread.blocked_ns += open;
			put_open_wait(tid, &thread, open, is_last);
		}
		if (thread.state == STATE_ENDED && ended_count < sizeof(ended) / sizeof(ended[0]))
			ended[ended_count++] = tid;
		else if (is_last)
			comm_of_thread((int)thread.tgid, (int)tid, thread.comm);
		put(RECORD_THREAD, &tid, sizeof(tid), &thread, sizeof(thread));
	}
	put_waits(map, waits);
	for (size_t i = 0; i < ended_count; i++)
		bpf_map_delete_elem(map, &ended[i]);
}

static void put_tables(void)
{
	int histograms = bpf_map__fd(skeleton->maps.histograms), preemptors = bpf_map__fd(skeleton->maps.preemptors);
	struct histogram_key key, *before = NULL;
	for (; !bpf_map_get_next_key(histograms, before, &key); before = &key) {
		struct histogram histogram;
		if (!bpf_map_lookup_elem(histograms, &key, &histogram))
			put(RECORD_HISTOGRAM, &key, sizeof(key), &histogram, sizeof(histogram));
	}
	__u32 tgid, *last = NULL;
	for (; !bpf_map_get_next_key(preemptors, last, &tgid); last = &tgid) {
		struct preemptor by;
		if (!bpf_map_lookup_elem(preemptors, &tgid, &by))
			put(RECORD_PREEMPTOR, &tgid, sizeof(tgid), &by, sizeof(by));
	}
}

/* ---- what it costs ---- */

/* Processor time of the programs in the kernel, as far as it counts it. */
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

static void detach(struct probe *probe)
{
	bpf_link__destroy(probe->link);
	probe->link = NULL;
	probe->attached = false;
}

/* Gives up the next thing; false when nothing is left that could be. */
static bool shed(void)
{
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
		/* Children of a target may outlive it, but then nobody is left to ask about. */
		if (!any_target_lives(options))
			break;
	}
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
		    .hz = (__u32)options->hz, .fault_period = 1009 };
	put(RECORD_HELLO, &hello, sizeof(hello), NULL, 0);
}

#include "serve.h"

int main(int count, char **words)
{
	struct options options = read_options(count, words);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	signal(SIGHUP, on_signal);
	signal(SIGPIPE, SIG_IGN);
	libbpf_set_print(NULL);
	/* Kernels before 5.11 count the memory of maps against it; where it cannot be raised, loading says so. */
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
	attach_probes(&options);
	int samples = attach_samples(0, PERF_COUNT_SW_CPU_CLOCK, (__u64)options.hz, 0, skeleton->progs.on_cpu_sample);
	put_probe("on-cpu", samples ? "none" : "perf_event", samples ? strerror(-samples) : "");
	if (!options.serve) {
		int faults = attach_samples(1, PERF_COUNT_SW_PAGE_FAULTS, 0, 1009, skeleton->progs.on_page_fault);
		put_probe("page-faults", faults ? "none" : "perf_event", faults ? strerror(-faults) : "");
	}
	const char *refused = statistics >= 0 ? "" : strerror(statistics_error);
	char switched[8] = "";
	/* Or somebody has switched it on for all. */
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
	/* Of a command that has not begun yet, from now on: it begins as soon as it is told that all is ready. */
	__u64 from = options.at_exec ? monotonic : skeleton->bss->started_ns;
	__u64 until = options.seconds > 0 ? from + (__u64)(options.seconds * 1e9) : 0;
	if (options.serve) {
		drop_rights(&options);
		serve(&options, ring);
		return fflush(stdout) ? 1 : 0;
	}
	record(&options, ring, until);

	/* From here on no total changes, at one moment for all probes: taking them off takes a while. */
	has_begun = skeleton->data->counting;
	skeleton->data->counting = false;
	ended_ns = now_ns(CLOCK_MONOTONIC);
	for (size_t i = 0; i < PROBES; i++)
		if (probes[i].attached)
			detach(&probes[i]);
	for (int which = 0; which < 2; which++)
		for (int cpu = 0; cpu < processors; cpu++)
			bpf_link__destroy(sample_links[which][cpu]);
	ring_buffer__consume(ring);
	for (int i = 0; i < options.target_count; i++)
		for_each_thread(options.targets[i], put_unseen);
	put_threads(true);
	put_tables();
	put_end(RECORD_END, own_before, 0);
	return fflush(stdout) ? 1 : 0;
}
