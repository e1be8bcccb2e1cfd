import { type JSX, useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { PageSeries } from "../../model/page.ts";
import { clock } from "../parts/clock.ts";
import { measureText } from "../parts/measure-text.ts";
import { plural } from "../parts/numbers.ts";
import { Empty, Panel } from "../parts/panel.tsx";
import { useSelection } from "../state/selection.ts";
import styles from "./metrics.module.css";

/** Charts at once; the others are found by typing. */
const CHARTS = 60;
/** One cursor over all charts. */
const CURSOR = "time";

/** What was measured over time, a chart for each measure of a service, its instances as lines. */
export function MetricScreen(): JSX.Element {
  const { page, state, go } = useSelection();
  const [isTable, setTable] = useState(false);
  const words = state.search.toLowerCase().split(/\s+/).filter(Boolean);
  const charts = chartsOf(page.series).filter(({ title }) => words.every((word) => title.toLowerCase().includes(word)));
  const shown = charts.slice(0, CHARTS);
  return (
    <div className={styles["screen"]}>
      <div className={styles["tools"]}>
        <input
          type="search"
          aria-label="Search metrics"
          placeholder="service, measure, metric"
          value={state.search}
          onChange={(event) => go({ search: event.target.value }, true)}
        />
        <button aria-pressed={isTable} onClick={() => setTable(!isTable)}>
          {isTable ? "As charts" : "As a table"}
        </button>
        <span className={styles["muted"]}>
          {plural(charts.length, "chart")}
          {charts.length > CHARTS && `, the first ${CHARTS} shown`}
          {page.seriesLeft > 0 && `; ${plural(page.seriesLeft, "series", "series")} are not in this page`}
        </span>
      </div>
      {isTable && <SeriesTable charts={shown} />}
      {page.series.length === 0 && (
        <Empty>No metrics in these data. OTLP metrics or Prometheus text beside the traces bring them.</Empty>
      )}
      <div className={styles["grid"]}>
        {!isTable && shown.map((chart) => <ChartPanel key={chart.title} chart={chart} />)}
      </div>
    </div>
  );
}

/** The same in numbers. */
function SeriesTable({ charts }: { charts: readonly ChartOf[] }): JSX.Element {
  const rows = charts.flatMap(({ title, series }) => series.map((one) => ({ title, one })));
  return (
    <Panel title="Series" sub={plural(rows.length, "series", "series")}>
      <div className={styles["table"]} role="group" aria-label="Series" tabIndex={0}>
        <table>
          <thead>
            <tr>
              {["measure", "instance", "least", "mean", "most", "at the end"].map((name) => (
                <th key={name}>{name}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ title, one }, i) => (
              <tr key={i}>
                <td>{title}</td>
                <td>{one.instance}</td>
                {summaryOf(one.values).map((value, column) => (
                  <td key={column}>{value === undefined ? "–" : measureText(one.measure, value)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

/** least, mean, greatest and last of what is known */
function summaryOf(values: readonly (number | null)[]): readonly (number | undefined)[] {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return [undefined, undefined, undefined, undefined];
  const sum = known.reduce((total, value) => total + value, 0);
  return [
    known.reduce((a, b) => Math.min(a, b)),
    sum / known.length,
    known.reduce((a, b) => Math.max(a, b)),
    known.at(-1),
  ];
}

interface ChartOf {
  readonly title: string;
  readonly metrics: string;
  readonly series: readonly PageSeries[];
}

function chartsOf(series: readonly PageSeries[]): ChartOf[] {
  const groups = new Map<string, PageSeries[]>();
  for (const one of series) {
    const title = [one.service === "" ? one.host : one.service, one.measure, one.resource].filter(Boolean).join(" · ");
    const held = groups.get(title);
    if (held === undefined) groups.set(title, [one]);
    else held.push(one);
  }
  return [...groups].map(([title, members]) => ({
    title,
    metrics: [...new Set(members.flatMap((one) => one.metrics))].join(", "),
    series: members,
  }));
}

/** A chart, with its values where the cursor stands in any of them. */
function ChartPanel({ chart }: { chart: ChartOf }): JSX.Element {
  const values = useRef<HTMLSpanElement>(null);
  return (
    <Panel
      title={chart.title}
      className={styles["chartPanel"]}
      sub={<span className={styles["names"]}>{chart.metrics}</span>}
      tools={<span ref={values} className={styles["values"]} />}
    >
      <Chart
        series={chart.series}
        // Not through React: all charts follow the cursor at each of its moves.
        tell={(text) => values.current?.replaceChildren(text)}
      />
    </Panel>
  );
}

const LINES = ["--accent", "--share-4", "--io", "--lock", "--cpu", "--wait"];

function Chart({ series, tell }: { series: readonly PageSeries[]; tell: (text: string) => void }): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const [theme, setTheme] = useState(0);
  useEffect(() => {
    const changed = (): void => setTheme((count) => count + 1);
    addEventListener("themechange", changed);
    return () => removeEventListener("themechange", changed);
  }, []);
  useEffect(() => {
    const element = place.current!;
    const plot = new uPlot(optionsOf(series, element.clientWidth, tell), dataOf(series), element);
    // Told once as it begins to look: the size is as it was.
    const observer = new ResizeObserver(() => {
      if (element.clientWidth !== plot.width) plot.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [series, theme]);
  const last = series.map((one) => one.values.findLast((value) => value !== null) ?? undefined);
  return (
    <div
      ref={place}
      className={styles["chart"]}
      role="img"
      aria-label={series
        .map(
          (one, i) =>
            `${one.instance || "value"}: ${last[i] === undefined ? "not known" : measureText(one.measure, last[i])} at the end`,
        )
        .join("; ")}
    />
  );
}

const HEIGHT = 120;
/** Lines whose values are written at the cursor. */
const TOLD = 4;

function dataOf(series: readonly PageSeries[]): uPlot.AlignedData {
  const longest = series.reduce((most, one) => (one.values.length > most.values.length ? one : most));
  const times = longest.values.map((_, i) => (longest.startUnixMs + (i + 0.5) * longest.windowMs) / 1000);
  return [times, ...series.map((one) => times.map((_, i) => one.values[i] ?? null))];
}

function optionsOf(series: readonly PageSeries[], width: number, tell: (text: string) => void): uPlot.Options {
  const measure = series[0]!.measure;
  const valuesAt = (plot: uPlot): string => {
    const { idx } = plot.cursor;
    if (idx === null || idx === undefined) return "";
    const values = series.slice(0, TOLD).flatMap((one) => one.values[idx] ?? []);
    const rest = series.length > TOLD ? " …" : "";
    return `${clock(plot.data[0][idx]! * 1000)}  ${values.map((value) => measureText(measure, value)).join(", ")}${rest}`;
  };
  const style = getComputedStyle(document.documentElement);
  const color = (name: string): string => style.getPropertyValue(name).trim();
  const axis = {
    stroke: color("--muted"),
    grid: { stroke: color("--line"), width: 1 },
    ticks: { show: false },
    font: "10px system-ui",
  };
  return {
    width: Math.max(80, width),
    height: HEIGHT,
    legend: { show: false },
    cursor: { sync: { key: CURSOR }, y: false },
    hooks: { setCursor: [(plot) => tell(valuesAt(plot))] },
    scales: { y: { range: (_, low, high) => [Math.min(0, low), high > Math.min(0, low) ? high * 1.05 : 1] } },
    axes: [
      { ...axis, size: 22, values: (_, ticks) => ticks.map((seconds) => clock(seconds * 1000)) },
      { ...axis, size: 58, values: (_, ticks) => ticks.map((value) => measureText(measure, value)) },
    ],
    series: [
      {},
      ...series.map((one, i) => ({
        label: one.instance,
        stroke: color(LINES[i % LINES.length]!),
        width: 1.25,
        points: { show: false },
      })),
    ],
  };
}
