import { kindOfKey } from "../analysis/blame.ts";
import type { Finding, Report } from "../model/report.ts";
import { SpanRole } from "../model/span-facts.ts";
import { TIME_KINDS, type TimeKind } from "../model/time-kind.ts";
import type { Case } from "./case.ts";
import { medianOf, siblingCalls } from "./sibling-calls.ts";
import { count, percent, plural } from "./wording.ts";

/** What was looked for and is not the cause, with the number that says so: what the reader need not look at. */
export function checkedNotCause(cases: readonly Case[], findings: readonly Finding[]): Report["checkedNotCause"] {
  const found = new Set(findings.filter((f) => f.severity !== "note").map((f) => f.mechanism));
  const checks = cases.length === 0 ? [] : [poolWaits, retriesAndErrors, repeatedCalls, transit, clocks];
  return checks.flatMap((check) => {
    const result = check(cases, found);
    return result === undefined ? [] : [result];
  });
}

type Checked = { what: string; detail: string } | undefined;
type Check = (cases: readonly Case[], found: ReadonlySet<string>) => Checked;

const poolWaits: Check = (cases, found) => {
  if (found.has("pool-exhausted")) return undefined;
  const { paths } = cases[0]!.window;
  if (!paths.role.includes(SpanRole.pool))
    return {
      what: "connection pools",
      detail: "no span of a pool acquisition in these traces: waits for connections would not show",
    };
  const worst = Math.max(...cases.map((c) => kindShare(c, "pool-wait")));
  return worst < 0.05
    ? {
        what: "connection pools",
        detail: `at most ${percent(worst)} of the slow requests' time is a wait for a connection, at any endpoint`,
      }
    : undefined;
};

const retriesAndErrors: Check = (cases, found) => {
  if (found.has("retries") || found.has("timeout") || found.has("error-handling")) return undefined;
  const worst = Math.max(...cases.map((c) => c.view.endpoint.errorRatio));
  return worst < 0.01
    ? {
        what: "errors and retries",
        detail: worst === 0 ? "no request failed" : `at most ${percent(worst)} of the requests of any endpoint failed`,
      }
    : undefined;
};

const repeatedCalls: Check = (cases, found) => {
  if (found.has("n-plus-one") || found.has("duplicate-calls")) return undefined;
  const { window } = cases[0]!;
  let most = 0;
  for (let node = 0; node < window.paths.nodeCount; node++) {
    const role = window.paths.role[node];
    if (role !== SpanRole.database && role !== SpanRole.client) continue;
    most = Math.max(most, medianOf(siblingCalls(window, node).map((group) => group.rows.length)));
  }
  return most > 0 && most < 5
    ? {
        what: "N+1 calls",
        detail:
          most <= 1
            ? "no operation usually makes the same call more than once"
            : `no operation usually makes the same call more than ${count(most)} times`,
      }
    : undefined;
};

const transit: Check = (cases, found) => {
  if (found.has("network-latency") || found.has("network-loss")) return undefined;
  const { window } = cases[0]!;
  if (!window.paths.role.includes(SpanRole.client)) return undefined;
  const worst = Math.max(...cases.map((c) => kindShare(c, "transit")));
  return worst < 0.1
    ? {
        what: "network between services",
        detail: `at most ${percent(worst)} of the slow requests' time passes between one service and the next, at any endpoint`,
      }
    : undefined;
};

const clocks: Check = (cases) => {
  const { skews } = cases[0]!.window.forest;
  if (skews.length === 0) return undefined;
  const applied = skews.filter((skew) => skew.appliedNs !== 0);
  if (applied.length > 0) return undefined;
  const pairs = skews.reduce((sum, skew) => sum + skew.pairs, 0);
  return {
    what: "clocks of the hosts",
    detail: `${plural(pairs, "call")} between ${plural(skews.length, "pair")} of hosts fit without any correction`,
  };
};

/** Share of a time kind in the blame of the slow traces. */
function kindShare(theCase: Case, kind: TimeKind): number {
  let total = 0;
  let ofKind = 0;
  for (const [key, ns] of theCase.view.blameSlow) {
    total += ns;
    if (TIME_KINDS[kindOfKey(key)] === kind) ofKind += ns;
  }
  return total === 0 ? 0 : ofKind / total;
}
