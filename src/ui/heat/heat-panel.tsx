import { type JSX, type PointerEvent, useRef, useState } from "react";
import type { PageEndpoint } from "../../model/page.ts";
import { clock } from "../parts/clock.ts";
import { digits, ms, plural, signedMs } from "../parts/numbers.ts";
import { Panel } from "../parts/panel.tsx";
import { wordOf } from "../parts/time-kinds.ts";
import { useCanvas } from "../parts/use-canvas.ts";
import { formQuery } from "../search/form-query.ts";
import type { Box } from "../state/page-state.ts";
import { chosenEndpoint, useSelection } from "../state/selection.ts";
import { compareBox } from "./compare-box.ts";
import { drawHeat, durationAt, frameOf, timeAt } from "./draw-heat.ts";
import { heatStretches } from "./heat-table.ts";
import styles from "./heat.module.css";

/** Parts told of a box; smaller differences are left out, with their number. */
const PARTS = 12;

/** All requests of the endpoint by time and duration; a box in it is held against the rest. */
export function HeatPanel(): JSX.Element | null {
  const selection = useSelection();
  const chosen = chosenEndpoint(selection);
  const { state, go, page } = selection;
  const [isTable, setTable] = useState(false);
  if (chosen === undefined) return null;
  const { drawn, report } = chosen;
  const objective = page.report.objectives?.find(
    (held) => held.endpoint?.service === report.service && held.endpoint.operation === report.operation,
  );
  const most = drawn.heat.requests.reduce((max, value) => Math.max(max, value), 0);
  return (
    <Panel
      title="Latency heat map"
      sub={`${drawn.operation} · ${plural(Math.round(drawn.requests.total), "request")}`}
      tools={
        <>
          <span>
            1 <span className={styles["ramp"]} /> {plural(most, "request")}
          </span>
          {state.box === undefined ? (
            <button onClick={() => go({ box: slowest(drawn) })}>Compare the slowest with the rest</button>
          ) : (
            <>
              <button onClick={() => go({ view: "search", query: queryOf(drawn, state.box!) })}>
                Find such traces
              </button>
              <button onClick={() => go({ box: undefined })}>Clear the box</button>
            </>
          )}
          <button aria-pressed={isTable} onClick={() => setTable(!isTable)}>
            {isTable ? "As a map" : "As a table"}
          </button>
        </>
      }
    >
      {isTable ? (
        <HeatTable endpoint={drawn} />
      ) : (
        <HeatCanvas endpoint={drawn} objectiveMs={objective?.limitMs} box={state.box} choose={(box) => go({ box })} />
      )}
      {state.box !== undefined && <Comparison endpoint={drawn} box={state.box} />}
    </Panel>
  );
}

/** Rows of the table: stretches of time. */
const STRETCHES = 24;

function HeatTable({ endpoint }: { endpoint: PageEndpoint }): JSX.Element {
  return (
    <div className={styles["compare"]} role="group" aria-label="Requests by time" tabIndex={0}>
      <table>
        <thead>
          <tr>
            {["from", "requests", "p50", "p99", "slowest"].map((name) => (
              <th key={name}>{name}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {heatStretches(endpoint.heat, STRETCHES).map((stretch) => (
            <tr key={stretch.fromUnixMs}>
              <td>{clock(stretch.fromUnixMs)}</td>
              <td>{digits(stretch.requests)}</td>
              {[stretch.p50Ms, stretch.p99Ms, stretch.slowestMs].map((value, i) => (
                <td key={i}>{stretch.requests === 0 ? "–" : ms(value)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Requests of the endpoint as long as those in the box, as a search. */
function queryOf({ service, operation }: PageEndpoint, box: Box): string {
  const us = (value: number): string => `${Math.round(value * 1000)}us`;
  const made = formQuery({ service, operation, tags: "", shortest: us(box.shortestMs), longest: us(box.longestMs) });
  return made.kind === "query" ? made.text : "{}";
}

/** The slowest twentieth, over the whole window: what the keyboard can choose. */
function slowest({ requests, heat }: PageEndpoint): Box {
  let passed = 0;
  let at = 0;
  while (at < requests.weight.length - 1 && passed + requests.weight[at]! < requests.total / 20)
    passed += requests.weight[at++]!;
  return {
    fromMs: heat.startUnixMs,
    toMs: heat.startUnixMs + heat.columns * heat.columnMs,
    shortestMs: requests.durationMs[at] ?? 0,
    longestMs: requests.durationMs[0] ?? 0,
  };
}

interface HeatCanvasProps {
  readonly endpoint: PageEndpoint;
  readonly objectiveMs: number | undefined;
  readonly box: Box | undefined;
  readonly choose: (box: Box | undefined) => void;
}

function HeatCanvas({ endpoint, objectiveMs, box, choose }: HeatCanvasProps): JSX.Element {
  const { heat } = endpoint;
  const [dragged, setDragged] = useState<{ x: number; y: number; box: Box | undefined }>();
  const size = useRef({ width: 0, height: 0 });
  const shown = dragged?.box ?? box;
  const { canvas } = useCanvas(
    (pen, look) => {
      size.current = look;
      drawHeat(pen, heat, { ...look, objectiveMs, box: shown });
    },
    [heat, objectiveMs, shown],
  );
  const boxTo = (event: PointerEvent, from: { x: number; y: number }): Box | undefined => {
    const { offsetX: x, offsetY: y } = event.nativeEvent;
    if (Math.abs(x - from.x) < 4 || Math.abs(y - from.y) < 4) return undefined;
    const frame = frameOf(size.current.width, size.current.height);
    return {
      fromMs: timeAt(heat, frame, Math.min(x, from.x)),
      toMs: timeAt(heat, frame, Math.max(x, from.x)),
      shortestMs: durationAt(heat, frame, Math.max(y, from.y)),
      longestMs: durationAt(heat, frame, Math.min(y, from.y)),
    };
  };
  return (
    <div className={styles["box"]}>
      <canvas
        ref={canvas}
        role="img"
        aria-label={`Requests of ${endpoint.operation} by time and duration, ${ms(heat.lowestMs)} to ${ms(heat.lowestMs * heat.ratio ** heat.rows)}`}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          setDragged({ x: event.nativeEvent.offsetX, y: event.nativeEvent.offsetY, box: undefined });
        }}
        onPointerMove={(event) => dragged !== undefined && setDragged({ ...dragged, box: boxTo(event, dragged) })}
        onPointerUp={(event) => {
          if (dragged !== undefined) choose(boxTo(event, dragged));
          setDragged(undefined);
        }}
      />
    </div>
  );
}

function Comparison({ endpoint, box }: { endpoint: PageEndpoint; box: Box }): JSX.Element {
  const found = compareBox(endpoint.requests, endpoint.heat.startUnixMs, box);
  if (found.inside.requests === 0)
    return <div className={styles["note"]}>No request that is kept here lies in the box.</div>;
  const shown = found.parts.slice(0, PARTS);
  const { length } = endpoint.requests.startMs;
  const isSample = endpoint.requests.total > length * 1.001;
  return (
    <div className={styles["compare"]}>
      <div className={styles["note"]}>
        {plural(Math.round(found.inside.weight), "request")} of {ms(box.shortestMs)} to {ms(box.longestMs)},{" "}
        {clock(box.fromMs)} to {clock(box.toMs)}; mean {ms(found.inside.meanMs)} against {ms(found.outside.meanMs)}
        {isSample && `; from ${digits(length)} requests, all of the slowest among them`}
      </div>
      <table>
        <thead>
          <tr>
            <th>critical path, per request</th>
            <th>in the box</th>
            <th>the rest</th>
            <th>difference</th>
          </tr>
        </thead>
        <tbody>
          {shown.map(({ part, insideMs, outsideMs }) => (
            <tr key={`${part.service} ${part.operation} ${part.timeKind}`}>
              <td>
                {part.service} {part.operation}, {wordOf(part.timeKind)}
              </td>
              <td>{ms(insideMs)}</td>
              <td>{ms(outsideMs)}</td>
              <td className={insideMs > outsideMs ? styles["more"] : styles["less"]}>
                {signedMs(insideMs - outsideMs)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {found.parts.length > PARTS && (
        <div className={styles["note"]}>{plural(found.parts.length - PARTS, "smaller difference")}</div>
      )}
    </div>
  );
}
