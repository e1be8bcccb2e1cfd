import { codeProfile, type ClassShare } from "../../analysis/code-profile.ts";
import { frameText } from "../../analysis/frame-text.ts";
import { mergeStackTables } from "../../model/merge-stack-tables.ts";
import { percent } from "../wording.ts";
import { ownFunction } from "./own-function.ts";
import { ALLOCATED, type ProfileInput, type ServiceCode } from "./service-profiles.ts";

/** Where a service allocates, and how that is known. */
export interface Allocating {
  /** "rank (rank.js:9)" */
  readonly frame: string;
  /** "rank (rank.js:9) allocates 60 % of the bytes" */
  readonly text: string;
  /** whether allocations themselves were sampled; else it is read from where collections begin */
  readonly isMeasured: boolean;
}

/**
 * The function of the service's own that allocates the most: by a profile of allocations where there is one, else the one in
 * which most collections begin. Undefined where neither tells.
 */
export function allocatingFunction(code: ServiceCode, gc: ClassShare): Allocating | undefined {
  const measured = ofAllocations(code.allocations ?? []);
  if (measured !== undefined) return measured;
  const top = ownFunction(code.stacks, gc.functions);
  if (top === undefined) return undefined;
  const frame = frameText(code.stacks, top.frame);
  return { frame, text: `most often it begins in ${frame}, which allocates`, isMeasured: false };
}

/** Fewer sampled bytes than a young generation of the smallest kind tell nobody's share. */
const FEWEST_BYTES = 1e6;

function ofAllocations(inputs: readonly ProfileInput[]): Allocating | undefined {
  if (inputs.length === 0) return undefined;
  const stacks = mergeStackTables(inputs.map((input) => input.stacks));
  const values = stacks.samples.values[stacks.valueTypes.findIndex(({ type }) => type === ALLOCATED)]!;
  const { total, classes } = codeProfile(stacks, values, (row) => values[row]! > 0);
  if (total < FEWEST_BYTES) return undefined;
  const top = ownFunction(
    stacks,
    classes.flatMap(({ functions }) => functions).sort((a, b) => b.value - a.value),
  );
  if (top === undefined) return undefined;
  const frame = frameText(stacks, top.frame);
  return { frame, text: `${frame} allocates ${percent(top.share)} of the bytes`, isMeasured: true };
}
