import protobuf from "protobufjs";

/** Answers of OTLP for protobufjs: the reference for what a server encodes by hand. */
const PROTO = `
syntax = "proto3";
message ExportResponse { PartialSuccess partial_success = 1; }
message PartialSuccess { int64 rejected = 1; string error_message = 2; }
message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
message Any { string type_url = 1; bytes value = 2; }
message RetryInfo { Duration retry_delay = 1; }
message Duration { int64 seconds = 1; int32 nanos = 2; }
message BadRequest { repeated FieldViolation field_violations = 1; }
message FieldViolation { string field = 1; string description = 2; }
`;
const { root } = protobuf.parse(PROTO);

/** Fields of a message that were set, 64-bit numbers as numbers. Throws where the bytes are none. */
export function decodeAnswer(type: string, bytes: Uint8Array): Record<string, unknown> {
  const message = root.lookupType(type);
  return message.toObject(message.decode(bytes), { longs: Number });
}
