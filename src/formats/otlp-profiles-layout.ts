import { type ProtobufReader, Wire } from "./protobuf-reader.ts";

/**
 * Profiles in OTLP are in development: field numbers moved with nearly every release, and bytes of one layout are
 * valid bytes of another. Read is that of opentelemetry-proto 1.10.0 and 1.11.0; what the others look like:
 *
 *   1.3        ScopeProfiles.profiles are containers with a fixed64 start = 2
 *   1.4, 1.5   no dictionary; Profile holds its tables: mapping_table = 3, string_table = 10
 *   1.6        tables stand in the request: mapping_table = 2 .. attribute_units = 8
 *   1.7        dictionary = 2; Profile: location_indices = 3, time_nanos = 4; Sample: start = 1, length = 2, value = 3
 *   1.8, 1.9   Profile: time_unix_nano = 3 (fixed64);  Sample: stack = 1, values = 2, attributes = 3, link = 4, times = 5
 *   1.10 on                                            Sample: stack = 1, attributes = 2, link = 3, values = 4, times = 5
 */
export class LayoutEvidence {
  /** the layout that something in the request is of; "" as long as nothing speaks against the one that is read */
  other = "";
  private hasNewSample = false;
  private hasDoubtful = false;
  private isUnlike19 = false;
  private mostReferred = 0;

  request(field: number): void {
    if (field > 2 && field <= 8) this.say("1.6.0");
  }

  /** An entry of the dictionary's table of attributes: KeyValue with its key as text until 1.7. */
  attributeField(field: number, wire: number): void {
    if (field === 1 && wire === Wire.bytes) this.say("1.7.0");
  }

  profileField(field: number, wire: number, hasDictionary: boolean): void {
    if (field === 2 && wire === Wire.fixed64) this.say("1.3.0");
    if (field === 3 && wire === Wire.bytes) this.say(hasDictionary ? "1.7.0" : "1.4.0 or 1.5.0");
    if ((field === 10 || field === 6) && wire === Wire.bytes && !hasDictionary) this.say("1.4.0 or 1.5.0");
  }

  /** A sample in `[start, end)`; `isTimed`: its profile has the time of the layout that is read. */
  sample(reader: ProtobufReader, start: number, end: number, isTimed: boolean): void {
    const packed: number[] = [];
    const single: number[] = [];
    let second: readonly number[] = [];
    let times = 0;
    for (let at = start; at < end;) {
      const tag = reader.tag(at, end);
      const behind = reader.at;
      const [field, wire] = [tag >>> 3, tag & 7];
      at = reader.skip(tag, behind, end);
      if (wire === Wire.bytes) {
        packed.push(field);
        const stop = reader.valueEnd(behind, end);
        if (field === 2) second = varints(reader, reader.at, stop);
        else if (field === 5) times += (stop - reader.at) / 8;
      } else {
        single.push(field);
        if (field === 5 && wire === Wire.fixed64) times++;
      }
    }
    if (packed.includes(6) || (single.includes(2) && !isTimed)) return this.say("1.7.0");
    if (packed.includes(3) || single.includes(4)) return this.say("1.8.0 or 1.9.0");
    if (packed.includes(4) || single.includes(3)) {
      this.hasNewSample = true;
      return;
    }
    if (!packed.includes(2)) return;
    // Attributes and times, or values and maybe times: 1.10 wants values or times, and 1.9 as many of both.
    if (times === 0) return this.say("1.8.0 or 1.9.0");
    this.hasDoubtful = true;
    if (second.length !== times) this.isUnlike19 = true;
    for (const one of second) this.mostReferred = Math.max(this.mostReferred, one);
  }

  /** After all samples. attributes: entries of the dictionary's table. */
  decide(attributes: number): string {
    if (this.other !== "" || this.hasNewSample || !this.hasDoubtful) return this.other;
    if (this.mostReferred >= attributes) return "1.8.0 or 1.9.0";
    return this.isUnlike19 ? "" : "1.9.0 or 1.10.0, which this request does not tell apart";
  }

  private say(layout: string): void {
    if (this.other === "") this.other = layout;
  }
}

function varints(reader: ProtobufReader, start: number, end: number): number[] {
  const values: number[] = [];
  for (let at = start; at < end; at = reader.at) values.push(reader.varint(at, end));
  return values;
}
