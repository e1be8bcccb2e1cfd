/** Takes a parsed JSON value apart and gives it its type; throws a JsonMismatch where it is not of it. */
export type Check<T> = (value: unknown, path: string) => T;

export class JsonMismatch extends Error {
  constructor(path: string, expected: string, found: unknown) {
    const text = found === undefined ? "nothing" : JSON.stringify(found);
    super(
      `${path || "the document"}: expected ${expected}, found ${text.length > 60 ? `${text.slice(0, 60)}...` : text}`,
    );
    this.name = "JsonMismatch";
  }
}

export const text: Check<string> = (value, path) => {
  if (typeof value !== "string") throw new JsonMismatch(path, "a text", value);
  return value;
};

export const number: Check<number> = (value, path) => {
  if (typeof value !== "number") throw new JsonMismatch(path, "a number", value);
  return value;
};

export const truth: Check<boolean> = (value, path) => {
  if (typeof value !== "boolean") throw new JsonMismatch(path, "true or false", value);
  return value;
};

export function oneOf<const T extends string>(allowed: readonly T[]): Check<T> {
  return (value, path) => {
    const found = allowed.find((candidate) => candidate === value);
    if (found === undefined) throw new JsonMismatch(path, `one of ${allowed.join(", ")}`, value);
    return found;
  };
}

export function listOf<T>(item: Check<T>): Check<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw new JsonMismatch(path, "a list", value);
    return value.map((one, i) => item(one, `${path}[${i}]`));
  };
}

/** An object with any keys. */
export function mapOf<T>(item: Check<T>): Check<Readonly<Record<string, T>>> {
  return (value, path) => {
    const entries = Object.entries(plainObject(value, path));
    return Object.fromEntries(entries.map(([key, one]) => [key, item(one, within(path, key))]));
  };
}

/** An object with all of `required` and any of `optional`; other keys are left out. */
export function objectOf<R extends object, O extends object = object>(
  required: { readonly [K in keyof R]: Check<R[K]> },
  optional?: { readonly [K in keyof O]: Check<O[K]> },
): Check<R & { readonly [K in keyof O]?: O[K] }> {
  return (value, path) => {
    const object = plainObject(value, path);
    const taken: Record<string, unknown> = {};
    for (const [key, check] of checksOf(required)) taken[key] = check(object[key], within(path, key));
    for (const [key, check] of checksOf(optional ?? {}))
      if (object[key] !== undefined) taken[key] = check(object[key], within(path, key));
    return taken as R & { readonly [K in keyof O]?: O[K] };
  };
}

function checksOf(checks: object): [string, Check<unknown>][] {
  return Object.entries(checks) as [string, Check<unknown>][];
}

function plainObject(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new JsonMismatch(path, "an object", value);
  return value as Readonly<Record<string, unknown>>;
}

function within(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}
