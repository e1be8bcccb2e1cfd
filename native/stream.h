// What the helper writes on its standard output: records of a 32-bit length (of what
// follows), a 32-bit type and a payload, little-endian. src/agent/probe-stream.ts reads
// them. Raise STREAM_VERSION when a layout changes.
#ifndef LONGPOLE_STREAM_H
#define LONGPOLE_STREAM_H

#define STREAM_VERSION 4

enum record_type {
	RECORD_HELLO = 1,
	// text: name, rung, reason, each ended by a zero
	RECORD_PROBE = 2,
	// struct stack_event and its copy of the user's stack
	RECORD_SAMPLE = 3,
	RECORD_WAIT_STACK = 4,
	RECORD_FAULT = 5,
	RECORD_WAIT_DONE = 6,
	RECORD_EXEC = 7,
	RECORD_THREAD = 8,
	RECORD_WAIT = 9,
	RECORD_HISTOGRAM = 10,
	RECORD_PREEMPTOR = 11,
	RECORD_END = 12,
	// as RECORD_END, but it goes on: all totals so far stand before it
	RECORD_TICK = 13,
	// struct peek_reply and what was asked for
	RECORD_PEEK = 14,
	// struct count_head and struct count_total
	RECORD_COUNT = 15,
	// the number of a thread and its struct fault_total
	RECORD_FAULTS = 16,
};

enum peek_kind { PEEK_FACTS = 1, PEEK_IO = 2, PEEK_MAPS = 3 };

struct peek_reply {
	__u32 id;
	__u32 kind;
	__u32 pid;
};

struct peek_io {
	__u32 pid;
	__u32 pad;
	__u64 read_bytes;
	__u64 write_bytes;
};

#define KERNEL_DEPTH 48
#define USER_DEPTH 96
// The user's stack is copied in pieces: one that cannot be read (swapped out, the end of the stack) ends the copy.
#define COPY_PIECE 1024
#define COPY_PIECES 24
#define HISTOGRAM_SLOTS 176

// Bits of a wait's detail.
#define DETAIL_FUTEX_OP 0x7f
// glibc's locks wait with the value 2: held, and others wait. Conditions wait with counters.
#define DETAIL_FUTEX_HELD 0x80
#define DETAIL_IOWAIT 0x100
#define DETAIL_UNINTERRUPTIBLE 0x200
#define DETAIL_STOPPED 0x400
// The wait began before the recording.
#define DETAIL_BEFORE 0x800
// Of a page fault: it waited for a disk.
#define DETAIL_MAJOR_FAULT 0x1000

struct stack_event {
	__u32 type;
	__u32 tgid;
	__u32 tid;
	// number of the system call; -1 outside of one
	__s32 syscall;
	__u64 time_ns;
	// wait stacks: number that WAIT_DONE repeats; others: how many events the stack stands for
	__u64 value;
	__u32 detail;
	__u16 kernel_frames;
	__u16 user_frames;
	__u64 ip, sp, bp, bx;
	char comm[16];
	// page faults: what was touched; of major ones the time of those that the stack stands for
	__u64 address;
	__u64 took_ns;
	__u64 kernel[KERNEL_DEPTH];
	__u64 user[USER_DEPTH];
	// copied bytes follow, from sp upwards
};

struct wait_done {
	__u32 type;
	__u32 tid;
	__u64 value;
	__u64 ns;
	__u32 waker_tgid;
	__u32 waker_tid;
};

struct exec_event {
	__u32 type;
	__u32 tgid;
	__u64 time_ns;
};

enum thread_state { STATE_UNKNOWN = 0, STATE_RUNNING = 1, STATE_RUNNABLE = 2, STATE_BLOCKED = 3, STATE_ENDED = 4 };

struct thread {
	__u64 first_ns;
	__u64 since;
	__u64 cpu_ns;
	__u64 runnable_ns;
	__u64 blocked_ns;
	__u64 ended_ns;
	__u64 last_stack_ns;
	// times it left the processor by waiting, and by being taken off it
	__u64 waits;
	__u64 preemptions;
	__u64 stacks;
	__u32 tgid;
	__u32 state;
	__s32 syscall;
	__u32 detail;
	__u32 has_stack;
	__u32 pad;
	char comm[16];
	// the kernel's own count of the time on the processor, when it was last looked at; 0: not yet
	__u64 exec_ns;
	// when the last page fault began before it lost the processor, in which it may have been
	__u64 fault_ns;
	// the kernel's own count of its waits for a processor, when it was last looked at, and what was seen of them since
	__u64 delay_ns;
	__u64 queued_ns;
};

struct wait_key {
	__u32 tid;
	__s32 syscall;
	__u32 detail;
};

struct wait_total {
	__u64 ns;
	__u64 count;
	__u64 longest_ns;
	__u64 stacks;
};

enum histogram_kind {
	HISTOGRAM_RUN_QUEUE = 1,
	HISTOGRAM_BLOCK_IO = 2,
	HISTOGRAM_CONNECT = 3,
	HISTOGRAM_KERNEL_LOCK = 4,
	HISTOGRAM_RETRANSMIT = 5,
};

struct histogram_key {
	__u32 kind;
	// block I/O: device; kernel locks: flags of the tracepoint
	__u32 which;
	// block I/O: operation
	__u32 operation;
};

struct histogram {
	__u64 count;
	__u64 sum_ns;
	// slot 4·e + m holds [2^e·(1 + m/4), 2^e·(1 + (m + 1)/4)) nanoseconds
	__u32 slots[HISTOGRAM_SLOTS];
};

struct fault_total {
	// one of `fault_period` minor ones is seen, and timed where the thread kept the processor
	__u64 minor_seen;
	__u64 minor_timed;
	__u64 minor_ns;
	__u64 major;
	__u64 major_ns;
	// what stacks were sent for, and when
	__u64 minor_told;
	__u64 minor_stack_ns;
	__u64 major_told;
	__u64 major_ns_told;
	__u64 major_stack_ns;
	__u32 tgid;
	__u32 pad;
};

struct preemptor {
	__u64 count;
	char comm[16];
};

// What is counted of each process while the helper serves.
enum count_kind {
	COUNT_BLOCK_READ = 1,
	COUNT_BLOCK_WRITE = 2,
	// a write of nothing, which makes a disk empty its cache
	COUNT_BLOCK_FLUSH = 3,
	COUNT_BLOCK_DISCARD = 4,
	COUNT_CONNECT = 5,
	COUNT_CONNECT_FAILED = 6,
	COUNT_RETRANSMIT = 7,
	COUNT_RESET_SENT = 8,
	COUNT_RESET_RECEIVED = 9,
	COUNT_KERNEL_LOCK = 10,
	// connections that are open at the tick, and the smoothed round trip of each
	COUNT_ROUND_TRIP = 11,
	COUNT_MINOR_FAULT = 12,
	COUNT_MAJOR_FAULT = 13,
};

struct count_key {
	// 0: threads of the kernel, and processes that are no targets
	__u32 tgid;
	__u32 kind;
	// block I/O: the disk, its major number above 20 bits of its first minor one
	__u32 which;
};

#define COUNT_SLOTS 24
// The first slot ends at 2^13 ns (8 us), each further one at the double of it; the last has no end.
#define COUNT_FIRST_EXPONENT 13

struct count_total {
	__u64 count;
	__u64 ns;
	__u64 bytes;
	__u32 slots[COUNT_SLOTS];
};

struct count_head {
	struct count_key key;
	// not 0: it counts from zero after this
	__u32 is_last;
};

// A process, its parent, and so on.
#define LINE 4

// Who listens on a port; it stays between the probes and the helper.
struct listener {
	// what listens there; 0: several sockets of several processes, which share the port
	__u64 socket;
	// when the first of its processes began, and which that is
	__u64 began_ns;
	__u32 tgid;
	// the look at all open files that met it last
	__u32 look;
	// the nearest process that all who listen are or come of, and those that it comes of itself; 0: there is none
	__u32 line[LINE];
};

#endif
