import { type JSX, useMemo, useRef, useState } from "react";
import { matchTrace } from "../../analysis/match-traces.ts";
import { parseTraceQuery } from "../../analysis/parse-trace-query.ts";
import type { PageTrace } from "../../model/page.ts";
import { ms, percent, plural } from "../parts/numbers.ts";
import { Empty, Panel } from "../parts/panel.tsx";
import { colorOf, wordOf } from "../parts/time-kinds.ts";
import { pageTraceSpans } from "../search/page-trace-spans.ts";
import { type Answer, useServer } from "../state/ask-server.ts";
import { useKeys } from "../state/keys.ts";
import { isServed } from "../state/load-page.ts";
import type { Range } from "../state/page-state.ts";
import { useLater } from "../state/use-later.ts";
import { chosenTrace, useSelection } from "../state/selection.ts";
import { timeLedger } from "./trace-rows.ts";
import { Waterfall } from "./waterfall.tsx";
import styles from "./trace.module.css";

/** Slow and typical requests of the endpoint: one as a waterfall with its critical path, and what its spans say. */
export function TraceScreen(): JSX.Element {
  const selection = useSelection();
  const { page, state, go } = selection;
  const { traces, open: within } = chosenTrace(selection);
  const isElsewhere = within === undefined && state.trace !== "";
  const answer = useServer<PageTrace>(
    isElsewhere && isServed() ? `api/v1/trace/${encodeURIComponent(state.trace)}/view` : undefined,
  );
  const open = within ?? (answer.kind === "answered" ? answer.value : undefined);
  if (open === undefined) return <Empty>{missing(answer, state.trace)}</Empty>;
  return (
    <div className={styles["screen"]}>
      <Panel title="Traces" sub={page.tracesLeft > 0 ? `${page.tracesLeft} more did not fit` : undefined}>
        <ul className={styles["list"]}>
          {(isElsewhere ? [open, ...traces] : traces).map((trace) => (
            <li key={trace.traceId}>
              <button aria-current={trace === open} onClick={() => go({ trace: trace.traceId, span: "" })}>
                <b>{ms(trace.durationMs)}</b> {trace.role} · {plural(trace.parent.length, "span")}
                <br />
                <span className={styles["mono"]}>{trace.traceId}</span>
              </button>
            </li>
          ))}
        </ul>
      </Panel>
      <OpenTrace key={open.traceId} trace={open} />
    </div>
  );
}

function missing(answer: Answer<PageTrace>, named: string): string {
  if (answer.kind === "waiting") return `reading trace ${named} …`;
  if (answer.kind === "failed") return `Trace ${named} cannot be shown: ${answer.why}.`;
  if (named !== "") return `Trace ${named} is not in this page, which holds slow and typical ones of each endpoint.`;
  return "No trace is kept in this page.";
}

function OpenTrace({ trace }: { trace: PageTrace }): JSX.Element {
  const { state, go } = useSelection();
  const span = Math.max(0, trace.spanId.indexOf(state.span));
  const [match, setMatch] = useState("");
  const search = useRef<HTMLInputElement>(null);
  useKeys({ "ctrl+f": () => search.current?.focus() });
  const keepSeen = useLater((range: Range | undefined) => go({ range }, true));
  const found = useMemo(
    () => (match === "" ? asked(trace, state.query) : matching(trace, match)),
    [trace, match, state.query],
  );
  return (
    <>
      <Panel
        title={`${trace.strings[trace.service[0]!]} ${trace.strings[trace.operation[0]!]}`}
        sub={`${ms(trace.durationMs)}, ${plural(trace.parent.length, "span")}${trace.complete ? "" : ", spans are missing"}`}
        tools={
          <>
            <input
              ref={search}
              aria-label="Search spans"
              placeholder="search spans"
              value={match}
              onChange={(event) => setMatch(event.target.value)}
            />
            {found !== undefined && plural(found.size, "match", "matches")}
          </>
        }
      >
        <Waterfall
          trace={trace}
          span={span}
          found={found}
          choose={(row) => go({ span: trace.spanId[row]! }, true)}
          seen={state.range}
          keepSeen={keepSeen}
        />
      </Panel>
      <Panel title="Span" sub={trace.strings[trace.operation[span]!]} className={styles["side"]}>
        <SpanDetail trace={trace} span={span} />
      </Panel>
    </>
  );
}

/** Spans that the search asked for, where it was by a query that finds some here. */
function asked(trace: PageTrace, query: string): ReadonlySet<number> | undefined {
  const parsed = query === "" ? undefined : parseTraceQuery(query);
  const rows = parsed?.kind === "query" ? matchTrace(parsed.expression, pageTraceSpans(trace)) : [];
  return rows.length === 0 || rows.length === trace.parent.length ? undefined : new Set(rows);
}

/** Spans whose service, name or attributes have the words in them. */
function matching(trace: PageTrace, text: string): ReadonlySet<number> {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const hits = trace.strings.map((held) => words.map((word) => held.toLowerCase().includes(word)));
  const found = new Set<number>();
  for (let row = 0; row < trace.parent.length; row++) {
    const texts = [trace.service[row]!, trace.operation[row]!, ...trace.attributes[row]!];
    if (words.every((_, i) => texts.some((at) => hits[at]![i]!))) found.add(row);
  }
  return found;
}

function SpanDetail({ trace, span }: { trace: PageTrace; span: number }): JSX.Element {
  const texts = (pairs: readonly number[]): [string, string][] =>
    Array.from({ length: pairs.length / 2 }, (_, i) => [
      trace.strings[pairs[2 * i]!]!,
      trace.strings[pairs[2 * i + 1]!]!,
    ]);
  const sender = trace.resources?.[trace.resource?.[span] ?? -1];
  const rows: [string, string][] = [
    ["service", trace.strings[trace.service[span]!]!],
    ["starts after", ms(trace.startMs[span]!)],
    ["takes", ms(trace.durationsMs[span]!)],
    ["span id", trace.spanId[span]!],
    ...texts(trace.attributes[span]!),
  ];
  return (
    <>
      <Ledger title="Critical path of this span" trace={trace} row={span} />
      <Ledger title="Critical path of the whole request" trace={trace} />
      <table>
        <tbody>
          {rows.map(([name, value], i) => (
            <tr key={`${name} ${i}`}>
              <td>{name}</td>
              <td>{value}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {sender !== undefined && sender.length > 0 && (
        <details>
          <summary>Sent by ({sender.length / 2})</summary>
          <table>
            <tbody>
              {texts(sender).map(([name, value], i) => (
                <tr key={`${name} ${i}`}>
                  <td>{name}</td>
                  <td>{value}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      )}
    </>
  );
}

function Ledger({ title, trace, row }: { title: string; trace: PageTrace; row?: number }): JSX.Element {
  const kinds = timeLedger(trace, row);
  const total = kinds.reduce((sum, kind) => sum + kind.ms, 0);
  return (
    <div className={styles["ledger"]}>
      <h3>{title}</h3>
      {total === 0 ? (
        <span className={styles["muted"]}>the request did not wait for it</span>
      ) : (
        <>
          <div className={styles["ledgerBar"]} aria-hidden="true">
            {kinds.map((kind) => (
              <span key={kind.timeKind} style={{ flex: kind.ms, background: colorOf(kind.timeKind) }} />
            ))}
          </div>
          {kinds.map((kind) => (
            <div key={kind.timeKind}>
              <span className={styles["tag"]} style={{ background: colorOf(kind.timeKind) }} />
              {wordOf(kind.timeKind)} {ms(kind.ms)}{" "}
              <span className={styles["muted"]}>
                {percent(kind.ms / trace.durationMs)} of the request
                {kind.sampledMs > 0 &&
                  (kind.sampledMs < kind.ms ? `, ${ms(kind.sampledMs)} by samples` : ", by samples")}
              </span>
            </div>
          ))}
        </>
      )}
    </div>
  );
}
