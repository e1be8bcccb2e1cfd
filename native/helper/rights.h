// Rights: what the helper keeps once its probes are attached.
#ifndef LONGPOLE_RIGHTS_H
#define LONGPOLE_RIGHTS_H

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include "options.h"
#include "records.h"

// Becomes another user and keeps what is needed from here on: CAP_BPF for the maps, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH to
// look into other users' processes, whose environ and io only their owner may open. All probes are attached already.
static void drop_rights(const struct options *options)
{
	if (options->uid < 0 || options->gid < 0)
		return;
	gid_t gid = (gid_t)options->gid;
	if (prctl(PR_SET_KEEPCAPS, 1) || setgroups(0, NULL) || setresgid(gid, gid, gid) ||
	    setresuid((uid_t)options->uid, (uid_t)options->uid, (uid_t)options->uid))
		fail("cannot become user %d: %s", options->uid, strerror(errno));
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2] = { 0 };
	const int kept[] = { CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, CAP_BPF };
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		sets[kept[i] / 32].effective |= 1u << (kept[i] % 32);
		sets[kept[i] / 32].permitted |= 1u << (kept[i] % 32);
	}
	if (syscall(SYS_capset, &head, sets))
		fail("cannot give up capabilities: %s", strerror(errno));
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	// The kernel forgets it where the user changes.
	prctl(PR_SET_PDEATHSIG, SIGTERM);
}

#endif
