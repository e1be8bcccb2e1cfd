import type { ThreadFaults } from "../model/process-recording.ts";
import { WaitDetail, type FaultsRecord, type RawStack } from "./probe-stream.ts";
import type { FoundStack, WeightedStack } from "./recorded-stacks.ts";
import { TouchedMemory } from "./touched-memory.ts";

/** A stack that stands for so many page faults, and `ns` of major ones; of minor ones the mean is known by thread. */
interface Sighting {
  readonly stack: FoundStack;
  readonly isMajor: boolean;
  readonly count: number;
  readonly ns: number;
}

/** Page faults of a recording as the helper tells them: stacks as they come, totals by thread in the end. */
export class FaultSightings {
  private readonly stacks: Sighting[] = [];
  private readonly totals = new Map<number, FaultsRecord>();
  private readonly memory = new TouchedMemory();
  private period = 1;

  /** One of so many minor faults is seen. */
  begin(period: number): void {
    this.period = period;
  }

  /** A stack, its callers found; at once, while the process has mapped what was touched. */
  sight({ detail, tgid, address, value, tookNs }: RawStack, stack: FoundStack): void {
    const isMajor = (detail & WaitDetail.majorFault) !== 0;
    const memory = this.memory.nameOf(tgid, address, performance.now());
    const fault = { isMajor, memory };
    this.stacks.push({ stack: { ...stack, detail: 0, fault }, isMajor, count: value, ns: tookNs });
  }

  count(record: FaultsRecord): void {
    this.totals.set(record.tid, record);
  }

  /** Of a thread; of one that touched nothing new, none. */
  of(tid: number): ThreadFaults {
    const total = this.totals.get(tid);
    if (total === undefined) return { minor: 0, minorNs: 0, major: 0, majorNs: 0 };
    const { major, majorNs, minorSeen, minorTimed, minorNs } = total;
    const minor = minorSeen * this.period;
    const timed = minorTimed > 0 ? { minorNs: (minorNs / minorTimed) * minor } : minor === 0 ? { minorNs: 0 } : {};
    return { minor, ...timed, major, majorNs };
  }

  /** Stacks of each thread and kind share its number and its time. Values: [faults, ns]. */
  weighted(): WeightedStack[] {
    const told = new Map<string, { count: number; ns: number }>();
    for (const one of this.stacks) {
      const sum = told.get(keyOf(one)) ?? { count: 0, ns: 0 };
      told.set(keyOf(one), { count: sum.count + one.count, ns: sum.ns + one.ns });
    }
    return this.stacks.map((one) => {
      const { stack, isMajor, count, ns } = one;
      const { minor, major, minorNs = 0, majorNs = 0 } = this.of(stack.tid);
      const sum = told.get(keyOf(one))!;
      const share = count / sum.count;
      if (!isMajor) return { stack, values: [share * minor, share * minorNs] };
      return { stack, values: [share * major, (sum.ns === 0 ? share : ns / sum.ns) * majorNs] };
    });
  }
}

const keyOf = ({ stack, isMajor }: Sighting): string => `${stack.tid} ${isMajor}`;
