import { SpanRole } from "../model/span-facts.ts";
import type { ReplayPlan } from "./replay-plan.ts";

/**
 * The pool acquisition that serves this database call and no other, -1 for none: it starts right before the call,
 * and the next database call has its own. (A connection that is taken for several statements stays.)
 */
export function acquisitionOf(plan: ReplayPlan, at: number): number {
  const { role } = plan.forest.facts;
  const parent = plan.parentAt[at]!;
  if (parent < 0 || at === plan.childFrom[parent] || role[plan.row[at]!] !== SpanRole.database) return -1;
  if (role[plan.row[at - 1]!] !== SpanRole.pool) return -1;
  for (let next = at + 1; next < plan.childTo[parent]!; next++) {
    if (role[plan.row[next]!] === SpanRole.database) return -1;
    if (role[plan.row[next]!] === SpanRole.pool) break;
  }
  return at - 1;
}
