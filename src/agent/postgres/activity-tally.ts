import type { Attributes, Figure } from "./figures.ts";
import type { Blocking } from "./read-blocking.ts";
import type { Activity, Session } from "./read-activity.ts";

/** Series of one interval; of more the rest is summed, without what tells them apart. */
const MOST_WAITS = 200;
const MOST_LOCKS = 40;

interface Tally {
  readonly attributes: Attributes;
  seconds: number;
  samples: number;
  longestSeconds: number;
}

/**
 * Adds up what sessions were seen doing between two reports: each look stands for the time since the look before, so
 * that the seconds of a statement on the processor, waiting for the disk or for a lock come out as they were, give or
 * take the chance of a sample.
 */
export class ActivityTally {
  #waits = new Map<string, Tally>();
  #locks = new Map<string, Tally>();
  #looks = 0;
  #leftOut = 0;

  /** `seconds`: since the look before. `textOf`: the statement without literals. */
  add(
    { sessions, leftOut }: Activity,
    blocked: readonly Blocking[],
    seconds: number,
    textOf: (session: Session) => string,
  ): void {
    this.#looks++;
    this.#leftOut += leftOut;
    for (const session of sessions) {
      count(this.#waits, waitAttributes(session, textOf), seconds, Number.NaN);
    }
    for (const blocking of blocked) {
      count(this.#locks, lockAttributes(blocking, textOf), seconds, blocking.waitedSeconds);
    }
  }

  /** What was added since the last call, and forgets it. */
  take(): Figure[] {
    const waits = bounded(this.#waits, MOST_WAITS);
    const locks = bounded(this.#locks, MOST_LOCKS);
    const [looks, leftOut] = [this.#looks, this.#leftOut];
    this.#waits = new Map();
    this.#locks = new Map();
    this.#looks = this.#leftOut = 0;
    return [
      { name: "postgresql.wait.looks", unit: "{look}", kind: "delta", value: looks },
      { name: "postgresql.wait.left_out", unit: "{sample}", kind: "delta", value: leftOut },
      ...waits.flatMap(({ attributes, seconds, samples }): Figure[] => [
        { name: "postgresql.wait.time", unit: "s", kind: "delta", value: seconds, attributes },
        { name: "postgresql.wait.samples", unit: "{sample}", kind: "delta", value: samples, attributes },
      ]),
      ...locks.flatMap(({ attributes, seconds, longestSeconds }): Figure[] => [
        { name: "postgresql.lock.wait.time", unit: "s", kind: "delta", value: seconds, attributes },
        { name: "postgresql.lock.wait.longest", unit: "s", kind: "gauge", value: longestSeconds, attributes },
      ]),
    ];
  }
}

function waitAttributes(session: Session, textOf: (session: Session) => string): Attributes {
  return {
    "db.query.text": textOf(session),
    ...(session.queryId === "" || session.queryId === "0" ? {} : { "postgresql.queryid": session.queryId }),
    "postgresql.state": session.state,
    "postgresql.wait_event_type": session.waitType,
    "postgresql.wait_event": session.waitEvent,
    "postgresql.application_name": session.application,
  };
}

function lockAttributes(
  { waiter, holder, between, lockType, lockMode, relation }: Blocking,
  textOf: (session: Session) => string,
): Attributes {
  return {
    "db.query.text": textOf(waiter),
    "postgresql.application_name": waiter.application,
    "postgresql.lock.type": lockType,
    "postgresql.lock.mode": lockMode,
    ...(relation === "" ? {} : { "postgresql.lock.relation": relation }),
    "postgresql.blocking.sessions_between": String(between),
    ...(holder === undefined
      ? {}
      : {
          "postgresql.blocking.query.text": textOf(holder),
          "postgresql.blocking.state": holder.state,
          "postgresql.blocking.application_name": holder.application,
        }),
  };
}

function count(into: Map<string, Tally>, attributes: Attributes, seconds: number, longest: number): void {
  const key = JSON.stringify(attributes);
  const held = into.get(key);
  if (held === undefined) into.set(key, { attributes, seconds, samples: 1, longestSeconds: longest });
  else {
    held.seconds += seconds;
    held.samples++;
    held.longestSeconds = Math.max(held.longestSeconds, longest);
  }
}

/** The `most` with the most time, and the rest as one. */
function bounded(tallies: ReadonlyMap<string, Tally>, most: number): Tally[] {
  const all = [...tallies.values()].toSorted((a, b) => b.seconds - a.seconds);
  const rest = all.slice(most);
  if (rest.length === 0) return all;
  const summed: Tally = {
    attributes: { "longpole.summed": String(rest.length) },
    seconds: rest.reduce((sum, one) => sum + one.seconds, 0),
    samples: rest.reduce((sum, one) => sum + one.samples, 0),
    longestSeconds: rest.reduce((longest, one) => Math.max(longest, one.longestSeconds), 0),
  };
  return [...all.slice(0, most), summed];
}
