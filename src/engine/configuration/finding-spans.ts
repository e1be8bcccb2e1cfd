import type { Finding } from "../../model/report.ts";
import { spanRows } from "../case.ts";
import { nodesOfService } from "../path-index.ts";
import type { Window } from "../window.ts";

/** Call paths by which a service does the operation that a finding is about; of an edge, those that lead to its callee. */
export function nodesOf(window: Window, { subject }: Finding): number[] {
  const { paths, text } = window;
  const callee = /^edge:.*->(.*)$/.exec(subject.resource ?? "")?.[1];
  const service = Array.from(paths.service.keys()).find((node) => text(paths.service[node]!) === subject.service);
  if (service === undefined || subject.operation === undefined) return [];
  return nodesOfService(window, paths.service[service]!).filter(
    (node) =>
      text(paths.operation[node]!) === subject.operation &&
      (callee === undefined || (paths.callee[node]! >= 0 && text(paths.callee[node]!) === callee)),
  );
}

export function rowsOf(window: Window, nodes: readonly number[]): number[] {
  return nodes.flatMap((node) => [...spanRows(window, node)]);
}
