/** What a person fills in to search as in Jaeger; all are texts, "" for any. */
export interface SearchForm {
  readonly service: string;
  readonly operation: string;
  /** `key=value key2="a b"`; `error=true` means the status */
  readonly tags: string;
  readonly shortest: string;
  readonly longest: string;
}

export type FormQuery =
  | { readonly kind: "query"; readonly text: string }
  /** which field is wrong, and how */
  | { readonly kind: "invalid"; readonly field: "tags" | "shortest" | "longest"; readonly why: string };

const DURATION = /^\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h)$/;
const TAG = /^([^\s=]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))(?:\s+|$)/;

/** The fields as a query that src/analysis/parse-trace-query.ts reads: all of it of one span. */
export function formQuery(form: SearchForm): FormQuery {
  const parts: string[] = [];
  if (form.service !== "") parts.push(`resource.service.name = ${quoted(form.service)}`);
  if (form.operation !== "") parts.push(`name = ${quoted(form.operation)}`);
  for (const [field, op] of [
    ["shortest", ">="],
    ["longest", "<="],
  ] as const) {
    const text = form[field].trim();
    if (text === "") continue;
    if (!DURATION.test(text)) return { kind: "invalid", field, why: `"${text}" is no duration: 100ms, 1.5s, 20us, 2m` };
    parts.push(`duration ${op} ${text}`);
  }
  for (let rest = form.tags.trim(); rest !== "";) {
    const tag = TAG.exec(rest);
    if (tag === null) {
      return { kind: "invalid", field: "tags", why: `"${rest}" is no tag: key=value, or key="a value with spaces"` };
    }
    rest = rest.slice(tag[0].length);
    const value = tag[2] === undefined ? tag[3]! : tag[2].replaceAll(/\\(["\\])/g, "$1");
    parts.push(tagCondition(tag[1]!, value));
  }
  return { kind: "query", text: parts.length === 0 ? "{}" : `{ ${parts.join(" && ")} }` };
}

function tagCondition(key: string, value: string): string {
  if (key === "error" && (value === "true" || value === "false"))
    return `status ${value === "true" ? "=" : "!="} error`;
  const plain = /^[^\s{}()=!<>&|"`]+$/.test(key);
  return `.${plain ? key : quoted(key)} = ${quoted(value)}`;
}

const quoted = (text: string): string =>
  `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n").replaceAll("\t", "\\t")}"`;
