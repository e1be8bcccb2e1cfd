import { ProtobufReader } from "../formats/protobuf-reader.ts";
import { InputError } from "../model/intake.ts";

/*
 *   message ExportLogsServiceRequest { repeated ResourceLogs resource_logs = 1; }
 *   message ResourceLogs             { repeated ScopeLogs scope_logs = 2; }
 *   message ScopeLogs                { repeated LogRecord log_records = 2; }
 */
const LOG_RECORDS_PATH = [0x0a, 0x12, 0x12];

/** Number of log records in an ExportLogsServiceRequest. Throws InputError where the bytes are not protobuf. */
export function countLogRecords(bytes: Uint8Array): number {
  const reader = new ProtobufReader("request");
  reader.over(bytes, 0);
  return countAt(reader, LOG_RECORDS_PATH, 0, bytes.length);
}

/** Fields of the tags in `path`, each inside the one before. Three deep, so it may call itself. */
function countAt(reader: ProtobufReader, path: readonly number[], start: number, end: number): number {
  if (path.length === 0) return 1;
  let count = 0;
  for (let at = start; at < end;) {
    const tag = reader.tag(at, end);
    if (tag !== path[0]) {
      at = reader.skip(tag, reader.at, end);
      continue;
    }
    at = reader.valueEnd(reader.at, end);
    count += countAt(reader, path.slice(1), reader.at, at);
  }
  return count;
}

/** The same of a JSON document. */
export function countLogRecordsJson(bytes: Uint8Array): number {
  let document: unknown;
  try {
    document = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw new InputError("malformed", { file: "request", byteOffset: 0, expected: "a JSON document", found });
  }
  let level = [document];
  for (const key of ["resourceLogs", "scopeLogs", "logRecords"]) level = level.flatMap((item) => listIn(item, key));
  return level.length;
}

function listIn(item: unknown, key: string): unknown[] {
  if (typeof item !== "object" || item === null) return [];
  const list = (item as Record<string, unknown>)[key];
  return Array.isArray(list) ? list : [];
}
