import type { Mechanism } from "../../model/report.ts";
import type { RankedDraft, Told } from "../findings.ts";

/** Mechanisms that are one complaint, seen by spans and by metrics: a service has more to do than its processors bear. */
const BUSY: ReadonlySet<Mechanism> = new Set<Mechanism>([
  "cpu-saturated",
  "cpu-throttled",
  "event-loop-blocked",
  "run-queue",
  "thread-starvation",
  "load-increase",
  "network-latency",
]);

/**
 * A finding of the metrics beside what the spans told, or undefined where it would say the same again. Metrics show that
 * something is used up, spans who waits for what; so that
 *
 * - what a service with a finding above a note has is told with that one; a leak, which no span shows, is a matter of its own
 * - what the spans found to follow from another finding, metrics do not bring back above it
 * - connections are held for as long as the callee takes: a pool is full because of what is told of its callee
 * - a machine is full because of those who work on it, as far as it is the machine of a service that spans show
 * - that a service is slow, without a reason, is no news where spans have told one, and no more than a hint of a service
 *   that spans show and found nothing at
 *
 * `traced`: services that the spans show at work.
 */
export function besideSpans(
  draft: RankedDraft,
  { loud, consequences }: Told,
  traced: ReadonlySet<string>,
): RankedDraft | undefined {
  const { mechanism, subject } = draft.finding;
  const { service, resource = "" } = subject;
  const about = loud.filter((finding) => finding.subject.service === service);
  if (mechanism === "memory-leak") return about.some((finding) => finding.mechanism === mechanism) ? undefined : draft;
  if (about.length > 0) return undefined;
  const isTraced = traced.has(service);
  if (loud.length === 0) return mechanism === "unknown" && isTraced ? asNote(draft) : draft;
  const cause =
    consequences.find((one) => one.service === service && isSame(one.mechanism, mechanism))?.of ??
    loud.find((finding) => resource === `pool:${finding.subject.service}`)?.subject.service;
  if (cause !== undefined) return asConsequence(draft, cause);
  if (mechanism === "unknown") return isTraced ? undefined : asNote(draft);
  return resource === "host-cpu" && isTraced ? asNote(draft) : draft;
}

const isSame = (told: Mechanism, measured: Mechanism): boolean =>
  told === measured || (BUSY.has(told) && BUSY.has(measured));

const asNote = ({ finding, score }: RankedDraft): RankedDraft => ({
  score,
  severity: "note",
  finding: { ...finding, severity: "note" },
});

function asConsequence(draft: RankedDraft, cause: string): RankedDraft {
  const note = asNote(draft);
  const counter = [...note.finding.counter, `a consequence, as far as it goes: see what is told of ${cause}`];
  return { ...note, finding: { ...note.finding, counter } };
}
