import { WaitDetail, type RawStack } from "./probe-stream.ts";
import type { FoundStack } from "./recorded-stacks.ts";
import type { Symboliser } from "./symboliser.ts";
import { unwind } from "./unwind.ts";

/** The callers of a stack that the helper sent, by the tables of the code, by frame pointers, or by both. */
export function foundStack(raw: RawStack, symboliser: Symboliser): FoundStack {
  const { tgid, tid, syscall, kernel } = raw;
  const detail = raw.detail & ~WaitDetail.before;
  const byPointers = raw.user;
  if (raw.registers.ip === 0) return { tgid, tid, syscall, detail, kernel, user: byPointers, isRooted: false };
  const walked = unwind(raw.registers, raw.copy, (ip) => symboliser.rulesAt(tgid, ip));
  return {
    tgid,
    tid,
    syscall,
    detail,
    kernel,
    ...(walked.isRooted
      ? { user: walked.addresses, isRooted: true }
      : { user: longer(walked.addresses, byPointers), isRooted: false }),
  };
}

/** What the tables found, continued by frame pointers from the last place that both have; else the longer of the two. */
function longer(byTables: readonly number[], byPointers: readonly number[]): readonly number[] {
  for (let at = byTables.length - 1; at >= 0; at--) {
    const other = byPointers.indexOf(byTables[at]!);
    if (other >= 0) return [...byTables.slice(0, at), ...byPointers.slice(other)];
  }
  return byTables.length >= byPointers.length ? byTables : byPointers;
}
