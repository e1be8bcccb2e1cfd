import { largestOf, measureOf } from "../resources/service-measures.ts";
import { count, percent } from "../wording.ts";
import {
  NOTHING,
  together,
  type CheckResult,
  type ConfigurationCheck,
  type SettingProblem,
} from "./configuration-check.ts";
import { errorsLike } from "./error-texts.ts";

/** net.ipv4.ip_local_port_range of Linux: 32768 to 60999. */
const PORTS = 28_232;
/** Each port stays in TIME_WAIT for 60 s (TCP_TIMEWAIT_LEN): four fifths of them are 376 connections a second. */
const FULL = 0.8;
const REFUSED = /\bEADDRNOTAVAIL\b|cannot assign requested address/i;

/** Ports of closed connections against those that there are: towards one address each can be used once a minute. */
export const ephemeralPorts: ConfigurationCheck = {
  what: "ports",
  run: ({ window, resources }) =>
    together([
      ...errorsLike(window, REFUSED).map(({ service, rows, share, example }): CheckResult => {
        const text = `${count(rows.length)} calls of ${service} fail with "${example}"`;
        return { problems: [problemOf(service, text, { text, loss: share }, 0.9)], fine: [] };
      }),
      ...[...(resources?.now.hosts ?? [])].map(([host, measures]): CheckResult => {
        const waiting = largestOf(measureOf(measures, "host-time-wait")?.values);
        if (!Number.isFinite(waiting)) return NOTHING;
        const sum = `${count(Math.round(waiting))} connections in TIME_WAIT of ${count(PORTS)} ports (${percent(waiting / PORTS)})`;
        if (waiting < FULL * PORTS)
          return { problems: [], fine: [{ text: `${host}: ${sum}`, tightness: waiting / PORTS }] };
        return { problems: [problemOf(host, `${sum}; each lasts 60 s`, undefined, 0.6)], fine: [] };
      }),
    ]),
};

function problemOf(
  service: string,
  arithmetic: string,
  harm: SettingProblem["harm"],
  confidence: number,
): SettingProblem {
  return {
    service,
    resource: "ports",
    setting: "keepAlive",
    change: "keepAlive: false -> true",
    mechanism: "connection-churn",
    saidAs: new Set(["connection-churn", "error-handling"]),
    arithmetic,
    title: `${service} runs out of ports: too many connections are opened and closed`,
    remedy:
      "Keep connections open (keep-alive, pools); until then net.ipv4.ip_local_port_range = 1024 65535 and net.ipv4.tcp_tw_reuse = 1.",
    reference: "ip(7), tcp(7); Linux TCP_TIMEWAIT_LEN",
    query: "ss -s; node_sockstat_TCP_tw",
    refutedBy: "the connections lead to many addresses: the ports count for each of them",
    confidence,
    ...(harm === undefined ? {} : { harm }),
  };
}
