import { type FormEvent, type JSX, useEffect, useMemo, useState } from "react";
import { matchTrace } from "../../analysis/match-traces.ts";
import { parseTraceQuery, type ParsedTraceQuery } from "../../analysis/parse-trace-query.ts";
import type { PageDocument } from "../../model/page.ts";
import { clock } from "../parts/clock.ts";
import { digits, ms, plural } from "../parts/numbers.ts";
import { Empty, Panel } from "../parts/panel.tsx";
import { useServer, windowQuery } from "../state/ask-server.ts";
import { isServed } from "../state/load-page.ts";
import { useSelection } from "../state/selection.ts";
import { pageTraceSpans } from "./page-trace-spans.ts";
import styles from "./search.module.css";
import { SearchFields } from "./search-fields.tsx";

interface FoundTrace {
  readonly traceId: string;
  readonly rootService: string;
  readonly rootOperation: string;
  readonly startUnixMs: number;
  readonly durationMs: number;
  readonly spans: number;
  readonly errors: number;
  readonly services: readonly string[];
  /** of the longest span that is as asked for */
  readonly matchDurationMs: number;
}

interface Found {
  readonly traces: readonly FoundTrace[];
  /** what these are of: "6 traces of this page" */
  readonly of: string;
  readonly more: boolean;
}

type Order = "newest" | "slowest";
const LIMITS = [20, 100, 500];

/** Traces by a query: of a server among all that it stores, of a page from disk among those in it. */
export function SearchScreen(): JSX.Element {
  const { state, go } = useSelection();
  const [text, setText] = useState(state.query);
  const [order, setOrder] = useState<Order>("slowest");
  const [limit, setLimit] = useState(LIMITS[0]!);
  useEffect(() => setText(state.query), [state.query]);
  const parsed = useMemo(() => (state.query === "" ? undefined : parseTraceQuery(state.query)), [state.query]);
  const search = (event: FormEvent): void => {
    event.preventDefault();
    go({ query: text.trim() === "" ? "{}" : text.trim() });
  };
  return (
    <div className={styles["screen"]}>
      <Panel title="Search" sub={isServed() ? "all traces of this window" : "the traces in this page"}>
        <SearchFields choose={(query) => go({ query })} />
        <form className={styles["query"]} onSubmit={search}>
          <input
            aria-label="Query"
            aria-invalid={parsed?.kind === "invalid"}
            aria-describedby="query-says"
            spellCheck={false}
            placeholder='{ resource.service.name = "shop" && duration > 100ms } >> { status = error }'
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
          <select aria-label="Order" value={order} onChange={(event) => setOrder(event.target.value as Order)}>
            <option value="slowest">slowest first</option>
            <option value="newest">newest first</option>
          </select>
          <select aria-label="At most" value={limit} onChange={(event) => setLimit(Number(event.target.value))}>
            {LIMITS.map((most) => (
              <option key={most} value={most}>
                at most {most}
              </option>
            ))}
          </select>
          <button type="submit">Search</button>
        </form>
        <div id="query-says" className={styles["says"]}>
          {parsed?.kind === "invalid" ? <Misfit query={state.query} misfit={parsed} /> : <Hint />}
        </div>
      </Panel>
      {parsed === undefined && <Examples choose={(query) => go({ query })} />}
      {parsed?.kind === "query" && <Results parsed={parsed} order={order} limit={limit} />}
    </div>
  );
}

const EXAMPLES: readonly (readonly [string, string])[] = [
  ["{ status = error }", "traces with a span that failed"],
  ["{ duration > 100ms && kind = server }", "requests that a service took longer than 100 ms for"],
  ["{ kind = server } > { kind = client && duration > 10ms }", "slow calls right below a request"],
  ["{ .http.response.status_code >= 500 }", "answers of 500 and above"],
  ["{ span.db.system.name != nil } && { status = error }", "traces with a database in which something failed"],
];

function Examples({ choose }: { choose: (query: string) => void }): JSX.Element {
  return (
    <Panel title="Examples">
      <ul className={styles["examples"]}>
        {EXAMPLES.map(([query, means]) => (
          <li key={query}>
            <button className={styles["link"]} onClick={() => choose(query)}>
              <code>{query}</code>
            </button>
            <span className={styles["muted"]}>{means}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Hint(): JSX.Element {
  return (
    <span className={styles["muted"]}>
      A subset of TraceQL: name, duration, status, kind, span.KEY, resource.KEY, .KEY; &amp;&amp;, ||, !; {"{A} > {B}"}{" "}
      for children, {"{A} >> {B}"} for all below.
    </span>
  );
}

/** The query with a mark below the letter that does not fit. */
function Misfit({
  query,
  misfit,
}: {
  query: string;
  misfit: Extract<ParsedTraceQuery, { kind: "invalid" }>;
}): JSX.Element {
  return (
    <div role="alert">
      <pre className={styles["misfit"]}>
        {query.slice(0, misfit.at)}
        <mark>{query.slice(misfit.at, misfit.at + 1) || " "}</mark>
        {query.slice(misfit.at + 1)}
      </pre>
      <span className={styles["over"]}>
        letter {misfit.at + 1}: expected {misfit.expected}, found {misfit.found}
      </span>
    </div>
  );
}

interface ResultsProps {
  readonly parsed: Extract<ParsedTraceQuery, { kind: "query" }>;
  readonly order: Order;
  readonly limit: number;
}

function Results({ parsed, order, limit }: ResultsProps): JSX.Element {
  const { page, state } = useSelection();
  const served = isServed();
  const within = useMemo(
    () => (served ? undefined : foundInPage(page, parsed, order, limit)),
    [served, page, parsed, order, limit],
  );
  const params = windowQuery();
  params.set("q", state.query);
  params.set("order", order);
  params.set("limit", String(limit));
  const answer = useServer<ServerAnswer>(served ? `api/v1/traces/search?${params}` : undefined);
  if (within !== undefined) return <FoundTable found={within} />;
  switch (answer.kind) {
    case "answered":
      return <FoundTable found={foundOnServer(answer.value)} />;
    case "failed":
      return <Empty>The search failed: {answer.why}.</Empty>;
    default:
      return <Empty>searching …</Empty>;
  }
}

/** GET /api/v1/traces/search */
interface ServerAnswer {
  readonly traces: readonly (Omit<FoundTrace, "startUnixMs"> & { readonly startUnixNs: string })[];
  readonly lookedAt?: number;
  readonly more: boolean;
}

function foundOnServer({ traces, lookedAt, more }: ServerAnswer): Found {
  return {
    traces: traces.map(({ startUnixNs, ...rest }) => ({
      ...rest,
      startUnixMs: Number(BigInt(startUnixNs) / 1_000_000n),
    })),
    of: lookedAt === undefined ? "" : `${plural(lookedAt, "candidate")} looked at`,
    more,
  };
}

function foundInPage(page: PageDocument, { expression }: ResultsProps["parsed"], order: Order, limit: number): Found {
  const traces = page.traces.flatMap((trace): FoundTrace[] => {
    const rows = matchTrace(expression, pageTraceSpans(trace));
    if (rows.length === 0) return [];
    return [
      {
        traceId: trace.traceId,
        rootService: trace.strings[trace.service[0]!]!,
        rootOperation: trace.strings[trace.operation[0]!]!,
        startUnixMs: Number(BigInt(trace.startUnixNs) / 1_000_000n),
        durationMs: trace.durationMs,
        spans: trace.parent.length,
        errors: trace.error.reduce((sum, error) => sum + error, 0),
        services: [...new Set(trace.service)].map((id) => trace.strings[id]!),
        matchDurationMs: rows.reduce((longest, row) => Math.max(longest, trace.durationsMs[row]!), 0),
      },
    ];
  });
  const key = (trace: FoundTrace): number => (order === "slowest" ? trace.durationMs : trace.startUnixMs);
  return {
    traces: traces.toSorted((a, b) => key(b) - key(a)).slice(0, limit),
    of: `of the ${plural(page.traces.length, "trace")} in this page`,
    more: traces.length > limit,
  };
}

function FoundTable({ found }: { found: Found }): JSX.Element {
  const { go } = useSelection();
  const most = found.traces.reduce((longest, trace) => Math.max(longest, trace.durationMs), 0.001);
  const sub = [found.of, found.more ? "there may be more" : ""].filter(Boolean).join("; ");
  return (
    <Panel title={plural(found.traces.length, "trace")} sub={sub}>
      {found.traces.length === 0 && (
        <Empty>No trace is as asked for. Less conditions, or a longer window, find more.</Empty>
      )}
      {found.traces.length > 0 && (
        <div className={styles["table"]} role="group" aria-label="Traces found" tabIndex={0}>
          <table>
            <thead>
              <tr>
                {["trace", "start", "duration", "", "longest match", "spans", "errors", "services"].map((name, i) => (
                  <th key={i} className={[2, 4, 5, 6].includes(i) ? styles["num"] : undefined}>
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {found.traces.map((trace) => (
                <tr key={trace.traceId}>
                  <td>
                    <button
                      className={styles["link"]}
                      title={trace.traceId}
                      onClick={() => go({ view: "traces", trace: trace.traceId, span: "" })}
                    >
                      <span className={styles["muted"]}>{trace.rootService}</span> {trace.rootOperation || "(no name)"}
                    </button>
                  </td>
                  <td className={styles["time"]}>{clock(trace.startUnixMs)}</td>
                  <td className={styles["num"]}>{ms(trace.durationMs)}</td>
                  <td className={styles["lane"]} aria-hidden="true">
                    <i
                      data-error={trace.errors > 0 || undefined}
                      style={{ width: `${(100 * trace.durationMs) / most}%` }}
                    />
                  </td>
                  <td className={styles["num"]}>{ms(trace.matchDurationMs)}</td>
                  <td className={styles["num"]}>{digits(trace.spans)}</td>
                  <td className={`${styles["num"]} ${trace.errors > 0 ? styles["over"] : styles["muted"]}`}>
                    {digits(trace.errors)}
                  </td>
                  <td className={styles["services"]}>{trace.services.join(", ")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}
