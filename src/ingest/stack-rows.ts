import { decodeProfile } from "../formats/load-profiles.ts";
import { decodeOtlpProfilesJson } from "../formats/otlp-profiles-json.ts";
import { decodeOtlpProfiles } from "../formats/otlp-profiles.ts";
import { Intake } from "../model/intake.ts";
import { mergeStackTables } from "../model/merge-stack-tables.ts";
import type { StackTable } from "../model/stack-table.ts";
import type { BlockRows, Inserted } from "./block-rows.ts";
import type { Decoded, Reading } from "./body.ts";
import { REQUEST } from "./request-intake.ts";
import type { Sink } from "./sink.ts";

/** Profiles of an open block, each as it came. */
export class StackRows implements BlockRows<number> {
  private readonly tables: StackTable[] = [];

  get rowCount(): number {
    return this.tables.reduce((sum, { samples }) => sum + samples.rowCount, 0);
  }

  mark(): number {
    return this.tables.length;
  }

  rewind(mark: number): void {
    this.tables.length = mark;
  }

  /** A profile of which a part cannot be read is refused whole. */
  decode({ format, receivedMs, service }: Reading, bytes: Uint8Array): Decoded {
    const table = read(format, bytes);
    complete(table, receivedMs, service ?? "");
    const accepted = table.samples.rowCount;
    if (accepted > 0) this.tables.push(table);
    return { accepted, rejected: {}, example: "" };
  }

  reuse(): boolean {
    this.tables.length = 0;
    return true;
  }

  async insertInto(sink: Sink, token: string): Promise<Inserted> {
    const table = mergeStackTables(this.tables);
    await sink.insertStacks(table, token);
    return { stored: table.samples.rowCount, dropped: {} };
  }
}

function read(format: Reading["format"], bytes: Uint8Array): StackTable {
  switch (format) {
    case "profile":
      return decodeProfile(bytes, REQUEST);
    case "otlp-protobuf":
    case "otlp-json": {
      const intake = new Intake();
      const decode = format === "otlp-json" ? decodeOtlpProfilesJson : decodeOtlpProfiles;
      const table = decode(bytes, intake, REQUEST);
      if (intake.errors.length > 0) throw intake.errors[0]!;
      return table;
    }
    default:
      throw new Error(`${format} holds no profiles`);
  }
}

/** Says of processes what their profile does not: whose they are, and that they were looked at until just now. */
function complete({ processes, strings }: StackTable, receivedMs: number, service: string): void {
  const id = strings.intern(service);
  for (let row = 0; row < processes.rowCount; row++) {
    if (processes.service[row] === 0) processes.service[row] = id;
    if (processes.startUnixNs[row]! >= 0n) continue;
    const lookedAtNs = Math.max(0, processes.durationNs[row]!);
    processes.startUnixNs[row] = BigInt(Math.floor(receivedMs)) * 1_000_000n - BigInt(Math.round(lookedAtNs));
  }
}
