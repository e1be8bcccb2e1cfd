// What the helper is asked to do, from its command line. Anything that it does not understand ends it with code 2 and the
// usage.
#ifndef LONGPOLE_OPTIONS_H
#define LONGPOLE_OPTIONS_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TARGETS 256

struct options {
	int targets[MAX_TARGETS];
	int target_count;
	int hz;
	double seconds;
	// percent of one core; 0 for no limit
	double budget;
	bool follow;
	bool at_exec;
	bool only_probe;
	// goes on until its input ends: takes commands, sends totals every `tick` seconds
	bool serve;
	// serves, but only looks: nothing is attached
	bool look;
	double tick;
	// what it becomes once all is attached, keeping only what it needs; -1: what it is
	int uid, gid;
};

static void usage(void)
{
	fprintf(stderr, "usage: longpole-probe --pid N[,N...] [--hz 49] [--seconds N] [--budget PERCENT] [--no-follow] [--at-exec]\n"
			"       longpole-probe --serve [--tick 10] [--hz 19] [--uid N --gid N]\n"
			"       longpole-probe --look [--uid N --gid N]\n"
			"       longpole-probe --check\n");
	exit(2);
}

static double number(const char *text, double low, double high)
{
	char *end;
	double value = text ? strtod(text, &end) : NAN;
	if (!text || *end || !(value >= low && value <= high))
		usage();
	return value;
}

static struct options read_options(int count, char **words)
{
	struct options options = { .hz = 49, .follow = true, .tick = 10, .uid = -1, .gid = -1 };
	for (int i = 1; i < count; i++) {
		const char *word = words[i];
		if (!strcmp(word, "--check")) {
			options.only_probe = true;
		} else if (!strcmp(word, "--no-follow")) {
			options.follow = false;
		} else if (!strcmp(word, "--serve")) {
			options.serve = true;
		} else if (!strcmp(word, "--look")) {
			options.serve = options.look = true;
		} else if (!strcmp(word, "--tick")) {
			options.tick = number(words[++i], 0.1, 3600);
		} else if (!strcmp(word, "--uid")) {
			options.uid = (int)number(words[++i], 1, 2147483647);
		} else if (!strcmp(word, "--gid")) {
			options.gid = (int)number(words[++i], 1, 2147483647);
		} else if (!strcmp(word, "--at-exec")) {
			options.at_exec = true;
		} else if (!strcmp(word, "--hz")) {
			options.hz = (int)number(words[++i], 1, 999);
		} else if (!strcmp(word, "--seconds")) {
			options.seconds = number(words[++i], 0.01, 86400);
		} else if (!strcmp(word, "--budget")) {
			options.budget = number(words[++i], 0, 10000);
		} else if (!strcmp(word, "--pid") && words[i + 1]) {
			for (char *part = strtok(words[++i], ","); part; part = strtok(NULL, ",")) {
				if (options.target_count == MAX_TARGETS)
					usage();
				options.targets[options.target_count++] = (int)number(part, 1, 1 << 22);
			}
		} else {
			usage();
		}
	}
	if (!options.only_probe && (options.target_count == 0) != options.serve)
		usage();
	return options;
}

#endif
