/** The screens, in the order of their tabs. */
export const VIEWS = [
  "findings",
  "endpoint",
  "traces",
  "search",
  "flame",
  "throughput",
  "resources",
  "database",
  "configuration",
  "hosts",
  "metrics",
  "data",
] as const;
export type View = (typeof VIEWS)[number];

/** Pressed after "g", these go to a screen. */
export const VIEW_KEYS: Readonly<Record<View, string>> = {
  findings: "h",
  endpoint: "e",
  traces: "t",
  search: "s",
  flame: "f",
  throughput: "p",
  resources: "r",
  database: "b",
  configuration: "c",
  hosts: "o",
  metrics: "m",
  data: "d",
};

/** How moments are written: local time of day, UTC, or seconds after the start of the window. */
export const TIME_STYLES = ["local", "utc", "relative"] as const;
export type TimeStyle = (typeof TIME_STYLES)[number];

/** A part of the heat map: milliseconds since 1970, and of duration. */
export interface Box {
  readonly fromMs: number;
  readonly toMs: number;
  readonly shortestMs: number;
  readonly longestMs: number;
}

/** 0 to 1, the first below the second */
export type Range = readonly [from: number, to: number];

/** All that a person has chosen. It stands in the address, so that a link shows the same. */
export interface PageState {
  readonly view: View;
  /** index of the page's endpoints; -1, or what is not there: that of the first finding */
  readonly endpoint: number;
  /** id of a finding, "" for the first, "-" for none */
  readonly finding: string;
  /** "" for the first of the endpoint */
  readonly trace: string;
  readonly span: string;
  /** index of the page's flame graphs; -1: the endpoint's critical path */
  readonly flame: number;
  readonly search: string;
  readonly service: string;
  /** "" for the first */
  readonly host: string;
  /** the question for traces, as src/analysis/parse-trace-query.ts reads it */
  readonly query: string;
  readonly times: TimeStyle;
  /** flame graphs: roots at the bottom; against what was before; the function that is looked at from both sides, "" for none */
  readonly isUpright: boolean;
  readonly isDifference: boolean;
  readonly function: string;
  /** which part of a flame graph or trace is seen, in shares of the whole; absent for the whole */
  readonly range: Range | undefined;
  readonly box: Box | undefined;
}

export const START: PageState = {
  view: "findings",
  endpoint: -1,
  finding: "",
  trace: "",
  span: "",
  flame: -1,
  search: "",
  service: "",
  host: "",
  query: "",
  times: "local",
  isUpright: false,
  isDifference: false,
  function: "",
  range: undefined,
  box: undefined,
};

/** "#/traces?endpoint=1&trace=4bf9": what is as at the start is left out. Whatever cannot be read is as at the start. */
export function parseState(hash: string): PageState {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const params = new URLSearchParams(query);
  const text = (name: string): string => params.get(name) ?? "";
  const whole = (name: string, otherwise: number): number => {
    const value = params.get(name);
    return value !== null && /^\d{1,6}$/.test(value) ? Number(value) : otherwise;
  };
  return {
    view: VIEWS.find((view) => view === path) ?? START.view,
    endpoint: whole("endpoint", -1),
    finding: text("finding"),
    trace: text("trace"),
    span: text("span"),
    flame: whole("flame", -1),
    search: text("search"),
    service: text("service"),
    host: text("host"),
    query: text("query"),
    times: TIME_STYLES.find((style) => style === text("times")) ?? START.times,
    isUpright: text("upright") === "1",
    isDifference: text("difference") === "1",
    function: text("function"),
    range: parseRange(text("range")),
    box: parseBox(text("box")),
  };
}

export function formatState(state: PageState): string {
  const params = new URLSearchParams();
  if (state.endpoint >= 0) params.set("endpoint", String(state.endpoint));
  for (const name of ["finding", "trace", "span", "search", "service", "host", "query", "function"] as const) {
    if (state[name] !== "") params.set(name, state[name]);
  }
  if (state.times !== START.times) params.set("times", state.times);
  if (state.flame >= 0) params.set("flame", String(state.flame));
  if (state.isUpright) params.set("upright", "1");
  if (state.isDifference) params.set("difference", "1");
  if (state.range !== undefined) params.set("range", state.range.join(","));
  const { box } = state;
  if (box !== undefined) params.set("box", [box.fromMs, box.toMs, box.shortestMs, box.longestMs].join(","));
  const query = params.toString();
  return `#/${state.view}${query === "" ? "" : `?${query}`}`;
}

/** What belongs to one flame graph or trace alone is left behind with it. */
export function patched(state: PageState, patch: Partial<PageState>): PageState {
  const isElsewhere = (["view", "endpoint", "trace", "flame"] as const).some(
    (name) => patch[name] !== undefined && patch[name] !== state[name],
  );
  return { ...state, ...(isElsewhere ? { range: undefined, function: "" } : {}), ...patch };
}

function parseRange(text: string): Range | undefined {
  const numbers = text.split(",").map(Number);
  if (text === "" || numbers.length !== 2) return undefined;
  const [from, to] = numbers as [number, number];
  return from >= 0 && to <= 1 && from < to ? [from, to] : undefined;
}

function parseBox(text: string): Box | undefined {
  const numbers = text.split(",").map(Number);
  if (text === "" || numbers.length !== 4 || !numbers.every(Number.isFinite)) return undefined;
  const [fromMs, toMs, shortestMs, longestMs] = numbers as [number, number, number, number];
  return fromMs <= toMs && shortestMs <= longestMs ? { fromMs, toMs, shortestMs, longestMs } : undefined;
}
