import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { decodeOtlpJson } from "../formats/otlp-json.ts";
import { decodeOtlpTraces } from "../formats/otlp-protobuf.ts";
import { InputError, Intake } from "../model/intake.ts";
import { SpanTableBuilder } from "../model/span-table-builder.ts";
import type { SpanTable } from "../model/span-table.ts";

/** Spans of all `paths` in one table. What cannot be read stands in `intake.errors`; the rest is still read. */
export async function readSpans(
  paths: readonly string[],
  progress: (text: string) => void,
  signal: AbortSignal,
): Promise<{ spans: SpanTable; intake: Intake }> {
  const builder = new SpanTableBuilder();
  const intake = new Intake();
  for (const path of paths) {
    if (signal.aborted) break;
    progress(`reading ${path}`);
    try {
      const bytes = readFileSync(path);
      const plain = bytes[0] === 0x1f ? gunzipSync(bytes) : bytes;
      if (plain[0] === 0x7b) {
        for (let at = 0; at < plain.length;) {
          const end = plain.indexOf(10, at) < 0 ? plain.length : plain.indexOf(10, at);
          decodeOtlpJson(plain.subarray(at, end), builder, intake, path, at);
          at = end + 1;
        }
      } else decodeOtlpTraces(plain, builder, intake, path);
    } catch (error) {
      if (!(error instanceof InputError)) {
        const found = error instanceof Error ? error.message : String(error);
        intake.errors.push(
          new InputError("unreadable", { file: path, byteOffset: -1, expected: "a readable file", found }),
        );
      } else intake.errors.push(error);
    }
  }
  return { spans: builder.finish().table, intake };
}
