import type { TimeKind } from "../model/time-kind.ts";

/** What the kernel tells of a thread that does not run. */
export interface WaitFacts {
  /** name of the system call; "" outside of one */
  readonly syscall: string;
  /** see WAIT_MARKS in model/process-recording.ts */
  readonly marks: readonly string[];
  /** names of the stack's functions, the innermost first */
  readonly kernel: readonly string[];
  readonly user: readonly string[];
}

export interface WaitClass {
  readonly kind: TimeKind;
  /** in words: "fsync", "mutex", "condition variable: waits for work" */
  readonly what: string;
  /** nothing is slow here: the thread has nothing to do until something comes */
  readonly isIdle: boolean;
}

const SYNC = /^(?:fsync|fdatasync|sync_file_range|msync|syncfs|sync)$/;
const SLEEP = /^(?:nanosleep|clock_nanosleep)$/;
const SIGNAL = /^(?:pause|rt_sigtimedwait|rt_sigsuspend|signalfd4?)$/;
const EVENTS = /^(?:epoll_p?wait2?|p?poll|p?select6?|_newselect)$/;
const SOCKET = /^(?:recv|send|sendto|recvfrom|sendmsg|recvmsg|sendmmsg|recvmmsg|connect|sendfile)$/;
const CHILD = /^(?:wait4|waitid|vfork)$/;

/** Of the kernel's own: semaphores, mutexes. */
const KERNEL_LOCK =
  /^(?:rwsem_down_\w+|__?(?:mutex_lock|down_read|down_write)\w*|mutex_lock\w*|percpu_rwsem_wait|__percpu_down_read)$/;
const SOCKET_CODE =
  /^(?:sock_|unix_(?:stream|dgram)|tcp_|inet_|udp_|sk_(?:wait|stream)|skb_wait|wait_for_more_packets|__skb_wait)/;
const PIPE_CODE = /^(?:anon_|fifo_)?pipe_(?:read|write|wait)|^wait_for_partner/;
const TERMINAL_CODE = /^(?:n_tty|tty)_/;
const EVENT_CODE = /^(?:eventfd|timerfd|inotify|signalfd)_/;
const DISK_CODE =
  /^(?:io_schedule|folio_wait|wait_on_page|jbd2|ext4|xfs|btrfs|f2fs|nfs|fuse|overlayfs|submit_bio|blk|bit_wait_io|do_writepages|filemap_|balance_dirty_pages|swap_|do_swap)/;

/** Locks by the functions that take them, of C, C++, Rust, Python and the JVM. */
const LOCK_CODE =
  /pthread_(?:mutex|rwlock|spin)|lll_lock|take_gil|PyThread_acquire_lock|parking_lot|(?:Mutex|RwLock|SpinLock|ReentrantLock)::?\w*|futex_mutex|ObjectMonitor|Monitor::(?:lock|enter|i?lock)|Unsafe_Park|sem_wait|\block_wait\b/i;
/** A mutex taken again after a condition came true is part of the lock; the condition's wait itself is not. */
const CONDITION_CODE = /cond_(?:timed)?wait|condition_variable|Condvar|futex_abstimed_wait/;
/** Go parks its threads in futexes when they have nothing to do. */
const GO_IDLE = /^runtime\.(?:futex|futexsleep|notesleep|notetsleep|stopm|findrunnable|mPark)/i;

/**
 * What a thread waits for. What the stack says goes before what the system call's name says, and a wait of which
 * nothing is known stays unexplained.
 */
export function classifyWait({ syscall, marks, kernel, user }: WaitFacts): WaitClass {
  const has = (names: readonly string[], pattern: RegExp): boolean => names.some((name) => pattern.test(name));
  const found = (kind: TimeKind, what: string, isIdle = false): WaitClass => ({ kind, what, isIdle });
  const call = syscall === "" ? "page fault" : syscall;
  if (marks.includes("stopped")) return found("unexplained", "stopped by a signal or a debugger");
  if (SYNC.test(syscall)) return found("disk", syscall);
  if (syscall.startsWith("futex")) return futexWait(marks, user, has);
  if (SLEEP.test(syscall)) return found("sleep", syscall);
  if (SIGNAL.test(syscall)) return found("sleep", `${syscall}: waits for a signal`, true);
  if (EVENTS.test(syscall)) return found("network", `${syscall}: waits for whatever comes next`, true);
  if (/^accept4?$/.test(syscall)) return found("network", `${syscall}: waits for connections`, true);
  if (CHILD.test(syscall)) return found("callee", `${syscall}: waits for another process`);
  if (syscall === "flock" || syscall === "fcntl") return found("lock", `${syscall}: a lock on a file`);
  if (SOCKET.test(syscall) || has(kernel, SOCKET_CODE)) return found("network", call);
  if (has(kernel, PIPE_CODE)) return found("callee", `${call} of a pipe: waits for another process`);
  if (has(kernel, TERMINAL_CODE)) return found("sleep", `${call} of a terminal`, true);
  if (has(kernel, EVENT_CODE)) return found("sleep", `${call} of an event`, true);
  if (has(kernel, KERNEL_LOCK)) return found("lock", `${call}: a lock of the kernel`);
  if (marks.includes("io") || has(kernel, DISK_CODE)) return found("disk", call);
  if (marks.includes("uninterruptible") && syscall !== "") return found("disk", call);
  return found("unexplained", syscall === "" ? "outside of a system call" : syscall);
}

/** Held by another thread, or a wait for something to do: the C library uses the same call for both. */
function futexWait(
  marks: readonly string[],
  user: readonly string[],
  has: (names: readonly string[], pattern: RegExp) => boolean,
): WaitClass {
  if (has(user, GO_IDLE)) return { kind: "sleep", what: "a thread of the runtime without work", isIdle: true };
  // Innermost first: what is nearer to the wait says what it is.
  const lock = user.findIndex((name) => LOCK_CODE.test(name));
  const condition = user.findIndex((name) => CONDITION_CODE.test(name));
  const isLock = marks.includes("lock-held") || (lock >= 0 && (condition < 0 || lock < condition));
  if (!isLock && (condition >= 0 || marks.includes("condition")))
    return isSemaphoreLock(user)
      ? { kind: "lock", what: "a lock of the runtime", isIdle: false }
      : { kind: "sleep", what: "condition variable: waits for something to do", isIdle: true };
  return { kind: "lock", what: isLock ? "mutex" : "futex", isIdle: false };
}

/** Locks that are built on conditions and semaphores: Python's, the JVM's. */
const isSemaphoreLock = (user: readonly string[]): boolean =>
  user.some((name) => /take_gil|PyThread_acquire_lock|ObjectMonitor::(?:enter|EnterI)|Unsafe_Park/.test(name));
