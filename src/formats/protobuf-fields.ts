import { type ProtobufReader, Wire } from "./protobuf-reader.ts";

type OnField = (field: number, wire: number, start: number, end: number) => void;

/** Calls `each` with the value of each field; of bytes without their length. */
export function fields(reader: ProtobufReader, start: number, end: number, each: OnField): void {
  for (let at = start; at < end;) {
    const tag = reader.tag(at, end);
    const behind = reader.at;
    const wire = tag & 7;
    at = reader.skip(tag, behind, end);
    if (wire === Wire.bytes) {
      reader.valueEnd(behind, end);
      each(tag >>> 3, wire, reader.at, at);
    } else each(tag >>> 3, wire, behind, at);
  }
}

/** Values of the varint fields 1 .. `last` of a message, 0 where absent. */
export function numbers(reader: ProtobufReader, start: number, end: number, last: number): number[] {
  const values = Array.from({ length: last + 1 }, () => 0);
  fields(reader, start, end, (field, wire, from, to) => {
    if (wire === Wire.varint && field <= last) values[field] = signedVarint(reader, from, to);
  });
  return values;
}

/** A varint of two's complement, rounded above 2^53. */
export function signedVarint(reader: ProtobufReader, start: number, end: number): number {
  const value = reader.varint(start, end);
  return reader.high >= 0x8000_0000 ? (reader.high - 2 ** 32) * 2 ** 32 + reader.low : value;
}

/** Varints, packed or single. */
export function addNumbers(reader: ProtobufReader, wire: number, start: number, end: number, into: number[]): void {
  if (wire !== Wire.bytes && wire !== Wire.varint) reader.fail("malformed", start, "varints", `wire type ${wire}`);
  for (let at = start; at < end; at = reader.at) into.push(signedVarint(reader, at, end));
}
