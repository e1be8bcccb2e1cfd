import { SpanRole } from "../model/span-facts.ts";
import { serverOf } from "./legs.ts";
import { oncePerWindow } from "./once-per-window.ts";
import type { Window } from "./window.ts";

/** Fewest failures of one call from which a timer is read. */
const MIN_FAILURES = 5;
/** A timer ends calls within a few per cent of its length; nobody sets one below a few milliseconds. */
const NEAR = 0.05;
const MIN_LIMIT_NS = 10e6;
/** Share of the failures' time that has to lie at the limit. */
const MOST = 0.7;

/**
 * Per row of the window's spans: 1 for a call that failed because its caller stopped waiting. The failure is the caller's
 * span alone; what is wrong is that the callee does not answer in time. Told by the callee's span, where it goes on after the
 * caller's has ended, and where there is none, by the durations of failures of the same call: a timer ends all after one time.
 */
export const givenUpCalls: (window: Window) => Uint8Array = oncePerWindow((window) => {
  const { facts, forest } = window;
  const durationNs = (row: number): number => forest.endNs[row]! - forest.startNs[row]!;
  const failures = new Map<string, number[]>();
  for (let row = 0; row < facts.role.length; row++) {
    const isCall = facts.role[row] === SpanRole.client || facts.role[row] === SpanRole.database;
    if (!isCall || facts.error[row] !== 1 || forest.trace[row]! < 0) continue;
    const key = `${facts.service[row]!}:${facts.callee[row]!}:${facts.operation[row]!}`;
    const held = failures.get(key);
    if (held === undefined) failures.set(key, [row]);
    else held.push(row);
  }
  const given = new Uint8Array(facts.role.length);
  for (const rows of failures.values()) {
    const limitNs = timerOf(rows.map(durationNs));
    for (const row of rows) {
      const server = serverOf(window, row);
      const goesOn = server >= 0 && forest.endNs[server]! > forest.endNs[row]!;
      const atLimit = server < 0 && Math.abs(durationNs(row) - limitNs) <= NEAR * limitNs;
      if (goesOn || atLimit) given[row] = 1;
    }
  }
  return given;
});

/** The duration at which most of the failures' time lies; NaN where there is none. By time: quick refusals cost nothing. */
function timerOf(durations: readonly number[]): number {
  const ascending = durations.toSorted((a, b) => a - b);
  const total = ascending.reduce((sum, ns) => sum + ns, 0);
  let passed = 0;
  const limitNs = ascending.find((ns) => (passed += ns) >= total / 2) ?? Number.NaN;
  const near = ascending.filter((ns) => Math.abs(ns - limitNs) <= NEAR * limitNs);
  const share = near.reduce((sum, ns) => sum + ns, 0) / total;
  return limitNs >= MIN_LIMIT_NS && near.length >= MIN_FAILURES && share >= MOST ? limitNs : Number.NaN;
}
