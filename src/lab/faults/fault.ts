import type { Mechanism } from "../../model/report.ts";
import type { LoadPlan } from "../load/load-plan.ts";
import type { SettingsPatch } from "../settings.ts";

/** A way to break the sample system, with the truth about it. One file each; `table.ts` lists them. */
export interface Fault {
  readonly name: string;
  readonly kind: "story" | "fault" | "pair" | "healthy" | "red-herring";
  /** one sentence, in the words of those who have the trouble */
  readonly summary: string;
  /** causes, the gravest first; none where nothing is wrong */
  readonly truths: readonly Truth[];
  /** the weakest source that shows the cause; from the sources before it at most the service can be told */
  readonly seenFrom: "traces" | "metrics" | "profiles";
  /** what the machine must allow; probed before the run, told where it is refused */
  readonly needs: readonly Need[];
  /** laid over the healthy system in earlier times, where those were not quite healthy */
  readonly before?: SettingsPatch;
  /** laid over the healthy system before the load of the faulty phase begins */
  readonly broken: SettingsPatch;
  /** laid over the broken one; where absent, the healthy system */
  readonly fixed?: SettingsPatch;
  /** laid over the usual load, in all phases */
  readonly load: Partial<LoadPlan>;
  /** laid over the load of the faulty phase only: the fault is in what the users do */
  readonly brokenLoad?: Partial<LoadPlan>;
  /** statements that run while the faulty phase is under load */
  readonly during?: readonly TimedStatement[];
  /** the fix in the change grammar of `what-if`; none where it has no words for it */
  readonly whatIf: readonly string[];
  /** where several things have to be mended: one at a time, each on top of those before, the last leaves the fixed system */
  readonly steps?: readonly FixStep[];
  /** whether the cause can only be told by comparing with earlier times */
  readonly needsBaseline: boolean;
}

export interface FixStep {
  /** what is done, as a heading: "sync the journal once a second" */
  readonly title: string;
  readonly settings: SettingsPatch;
  /** the cause that it takes away: the finding that names it has predicted the gain */
  readonly undoes: Mechanism;
}

export interface TimedStatement {
  readonly atSeconds: number;
  readonly sql: string;
}

/** What is wrong, told apart from all telemetry. */
export interface Truth {
  /** whose code, setting or resource has to change */
  readonly service: string;
  readonly mechanism: Mechanism;
  /** names that mean the same cause, and would lead to the same fix */
  readonly alsoServices?: readonly string[];
  readonly alsoMechanisms?: readonly Mechanism[];
  /** operation, statement, function, system call or setting, where one is at fault */
  readonly operation?: string;
  readonly statement?: string;
  readonly frame?: string;
  /** functions that this one is made of, and whose calls go with it */
  readonly alsoFrames?: readonly string[];
  readonly syscall?: string;
  readonly setting?: string;
  /** the resource that limits throughput, as in the report */
  readonly limiter?: { readonly service: string; readonly resource: string };
  /** the root operation that suffers most */
  readonly endpoint: { readonly service: string; readonly operation: string };
}

export type Need = "cpu-cgroup" | "netem" | "direct-io";
