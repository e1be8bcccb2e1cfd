// Which code touches memory that is not mapped in yet: a stack of one page fault of so many. Unit: faults.
// Hooks: the software event page-faults of each processor. Cost: 18 us a sample.
#ifndef LONGPOLE_PAGE_FAULT_H
#define LONGPOLE_PAGE_FAULT_H

#include "../kernel-types.h"
#include <bpf/bpf_helpers.h>
#include "../stream.h"
#include "cpu-clock.h"

SEC("perf_event") int on_page_fault(struct bpf_perf_event_data *ctx)
{
	return sample(ctx, RECORD_FAULT);
}

#endif
