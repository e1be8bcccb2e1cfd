import { FrameKind } from "../model/stack-table.ts";

/** What a thread does in a sample, as far as a frame of its stack tells. */
export const WORK_CLASSES = ["code", "gc", "fsync", "write", "read", "file"] as const;
export type WorkClass = (typeof WORK_CLASSES)[number];

/**
 * What a frame makes of all that it calls: a synchronous system call on a file, garbage
 * collection, or (undefined) nothing that tells. Sockets are no files: their calls do not block where
 * an event loop uses them.
 *
 * Node's own functions (`node:fs`) stand for the calls, since its profiles see no kernel; in
 * profiles of machine code the kernel's and the C library's do.
 */
export function workClassOf(name: string, file: string, kind: FrameKind): WorkClass | undefined {
  switch (kind) {
    case FrameKind.gc:
      return "gc";
    case FrameKind.runtime:
      return file === "node:fs" || file === "fs.js" ? nodeClass(name) : goClass(name);
    case FrameKind.kernel:
      return kernelClass(name);
    case FrameKind.native:
      return NATIVE_GC.test(name) ? "gc" : libraryClass(name, file);
    case FrameKind.user:
      return goClass(name);
    case FrameKind.jit:
    case FrameKind.idle:
      return undefined;
  }
}

function nodeClass(name: string): WorkClass | undefined {
  if (/^f(?:data)?syncSync$/.test(name)) return "fsync";
  if (/^(?:write|writev|writeFile|appendFile)Sync$/.test(name)) return "write";
  if (/^(?:read|readv|readFile)Sync$/.test(name)) return "read";
  return /^[a-z]+Sync$/.test(name) ? "file" : undefined;
}

/** `os.(*File).Sync` and what it calls; `os.(*File).Write`. */
function goClass(name: string): WorkClass | undefined {
  const call = /^(?:os\.\(\*File\)|syscall|internal\/poll\.\(\*FD\))\.(\w+)$/.exec(name)?.[1]?.toLowerCase();
  if (call === undefined) return undefined;
  if (call === "sync" || call === "fsync" || call === "fdatasync") return "fsync";
  if (name.startsWith("os.") && /^p?write/.test(call)) return "write";
  return name.startsWith("os.") && /^p?read/.test(call) ? "read" : undefined;
}

/** vfs_fsync_range, do_fsync, __x64_sys_fdatasync; vfs_write, ksys_pwrite64; a socket's write is within vfs_write, too. */
function kernelClass(name: string): WorkClass | undefined {
  if (/(?:^|_)(?:vfs|do|sys|ksys)_f(?:data)?sync|file_write_and_wait_range/.test(name)) return "fsync";
  if (/^(?:sock_|tcp_|unix_stream|inet_)/.test(name)) return "code";
  if (/^(?:ksys|vfs|(?:__\w+_)?sys)_p?writev?(?:64)?$/i.test(name)) return "write";
  return /^(?:ksys|vfs|(?:__\w+_)?sys)_p?readv?(?:64)?$/i.test(name) ? "read" : undefined;
}

/** Without a file it is a binding of a runtime, whose `writev` is as well one of a socket. */
function libraryClass(name: string, file: string): WorkClass | undefined {
  if (file === "") return undefined;
  const call = name.replace(/^(?:__GI_|__libc_|__)+/, "");
  if (/^f(?:data)?sync$/.test(call)) return "fsync";
  return /^p?writev?(?:64)?$/.test(call) ? "write" : undefined;
}

/** Collectors of V8 and of the JVM, whose frames are machine code. */
const NATIVE_GC =
  /^v8::internal::(?:Heap::(?:CollectGarbage|PerformGarbageCollection)|Scavenger|MarkCompact|ConcurrentMarking|Sweeper)|^(?:G1|PS|ParNew|Shenandoah|Z)\w*(?:Task|Worker|Collector|Mark)|^GCTaskThread/;
