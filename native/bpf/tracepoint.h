// How a probe hangs on a tracepoint: each exists twice, as a typed (tp_btf) and as a raw one (raw_tp), and the loader
// takes the first that this kernel lets it attach.
#ifndef LONGPOLE_TRACEPOINT_H
#define LONGPOLE_TRACEPOINT_H

#include <bpf/bpf_helpers.h>

#define ARG(type, n) ((type)(ctx[n]))
#define BOTH(name, body)                                                                                               \
	SEC("tp_btf/" #name) int typed_##name(__u64 *ctx) { body }                                                     \
	SEC("raw_tp/" #name) int raw_##name(__u64 *ctx) { body }

// An argument that stands at another place in other kernels; it must not become one load at a place that is computed.
#define ARG_AT(n)                                                                                                      \
	({                                                                                                             \
		__u64 value = ctx[n];                                                                                  \
		asm volatile("" : "+r"(value));                                                                        \
		value;                                                                                                 \
	})

#endif
