/*
 * The few types of the kernel that the probes read, by the names of their fields
 * alone: the loader finds each field's place in the running kernel (CO-RE), so that
 * building needs neither this kernel's headers nor its BTF.
 */
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

/* Registers as an entry into the kernel of x86-64 pushes them; this layout is an ABI and needs no relocation. */
struct user_registers {
	__u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};

/* What a program on a perf event is given; an ABI too. */
struct bpf_perf_event_data {
	struct user_registers regs;
	__u64 sample_period;
	__u64 addr;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sched_entity {
	__u64 sum_exec_runtime;
};

struct task_struct {
	struct sched_entity se;
	int pid;
	int tgid;
	unsigned int flags;
	unsigned int __state;
	unsigned in_iowait : 1;
	void *stack;
	char comm[16];
};

/* Before Linux 5.14. */
struct task_struct___state_as_long {
	long state;
};

struct block_device {
	__u32 bd_dev;
};

struct request {
	unsigned int cmd_flags;
	struct block_device *part;
};

struct sock;

#pragma clang attribute pop

#endif
