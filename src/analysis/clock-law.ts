import type { Gate } from "./littles-law.ts";

/** Wrong units differ by 100 or 1,000; counters that are read late, and processes that share a name, by less. */
const MAX_RATIO = 10;

/**
 * What is always in one of its states spends a second in them in each second of the clock: a processor busy or idle, an
 * event loop active or idle. Times that do not add up to that are in another unit than they say.
 *
 * name: for the detail, "processors of box"; seconds: time in all states in a second; expected: of how many of them.
 */
export function clockLaw(name: string, seconds: number, expected: number): Gate {
  const ratio = seconds / expected;
  const ok = Number.isNaN(ratio) || (ratio < MAX_RATIO && ratio > 1 / MAX_RATIO);
  const said = `${name}: ${Number(seconds.toPrecision(3))} s in all states in each second, of ${expected}`;
  const detail = ok ? said : `${said}; their times are in another unit than they say`;
  return { name: "clock-law", ok, error: Number.isNaN(ratio) ? 0 : Math.abs(ratio - 1), detail };
}
