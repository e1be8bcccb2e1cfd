// The software events of page faults, which end what the tracepoints begin; where the kernel has no such tracepoints, another
// one begins them.
#ifndef LONGPOLE_PAGE_FAULT_EVENTS_H
#define LONGPOLE_PAGE_FAULT_EVENTS_H

#include <stdbool.h>
#include <string.h>
#include "options.h"
#include "probe-table.h"
#include "records.h"
#include "software-events.h"

#define PAGE_FAULTS "page-faults"

// Of so many minor faults one is seen. Primes: what a program does in turns would else be met at the same place each time.
#define RECORD_FAULT_PERIOD 31
#define SERVE_FAULT_PERIOD 61

static __u32 fault_period(const struct options *options)
{
	return options->serve ? SERVE_FAULT_PERIOD : RECORD_FAULT_PERIOD;
}

// Both, or a fault of the kernel would seem to have begun with the user's last one.
static bool begins_by_tracepoint(void)
{
	for (size_t i = 0; i < PROBES; i++)
		if (probes[i].group && !strcmp(probes[i].group, PAGE_FAULTS) && !probes[i].attached)
			return false;
	return true;
}

static bool ends_faults(void)
{
	return has_events(EVENT_MINOR_FAULT) || has_events(EVENT_MAJOR_FAULT);
}

static void detach_page_faults(void)
{
	detach_group(PAGE_FAULTS);
	detach_events(EVENT_FAULT_BEGIN);
	detach_events(EVENT_MINOR_FAULT);
	detach_events(EVENT_MAJOR_FAULT);
}

static void attach_page_faults(const struct options *options, const char *rung)
{
	put_event("page-fault-major", attach_events(EVENT_MAJOR_FAULT, PERF_COUNT_SW_PAGE_FAULTS_MAJ, 0, 1, skeleton->progs.on_major_fault));
	put_event("page-fault-minor", attach_events(EVENT_MINOR_FAULT, PERF_COUNT_SW_PAGE_FAULTS_MIN, 0, fault_period(options),
						     skeleton->progs.on_minor_fault));
	if (!ends_faults()) {
		// A beginning that nothing ends would cost each fault of the machine, and tell nothing.
		detach_group(PAGE_FAULTS);
		put_probe("page-fault-user", "none", "the software events of page faults were refused");
		return;
	}
	if (begins_by_tracepoint()) {
		put_probe("page-fault-user", rung, "");
		return;
	}
	// It begins those of the kernel as well.
	detach_group(PAGE_FAULTS);
	put_event("page-fault-user", attach_events(EVENT_FAULT_BEGIN, PERF_COUNT_SW_PAGE_FAULTS, 0, 1, skeleton->progs.on_fault_event));
}

#endif
