// The few types of the kernel that the probes read, by the names of their fields
// alone: the loader finds each field's place in the running kernel (CO-RE), so that
// building needs neither this kernel's headers nor its BTF.
#ifndef LONGPOLE_KERNEL_TYPES_H
#define LONGPOLE_KERNEL_TYPES_H

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;
#define true 1
#define false 0

enum { BPF_MAP_TYPE_HASH = 1, BPF_MAP_TYPE_PERCPU_ARRAY = 6, BPF_MAP_TYPE_ARRAY = 2, BPF_MAP_TYPE_RINGBUF = 27 };
enum { BPF_ANY = 0, BPF_NOEXIST = 1 };
enum { BPF_F_USER_STACK = 1 << 8, BPF_F_CURRENT_CPU_ONLY = 0 };
enum { BPF_RB_NO_WAKEUP = 1 };

// Registers as an entry into the kernel of x86-64 pushes them; this layout is an ABI and needs no relocation.
struct user_registers {
	__u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};

// What a program on a perf event is given; an ABI too.
struct bpf_perf_event_data {
	struct user_registers regs;
	__u64 sample_period;
	__u64 addr;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sched_entity {
	__u64 sum_exec_runtime;
};

struct sched_info {
	// waits for a processor, where the kernel keeps /proc/PID/schedstat
	__u64 run_delay;
};

struct task_struct {
	struct sched_info sched_info;
	struct sched_entity se;
	int pid;
	int tgid;
	unsigned int flags;
	unsigned int __state;
	unsigned in_iowait : 1;
	int pagefault_disabled;
	// of a thread that hands a request for a disk on already
	void *bio_list;
	void *stack;
	// nanoseconds since the machine began
	__u64 start_time;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	char comm[16];
};

// Before Linux 5.14.
struct task_struct___state_as_long {
	long state;
};

struct gendisk {
	int major;
	int first_minor;
};

struct block_device {
	__u32 bd_dev;
	struct gendisk *bd_disk;
};

struct bvec_iter {
	unsigned int bi_size;
};

struct bio {
	struct bio *bi_next;
	struct block_device *bi_bdev;
	unsigned int bi_opf;
	struct bvec_iter bi_iter;
};

// Before Linux 5.12.
struct bio___with_disk {
	struct gendisk *bi_disk;
};

struct request {
	unsigned int cmd_flags;
	struct bio *bio;
	struct block_device *part;
};

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

struct possible_net {
	struct net *net;
};

struct sock_common {
	unsigned short skc_family;
	// the port of this side
	__u16 skc_num;
	unsigned char skc_state;
	struct possible_net skc_net;
};

struct sock {
	struct sock_common __sk_common;
	// before Linux 5.6 a field of bits
	__u16 sk_protocol;
};

struct inet_sock {
	// the port of this side, in the order of the network
	__u16 inet_sport;
};

struct tcp_sock {
	__u32 srtt_us;
};

struct socket {
	struct sock *sk;
};

struct file;

#pragma clang attribute pop

// What an iterator over open files is given; an ABI.
struct bpf_iter__task_file {
	void *meta;
	struct task_struct *task;
	__u32 fd;
	__u32 pad;
	struct file *file;
};

#endif
