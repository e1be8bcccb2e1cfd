/** What the first line of a sample of `perf script` says. Positions are offsets of bytes; -1 where not told. */
export interface PerfHeader {
  /** command's name, up to the end of the process number: tells one thread from others */
  readonly threadStart: number;
  readonly threadEnd: number;
  /** end of the command's name */
  readonly commEnd: number;
  /** process and thread; -1 unknown */
  readonly pid: number;
  readonly tid: number;
  /** nanoseconds of a clock that began at boot; -1 not told */
  readonly timeNs: number;
  /** 1 where not told */
  readonly period: number;
  readonly hasPeriod: boolean;
  /** name of the event without its last colon */
  readonly eventStart: number;
  readonly eventEnd: number;
  /** what follows the event: a frame, arguments of a tracepoint, or nothing */
  readonly restStart: number;
}

const MAX_TOKENS = 24;
const COLON = 0x3a;

/**
 * Reads header lines, which differ by version and fields:
 *
 *     java 11008 [001] 30143.481555: cpu-clock:
 *     iperf 27409/28744 [000] 441995.133575:    10101010 cycles:ppp:
 *     VM Thread 9 cpu-clock:
 *     swapper     0 [001] 12.5: sched:sched_switch: prev_comm=...
 */
export class PerfHeaderReader {
  private readonly starts = new Int32Array(MAX_TOKENS);
  private readonly ends = new Int32Array(MAX_TOKENS);

  /** Undefined where the line has no process number and event. */
  read(bytes: Uint8Array, start: number, end: number): PerfHeader | undefined {
    const { starts, ends } = this;
    const tokens = this.split(bytes, start, end);
    let time = 1;
    while (time < tokens && !isTime(bytes, starts[time]!, ends[time]!)) time++;
    const hasTime = time < tokens;
    const ids = hasTime ? this.idsBefore(bytes, time) : this.firstIds(bytes, tokens);
    if (ids < 1) return undefined;
    let event = ids + 1;
    if (hasTime) event = time + 1;
    else if (event < tokens && bytes[starts[event]!] === 0x5b) event++;
    let period = 1;
    const hasPeriod = event + 1 < tokens && isNumber(bytes, starts[event]!, ends[event]!);
    if (hasPeriod) period = number(bytes, starts[event]!, ends[event++]!);
    if (event >= tokens || bytes[ends[event]! - 1] !== COLON) return undefined;
    const slash = indexOf(bytes, 0x2f, starts[ids]!, ends[ids]!);
    return {
      threadStart: starts[0]!,
      threadEnd: ends[ids]!,
      commEnd: ends[ids - 1]!,
      // A lone number is that of the thread.
      pid: slash < 0 ? -1 : number(bytes, starts[ids]!, slash),
      tid: number(bytes, slash < 0 ? starts[ids]! : slash + 1, ends[ids]!),
      timeNs: hasTime ? nanoseconds(bytes, starts[time]!, ends[time]! - 1) : -1,
      period,
      hasPeriod,
      eventStart: starts[event]!,
      eventEnd: ends[event]! - 1,
      restStart: ends[event]!,
    };
  }

  private split(bytes: Uint8Array, start: number, end: number): number {
    const { starts, ends } = this;
    let tokens = 0;
    for (let at = start; at < end && tokens < MAX_TOKENS;) {
      while (at < end && bytes[at]! <= 0x20) at++;
      if (at >= end) break;
      starts[tokens] = at;
      while (at < end && bytes[at]! > 0x20) at++;
      ends[tokens++] = at;
    }
    return tokens;
  }

  /** Token of the process number, before the time and what may stand between: the processor, flags. */
  private idsBefore(bytes: Uint8Array, time: number): number {
    let at = time - 1;
    while (at >= 1 && !isIds(bytes, this.starts[at]!, this.ends[at]!)) at--;
    return at;
  }

  private firstIds(bytes: Uint8Array, tokens: number): number {
    for (let at = 1; at < tokens; at++) if (isIds(bytes, this.starts[at]!, this.ends[at]!)) return at;
    return -1;
  }
}

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;

function isNumber(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (!isDigit(bytes[at]!)) return false;
  return end > start;
}

/** `27409/28744`, `-1/-1` or `27409`. */
function isIds(bytes: Uint8Array, start: number, end: number): boolean {
  const slash = indexOf(bytes, 0x2f, start, end);
  const from = bytes[start] === 0x2d ? start + 1 : start;
  if (slash < 0) return isNumber(bytes, from, end);
  return isNumber(bytes, from, slash) && isNumber(bytes, bytes[slash + 1] === 0x2d ? slash + 2 : slash + 1, end);
}

/** `30143.481555:`, or `30143:` */
function isTime(bytes: Uint8Array, start: number, end: number): boolean {
  if (bytes[end - 1] !== COLON || !isDigit(bytes[start]!)) return false;
  const dot = indexOf(bytes, 0x2e, start, end);
  if (dot < 0) return isNumber(bytes, start, end - 1);
  return isNumber(bytes, start, dot) && isNumber(bytes, dot + 1, end - 1);
}

function indexOf(bytes: Uint8Array, byte: number, start: number, end: number): number {
  for (let at = start; at < end; at++) if (bytes[at] === byte) return at;
  return -1;
}

function number(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at++) if (isDigit(bytes[at]!)) value = value * 10 + bytes[at]! - 0x30;
  return bytes[start] === 0x2d ? -value : value;
}

/** `10 ** n` is a call that costs as much as all else of a number. */
const POWERS = Array.from({ length: 10 }, (_, n) => 10 ** n);

/** Seconds with a fraction; exact for a boot of 104 days, as a double of nanoseconds is. */
function nanoseconds(bytes: Uint8Array, start: number, end: number): number {
  const dot = indexOf(bytes, 0x2e, start, end);
  if (dot < 0) return number(bytes, start, end) * 1e9;
  return (
    number(bytes, start, dot) * 1e9 +
    number(bytes, dot + 1, end) * (POWERS[9 - (end - dot - 1)] ?? 10 ** (9 - (end - dot - 1)))
  );
}
