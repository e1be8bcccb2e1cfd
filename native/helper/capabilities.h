// What this kernel has: by its BTF, never by its version.
#ifndef LONGPOLE_CAPABILITIES_H
#define LONGPOLE_CAPABILITIES_H

#include <stdbool.h>
#include <stdio.h>
#include <bpf/btf.h>
#include "probe-table.h"

static bool is_there(const struct btf *btf, const struct probe *probe)
{
	char name[64];
	snprintf(name, sizeof(name), "%s%s", probe->iterator ? "bpf_iter__" : "btf_trace_",
		 probe->iterator ? probe->iterator : probe->tracepoint);
	return btf__find_by_name_kind(btf, name, probe->iterator ? BTF_KIND_STRUCT : BTF_KIND_TYPEDEF) > 0;
}

// Arguments of a tracepoint, from the type of the functions that may hang on it, which are handed one of their own before; 0: none.
static int arguments_of(const struct btf *btf, const char *tracepoint)
{
	char name[64];
	snprintf(name, sizeof(name), "btf_trace_%s", tracepoint);
	const struct btf_type *type = btf__type_by_id(btf, (__u32)btf__resolve_type(btf, (__u32)btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF)));
	if (type && btf_is_ptr(type))
		type = btf__type_by_id(btf, type->type);
	return type && btf_is_func_proto(type) ? (int)btf_vlen(type) - 1 : 0;
}

static const char *reason_of(const struct btf *btf, const struct probe *probe)
{
	if (probe->attached)
		return "";
	if (!is_there(btf, probe))
		return probe->iterator ? "this kernel has no such iterator" : "this kernel has no such tracepoint";
	return probe->refused ? "this kernel does not take its program" : "attaching was refused";
}

#endif
