import protobuf from "protobufjs";
import { compress } from "snappyjs";

/** Prometheus remote-write for protobufjs: the reference in tests and what benchmarks send. */
const PARTS = `
message Sample { double value = 1; int64 timestamp = 2; }
message BucketSpan { sint32 offset = 1; uint32 length = 2; }
message Histogram {
  oneof count { uint64 count_int = 1; double count_float = 2; } double sum = 3; sint32 schema = 4; double zero_threshold = 5;
  oneof zero_count { uint64 zero_count_int = 6; double zero_count_float = 7; }
  repeated BucketSpan negative_spans = 8; repeated sint64 negative_deltas = 9; repeated double negative_counts = 10;
  repeated BucketSpan positive_spans = 11; repeated sint64 positive_deltas = 12; repeated double positive_counts = 13;
  int32 reset_hint = 14; int64 timestamp = 15; repeated double custom_values = 16;
}`;
const V1 = `syntax = "proto3"; package prometheus;
message WriteRequest { repeated TimeSeries timeseries = 1; repeated MetricMetadata metadata = 3; }
message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; repeated Exemplar exemplars = 3; repeated Histogram histograms = 4; }
message Label { string name = 1; string value = 2; }
message Exemplar { repeated Label labels = 1; double value = 2; int64 timestamp = 3; }
message MetricMetadata { int32 type = 1; string metric_family_name = 2; string help = 4; string unit = 5; }
${PARTS}`;
const V2 = `syntax = "proto3"; package io.prometheus.write.v2;
message Request { repeated string symbols = 4; repeated TimeSeries timeseries = 5; }
message TimeSeries { repeated uint32 labels_refs = 1; repeated Sample samples = 2; repeated Histogram histograms = 3; repeated Exemplar exemplars = 4; Metadata metadata = 5; }
message Exemplar { repeated uint32 labels_refs = 1; double value = 2; int64 timestamp = 3; }
message Metadata { int32 type = 1; uint32 help_ref = 3; uint32 unit_ref = 4; }
${PARTS}`;

const encoder =
  (proto: string, name: string) =>
  (request: object): Uint8Array => {
    const type = protobuf.parse(proto).root.lookupType(name);
    return type.encode(type.fromObject(request)).finish();
  };

export const encodeWriteV1: (request: object) => Uint8Array = encoder(V1, "prometheus.WriteRequest");
export const encodeWriteV2: (request: object) => Uint8Array = encoder(V2, "io.prometheus.write.v2.Request");

/** Labels of 1.0 from `name{a="b"}`'s parts. */
export function labelsOf(name: string, labels: Record<string, string> = {}): { name: string; value: string }[] {
  return [["__name__", name], ...Object.entries(labels)].map(([key, value]) => ({ name: key!, value: value! }));
}

/** Content in Snappy's block format, by the published package. */
export const snappied = (content: Uint8Array): Uint8Array => compress(content);
