// SPDX-License-Identifier: MIT OR GPL-2.0
//
// The probes: where threads of chosen processes spend their time, seen from the kernel. One probe is one file of bpf/, and all
// are one object, so that they share the tables of threads and of targets.
//
// Totals are exact and kept in the kernel, per thread and per kind of wait; stacks are samples, sent through a ring buffer.
#include "kernel-types.h"
#include <bpf/bpf_helpers.h>

// The kernel lends its tracing functions to programs under a licence compatible with its own only.
char LICENSE[] SEC("license") = "Dual MIT/GPL";

#include "bpf/sched-switch.h"
#include "bpf/cpu-clock.h"
#include "bpf/page-fault.h"
#include "bpf/block-io.h"
#include "bpf/tcp.h"
#include "bpf/kernel-lock.h"
#include "bpf/process-life.h"
