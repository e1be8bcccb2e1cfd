import { latencyModes, type KnownDelay } from "../../analysis/histogram-modes.ts";
import type { Finding } from "../../model/report.ts";
import { ownTime } from "../case.ts";
import { oncePerWindow } from "../once-per-window.ts";
import { sampledRows } from "../sampled-rows.ts";
import type { Window } from "../window.ts";
import { ms, percent } from "../wording.ts";
import type { NamedSetting } from "./configuration-check.ts";
import { nodesOf, rowsOf } from "./finding-spans.ts";
import { mapToFloats } from "../../model/map-column.ts";

const MAX_ROWS = 5_000;

type Timer = Omit<NamedSetting, "arithmetic" | "query">;

/** The settings behind the waits that everybody's systems have: names from the manual pages that describe them. */
const TIMERS: Readonly<Record<KnownDelay, Timer>> = {
  "delayed ACK (Linux, 40 ms)": {
    setting: "TCP_NODELAY",
    change: "TCP_NODELAY: off -> on",
    remedy:
      "Set TCP_NODELAY on the sender, or write each message at once: Nagle's algorithm holds the second small packet back until the first is acknowledged, and the receiver delays that by 40 ms.",
    reference: "tcp(7), RFC 896, RFC 1122 4.2.3.2",
  },
  "TCP retransmission (Linux minimum, 200 ms)": {
    setting: "rto_min",
    remedy:
      "Find where packets are lost (nstat TcpRetransSegs, a full switch or network card queue); inside a data centre `ip route … rto_min 20ms` makes each loss cheaper.",
    reference: "RFC 6298; Linux TCP_RTO_MIN",
  },
  "SYN or DNS retry (1 s)": {
    setting: "backlog",
    remedy:
      "A handshake that is not answered is repeated after a second: see the listen queue of the callee (backlog, net.core.somaxconn); a resolver with `timeout:1` waits as long for a name server.",
    reference: "tcp(7): tcp_syn_retries; resolv.conf(5)",
  },
  "SYN retry (3 s)": {
    setting: "backlog",
    remedy:
      "Two handshakes in a row were not answered: see the listen queue of the callee (backlog, net.core.somaxconn) and the way there.",
    reference: "tcp(7): tcp_syn_retries",
  },
  "DNS timeout (5 s)": {
    setting: "resolv.conf options timeout",
    change: "resolv.conf options timeout: 5 -> 1, attempts: 2 -> 3",
    remedy:
      "A name server does not answer, and the resolver waits 5 s before it asks again: take it out of resolv.conf, or set `options timeout:1 attempts:3 single-request-reopen`, and look names up less often (a cache, fewer search domains: ndots).",
    reference: "resolv.conf(5)",
  },
};

/** The timer behind a fixed delay, from the peak in the distribution of the operation's own time. */
export function timerOf(finding: Finding, window: Window): NamedSetting | undefined {
  const own = ownTimes(window);
  const all = Int32Array.from(rowsOf(window, nodesOf(window, finding)).filter((row) => own[row]! > 0));
  const rows = sampledRows(window, all, MAX_ROWS);
  const modes = latencyModes(
    mapToFloats(rows, (row) => own[row]!),
    Uint8Array.from(rows, (row) => window.facts.error[row]!),
  );
  const mode = modes
    .filter(({ looksLike }) => looksLike.kind === "fixed-delay")
    .toSorted((a, b) => b.share - a.share)[0];
  if (mode === undefined || mode.looksLike.kind !== "fixed-delay") return undefined;
  const { delayNs, known } = mode.looksLike;
  const common = {
    arithmetic: `${percent(mode.share)} of ${rows.length} calls lie within ${ms(mode.widthNs)} at ${ms(mode.centreNs)}, ${ms(delayNs)} above the rest${known === "round value" ? "" : `: ${known}`}`,
    query: `histogram of the own time of "${finding.subject.operation}"`,
  };
  if (known !== "round value") return { ...TIMERS[known], ...common };
  return {
    ...common,
    setting: "wait",
    change: `wait: ${ms(delayNs)} -> 0 ms`,
    remedy: `It is a timer of ${finding.subject.service} itself or of what it calls there without a span: a sleep, a poll interval, a pause before a retry, a batch that is held back.`,
    reference: "a peak that keeps its place whatever the load is no work",
  };
}

const ownTimes = oncePerWindow((window) => ownTime(window.segments, window.spans.rowCount));
