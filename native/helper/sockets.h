// The look at all open files once a tick: connections that are older than the helper get owners, and listeners that nobody
// saw close are forgotten. Cost: 0.2 us an open file.
#ifndef LONGPOLE_SOCKETS_H
#define LONGPOLE_SOCKETS_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "../stream.h"
#include "probe-table.h"

// A new look at all open files; false where there was none, or not of all.
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
		// It writes nothing; reading runs it, a piece at a time.
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

// A listener that closes is forgotten at once; here what nobody saw close: one that its process closed while another holds it
// open, or while the probes of TCP were off. Where there was no look at all files, those of processes that have ended.
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

#endif
