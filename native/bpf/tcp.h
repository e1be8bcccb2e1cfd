// TCP of targets: the time of connects, segments sent again; serving also resets, connections that are open and their smoothed
// round trips, by the process that owns the socket. Unit: nanoseconds and events.
// Hooks: sock:inet_sock_set_state, tcp:tcp_retransmit_skb; serving tcp:tcp_destroy_sock, tcp:tcp_send_reset,
// tcp:tcp_receive_reset and an iterator over open files once a tick. Cost: 0.2 us an open file.
#ifndef LONGPOLE_TCP_H
#define LONGPOLE_TCP_H

#include "../kernel-types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "../stream.h"
#include "tracepoint.h"
#include "targets.h"
#include "beginnings.h"
#include "histograms.h"
#include "process-counts.h"
#include "listeners.h"

struct owner {
	// when its connection was begun; 0: it is there
	__u64 since;
	__u32 tgid;
	__u32 pad;
};

// Whose a TCP socket is, by its address: what happens to it mostly happens while another process has the processor.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__uint(map_flags, 1);
	__type(key, __u64);
	__type(value, struct owner);
} sockets SEC(".maps");

#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_SYN_RECV 3
#define TCP_CLOSE 7
#define TCP_LISTEN 10
#define IPPROTO_TCP 6

static __always_inline void own(__u64 socket, __u32 tgid, __u64 since)
{
	struct owner owner = { .since = since, .tgid = tgid };
	if (bpf_map_update_elem(&sockets, &socket, &owner, BPF_ANY))
		__sync_fetch_and_add(&lost_counts, 1);
}

static __always_inline int on_own_tcp_state(__u64 socket, int from, int to)
{
	if (to == TCP_SYN_SENT) {
		__u32 tgid = bpf_get_current_pid_tgid() >> 32;
		if (is_target(tgid))
			own(socket, tgid, bpf_ktime_get_ns());
		return 0;
	}
	if (to == TCP_LISTEN) {
		listens((struct sock *)socket, (struct task_struct *)bpf_get_current_task());
		return 0;
	}
	if (from == TCP_LISTEN) {
		listens_no_more((struct sock *)socket);
		return 0;
	}
	if (from == TCP_SYN_RECV && to == TCP_ESTABLISHED) {
		__u64 place = place_of((struct sock *)socket);
		struct listener *listener = bpf_map_lookup_elem(&listeners, &place);
		__u32 tgid = listener ? listener_of(listener) : 0;
		if (tgid)
			own(socket, tgid, 0);
		return 0;
	}
	struct owner *owner = bpf_map_lookup_elem(&sockets, &socket);
	if (!owner)
		return 0;
	if (from == TCP_SYN_SENT && owner->since) {
		add_count(owner->tgid, to == TCP_ESTABLISHED ? COUNT_CONNECT : COUNT_CONNECT_FAILED, 0,
			  bpf_ktime_get_ns() - owner->since, 0);
		owner->since = 0;
	}
	return 0;
}

static __always_inline int on_tcp_state(__u64 socket, int from, int to)
{
	if (serving)
		return on_own_tcp_state(socket, from, to);
	if (to == TCP_SYN_SENT)
		return is_target(bpf_get_current_pid_tgid() >> 32) ? begin(socket) : 0;
	if (from != TCP_SYN_SENT)
		return 0;
	__u64 ns = since_begin(socket);
	if (ns)
		count_in(HISTOGRAM_CONNECT, to == TCP_ESTABLISHED ? 0 : 1, 0, ns);
	return 0;
}

static __always_inline int on_tcp_trouble(__u64 socket, __u32 kind)
{
	struct owner *owner = bpf_map_lookup_elem(&sockets, &socket);
	if (owner && counting)
		add_count(owner->tgid, kind, 0, 0, 0);
	return 0;
}

static __always_inline int on_tcp_retransmit(__u64 socket)
{
	if (serving)
		return on_tcp_trouble(socket, COUNT_RETRANSMIT);
	count_in(HISTOGRAM_RETRANSMIT, 0, 0, 1);
	return 0;
}

// Not when it is closed: a reset that a process sends by closing comes after that.
static __always_inline int on_tcp_destroy(__u64 socket)
{
	bpf_map_delete_elem(&sockets, &socket);
	return 0;
}

BOTH(inet_sock_set_state, return on_tcp_state(ctx[0], (int)ctx[1], (int)ctx[2]);)
BOTH(tcp_destroy_sock, return on_tcp_destroy(ctx[0]);)
BOTH(tcp_retransmit_skb, return on_tcp_retransmit(ctx[0]);)
BOTH(tcp_send_reset, return on_tcp_trouble(ctx[0], COUNT_RESET_SENT);)
BOTH(tcp_receive_reset, return on_tcp_trouble(ctx[0], COUNT_RESET_RECEIVED);)

// Run once a tick over all open files: connections that are older than the helper get owners, and what is open is counted.
SEC("iter/task_file") int each_file(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct task_struct *task = ctx->task;
	if (!file || !task)
		return 0;
	__u32 tgid = task->tgid;
	if (!is_target(tgid))
		return 0;
	struct socket *socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	struct sock *sock = BPF_CORE_READ(socket, sk);
	if (!sock || BPF_CORE_READ_BITFIELD_PROBED(sock, sk_protocol) != IPPROTO_TCP)
		return 0;
	__u8 state = BPF_CORE_READ(sock, __sk_common.skc_state);
	if (state == TCP_LISTEN) {
		listens(sock, task);
	} else if (state == TCP_ESTABLISHED) {
		own((__u64)sock, tgid, 0);
		add_count(tgid, COUNT_ROUND_TRIP, 0, (__u64)(BPF_CORE_READ((struct tcp_sock *)sock, srtt_us) >> 3) * 1000, 0);
	}
	return 0;
}

#endif
