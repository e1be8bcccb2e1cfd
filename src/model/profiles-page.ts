import type { HotLines } from "./flame-report.ts";
import type { FlameTree } from "./flame-tree.ts";
import type { RecordReport } from "./record-report.ts";

/**
 * Profiles as the web UI draws them without traces, `longpole.profiles/1`: what `flame --html` and `record --html` put
 * into a page of one file. Fields may be added, never change meaning within a version.
 */
export const PROFILES_SCHEMA = "longpole.profiles/1";

export interface ProfilesDocument {
  readonly schema: typeof PROFILES_SCHEMA;
  /** version of Longpole that made it */
  readonly producer: string;
  /** the files, or the program and process that was recorded */
  readonly title: string;
  /** the one to be looked at first comes first */
  readonly trees: readonly FlameTree[];
  /** what was found, where a process was recorded */
  readonly record?: RecordReport;
  /** of `record --inspect`: the code around the hottest lines */
  readonly hotLines?: readonly HotLines[];
}
