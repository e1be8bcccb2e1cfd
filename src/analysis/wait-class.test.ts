import { expect, test } from "vitest";
import { classifyWait } from "./wait-class.ts";

const wait = (syscall: string, more: { marks?: string[]; kernel?: string[]; user?: string[] } = {}) =>
  classifyWait({ syscall, marks: [], kernel: [], user: [], ...more });

// Stacks as they were seen of real programs.
test.each([
  [
    "fsync",
    wait("fsync", { marks: ["io", "uninterruptible"], kernel: ["io_schedule", "folio_wait_bit"] }),
    "disk",
    false,
  ],
  [
    "a mutex of glibc",
    wait("futex", { marks: ["lock-held"], user: ["__GI___lll_lock_wait", "pthread_mutex_lock"] }),
    "lock",
    false,
  ],
  [
    "a worker without work",
    wait("futex", {
      marks: ["condition"],
      user: ["__futex_abstimed_wait_common", "pthread_cond_wait", "uv_cond_wait"],
    }),
    "sleep",
    true,
  ],
  [
    "a mutex after a condition",
    wait("futex", { marks: [], user: ["__GI___lll_lock_wait", "__pthread_mutex_cond_lock", "pthread_cond_wait"] }),
    "lock",
    false,
  ],
  [
    "Python's lock",
    wait("futex", { marks: ["condition"], user: ["pthread_cond_timedwait", "take_gil"] }),
    "lock",
    false,
  ],
  ["a futex of which nothing is known", wait("futex"), "lock", false],
  ["Go without work", wait("futex", { user: ["runtime.futex", "runtime.futexsleep", "runtime.stopm"] }), "sleep", true],
  ["an event loop", wait("epoll_pwait", { kernel: ["do_epoll_wait"] }), "network", true],
  [
    "a read of a socket",
    wait("read", { kernel: ["wait_woken", "sk_wait_data", "tcp_recvmsg_locked"] }),
    "network",
    false,
  ],
  ["a read of a file", wait("read", { marks: ["io"], kernel: ["io_schedule", "filemap_read"] }), "disk", false],
  ["a read of a pipe", wait("read", { kernel: ["anon_pipe_read", "vfs_read"] }), "callee", false],
  [
    "a lock of the kernel",
    wait("write", { kernel: ["rwsem_down_write_slowpath", "down_write", "ext4_buffered_write_iter"] }),
    "lock",
    false,
  ],
  ["a page read back", wait("", { marks: ["io"], kernel: ["io_schedule", "filemap_fault"] }), "disk", false],
  ["a sleep", wait("clock_nanosleep", { kernel: ["do_nanosleep"] }), "sleep", false],
  ["a child", wait("wait4"), "callee", false],
  ["a debugger", wait("read", { marks: ["stopped"] }), "unexplained", false],
  ["nothing known", wait("membarrier"), "unexplained", false],
] as const)("%s", (_, found, kind, isIdle) => {
  expect([found.kind, found.isIdle]).toEqual([kind, isIdle]);
});
