import type { Evidence, FindingKind, Mechanism } from "../../model/report.ts";
import type { DatabaseStatistics } from "../database/database-statistics.ts";
import type { EndpointView } from "../endpoint-view.ts";
import type { Undo } from "../hot-spot.ts";
import type { ResourceContext } from "../resources/resource-context.ts";
import type { Window } from "../window.ts";

/** What a check may look at; without metrics those that rest on them say nothing. */
export interface ConfigurationCase {
  readonly window: Window;
  readonly views: readonly EndpointView[];
  readonly resources: ResourceContext | undefined;
  /** what databases tell of themselves; absent where none does */
  readonly database?: DatabaseStatistics;
  /** cores per instance of quotas that no metric tells, as the capacity analysis estimates them, by service */
  readonly quotas?: ReadonlyMap<string, number>;
}

/** A setting, what it should be, and why. */
export interface NamedSetting {
  readonly setting: string;
  /** the exact change, "pool.max: 10 -> 16"; absent where what it has to be does not show */
  readonly change?: string;
  /** the sum, with its numbers: what stands as evidence */
  readonly arithmetic: string;
  readonly remedy: string;
  /** where the reason is written down */
  readonly reference: string;
  /** how to see the same */
  readonly query: string;
}

/** A setting that does not fit what was measured. */
export interface SettingProblem extends NamedSetting {
  /** of a finding of its own; "config" unless said otherwise */
  readonly kind?: FindingKind;
  /** whose setting it is: a service, or a database or host that is one of its own */
  readonly service: string;
  /** as findings name it: "pool:NAME", "quota", "threads", "" for none */
  readonly resource: string;
  readonly mechanism: Mechanism;
  /** mechanisms of findings about the same service that are this problem in other words */
  readonly saidAs: ReadonlySet<Mechanism>;
  /** causes that bring this about where a finding above a note tells them of the services concerned: then it is a note */
  readonly followsFrom?: ReadonlySet<Mechanism>;
  /** the table that it is about: findings about statements that do not name it tell of something else */
  readonly table?: string;
  /** of which it is, where others have a database of the same name */
  readonly server?: string;
  /** further services whose findings may tell of it: the caller that suffers, the database that is asked */
  readonly alsoSaidOf?: readonly string[];
  readonly title: string;
  readonly evidence?: readonly Evidence[];
  readonly refutedBy: string;
  readonly confidence: number;
  /** absent: nothing shows that it hurts anybody, and it is a note at most */
  readonly harm?: Harm;
}

/** The observation that the setting hurts. */
export interface Harm {
  readonly text: string;
  /** what to replay for the gain; without it the harm is told, and its size is not */
  readonly undo?: readonly Undo[];
  /** share of requests that fail for it */
  readonly loss?: number;
}

/** What a check found wrong, and the sums that came out well. */
export interface CheckResult {
  readonly problems: readonly SettingProblem[];
  readonly fine: readonly Fine[];
}

/** A sum that came out well, and how near it is to not doing so: 1 at the limit. */
export interface Fine {
  readonly text: string;
  readonly tightness: number;
}

/** One question about one kind of setting. */
export interface ConfigurationCheck {
  /** what was checked, as the report names it */
  readonly what: string;
  readonly run: (theCase: ConfigurationCase) => CheckResult;
}

export const NOTHING: CheckResult = { problems: [], fine: [] };

/** All results of one check as one. */
export function together(results: readonly CheckResult[]): CheckResult {
  return { problems: results.flatMap(({ problems }) => problems), fine: results.flatMap(({ fine }) => fine) };
}
