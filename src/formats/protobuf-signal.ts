/** What OTLP protobuf messages carry. */
export type Signal = "traces" | "metrics" | "logs" | "profiles";

/** A field that was found; its value ends at the latest where the bytes do. */
interface Field {
  readonly number: number;
  readonly wire: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Signal of the OTLP message of which `bytes` is the beginning or all;
 * undefined where it is none. All signals have the same layers (request, resource, scope,
 * item); they differ in the fields of their items:
 *
 *   Span       trace_id = 1 (16 bytes), span_id = 2 (8 bytes), times 7 and 8 (fixed64)
 *   Metric     name = 1 (text), data = 5, 7, 9, 10 or 11 (messages)
 *   LogRecord  times 1 and 11 (fixed64)
 *   Profile    samples = 2 (messages), time = 3 (fixed64), of whatever release; a dictionary = 2 in the request
 *
 * A message without items is taken as traces: nothing speaks against it.
 */
export function protobufSignal(bytes: Uint8Array): Signal | undefined {
  const request = fields(bytes, 0, bytes.length);
  if (request === undefined || request.length === 0) return undefined;
  let undecided = false;
  for (const field of request) {
    if (field.wire !== 2 || field.number > 2) return undefined;
    if (field.number === 2) return undecided ? "profiles" : undefined;
    const signal = resourceSignal(bytes, field);
    if (signal === undefined) return undefined;
    if (signal !== "none") return signal;
    undecided = true;
  }
  return "traces";
}

/** Wire type of each field of pprof's Profile: messages, texts and packed numbers, or varints; field 13 may be either. */
const PPROF_WIRES = [-1, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 2, 0, -1, 0, 0];

/**
 * Whether `bytes` is the beginning or all of a pprof profile. Its fields come in any order: Go's runtime begins with the
 * time or the type of its period, most others with sample_type = 1, a message of two numbers. Nothing but a type of values is
 * sure to be there, so one has to be.
 */
export function isPprof(bytes: Uint8Array): boolean {
  const found = fields(bytes, 0, bytes.length);
  if (found === undefined) return false;
  const isOurs = ({ number, wire }: Field): boolean =>
    number === 13 ? wire === 0 || wire === 2 : number < PPROF_WIRES.length && PPROF_WIRES[number] === wire;
  const isType = ({ number, start, end }: Field): boolean => {
    if (number !== 1 || end - start > 6 || end === start) return false;
    const inner = fields(bytes, start, end);
    return inner !== undefined && inner.every((field) => field.wire === 0 && field.number <= 2);
  };
  return found.every(isOurs) && found.some(isType);
}

function resourceSignal(bytes: Uint8Array, resource: Field): Signal | "none" | undefined {
  const layers = fields(bytes, resource.start, resource.end);
  if (layers === undefined) return undefined;
  for (const layer of layers) {
    if (layer.wire !== 2 || (layer.number > 3 && layer.number !== 1000)) return undefined;
    if (layer.number === 1 && !isResource(bytes, layer)) return undefined;
    if (layer.number !== 2 && layer.number !== 1000) continue;
    const scope = fields(bytes, layer.start, layer.end);
    if (scope === undefined) return undefined;
    for (const item of scope) {
      if (item.wire !== 2 || item.number > 3) return undefined;
      const signal = item.number === 2 ? itemSignal(bytes, item) : undefined;
      if (signal !== undefined) return signal;
    }
  }
  return "none";
}

/** Resource messages hold attributes = 1, a count = 2 and entity references = 3. */
function isResource(bytes: Uint8Array, layer: Field): boolean {
  const inner = fields(bytes, layer.start, layer.end);
  return (
    inner !== undefined && inner.every((field) => field.number <= 3 && field.wire === (field.number === 2 ? 0 : 2))
  );
}

function itemSignal(bytes: Uint8Array, item: Field): Signal | undefined {
  const inner = fields(bytes, item.start, item.end);
  if (inner === undefined) return undefined;
  const has = (number: number, wire: number): boolean =>
    inner.some((field) => field.number === number && field.wire === wire);
  const size = (number: number): number => {
    const field = inner.find((one) => one.number === number && one.wire === 2);
    return field === undefined ? -1 : field.end - field.start;
  };
  if (has(7, 1) || has(8, 1) || (size(1) === 16 && size(2) === 8)) return "traces";
  if (has(1, 1) || has(11, 1)) return "logs";
  if (isProfile(bytes, inner)) return "profiles";
  if (has(1, 2) && [5, 7, 9, 10, 11].some((number) => has(number, 2))) return "metrics";
  return undefined;
}

/**
 * Field 3 of all other items is a text, field 4 of none a varint, and field 2 comes once. The samples of a large profile
 * fill the prefix: then its type = 1 tells it, a message of small numbers, as no name of a metric is one.
 */
function isProfile(bytes: Uint8Array, fieldsOfItem: readonly Field[]): boolean {
  const has = (number: number, wire: number): boolean =>
    fieldsOfItem.some((field) => field.number === number && field.wire === wire);
  if (has(2, 1) && has(3, 1)) return true;
  if (!has(2, 2)) return false;
  if (has(3, 1) || has(4, 0) || fieldsOfItem.filter(({ number }) => number === 2).length > 1) return true;
  const type = fieldsOfItem.find(({ number, wire }) => number === 1 && wire === 2);
  if (type === undefined || type.end === type.start || type.end - type.start > 12) return false;
  const inner = fields(bytes, type.start, type.end);
  return inner !== undefined && inner.every(({ number, wire }) => number <= 3 && wire === 0);
}

/** Fields of a message up to where `bytes` ends; undefined where it is not protobuf. */
function fields(bytes: Uint8Array, start: number, end: number): Field[] | undefined {
  const limit = Math.min(end, bytes.length);
  const found: Field[] = [];
  for (let at = start; at < limit;) {
    const tag = varint(bytes, at, limit);
    if (tag === undefined) return limit === bytes.length ? found : undefined;
    const number = Math.floor(tag.value / 8);
    const wire = tag.value % 8;
    if (number === 0 || number >= 2 ** 29) return undefined;
    let valueStart = tag.end;
    let valueEnd = valueStart;
    if (wire === 0 || wire === 2) {
      const value = varint(bytes, valueStart, limit);
      if (value === undefined) return limit === bytes.length ? found : undefined;
      valueStart = wire === 2 ? value.end : valueStart;
      valueEnd = wire === 2 ? value.end + value.value : value.end;
    } else if (wire === 1 || wire === 5) {
      valueEnd += wire === 1 ? 8 : 4;
    } else {
      return undefined;
    }
    if (valueEnd > limit && limit < bytes.length) return undefined;
    found.push({ number, wire, start: valueStart, end: Math.min(valueEnd, limit) });
    at = valueEnd;
  }
  return found;
}

function varint(bytes: Uint8Array, at: number, end: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let i = 0; i < 10 && at + i < end; i++) {
    const byte = bytes[at + i]!;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, end: at + i + 1 };
  }
  return undefined;
}
