import { readFileSync } from "node:fs";
import { Errors } from "typebox/value";
import type { TSchema } from "typebox";
import { isMap, isPair, isScalar, LineCounter, parseDocument, type Document } from "yaml";
import { nearestWord } from "../../analysis/nearest-word.ts";
import { ConfigError } from "./config-error.ts";
import { ConfigSchema, type Config } from "./config-schema.ts";

/** Reads and checks the configuration in `file`. Throws ConfigError with file, line and column of the first fault. */
export function readConfigFile(file: string): Config {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new ConfigError(`${file}: cannot be read: ${(error as Error).message}`);
  }
  return parseConfig(text, file);
}

/** The configuration in `text`; `file` is what errors call it. An empty text is an empty configuration. */
export function parseConfig(text: string, file: string): Config {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const broken = document.errors[0];
  if (broken !== undefined) throw new ConfigError(`${place(broken.pos[0])}: ${broken.message.split("\n")[0]}`);
  const value = plainValue(document, file);
  const unknown = unknownKey(ConfigSchema as unknown as Shape, value, []);
  if (unknown !== undefined) {
    const path = [...unknown.path, unknown.key];
    const nearest = nearestWord(unknown.key, unknown.known);
    const hint = nearest === undefined ? `; known: ${unknown.known.join(", ")}` : `; did you mean "${nearest}"?`;
    throw new ConfigError(`${place(keyOffset(document, path))}: unknown key "${path.join(".")}"${hint}`);
  }
  const fault = Errors(ConfigSchema as TSchema, value)[0];
  if (fault !== undefined) throw new ConfigError(describe(fault, value, document, place));
  return value as Config;
}

function plainValue(document: Document, file: string): unknown {
  try {
    // Bounded: an alias that names an alias many times over is a bomb.
    return document.toJS({ maxAliasCount: 100 }) ?? {};
  } catch (error) {
    throw new ConfigError(`${file}: ${(error as Error).message}`);
  }
}

/** As much of a JSON schema as the walk over keys needs. */
interface Shape {
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: boolean;
  readonly items?: Shape;
  readonly description?: string;
}

interface UnknownKey {
  readonly path: readonly (string | number)[];
  readonly key: string;
  readonly known: readonly string[];
}

/** The first key that the schema does not have. Before everything else: a slip in a key is the commonest fault. */
function unknownKey(shape: Shape, value: unknown, path: readonly (string | number)[]): UnknownKey | undefined {
  if (Array.isArray(value)) {
    if (shape.items === undefined) return undefined;
    for (const [i, item] of value.entries()) {
      const found = unknownKey(shape.items, item, [...path, i]);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (typeof value !== "object" || value === null || shape.properties === undefined) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const known = shape.properties[key];
    if (known === undefined) return { path, key, known: Object.keys(shape.properties) };
    const found = unknownKey(known, inner, [...path, key]);
    if (found !== undefined) return found;
  }
  return undefined;
}

interface Fault {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: object;
}

function describe(fault: Fault, value: unknown, document: Document, place: (offset: number) => string): string {
  const path = fault.instancePath
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  if (fault.keyword === "required") {
    const missing = (fault.params as { requiredProperties?: readonly string[] }).requiredProperties ?? [];
    const of = path.length === 0 ? "" : ` in ${path.join(".")}`;
    return `${place(valueOffset(document, path))}: missing key${of}: ${missing.join(", ")}`;
  }
  let found: unknown = value;
  let shape: Shape | undefined = ConfigSchema as unknown as Shape;
  for (const part of path) {
    found = (found as Record<string, unknown> | undefined)?.[part];
    shape =
      Array.isArray(found) || /^\d+$/.test(part)
        ? (shape?.items ?? shape?.properties?.[part])
        : shape?.properties?.[part];
  }
  const expected = shape?.description ?? "another value";
  return `${place(valueOffset(document, path))}: ${path.join(".") || "the file"}: expected ${expected}, found ${told(found, path)}`;
}

const SECRET = /^(?:tokens|password)$/;

/** Secrets are not repeated, and as they may stand in the wrong place, neither are long texts. */
function told(value: unknown, path: readonly string[]): string {
  if (path.some((part) => SECRET.test(part))) return "something else, which is not repeated";
  const text = (JSON.stringify(value) ?? "nothing").replaceAll(/:\/\/[^"]*@/g, "://…@");
  return text.length <= 40 ? text : `${text.slice(0, 20)}…`;
}

function valueOffset(document: Document, path: readonly (string | number)[]): number {
  const node: unknown = path.length === 0 ? document.contents : document.getIn(path, true);
  return (node as { range?: [number, number, number] } | undefined)?.range?.[0] ?? keyOffset(document, path);
}

function keyOffset(document: Document, path: readonly (string | number)[]): number {
  const key = path.at(-1);
  const parent: unknown = path.length <= 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (!isMap(parent)) return 0;
  for (const pair of parent.items) {
    if (isPair(pair) && isScalar(pair.key) && String(pair.key.value) === String(key)) return pair.key.range?.[0] ?? 0;
  }
  return parent.range?.[0] ?? 0;
}
