import type { ValueType } from "./stack-table.ts";

/** The contract of `longpole flame --json`. Fields may be added, never change meaning within a version. */
export const FLAME_SCHEMA = "longpole.flame/1";

/** Where the samples of profiles lie. Amounts are in `value.unit`; shares are of `total`. */
export interface FlameReport {
  readonly schema: typeof FLAME_SCHEMA;
  readonly value: ValueType;
  /** other values that the profiles have, for --value */
  readonly otherValues: readonly ValueType[];
  readonly samples: number;
  /** all that was sampled but for idle threads */
  readonly total: number;
  readonly idle: number;
  readonly processes: readonly FlameProcess[];
  /** all functions, most self first */
  readonly functions: readonly FlameFunction[];
  /** all source files, libraries and executables, most self first */
  readonly files: readonly FlameFile[];
  /** heaviest first */
  readonly stacks: readonly FlameStack[];
  /** how many lighter stacks there are */
  readonly stacksLeft: number;
  /** against --diff, most changed first */
  readonly difference?: FlameDifference;
  /** of `record --inspect`: the code around the hottest lines of the functions with most samples */
  readonly hotLines?: readonly HotLines[];
}

/** The lines around the hottest one of a function. */
export interface HotLines {
  readonly function: string;
  /** as the process sees it */
  readonly file: string;
  /** samples in the function, without what it calls */
  readonly samples: number;
  /** of the samples in all functions that have a source file */
  readonly share: number;
  /** `share`: of the function's samples; text: null where the file could not be read */
  readonly lines: readonly { readonly line: number; readonly share: number; readonly text: string | null }[];
  /** why there is no text, or why it may be another one; "" for neither */
  readonly remark: string;
}

export interface FlameProcess {
  /** of the command, else the service, else the file that it was read from */
  readonly name: string;
  readonly source: string;
  readonly total: number;
  readonly share: number;
  readonly idle: number;
  /** its 5 heaviest functions by self; of the 20 heaviest processes */
  readonly functions: readonly FlameFunction[];
}

export interface FlameFunction {
  readonly name: string;
  readonly file: string;
  /** null: not known */
  readonly line: number | null;
  readonly kind: string;
  readonly self: number;
  readonly total: number;
  readonly selfShare: number;
  readonly totalShare: number;
}

export interface FlameFile {
  readonly file: string;
  readonly self: number;
  readonly total: number;
  readonly selfShare: number;
  readonly totalShare: number;
}

export interface FlameStack {
  /** outermost first, "name (file:line)" */
  readonly frames: readonly string[];
  readonly value: number;
  readonly share: number;
}

export interface FlameDifference {
  readonly samplesBefore: number;
  readonly samplesAfter: number;
  readonly functions: readonly {
    readonly name: string;
    readonly file: string;
    readonly selfShareBefore: number;
    readonly selfShareAfter: number;
    readonly totalShareBefore: number;
    readonly totalShareAfter: number;
    /** that nothing changed, adjusted over all functions */
    readonly qValue: number;
  }[];
}
