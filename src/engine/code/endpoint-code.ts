import { codeProfile } from "../../analysis/code-profile.ts";
import { FrameKind, sampleCountOf } from "../../model/stack-table.ts";
import type { EndpointView } from "../endpoint-view.ts";
import { namedSpan } from "../sample-spans.ts";
import type { Window } from "../window.ts";
import { percent } from "../wording.ts";
import { codeCauses, FEWEST_SAMPLES, type CodeCause } from "./code-causes.ts";
import { endpointsOfFunction } from "./function-endpoints.ts";
import type { ShareGone } from "./own-time-without.ts";
import { timeColumn, type ServiceCode } from "./service-profiles.ts";

/** What a service's profile says of one endpoint. */
export interface EndpointCode {
  readonly causes: readonly CodeCause[];
  /** whether they are of samples within the endpoint's own spans */
  readonly isLinked: boolean;
  /** what would be gone without the cause */
  readonly shareGone: (cause: CodeCause) => ShareGone;
  /** what speaks against that it is about this endpoint */
  readonly counter: readonly string[];
}

/**
 * Links that cover less than this share of the busy samples may be of some endpoints alone (those with an instrumented
 * library, say), so that what an endpoint lacks in them does not say that it costs nothing.
 */
const LINKS_TELL = 0.3;
/** Clocks of profile and spans are those of one process; its spans' times are rounded to the microsecond or millisecond. */
const SLACK_NS = 1e6;
/** A thread that is busy for less makes nobody wait for the work of others (M/M/1: less than the work itself). */
const WAITS_FOR_OTHERS = 0.5;

/**
 * Where samples carry ids of spans, the functions of an endpoint are those of the samples within its traces, and other
 * endpoints' functions count only as work that its requests queue behind. Without links, the whole profile stands for every
 * endpoint, as before.
 */
export function codeAtEndpoint(window: Window, code: ServiceCode, view: EndpointView): EndpointCode {
  const links = linksOf(window, code);
  const all =
    (ofWork: number) =>
    (cause: CodeCause): ShareGone => ({ ofWork: ofWork * cause.share, ofQueue: cause.share });
  const whole = withAllocators(window, code, links, codeCauses(code));
  if (links === undefined) return { causes: whole, isLinked: false, shareGone: all(1), counter: [] };
  const traces = new Set(view.endpoint.traces);
  const values = code.stacks.samples.values[timeColumn(code.stacks, code.valueType)]!;
  const profile = codeProfile(code.stacks, values, (sample) => traces.has(links.trace[sample]!));
  const link = { operation: view.operation, linkedSamples: links.count, busySamples: code.profile.busySamples };
  if (profile.busySamples >= FEWEST_SAMPLES)
    return {
      causes: withAllocators(window, code, links, codeCauses({ ...code, profile, link })),
      isLinked: true,
      shareGone: (cause) => ({
        ofWork: cause.share,
        ofQueue: shareInAll(whole, cause, profile.busy / code.profile.busy),
      }),
      counter: [],
    };
  // It does not work there, and does not wait for those who do.
  if (!(code.busyShare >= WAITS_FOR_OTHERS)) return { causes: [], isLinked: true, shareGone: all(0), counter: [] };
  const counter = `of ${links.count.toLocaleString("en")} samples that carry a span's id ${profile.busySamples} are within this endpoint (${percent(profile.busySamples / links.count)}): what it costs here is the wait for the thread`;
  return { causes: whole, isLinked: false, shareGone: all(0), counter: [counter] };
}

/** Collection is a wait for all: which requests make it is told by where the function that allocates runs. */
function withAllocators(
  window: Window,
  { stacks }: ServiceCode,
  links: Links | undefined,
  causes: readonly CodeCause[],
): readonly CodeCause[] {
  return causes.map((cause) => {
    if (links === undefined || cause.work !== "gc" || cause.frame === "") return cause;
    const where = endpointsOfFunction(window, stacks, links.trace, cause.frame);
    if (where === "") return cause;
    return { ...cause, evidence: { ...cause.evidence, text: `${cause.evidence.text}; ${where}` } };
  });
}

/** The cause in the whole service; where it is too small to be one, what the endpoint's part of it is. */
function shareInAll(whole: readonly CodeCause[], cause: CodeCause, endpointShare: number): number {
  const same = whole.find(({ work, frame }) => work === cause.work && frame === cause.frame);
  return same?.share ?? cause.share * endpointShare;
}

interface Links {
  /** per sample: the trace of its span, -1 for none */
  readonly trace: Int32Array;
  readonly count: number;
}

const known = new WeakMap<ServiceCode, { readonly window: Window; readonly links: Links | undefined }>();

/** Traces of the samples by their spans; undefined where too few carry ids. */
function linksOf(window: Window, code: ServiceCode): Links | undefined {
  const held = known.get(code);
  if (held?.window === window) return held.links;
  const links = findLinks(window, code);
  known.set(code, { window, links });
  return links;
}

function findLinks(window: Window, { stacks, valueType, profile }: ServiceCode): Links | undefined {
  const { samples, threads, processes, frames, labels } = stacks;
  const { forest, spans } = window;
  const values = samples.values[timeColumn(stacks, valueType)]!;
  const rowOfSet = Int32Array.from({ length: labels.listCount }, (_, set) => namedSpan(window, stacks, set));
  const trace = new Int32Array(samples.rowCount).fill(-1);
  const countOf = sampleCountOf(stacks);
  let count = 0;
  for (let sample = 0; sample < samples.rowCount; sample++) {
    const span = rowOfSet[samples.labelSet[sample]!]!;
    const stack = samples.stack[sample]!;
    if (span < 0 || values[sample] === 0) continue;
    if (stack >= 0 && frames.kind[stacks.stacks.frame[stack]!] === FrameKind.idle) continue;
    const start = processes.startUnixNs[threads.process[samples.thread[sample]!]!]!;
    const offset = samples.timeOffsetNs[sample]!;
    if (start >= 0n && offset >= 0) {
      // What a request began and leaves behind still carries its span: a timer, a batch that is sent.
      const at = Number(start - spans.baseUnixNs) + offset;
      if (at < forest.startNs[span]! - SLACK_NS || at > forest.endNs[span]! + SLACK_NS) continue;
    }
    trace[sample] = forest.trace[span]!;
    count += countOf(sample);
  }
  return count >= FEWEST_SAMPLES && count >= LINKS_TELL * profile.busySamples ? { trace, count } : undefined;
}
