import { quantileOf } from "../../analysis/weighted-quantile.ts";
import type { Finding } from "../../model/report.ts";
import { NS_PER_S } from "../../model/units.ts";
import { admissionLimit } from "../admission.ts";
import { legsByEdge, type EdgeLegs } from "../legs.ts";
import type { Window } from "../window.ts";
import { ms } from "../wording.ts";
import type { NamedSetting } from "./configuration-check.ts";
import { connectionsFor } from "./pool-size.ts";

/** How many requests a caller sends at once, or a callee takes up at once, against what the load needs by Little's law. */
export function placesOf({ subject, mechanism }: Finding, window: Window): NamedSetting | undefined {
  const { text } = window;
  const callee = subject.resource?.startsWith("pool:") === true ? subject.resource.slice(5) : subject.service;
  const isByCaller = mechanism === "pool-exhausted";
  const edges = [...legsByEdge(window).values()].filter(
    (legs) => text(legs.callee) === callee && (!isByCaller || text(legs.caller) === subject.service),
  );
  const legs = edges.toSorted((a, b) => b.client.length - a.client.length)[0];
  if (legs === undefined) return undefined;
  const { load, rate, eachNs } = loadOf(window, legs);
  const need = connectionsFor(load);
  const now = limitOf(window, legs);
  if (now !== undefined && need <= now) return undefined;
  const setting = isByCaller ? "maxSockets" : (subject.setting ?? "workers");
  return {
    setting,
    change: `${setting}: ${now ?? "(not seen)"} -> ${need}`,
    arithmetic: `${rate.toFixed(1)}/s × ${ms(eachNs)} = ${load.toFixed(2)} requests of ${text(legs.caller)} at work in ${callee} at once; ${need} places leave one free for 95 of 100 (Erlang C)`,
    remedy: isByCaller
      ? `Let the HTTP client of ${subject.service} open as many connections to ${callee} at once, or send several requests over one (HTTP/2).`
      : `Let ${callee} work on as many requests at once (threads, workers, processes), as far as its processors bear it.`,
    reference: "Little's law; Erlang C",
    query: `SERVER spans of ${callee} below calls of ${text(legs.caller)}: rate × duration`,
  };
}

/** What passes between the two without waiting counts as well: so long a connection is taken. */
function loadOf(
  { forest, facts }: Window,
  { client, server, requestNs, responseNs }: EdgeLegs,
): { load: number; rate: number; eachNs: number } {
  const alone = quantileOf(
    requestNs.map((ns, i) => ns + responseNs[i]!),
    0.25,
  );
  let [busyNs, calls, fromNs, toNs] = [0, 0, Infinity, -Infinity];
  const instances = new Set<number>();
  server.forEach((row, i) => {
    const weight = forest.weight[forest.trace[row]!]!;
    busyNs += weight * (forest.endNs[row]! - forest.startNs[row]! + Math.max(0, alone));
    calls += weight;
    instances.add(facts.instance[row]!);
    fromNs = Math.min(fromNs, forest.startNs[client[i]!]!);
    toNs = Math.max(toNs, forest.endNs[client[i]!]!);
  });
  const seconds = Math.max(1e-3, (toNs - fromNs) / NS_PER_S);
  return {
    load: busyNs / NS_PER_S / seconds / instances.size,
    rate: calls / seconds / instances.size,
    eachNs: busyNs / calls,
  };
}

function limitOf(window: Window, legs: EdgeLegs): number | undefined {
  const both = legs.requestNs.map((ns, i) => ns + legs.responseNs[i]!);
  const alone = quantileOf(both, 0.25);
  const halfWay = (alone + quantileOf(legs.requestNs, 0.9)) / 2;
  return admissionLimit(window, legs, (i) => legs.requestNs[i]! >= halfWay, alone)?.limit;
}
