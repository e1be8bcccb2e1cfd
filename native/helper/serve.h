// What it does for the agent: takes commands, and sends totals at each tick until its input ends.
#ifndef LONGPOLE_SERVE_H
#define LONGPOLE_SERVE_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "commands.h"
#include "options.h"
#include "records.h"
#include "report.h"
#include "sockets.h"
#include "totals.h"

// What is counted of each process; of those that have ended for the last time.
static void put_counts(void)
{
	int map = bpf_map__fd(skeleton->maps.counts);
	struct count_key key, next;
	bool more = !bpf_map_get_next_key(map, NULL, &key);
	while (more) {
		struct count_total total;
		// How many are open is told anew each time.
		struct count_head head = { .key = key, .is_last = key.kind == COUNT_ROUND_TRIP || (key.tgid && has_ended(key.tgid)) };
		if (!bpf_map_lookup_elem(map, &key, &total))
			put(RECORD_COUNT, &head, sizeof(head), &total, sizeof(total));
		more = !bpf_map_get_next_key(map, &key, &next);
		if (head.is_last)
			bpf_map_delete_elem(map, &key);
		key = next;
	}
}

// Processes that have ended are no targets any more; a number that comes again is another process.
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

// What waits in the ring is taken out so often: 8 MiB are 700 stacks.
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
		// Its reader wakes for answers and ticks alone; what the room does not hold goes out by itself.
		if ((is_asked || is_due) && fflush(stdout))
			break;
	}
	skeleton->data->counting = false;
	ring_buffer__consume(ring);
	tick();
}

// Answers alone, for an agent that wants no probes or on a kernel that takes none.
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

#endif
