import type { ClassShare, FunctionShare } from "../../analysis/code-profile.ts";
import { frameText } from "../../analysis/frame-text.ts";
import type { WorkClass } from "../../analysis/work-class.ts";
import type { Evidence, Mechanism } from "../../model/report.ts";
import { percent } from "../wording.ts";
import { allocatingFunction } from "./allocating-function.ts";
import type { ServiceCode } from "./service-profiles.ts";

/** One thing that a service's processor time goes to, and would not have to. */
export interface CodeCause {
  readonly mechanism: Mechanism;
  readonly work: WorkClass;
  /** share of the busy time that would be gone without it */
  readonly share: number;
  /** "parseLine (ingest.ts:42)"; "" where no function of the program is known */
  readonly frame: string;
  /** half a sentence: "parseLine (ingest.ts:42) takes 38 % of its processor time" */
  readonly title: string;
  readonly evidence: Evidence;
  readonly counter: readonly string[];
  readonly refutedBy: string;
  readonly remedy: string;
  /** whether so much of it is never meant: only code is, which has to run somewhere */
  readonly isNeverMeant: boolean;
  /** whether it is worth removing even at the least that the samples leave possible */
  readonly isSure: boolean;
}

/** Samples below which shares are too uncertain: at 100, a share of 15 % is known to ± 7 %. */
export const FEWEST_SAMPLES = 100;

/** Taking away less speeds work up by less than 9 % (Amdahl, 1 / 0.92): not worth a finding. */
const MIN_SHARE = 0.08;
/** Of one function: programs that are well made have functions of 10 %, too. */
const MIN_FUNCTION_SHARE = 0.12;
/** Collection that Node and the JVM need in ordinary services: only what exceeds it can be gained. */
const USUAL_GC = 0.05;

/** What a service's profile shows, the largest first; nothing where it has too few samples. */
export function codeCauses(code: ServiceCode): CodeCause[] {
  if (code.profile.busySamples < FEWEST_SAMPLES) return [];
  const causes = code.profile.classes.flatMap((one) => {
    const found = causeOf(code, one);
    return found === undefined ? [] : [found];
  });
  return causes.sort((a, b) => b.share - a.share);
}

function causeOf(code: ServiceCode, one: ClassShare): CodeCause | undefined {
  const top = one.functions[0];
  const frame = top === undefined ? "" : frameText(code.stacks, top.frame);
  switch (one.work) {
    case "code":
      return top === undefined || top.share < MIN_FUNCTION_SHARE ? undefined : slowCode(code, top, frame);
    case "gc":
      return one.share - USUAL_GC < MIN_SHARE ? undefined : collection(code, one);
    case "fsync":
      return one.share < MIN_SHARE ? undefined : syncs(code, one, frame);
    case "write":
      return one.share < MIN_SHARE ? undefined : writes(code, one, frame);
    case "read":
    case "file":
      return one.share < MIN_SHARE ? undefined : otherCalls(code, one, frame);
  }
}

function slowCode(code: ServiceCode, top: FunctionShare, frame: string): CodeCause {
  const inside = top.inside >= 0 && top.inside !== top.frame ? frameText(code.stacks, top.inside) : "";
  const within = inside === "" ? "" : `, ${percent(top.insideShare)} of that in ${inside}`;
  return {
    mechanism: "slow-code",
    work: "code",
    share: top.share,
    frame,
    title: `${frame} takes ${percent(top.share)} of ${timeOf(code)}`,
    evidence: evidence(
      code,
      `${frame} and what it calls of the runtime: ${percent(top.share)}${within}`,
      nameOf(frame),
    ),
    counter: ["that it takes much does not say that it can take less: the prediction is without it altogether"],
    refutedBy: `${frame} made cheaper, and the requests as slow as before`,
    remedy: `Make ${frame} cheaper${inside === "" ? "" : ` (${inside} above all)`}, call it less often, or move it off the thread that serves requests.`,
    isNeverMeant: false,
    isSure: true,
  };
}

function collection(code: ServiceCode, one: ClassShare): CodeCause {
  const allocating = allocatingFunction(code, one);
  const frame = allocating?.frame ?? "";
  const hint = allocating === undefined ? "" : `; ${allocating.text}`;
  return {
    mechanism: "garbage-collection",
    work: "gc",
    share: one.share - USUAL_GC,
    frame,
    title: `garbage collection takes ${percent(one.share)} of ${timeOf(code)}`,
    evidence: evidence(code, `garbage collection: ${percent(one.share)} of busy time${hint}`, "garbage"),
    counter: [
      `some collection is always needed: the prediction keeps ${percent(USUAL_GC)}`,
      ...(allocating === undefined || allocating.isMeasured
        ? []
        : ["in whom collections begin is a hint at who allocates, no proof: a heap profile is one"]),
    ],
    refutedBy: "a heap profile with few allocations, or as much collection after they are gone",
    remedy: `Allocate less${frame === "" ? "" : `, in ${frame} first`}, or give the young generation more room (node --max-semi-space-size).`,
    isNeverMeant: true,
    isSure: one.leastShare - USUAL_GC >= MIN_SHARE,
  };
}

function syncs(code: ServiceCode, one: ClassShare, frame: string): CodeCause {
  const call = callOf(code, one, "fsync");
  return {
    mechanism: "fsync",
    work: "fsync",
    share: one.share,
    frame,
    title: `${subjectOf(frame, call)} waits for the disk with ${call}: ${percent(one.share)} of ${timeOf(code)}`,
    evidence: evidence(
      code,
      `${call}${frame === "" ? "" : `, called by ${frame}`}: ${percent(one.share)} of busy time`,
      "sync",
    ),
    counter: ["what is not synced is lost when the machine fails: how much may be, is a decision"],
    refutedBy: `the same time without ${call} (fewer calls are enough to see it)`,
    remedy: `Sync once per batch or at an interval rather than each time${frame === "" ? "" : ` in ${frame}`}, and off the thread that serves requests.`,
    isNeverMeant: true,
    isSure: one.leastShare >= MIN_SHARE,
  };
}

function writes(code: ServiceCode, one: ClassShare, frame: string): CodeCause {
  const call = callOf(code, one, "write");
  return {
    mechanism: "excessive-syscalls",
    work: "write",
    share: one.share,
    frame,
    title: `${subjectOf(frame, call)} spends ${percent(one.share)} of ${timeOf(code)} in system calls of ${call}`,
    evidence: evidence(
      code,
      `${call}${frame === "" ? "" : `, called by ${frame}`}: ${percent(one.share)} of busy time`,
      "write",
    ),
    counter: ["a profile tells time, not the number of calls: few large writes to a slow disk look alike"],
    refutedBy: "few and large writes in a count of system calls (strace -c, or the agent)",
    remedy: `Gather what is to be written and write it in one call${frame === "" ? "" : ` in ${frame}`}; asynchronously where the thread serves requests.`,
    isNeverMeant: true,
    isSure: one.leastShare >= MIN_SHARE,
  };
}

function otherCalls(code: ServiceCode, one: ClassShare, frame: string): CodeCause {
  const call = callOf(code, one, one.work === "read" ? "read" : "file");
  return {
    mechanism: "excessive-syscalls",
    work: one.work,
    share: one.share,
    frame,
    title: `${subjectOf(frame, call)} spends ${percent(one.share)} of ${timeOf(code)} in synchronous ${call}`,
    evidence: evidence(
      code,
      `${call}${frame === "" ? "" : `, called by ${frame}`}: ${percent(one.share)} of busy time`,
      call,
    ),
    counter: ["a profile tells time, not the number of calls"],
    refutedBy: `the same time without ${call}`,
    remedy: `Keep what was read, or read it asynchronously${frame === "" ? "" : `, in ${frame}`}.`,
    isNeverMeant: true,
    isSure: one.leastShare >= MIN_SHARE,
  };
}

/** The function of the runtime or the kernel that makes the calls: the innermost frame with a name of its kind. */
function callOf({ stacks }: ServiceCode, one: ClassShare, otherwise: string): string {
  const inside = one.functions[0]?.inside ?? -1;
  if (inside < 0) return otherwise;
  const name = stacks.strings.get(stacks.frames.function[inside]!);
  return NODE_CALLS[name] ?? name;
}

/** Node's bindings by the functions of `node:fs` that people know. */
const NODE_CALLS: Readonly<Record<string, string>> = {
  fsync: "fsyncSync",
  fdatasync: "fdatasyncSync",
  writeString: "writeSync",
  writeBuffer: "writeSync",
  writeBuffers: "writevSync",
  writeFileUtf8: "writeFileSync",
  read: "readSync",
  readFileUtf8: "readFileSync",
};

const subjectOf = (frame: string, call: string): string => (frame === "" ? `a caller of ${call}` : frame);

/** A profile of Node's thread tells wall time: what it waits for in a call is part of it. */
const timeOf = ({ service, valueType, link }: ServiceCode): string =>
  `the ${valueType === "wall" ? "busy" : "processor"} time of ${service}${link === undefined ? "" : ` within ${link.operation}`}`;

function evidence(code: ServiceCode, text: string, search: string): Evidence {
  const { profile, sources, link } = code;
  const tied =
    link === undefined
      ? ""
      : `; tied to its spans by span id, as ${percent(link.linkedSamples / link.busySamples)} of the service's samples are to some span`;
  const busy = Number.isNaN(code.busyShare) ? "" : `, busy for ${percent(Math.min(1, code.busyShare))} of the time`;
  const files = sources.slice(0, 2).map((path) => path.slice(path.lastIndexOf("/") + 1));
  const more = sources.length > 2 ? ` and ${sources.length - 2} more` : "";
  return {
    kind: "stack",
    text: `${text} (${profile.busySamples.toLocaleString("en")} samples${busy}${tied}; ${files.join(", ")}${more})`,
    query: `longpole flame ${sources[0]!} --folded | grep ${search}`,
  };
}

const nameOf = (frame: string): string => /^[\w$.]+/.exec(frame)?.[0] ?? "parse";
