/*
 * What longpole-probe does for the agent: it takes commands, a line each, on standard input, sends totals at each tick, and
 * looks into processes of other users for a sender that may not. Part of longpole-probe.c.
 *
 *   target PID          counts this process, and those that it starts, from now on
 *   shed kernel-locks|tcp|block-io|wait-stacks|on-cpu|times
 *   tick SECONDS
 *   facts ID PID        what names it: its program, its folder, and some variables
 *   maps ID PID         the parts of its memory that hold code
 *   io ID PID[ PID...]  bytes from and to disks
 */
#include <ctype.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/types.h>

/* ---- rights ---- */

/*
 * Becomes another user and keeps what is needed from here on: CAP_BPF for the maps, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH to
 * look into other users' processes, whose environ and io only their owner may open. All probes are attached already.
 */
static void drop_rights(const struct options *options)
{
	if (options->uid < 0 || options->gid < 0)
		return;
	gid_t gid = (gid_t)options->gid;
	if (prctl(PR_SET_KEEPCAPS, 1) || setgroups(0, NULL) || setresgid(gid, gid, gid) ||
	    setresuid((uid_t)options->uid, (uid_t)options->uid, (uid_t)options->uid))
		fail("cannot become user %d: %s", options->uid, strerror(errno));
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2] = { 0 };
	const int kept[] = { CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, CAP_BPF };
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		sets[kept[i] / 32].effective |= 1u << (kept[i] % 32);
		sets[kept[i] / 32].permitted |= 1u << (kept[i] % 32);
	}
	if (syscall(SYS_capset, &head, sets))
		fail("cannot give up capabilities: %s", strerror(errno));
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	/* The kernel forgets it where the user changes. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
}

/* ---- looks ---- */

#define PEEK_ROOM (512 << 10)
static char peeked[PEEK_ROOM];

/* All of a file as far as there is room; -1 where it cannot be read. */
static ssize_t read_whole(const char *path, char *to, size_t room)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return -1;
	size_t size = 0;
	for (ssize_t got = 1; got > 0 && size < room; size += got > 0 ? (size_t)got : 0)
		got = read(file, to + size, room - size);
	close(file);
	return (ssize_t)size;
}

static size_t add_link(int pid, const char *which, char *to, size_t room)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, which);
	ssize_t size = readlink(path, to, room - 1);
	if (size < 0)
		size = 0;
	to[size] = 0;
	return (size_t)size + 1;
}

/* Nobody's secrets leave the process: only what names a service or its container. */
static bool is_wanted_variable(const char *line)
{
	static const char *const WANTED[] = { "OTEL_SERVICE_NAME=", "OTEL_RESOURCE_ATTRIBUTES=", "JAVA_TOOL_OPTIONS=",
					      "HOSTNAME=", "KUBERNETES_SERVICE_HOST=" };
	for (size_t i = 0; i < sizeof(WANTED) / sizeof(WANTED[0]); i++)
		if (!strncmp(line, WANTED[i], strlen(WANTED[i])))
			return true;
	return false;
}

static void put_facts(__u32 id, int pid)
{
	static char reply[16384];
	char path[64];
	struct peek_reply head = { .id = id, .kind = PEEK_FACTS, .pid = (__u32)pid };
	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	ssize_t size = read_whole(path, peeked, PEEK_ROOM - 1);
	if (size < 0) {
		put(RECORD_PEEK, &head, sizeof(head), NULL, 0);
		return;
	}
	peeked[size] = 0;
	size_t at = add_link(pid, "exe", reply, 4096);
	at += add_link(pid, "cwd", reply + at, 4096);
	for (char *line = peeked; line < peeked + size; line += strlen(line) + 1) {
		size_t length = strlen(line) + 1;
		if (!is_wanted_variable(line) || at + length > sizeof(reply))
			continue;
		memcpy(reply + at, line, length);
		at += length;
	}
	put(RECORD_PEEK, &head, sizeof(head), reply, at);
}

static void put_maps(__u32 id, int pid)
{
	char path[64];
	struct peek_reply head = { .id = id, .kind = PEEK_MAPS, .pid = (__u32)pid };
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	FILE *file = fopen(path, "re");
	size_t size = 0;
	char *line = NULL;
	size_t room = 0;
	for (ssize_t length; file && (length = getline(&line, &room, file)) > 0;) {
		const char *rights = strchr(line, ' ');
		if (!rights || strlen(rights) < 5 || rights[3] != 'x' || size + (size_t)length > PEEK_ROOM)
			continue;
		memcpy(peeked + size, line, (size_t)length);
		size += (size_t)length;
	}
	free(line);
	if (file)
		fclose(file);
	put(RECORD_PEEK, &head, sizeof(head), peeked, size);
}

static void put_io(__u32 id, char *pids)
{
	struct peek_reply head = { .id = id, .kind = PEEK_IO };
	struct peek_io *replies = (struct peek_io *)peeked;
	size_t count = 0;
	for (char *word = strtok(pids, " "); word; word = strtok(NULL, " ")) {
		char path[64], text[1024];
		int pid = atoi(word);
		snprintf(path, sizeof(path), "/proc/%d/io", pid);
		ssize_t size = read_whole(path, text, sizeof(text) - 1);
		if (size <= 0 || (count + 1) * sizeof(*replies) > PEEK_ROOM)
			continue;
		text[size] = 0;
		unsigned long long read_bytes, write_bytes;
		const char *at = strstr(text, "\nread_bytes:");
		if (!at || sscanf(at, " read_bytes: %llu write_bytes: %llu", &read_bytes, &write_bytes) != 2)
			continue;
		replies[count++] = (struct peek_io){ .pid = (__u32)pid, .read_bytes = read_bytes, .write_bytes = write_bytes };
	}
	put(RECORD_PEEK, &head, sizeof(head), replies, count * sizeof(*replies));
}

/* ---- commands ---- */

static double tick_seconds;

static void add_target(int pid)
{
	__u32 tgid = (__u32)pid;
	__u64 known;
	/* A child of one that is counted is counted already. */
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
		for (int cpu = 0; cpu < processors; cpu++) {
			bpf_link__destroy(sample_links[0][cpu]);
			sample_links[0][cpu] = NULL;
		}
	} else if (!strcmp(what, "wait-stacks")) {
		skeleton->data->wait_stacks_per_tenth = 0;
	} else if (!strcmp(what, "times")) {
		skeleton->data->counting = false;
		for (size_t i = 0; i < PROBES; i++)
			if (probes[i].attached)
				detach(&probes[i]);
	} else {
		for (size_t i = 0; i < PROBES; i++)
			if (probes[i].attached && probes[i].group && !strcmp(probes[i].group, what))
				detach(&probes[i]);
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

/* False when its input has ended. */
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
	/* No command is as long: whatever it was, it is not for us. */
	if (held == sizeof(lines) - 1)
		held = 0;
	return true;
}

/* ---- ticks ---- */

/* A new look at all open files; false where there was none, or not of all. */
static bool look_at_sockets(void)
{
	bool is_whole = false;
	skeleton->bss->looks++;
	for (size_t i = 0; i < PROBES; i++) {
		if (!probes[i].iterator || !probes[i].attached)
			continue;
		int look = bpf_iter_create(bpf_link__fd(probes[i].link));
		if (look < 0)
			continue;
		/* It writes nothing; reading runs it, a piece at a time. */
		char nothing[64];
		ssize_t got;
		do
			got = read(look, nothing, sizeof(nothing));
		while (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)));
		is_whole = !got;
		close(look);
	}
	return is_whole;
}

static bool has_ended(__u32 tgid) { return kill((pid_t)tgid, 0) && errno == ESRCH; }

/*
 * A listener that closes is forgotten at once; here what nobody saw close: one that its process closed while another holds it
 * open, or while the probes of TCP were off. Where there was no look at all files, those of processes that have ended.
 */
static void forget_listeners(bool has_looked)
{
	int map = bpf_map__fd(skeleton->maps.listeners);
	__u64 place, next;
	bool more = !bpf_map_get_next_key(map, NULL, &place);
	while (more) {
		struct listener listener;
		bool is_there = !bpf_map_lookup_elem(map, &place, &listener);
		more = !bpf_map_get_next_key(map, &place, &next);
		if (is_there && (has_looked ? listener.look != skeleton->bss->looks : has_ended(listener.tgid)))
			bpf_map_delete_elem(map, &place);
		place = next;
	}
}

/* What is counted of each process; of those that have ended for the last time. */
static void put_counts(void)
{
	int map = bpf_map__fd(skeleton->maps.counts);
	struct count_key key, next;
	bool more = !bpf_map_get_next_key(map, NULL, &key);
	while (more) {
		struct count_total total;
		/* How many are open is told anew each time. */
		struct count_head head = { .key = key, .is_last = key.kind == COUNT_ROUND_TRIP || (key.tgid && has_ended(key.tgid)) };
		if (!bpf_map_lookup_elem(map, &key, &total))
			put(RECORD_COUNT, &head, sizeof(head), &total, sizeof(total));
		more = !bpf_map_get_next_key(map, &key, &next);
		if (head.is_last)
			bpf_map_delete_elem(map, &key);
		key = next;
	}
}

/* Processes that have ended are no targets any more; a number that comes again is another process. */
static void forget_ended(void)
{
	int map = bpf_map__fd(skeleton->maps.targets);
	__u32 tgid, next;
	bool more = !bpf_map_get_next_key(map, NULL, &tgid);
	while (more) {
		more = !bpf_map_get_next_key(map, &tgid, &next);
		if (has_ended(tgid))
			bpf_map_delete_elem(map, &tgid);
		tgid = next;
	}
}

static void tick(void)
{
	ended_ns = now_ns(CLOCK_MONOTONIC);
	has_begun = true;
	put_threads(false);
	forget_listeners(look_at_sockets());
	put_counts();
	put_tables();
	put_end(RECORD_TICK, 0, 0);
	forget_ended();
}

/* What waits in the ring is taken out so often: 8 MiB are 700 stacks. */
#define LOOK_EVERY_MS 250

static void serve(const struct options *options, struct ring_buffer *ring)
{
	static char room[1 << 18];
	pid_t parent = getppid();
	setvbuf(stdout, room, _IOFBF, sizeof(room));
	seed_stacks = false;
	tick_seconds = options->tick;
	__u64 last = now_ns(CLOCK_MONOTONIC);
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	while (!ending && getppid() == parent) {
		if (poll(&input, 1, LOOK_EVERY_MS) < 0 && errno != EINTR)
			break;
		bool is_asked = input.revents != 0;
		if (is_asked && !read_commands())
			break;
		ring_buffer__consume(ring);
		__u64 now = now_ns(CLOCK_MONOTONIC);
		bool is_due = (double)(now - last) >= tick_seconds * 1e9;
		if (is_due) {
			tick();
			last = now;
		}
		/* Its reader wakes for answers and ticks alone; what the room does not hold goes out by itself. */
		if ((is_asked || is_due) && fflush(stdout))
			break;
	}
	skeleton->data->counting = false;
	ring_buffer__consume(ring);
	tick();
}

/* Answers alone, for an agent that wants no probes or on a kernel that takes none. */
static void look(void)
{
	pid_t parent = getppid();
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	while (!ending && getppid() == parent) {
		if (poll(&input, 1, 1000) < 0 && errno != EINTR)
			break;
		if (input.revents && (!read_commands() || fflush(stdout)))
			break;
	}
}
