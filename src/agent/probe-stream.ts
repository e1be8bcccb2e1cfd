/** A stack as the helper sends it (struct stack_event in native/stream.h). */
export interface RawStack {
  readonly tgid: number;
  readonly tid: number;
  /** number of the system call, -1 outside of one */
  readonly syscall: number;
  /** nanoseconds of the kernel's monotonic clock */
  readonly timeNs: number;
  /** of a wait: its number within its thread; else how many events the stack stands for */
  readonly value: number;
  /** bits of WaitDetail */
  readonly detail: number;
  readonly comm: string;
  readonly registers: UserRegisters;
  /** of page faults: what was touched; of major ones the nanoseconds of those that the stack stands for; else 0 */
  readonly address: number;
  readonly tookNs: number;
  /**
   * Addresses, innermost first, as numbers, which hold them exactly: those of the kernel, which stand at the end of 64 bits, as
   * signed ones; those of the user by frame pointers alone.
   */
  readonly kernel: readonly number[];
  readonly user: readonly number[];
  /** the user's stack from `registers.sp` upwards, as far as it was copied */
  readonly copy: Buffer;
}

export interface UserRegisters {
  readonly ip: number;
  readonly sp: number;
  readonly bp: number;
  readonly bx: number;
}

/** Bits of a wait's detail, as in native/stream.h. */
export const WaitDetail = {
  futexOperation: 0x7f,
  /** the value waited on says "held, and others wait": a lock of glibc */
  futexHeld: 0x80,
  iowait: 0x100,
  uninterruptible: 0x200,
  stopped: 0x400,
  /** it began before the recording */
  before: 0x800,
  /** of a page fault: it waited for a disk */
  majorFault: 0x1000,
} as const;

export type ProbeRecord =
  | {
      readonly type: "hello";
      readonly version: number;
      readonly processors: number;
      readonly startedNs: number;
      readonly startedUnixNs: bigint;
      readonly attachNs: number;
      readonly hz: number;
      /** one of so many minor faults is seen */
      readonly faultPeriod: number;
    }
  | { readonly type: "probe"; readonly name: string; readonly rung: string; readonly reason: string }
  | { readonly type: "sample" | "wait-stack" | "fault"; readonly stack: RawStack }
  | {
      readonly type: "wait-done";
      readonly tid: number;
      readonly value: number;
      readonly ns: number;
      readonly wakerTgid: number;
      readonly wakerTid: number;
    }
  | { readonly type: "exec"; readonly tgid: number }
  | {
      readonly type: "thread";
      readonly tid: number;
      readonly tgid: number;
      readonly firstNs: number;
      /** 0 while it lives */
      readonly endedNs: number;
      readonly cpuNs: number;
      readonly runnableNs: number;
      readonly blockedNs: number;
      readonly waits: number;
      readonly preemptions: number;
      readonly comm: string;
    }
  | {
      readonly type: "wait";
      readonly tid: number;
      readonly syscall: number;
      readonly detail: number;
      readonly ns: number;
      readonly count: number;
      readonly longestNs: number;
      readonly stacks: number;
    }
  | {
      readonly type: "histogram";
      readonly kind: number;
      readonly which: number;
      readonly operation: number;
      readonly count: number;
      readonly sumNs: number;
      readonly slots: Uint32Array;
    }
  | CountRecord
  | FaultsRecord
  | { readonly type: "preemptor"; readonly tgid: number; readonly count: number; readonly comm: string }
  | {
      /** an answer to what ServingHelper asked */
      readonly type: "peek";
      readonly id: number;
      readonly pid: number;
      /** empty where it was refused */
      readonly body: Buffer;
    }
  | {
      /** tick: all totals so far stand before it, and it goes on */
      readonly type: "end" | "tick";
      /** later than the hello's where it began with a command's program */
      readonly startedNs: number;
      readonly endedNs: number;
      readonly lostEvents: number;
      readonly lostThreads: number;
      readonly lostWaits: number;
      readonly stacksSkipped: number;
      readonly ownNs: number;
      readonly programsNs: number;
      readonly residentKb: number;
      readonly lostCounts: number;
    };

/** Page faults of a thread; of the minor ones one of hello.faultPeriod is seen, and mostly timed. */
export interface FaultsRecord {
  readonly type: "faults";
  readonly tid: number;
  readonly tgid: number;
  readonly major: number;
  readonly majorNs: number;
  readonly minorSeen: number;
  readonly minorTimed: number;
  /** of those that were timed */
  readonly minorNs: number;
}

/** What is counted of a process, by CountKind. */
export interface CountRecord {
  readonly type: "count";
  /** 0: threads of the kernel, and processes that nobody asked about */
  readonly tgid: number;
  readonly kind: number;
  /** block I/O: the disk, its major number above 20 bits of its first minor one */
  readonly which: number;
  /** it counts from zero after this */
  readonly isLast: boolean;
  readonly count: number;
  readonly ns: number;
  readonly bytes: number;
  /** how many took how long: the first ends at COUNT_FIRST_NS, each further one at the double of it, the last has no end */
  readonly slots: readonly number[];
}

/** enum count_kind of native/stream.h. */
export const CountKind = {
  blockRead: 1,
  blockWrite: 2,
  blockFlush: 3,
  blockDiscard: 4,
  connect: 5,
  connectFailed: 6,
  retransmit: 7,
  resetSent: 8,
  resetReceived: 9,
  kernelLock: 10,
  /** connections that are open, and the smoothed round trip of each */
  roundTrip: 11,
  /** in number and time estimated by one of hello.faultPeriod */
  minorFault: 12,
  majorFault: 13,
} as const;

export const COUNT_FIRST_NS: number = 2 ** 13;
export const COUNT_SLOTS = 24;

/** What the helper of this version writes; another one is refused. */
const STREAM_VERSION = 4;
const KERNEL_DEPTH = 48;
const USER_DEPTH = 96;
/** Of struct stack_event, before the copied stack. */
const STACK_BYTES = 104 + 8 * (KERNEL_DEPTH + USER_DEPTH);
/** A record is a stack at most; more is not of this stream. */
const MAX_RECORD = 1 << 20;
/** A stack and the largest piece that a pipe gives. */
const ROOM_BYTES = 1 << 17;

/**
 * Cuts the helper's output into records, in whatever pieces it comes. The copy of a stack is only there until the record's
 * receiver returns.
 * Throws an Error that says at which byte the stream is not what it should be.
 */
export class ProbeStreamReader {
  /** what was begun by the pieces before, and how much of this it is; kept, so that pieces leave nothing behind to be collected */
  private room: Buffer = Buffer.allocUnsafeSlow(ROOM_BYTES);
  private held = 0;
  private readonly onRecord: (record: ProbeRecord) => void;
  private offset = 0;

  constructor(onRecord: (record: ProbeRecord) => void) {
    this.onRecord = onRecord;
  }

  push(piece: Buffer): void {
    const data = this.held === 0 ? piece : this.withHeld(piece);
    let at = 0;
    while (data.length - at >= 8) {
      const length = data.readUInt32LE(at);
      if (length < 4 || length > MAX_RECORD) throw this.damaged(`a record of ${length} bytes`);
      if (data.length - at < 4 + length) break;
      const type = data.readUInt32LE(at + 4);
      const record = this.decode(type, data.subarray(at + 8, at + 4 + length));
      if (record !== undefined) this.onRecord(record);
      this.offset += 4 + length;
      at += 4 + length;
    }
    const left = data.length - at;
    this.reserve(left, 0);
    data.copy(this.room, 0, at);
    this.held = left;
  }

  private withHeld(piece: Buffer): Buffer {
    const size = this.held + piece.length;
    this.reserve(size, this.held);
    piece.copy(this.room, this.held);
    return this.room.subarray(0, size);
  }

  /** Room for so many bytes, of which the first ones are kept. */
  private reserve(bytes: number, kept: number): void {
    if (bytes <= this.room.length) return;
    const bigger = Buffer.allocUnsafeSlow(Math.max(bytes, 2 * this.room.length));
    this.room.copy(bigger, 0, 0, kept);
    this.room = bigger;
  }

  /** Whether the stream ended between two records. */
  get isWhole(): boolean {
    return this.held === 0;
  }

  private damaged(found: string): Error {
    return new Error(`the helper's stream at byte ${this.offset}: expected a record, found ${found}`);
  }

  private decode(type: number, body: Buffer): ProbeRecord | undefined {
    const need = SIZES[type];
    if (need === undefined) throw this.damaged(`type ${type}`);
    if (body.length < need) throw this.damaged(`${body.length} bytes of type ${type}, which has ${need}`);
    const record = DECODERS[type]!(body);
    if (record.type === "hello" && record.version !== STREAM_VERSION)
      throw new Error(
        `the helper writes version ${record.version} of its stream, this Longpole reads ${STREAM_VERSION}: npm run build:native`,
      );
    return record;
  }
}

/** Least bytes per type. */
const SIZES: Readonly<Record<number, number>> = {
  1: 40,
  2: 3,
  3: STACK_BYTES,
  4: STACK_BYTES,
  5: STACK_BYTES,
  6: 32,
  7: 16,
  8: 140,
  9: 44,
  10: 12 + 16 + 4 * 176,
  11: 28,
  12: 80,
  13: 80,
  14: 12,
  15: 40 + 4 * COUNT_SLOTS,
  16: 92,
};

/** In halves: a BigInt for each would be garbage at once. */
const u64 = (body: Buffer, at: number): number => body.readUInt32LE(at + 4) * 2 ** 32 + body.readUInt32LE(at);
const u64In = (view: DataView, at: number): number => view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
const s64In = (view: DataView, at: number): number => view.getInt32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);

/** Up to its zero. */
const text = (body: Buffer, at: number, room: number): string => {
  const end = body.indexOf(0, at);
  return body.toString("utf8", at, end < 0 || end > at + room ? at + room : end);
};

const DECODERS: Readonly<Record<number, (body: Buffer) => ProbeRecord>> = {
  1: (body) => ({
    type: "hello",
    version: body.readUInt32LE(0),
    processors: body.readUInt32LE(4),
    startedNs: u64(body, 8),
    startedUnixNs: body.readBigUInt64LE(16),
    attachNs: u64(body, 24),
    hz: body.readUInt32LE(32),
    faultPeriod: body.readUInt32LE(36),
  }),
  2: (body) => {
    const [name = "", rung = "", reason = ""] = body.toString("utf8").split("\0");
    return { type: "probe", name, rung, reason };
  },
  3: (body) => ({ type: "sample", stack: stackOf(body) }),
  4: (body) => ({ type: "wait-stack", stack: stackOf(body) }),
  5: (body) => ({ type: "fault", stack: stackOf(body) }),
  6: (body) => ({
    type: "wait-done",
    tid: body.readUInt32LE(4),
    value: u64(body, 8),
    ns: u64(body, 16),
    wakerTgid: body.readUInt32LE(24),
    wakerTid: body.readUInt32LE(28),
  }),
  7: (body) => ({ type: "exec", tgid: body.readUInt32LE(4) }),
  8: (body) => ({
    type: "thread",
    tid: body.readUInt32LE(0),
    tgid: body.readUInt32LE(84),
    firstNs: u64(body, 4),
    endedNs: u64(body, 44),
    cpuNs: u64(body, 20),
    runnableNs: u64(body, 28),
    blockedNs: u64(body, 36),
    waits: u64(body, 60),
    preemptions: u64(body, 68),
    comm: text(body, 108, 16),
  }),
  9: (body) => ({
    type: "wait",
    tid: body.readUInt32LE(0),
    syscall: body.readInt32LE(4),
    detail: body.readUInt32LE(8),
    ns: u64(body, 12),
    count: u64(body, 20),
    longestNs: u64(body, 28),
    stacks: u64(body, 36),
  }),
  10: (body) => ({
    type: "histogram",
    kind: body.readUInt32LE(0),
    which: body.readUInt32LE(4),
    operation: body.readUInt32LE(8),
    count: u64(body, 12),
    sumNs: u64(body, 20),
    slots: Uint32Array.from({ length: 176 }, (_, slot) => body.readUInt32LE(28 + 4 * slot)),
  }),
  11: (body) => ({ type: "preemptor", tgid: body.readUInt32LE(0), count: u64(body, 4), comm: text(body, 12, 16) }),
  12: (body) => totalOf("end", body),
  13: (body) => totalOf("tick", body),
  // Copied: the piece of the stream that holds it is given up.
  14: (body) => ({
    type: "peek",
    id: body.readUInt32LE(0),
    pid: body.readUInt32LE(8),
    body: Buffer.from(body.subarray(12)),
  }),
  15: (body) => ({
    type: "count",
    tgid: body.readUInt32LE(0),
    kind: body.readUInt32LE(4),
    which: body.readUInt32LE(8),
    isLast: body.readUInt32LE(12) !== 0,
    count: u64(body, 16),
    ns: u64(body, 24),
    bytes: u64(body, 32),
    slots: Array.from({ length: COUNT_SLOTS }, (_, slot) => body.readUInt32LE(40 + 4 * slot)),
  }),
  16: (body) => ({
    type: "faults",
    tid: body.readUInt32LE(0),
    tgid: body.readUInt32LE(84),
    major: u64(body, 28),
    majorNs: u64(body, 36),
    minorSeen: u64(body, 4),
    minorTimed: u64(body, 12),
    minorNs: u64(body, 20),
  }),
};

function totalOf(type: "end" | "tick", body: Buffer): ProbeRecord {
  return {
    type,
    startedNs: u64(body, 0),
    endedNs: u64(body, 8),
    lostEvents: u64(body, 16),
    lostThreads: u64(body, 24),
    lostWaits: u64(body, 32),
    stacksSkipped: u64(body, 40),
    ownNs: u64(body, 48),
    programsNs: u64(body, 56),
    residentKb: u64(body, 64),
    lostCounts: u64(body, 72),
  };
}

/** Each stack has a hundred: neither `Array.from` nor a Buffer's checks, before code is optimised, are for that. */
function words(read: (view: DataView, at: number) => number, view: DataView, from: number, count: number): number[] {
  const found: number[] = [];
  for (let i = 0; i < count; i++) found.push(read(view, from + 8 * i));
  return found;
}

function stackOf(body: Buffer): RawStack {
  const kernelFrames = Math.min(body.readUInt16LE(36), KERNEL_DEPTH);
  const userFrames = Math.min(body.readUInt16LE(38), USER_DEPTH);
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  return {
    tgid: body.readUInt32LE(4),
    tid: body.readUInt32LE(8),
    syscall: body.readInt32LE(12),
    timeNs: u64(body, 16),
    value: u64(body, 24),
    detail: body.readUInt32LE(32),
    registers: {
      ip: u64(body, 40),
      sp: u64(body, 48),
      bp: u64(body, 56),
      bx: u64(body, 64),
    },
    comm: text(body, 72, 16),
    address: u64(body, 88),
    tookNs: u64(body, 96),
    kernel: words(s64In, view, 104, kernelFrames),
    user: words(u64In, view, 104 + 8 * KERNEL_DEPTH, userFrames),
    copy: body.subarray(STACK_BYTES),
  };
}
