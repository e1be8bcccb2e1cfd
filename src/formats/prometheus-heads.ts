import { MetricKind } from "../model/metric-table.ts";

/** What `# TYPE` and `# UNIT` said of a family of samples. */
export type Families = Map<string, { readonly type: string; readonly unit: string }>;

/** What one sample line is about, but for its numbers. */
export interface Head {
  /** the name that its series gets: of the sample, or of its family for parts of a distribution */
  readonly name: string;
  readonly unit: string;
  readonly kind: MetricKind;
  readonly role: "value" | "bucket" | "quantile" | "sum" | "count" | "created" | "skip";
  /** without the `le` or `quantile` of a distribution */
  readonly labels: readonly (readonly [key: string, value: string])[];
  /** the `le` or `quantile` */
  readonly bound: number;
}

/** Reads `name{label="value",...}`, also with the name in quotes inside the braces; undefined where it is not that. */
export function parseHead(text: string, families: Families): Head | undefined {
  const brace = text.indexOf("{");
  let name = (brace < 0 ? text : text.slice(0, brace)).trim();
  let labels = brace < 0 ? [] : parseLabels(text.slice(brace + 1, -1));
  if (labels === undefined) return undefined;
  if (name === "") {
    // OpenMetrics' UTF-8 names: {"my.metric",label="x"}.
    const quoted = labels.find(([key]) => key === "");
    if (quoted === undefined) return undefined;
    name = quoted[1];
  } else if (!/^[a-zA-Z_:][a-zA-Z0-9_:.]*$/.test(name)) return undefined;
  labels = labels.filter(([key]) => key !== "");
  return headOf(name, labels, families);
}

type Labels = (readonly [key: string, value: string])[];

/** `a="b",c="d"`; a quoted text without a key has the key "". Undefined where it is not that. */
export function parseLabels(text: string): Labels | undefined {
  const labels: Labels = [];
  const next = /\s*(?:([a-zA-Z_][\w.:/-]*|"(?:[^"\\]|\\.)*")\s*=\s*)?"((?:[^"\\]|\\.)*)"\s*(?:,|$)/y;
  while (next.lastIndex < text.length && text.slice(next.lastIndex).trim() !== "") {
    const found = next.exec(text);
    if (found === null) return undefined;
    const [, key = "", value = ""] = found;
    labels.push([key.startsWith('"') ? unescape(key.slice(1, -1)) : key, unescape(value)]);
  }
  return labels;
}

function unescape(text: string): string {
  return text.replaceAll(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char));
}

function headOf(name: string, labels: Labels, families: Families): Head {
  const own = families.get(name);
  const family = own === undefined ? familyOf(name, families) : undefined;
  const type = own?.type ?? family?.type ?? "";
  const unit = own?.unit ?? family?.unit ?? "";
  const le = labels.find(([key]) => key === "le");
  const base = { name, unit, labels, bound: Number.NaN };
  const plain = (kind: MetricKind): Head => ({ ...base, kind, role: "value" });
  const part = (kind: MetricKind, role: Head["role"], of: string): Head => ({ ...base, name: of, kind, role });

  if (
    type === "histogram" ||
    type === "gaugehistogram" ||
    (type === "" && le !== undefined && name.endsWith("_bucket"))
  ) {
    const of = family?.name ?? name.replace(/_bucket$/, "");
    // Untyped: from now on the sum and count of that name belong to it.
    if (type === "") families.set(of, { type: "histogram", unit });
    if (le !== undefined) {
      const bare = labels.filter((label) => label !== le);
      return { ...base, name: of, kind: MetricKind.histogram, role: "bucket", labels: bare, bound: bound(le[1]) };
    }
    if (/_g?sum$/.test(name)) return part(MetricKind.histogram, "sum", of);
    if (/_g?count$/.test(name)) return part(MetricKind.histogram, "count", of);
    return part(MetricKind.histogram, name.endsWith("_created") ? "created" : "skip", of);
  }
  if (type === "summary") {
    const of = family?.name ?? name;
    const quantile = labels.find(([key]) => key === "quantile");
    if (quantile !== undefined) {
      const bare = labels.filter((label) => label !== quantile);
      return { ...base, kind: MetricKind.summary, role: "quantile", labels: bare, bound: bound(quantile[1]) };
    }
    if (name.endsWith("_sum")) return part(MetricKind.summary, "sum", of);
    if (name.endsWith("_count")) return part(MetricKind.summary, "count", of);
    return part(MetricKind.summary, name.endsWith("_created") ? "created" : "skip", of);
  }
  if (type === "counter")
    return name.endsWith("_created") ? { ...base, kind: MetricKind.sum, role: "skip" } : plain(MetricKind.sum);
  if ((type === "" || type === "unknown" || type === "untyped") && name.endsWith("_total"))
    return plain(MetricKind.sum);
  return plain(MetricKind.gauge);
}

/** The family of which a sample with a suffix is a part. */
function familyOf(name: string, families: Families): { name: string; type: string; unit: string } | undefined {
  for (const suffix of ["_total", "_bucket", "_sum", "_count", "_created", "_gsum", "_gcount", "_info"]) {
    if (!name.endsWith(suffix)) continue;
    const base = name.slice(0, -suffix.length);
    const family = families.get(base);
    if (family === undefined) continue;
    const isPart = /^(counter|histogram|gaugehistogram|summary|info)$/.test(family.type);
    if (isPart) return { name: base, ...family };
  }
  return undefined;
}

const bound = (text: string): number => (/^\+?inf/i.test(text) ? Number.POSITIVE_INFINITY : Number(text));
