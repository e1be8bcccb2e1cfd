import { fisherExact, twoProportions } from "../../analysis/hypothesis-tests.ts";
import type { Evidence } from "../../model/report.ts";
import { percent } from "../wording.ts";
import type { CodeCause } from "./code-causes.ts";
import type { ServiceCode } from "./service-profiles.ts";

/** A cause in the profiles of the baseline and in those of now. */
export interface CodeChange {
  /** more of the thread's time than chance explains */
  readonly hasGrown: boolean;
  readonly evidence: Evidence;
}

/** Below it a difference of shares is taken for one. */
const LEVEL = 0.01;
/** Fewer hits are compared exactly. */
const FEW = 10;

/**
 * How much of its thread's time a service spent on a cause before: the same function (by name and file; its line may have
 * moved) in the same kind of work. Of profiles that tell no length the share of the busy time is compared. Undefined
 * where the baseline has no profile of the service that is of the same type.
 */
export function changeSince(
  before: ServiceCode | undefined,
  now: ServiceCode,
  cause: CodeCause,
): CodeChange | undefined {
  if (before === undefined || before.valueType !== now.valueType || before.profile.busySamples === 0) return undefined;
  const was = countsOf(before, shareOf(before, cause), now);
  const is = countsOf(now, shareOf(now, cause), before);
  if (was.of < 1 || is.of < 1) return undefined;
  const grew = is.hits / is.of > was.hits / was.of;
  const pValue =
    Math.min(was.hits, is.hits) < FEW
      ? fisherExact(was.hits, was.of - was.hits, is.hits, is.of - is.hits, "two-sided")
      : twoProportions(was.hits, was.of, is.hits, is.of).pValue;
  const hasGrown = grew && pValue < LEVEL;
  const verdict = hasGrown
    ? "more than chance explains"
    : grew
      ? "no more than chance explains"
      : "no more than before";
  const what = is.isOfTime ? "thread's time" : "busy time";
  return {
    hasGrown,
    evidence: {
      kind: "stack",
      text: `in the baseline ${percent(was.hits / was.of)} of the ${what} (${was.of.toLocaleString("en")} samples), now ${percent(is.hits / is.of)}: ${verdict}`,
      query: `longpole flame ${now.sources[0]!} --diff ${before.sources[0]!} --folded`,
    },
  };
}

/** Of the busy time: of a function where the cause names one, else of the kind of work. */
function shareOf(code: ServiceCode, { work, frame }: CodeCause): number {
  const found = code.profile.classes.find((one) => one.work === work);
  if (found === undefined) return 0;
  if (frame === "" || work === "gc") return found.share;
  const { frames, strings } = code.stacks;
  const wanted = bare(frame);
  const own = found.functions.filter(({ frame: row }) => {
    if (row < 0) return false;
    const file = strings.get(frames.file[row]!);
    return bare(`${strings.get(frames.function[row]!)} (${file.slice(file.lastIndexOf("/") + 1)})`) === wanted;
  });
  return own.reduce((sum, one) => sum + one.share, 0);
}

/** "parse (ingest.ts:42)" without the line. */
const bare = (frame: string): string => frame.replace(/:\d+\)$/, ")");

/** Samples with it, of all that were taken while the thread was looked at (or of the busy ones, where one of both tells no length). */
function countsOf(
  { profile, busyShare }: ServiceCode,
  share: number,
  other: ServiceCode,
): { hits: number; of: number; isOfTime: boolean } {
  const isOfTime = busyShare > 0 && other.busyShare > 0;
  const of = Math.round(isOfTime ? profile.busySamples / Math.min(1, busyShare) : profile.busySamples);
  return { hits: Math.min(of, Math.round(share * profile.busySamples)), of, isOfTime };
}
