// Requests for disks. A recording has those of everybody, from the request's issue to its completion, by device and operation;
// the agent what each process asked for, from the bio that it queues to its end, with bytes. Unit: nanoseconds and bytes.
// Hooks: block:block_rq_issue, block:block_rq_complete; serving block:block_bio_queue, block:block_rq_complete and
// block:block_bio_complete. Cost: 1.8 us a request in all.
#ifndef LONGPOLE_BLOCK_IO_H
#define LONGPOLE_BLOCK_IO_H

#include "../kernel-types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "../stream.h"
#include "tracepoint.h"
#include "targets.h"
#include "beginnings.h"
#include "histograms.h"
#include "process-counts.h"

// Until Linux 5.11 these two tracepoints name a queue before what they are about.
const volatile bool bio_after_queue = false;
const volatile bool request_after_queue = false;

BOTH(block_rq_issue, if (request_after_queue) return begin(ARG_AT(1)); return begin(ARG_AT(0));)

static __always_inline __u32 kind_of_bio(__u32 operation, __u64 bytes)
{
	if (operation == 0)
		return COUNT_BLOCK_READ;
	if (operation == 2)
		return COUNT_BLOCK_FLUSH;
	// Also secure, and as zeroes for which no data are sent.
	if (operation == 3 || operation == 5 || operation == 9)
		return COUNT_BLOCK_DISCARD;
	// 7 appends to a zone; what is left sets up zones, or is of drivers.
	if (operation != 1 && operation != 7)
		return 0;
	return bytes ? COUNT_BLOCK_WRITE : COUNT_BLOCK_FLUSH;
}

static __always_inline __u32 disk_of(struct bio *bio)
{
	struct gendisk *disk = bpf_core_field_exists(bio->bi_bdev)
				       ? BPF_CORE_READ(bio, bi_bdev, bd_disk)
				       : BPF_CORE_READ((struct bio___with_disk *)bio, bi_disk);
	return (__u32)BPF_CORE_READ(disk, major) << 20 | ((__u32)BPF_CORE_READ(disk, first_minor) & 0xfffff);
}

static __always_inline int on_bio_queued(__u64 address)
{
	if (!counting || !started_ns)
		return 0;
	// What a driver hands on (device mapper, software RAID) is a part of what was counted already.
	if (BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), bio_list))
		return 0;
	struct bio *bio = (struct bio *)address;
	__u64 bytes = BPF_CORE_READ(bio, bi_iter.bi_size);
	__u32 kind = kind_of_bio(BPF_CORE_READ(bio, bi_opf) & 0xff, bytes);
	if (!kind)
		return 0;
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct beginning beginning = { .ns = bpf_ktime_get_ns(), .about = bytes, .kind = kind, .which = disk_of(bio),
				       .tgid = is_target(tgid) ? tgid : 0 };
	if (bpf_map_update_elem(&begun, &address, &beginning, BPF_ANY))
		__sync_fetch_and_add(&lost_counts, 1);
	return 0;
}

static __always_inline int on_bio_done(__u64 address)
{
	struct beginning *at = bpf_map_lookup_elem(&begun, &address);
	if (!at)
		return 0;
	add_count(at->tgid, at->kind, at->which, bpf_ktime_get_ns() - at->ns, at->about);
	bpf_map_delete_elem(&begun, &address);
	return 0;
}

// Parts of memory that one request has at most; each is of another bio at the most.
#define MOST_BIOS 256

static __always_inline int on_block_done(struct request *request)
{
	if (serving) {
		struct bio *bio = BPF_CORE_READ(request, bio);
		for (int i = 0; i < MOST_BIOS && bio; i++) {
			struct bio *next = BPF_CORE_READ(bio, bi_next);
			on_bio_done((__u64)bio);
			bio = next;
		}
		return 0;
	}
	__u64 ns = since_begin((__u64)request);
	if (ns)
		count_in(HISTOGRAM_BLOCK_IO, BPF_CORE_READ(request, part, bd_dev), BPF_CORE_READ(request, cmd_flags) & 0xff, ns);
	return 0;
}

// Ends what hardware did; what a driver of the kernel did itself ends by block_bio_complete.
BOTH(block_rq_complete, return on_block_done(ARG(struct request *, 0));)
BOTH(block_bio_queue, if (bio_after_queue) return on_bio_queued(ARG_AT(1)); return on_bio_queued(ARG_AT(0));)
BOTH(block_bio_complete, return on_bio_done(ctx[1]);)

#endif
