// Which process listens where: whose a connection is before anybody has taken it.
#ifndef LONGPOLE_LISTENERS_H
#define LONGPOLE_LISTENERS_H

#include "../kernel-types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "../stream.h"
#include "targets.h"
#include "process-counts.h"

// By `place_at`.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, 1);
	__type(key, __u64);
	__type(value, struct listener);
} listeners SEC(".maps");

// Looks at all open files, with the one that runs: a listener that the last one did not meet is gone.
volatile __u32 looks = 0;

#define AF_INET6 10

// Network, version of the protocol and port: a server that listens on both versions has a socket for each.
static __always_inline __u64 place_at(struct sock *sock, __u16 port)
{
	__u64 is_six = BPF_CORE_READ(sock, __sk_common.skc_family) == AF_INET6;
	return is_six << 48 | (__u64)BPF_CORE_READ(sock, __sk_common.skc_net.net, ns.inum) << 16 | port;
}

static __always_inline __u64 place_of(struct sock *sock)
{
	return place_at(sock, BPF_CORE_READ(sock, __sk_common.skc_num));
}

// The nearest process that both lines have, and what that comes of.
static __always_inline void join_lines(__u32 *line, const __u32 *other)
{
	int skip = LINE;
#pragma unroll
	for (int i = LINE - 1; i >= 0; i--)
#pragma unroll
		for (int j = 0; j < LINE; j++)
			if (line[i] && line[i] == other[j])
				skip = i;
#pragma unroll
	for (int i = 0; i < LINE; i++) {
		__u32 next = 0;
#pragma unroll
		for (int j = i; j < LINE; j++)
			if (j == i + skip)
				next = line[j];
		line[i] = next;
	}
}

// `task` listens. A port that several processes share, which one of them opened before it began the others, or each for itself
// (SO_REUSEPORT), is theirs whatever the order in which they are met: see `listener_of`.
static __always_inline void listens(struct sock *sock, struct task_struct *task)
{
	__u64 place = place_of(sock);
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct listener listener = { .socket = (__u64)sock, .began_ns = BPF_CORE_READ(leader, start_time),
				     .tgid = BPF_CORE_READ(leader, tgid), .look = looks };
	// Without a port yet: it gets one now, and is found at the next tick.
	if (!(place & 0xffff) || !is_target(listener.tgid))
		return;
#pragma unroll
	for (int i = 0; i < LINE; i++) {
		__u32 tgid = BPF_CORE_READ(leader, tgid);
		// All come of the first process: that says nothing.
		if (tgid <= 1)
			break;
		listener.line[i] = tgid;
		leader = BPF_CORE_READ(leader, real_parent, group_leader);
	}
	struct listener *held = bpf_map_lookup_elem(&listeners, &place);
	// What an earlier look met may be there no more.
	if (held && held->look == looks) {
		if (!held->socket || (held->socket != listener.socket && held->tgid != listener.tgid))
			listener.socket = 0;
		join_lines(listener.line, held->line);
		if (held->began_ns < listener.began_ns ||
		    (held->began_ns == listener.began_ns && held->tgid < listener.tgid)) {
			listener.began_ns = held->began_ns;
			listener.tgid = held->tgid;
		}
	}
	if (bpf_map_update_elem(&listeners, &place, &listener, BPF_ANY))
		__sync_fetch_and_add(&lost_counts, 1);
}

// Whose a connection is that nobody has taken yet: the process's that all who listen come of, as the first process of a server
// that has several, if it is watched; else, where they have one socket, that of the first of them. Of processes that have only
// the port in common it is nobody's until the look at all open files finds it.
static __always_inline __u32 listener_of(const struct listener *listener)
{
	if (listener->line[0] && is_target(listener->line[0]))
		return listener->line[0];
	return listener->socket ? listener->tgid : 0;
}

// A port that the system chose is given back before the state changes, and skc_num with it: inet_sport still has it.
static __always_inline void listens_no_more(struct sock *sock)
{
	__u64 place = place_at(sock, __builtin_bswap16(BPF_CORE_READ((struct inet_sock *)sock, inet_sport)));
	struct listener *held = bpf_map_lookup_elem(&listeners, &place);
	// Another one may share the port.
	if (held && held->socket == (__u64)sock)
		bpf_map_delete_elem(&listeners, &place);
}

#endif
