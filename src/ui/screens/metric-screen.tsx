import { type JSX, useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { PageSeries } from "../../model/page.ts";
import { clock } from "../parts/clock.ts";
import { digits, plural } from "../parts/numbers.ts";
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
        <span className={styles["muted"]}>
          {plural(charts.length, "chart")}
          {charts.length > CHARTS && `, the first ${CHARTS} shown`}
          {page.seriesLeft > 0 && `; ${plural(page.seriesLeft, "series", "series")} are not in this page`}
        </span>
      </div>
      {page.series.length === 0 && (
        <Empty>No metrics in these data. OTLP metrics or Prometheus text beside the traces bring them.</Empty>
      )}
      <div className={styles["grid"]}>
        {shown.map((chart) => (
          <Panel key={chart.title} title={chart.title} sub={<span className={styles["names"]}>{chart.metrics}</span>}>
            <Chart series={chart.series} />
          </Panel>
        ))}
      </div>
    </div>
  );
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

const LINES = ["--accent", "--share-4", "--io", "--lock", "--cpu", "--wait"];

function Chart({ series }: { series: readonly PageSeries[] }): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const [theme, setTheme] = useState(0);
  useEffect(() => {
    const changed = (): void => setTheme((count) => count + 1);
    addEventListener("themechange", changed);
    return () => removeEventListener("themechange", changed);
  }, []);
  useEffect(() => {
    const element = place.current!;
    const plot = new uPlot(optionsOf(series, element.clientWidth), dataOf(series), element);
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
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
          (one, i) => `${one.instance || "value"}: ${last[i] === undefined ? "not known" : digits(last[i])} at the end`,
        )
        .join("; ")}
    />
  );
}

const HEIGHT = 120;

function dataOf(series: readonly PageSeries[]): uPlot.AlignedData {
  const longest = series.reduce((most, one) => (one.values.length > most.values.length ? one : most));
  const times = longest.values.map((_, i) => (longest.startUnixMs + (i + 0.5) * longest.windowMs) / 1000);
  return [times, ...series.map((one) => times.map((_, i) => one.values[i] ?? null))];
}

function optionsOf(series: readonly PageSeries[], width: number): uPlot.Options {
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
    scales: { y: { range: (_, low, high) => [Math.min(0, low), high > Math.min(0, low) ? high * 1.05 : 1] } },
    axes: [
      { ...axis, size: 22, values: (_, ticks) => ticks.map((seconds) => clock(seconds * 1000)) },
      { ...axis, size: 48, values: (_, ticks) => ticks.map((value) => short(value)) },
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

/** 1200000 → "1.2M": an axis has little room. */
function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return `${digits(value / 1e9)}G`;
  if (size >= 1e6) return `${digits(value / 1e6)}M`;
  if (size >= 1e4) return `${digits(value / 1e3)}k`;
  return size > 0 && size < 0.01 ? value.toExponential(0) : digits(value);
}
