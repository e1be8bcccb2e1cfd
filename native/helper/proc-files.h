// What /proc tells of a thread.
#ifndef LONGPOLE_PROC_FILES_H
#define LONGPOLE_PROC_FILES_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/types.h>

static bool read_line(const char *path, char *to, size_t room)
{
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	bool read = fgets(to, (int)room, file) != NULL;
	fclose(file);
	if (read)
		to[strcspn(to, "\n")] = 0;
	return read;
}

static char state_of_thread(int pid, int tid)
{
	char path[64], line[512];
	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	if (!read_line(path, line, sizeof(line)))
		return 0;
	// After the name in brackets, which may hold brackets itself.
	const char *end = strrchr(line, ')');
	return end && end[1] == ' ' ? end[2] : 0;
}

static void comm_of_thread(int pid, int tid, char *to)
{
	char path[64], line[64];
	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", pid, tid);
	if (read_line(path, line, sizeof(line))) {
		memset(to, 0, 16);
		memcpy(to, line, strnlen(line, 15));
	}
}

// What the kernel has counted for a thread; 0 where it does not tell.
static __u64 exec_of_thread(int pid, int tid)
{
	char path[64], line[128];
	unsigned long long run = 0;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, tid);
	return read_line(path, line, sizeof(line)) && sscanf(line, "%llu", &run) == 1 ? run : 0;
}

static void for_each_thread(int pid, void (*visit)(int pid, int tid))
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *folder = opendir(path);
	if (!folder)
		return;
	for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
		if (entry->d_name[0] != '.')
			visit(pid, atoi(entry->d_name));
	closedir(folder);
}

#endif
