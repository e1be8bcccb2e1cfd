// Records on standard output (stream.h). One that cannot be written ends the helper: nobody reads.
#ifndef LONGPOLE_RECORDS_H
#define LONGPOLE_RECORDS_H

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <linux/types.h>
#include "../stream.h"

static volatile sig_atomic_t ending;

static void on_signal(int signal) { (void)signal; ending = 1; }

static __u64 now_ns(clockid_t clock)
{
	struct timespec at;
	clock_gettime(clock, &at);
	return (__u64)at.tv_sec * 1000000000ull + (__u64)at.tv_nsec;
}

static void fail(const char *format, ...)
{
	va_list values;
	va_start(values, format);
	fprintf(stderr, "longpole-probe: ");
	vfprintf(stderr, format, values);
	fprintf(stderr, "\n");
	va_end(values);
	exit(1);
}

static void put(__u32 type, const void *one, size_t one_size, const void *two, size_t two_size)
{
	__u32 head[2] = { (__u32)(4 + one_size + two_size), type };
	if (fwrite(head, sizeof(head), 1, stdout) != 1 || (one_size && fwrite(one, one_size, 1, stdout) != 1) ||
	    (two_size && fwrite(two, two_size, 1, stdout) != 1))
		ending = 1;
}

static void put_probe(const char *name, const char *rung, const char *reason)
{
	char text[512];
	int size = snprintf(text, sizeof(text), "%s%c%s%c%s", name, 0, rung, 0, reason);
	put(RECORD_PROBE, text, (size_t)(size < (int)sizeof(text) ? size + 1 : (int)sizeof(text)), NULL, 0);
}

// Of a software event: whether it could be attached.
static void put_event(const char *name, int error)
{
	put_probe(name, error ? "none" : "perf_event", error ? strerror(-error) : "");
}

static int on_event(void *unused, void *data, size_t size)
{
	(void)unused;
	put(*(const __u32 *)data, data, size, NULL, 0);
	return 0;
}

#endif
