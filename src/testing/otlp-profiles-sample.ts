import protobuf from "protobufjs";

/** What profiles of all releases have in common. */
const COMMON = `
syntax = "proto3";
message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; }
message InstrumentationScope { string name = 1; string version = 2; }
message KeyValue { string key = 1; AnyValue value = 2; int32 key_strindex = 3; }
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
  ArrayValue array_value = 5; bytes bytes_value = 7; int32 string_value_strindex = 8; } }
message ArrayValue { repeated AnyValue values = 1; }
message Link { bytes trace_id = 1; bytes span_id = 2; }
message Line { int32 function_index = 1; int64 line = 2; int64 column = 3; }
message Function { int32 name_strindex = 1; int32 system_name_strindex = 2; int32 filename_strindex = 3; int64 start_line = 4; }
message ResourceProfiles { Resource resource = 1; repeated ScopeProfiles scope_profiles = 2; string schema_url = 3; }
message ScopeProfiles { InstrumentationScope scope = 1; repeated Profile profiles = 2; string schema_url = 3; }
message ValueType { int32 type_strindex = 1; int32 unit_strindex = 2; }
message KeyValueAndUnit { int32 key_strindex = 1; AnyValue value = 2; int32 unit_strindex = 3; }
message AttributeUnit { int32 attribute_key_strindex = 1; int32 unit_strindex = 2; }
message Stack { repeated int32 location_indices = 1; }
message Mapping { uint64 memory_start = 1; uint64 memory_limit = 2; uint64 file_offset = 3; int32 filename_strindex = 4;
  repeated int32 attribute_indices = 5; }
`;

const REQUEST = `
message Request { repeated ResourceProfiles resource_profiles = 1; ProfilesDictionary dictionary = 2; }
`;

const DICTIONARY_SINCE_18 = `${REQUEST}
message ProfilesDictionary { repeated Mapping mapping_table = 1; repeated Location location_table = 2;
  repeated Function function_table = 3; repeated Link link_table = 4; repeated string string_table = 5;
  repeated KeyValueAndUnit attribute_table = 6; repeated Stack stack_table = 7; }
message Location { int32 mapping_index = 1; uint64 address = 2; repeated Line lines = 3; repeated int32 attribute_indices = 4; }
`;

/** The messages that differ between releases of opentelemetry-proto, by the first release that has them. */
const RELEASES = {
  "1.10": `${DICTIONARY_SINCE_18}
message Profile { ValueType sample_type = 1; repeated Sample samples = 2; fixed64 time_unix_nano = 3; uint64 duration_nano = 4;
  ValueType period_type = 5; int64 period = 6; bytes profile_id = 7; uint32 dropped_attributes_count = 8;
  string original_payload_format = 9; bytes original_payload = 10; repeated int32 attribute_indices = 11; }
message Sample { int32 stack_index = 1; repeated int32 attribute_indices = 2; int32 link_index = 3; repeated int64 values = 4;
  repeated fixed64 timestamps_unix_nano = 5; }`,
  "1.8": `${DICTIONARY_SINCE_18}
message Profile { ValueType sample_type = 1; repeated Sample samples = 2; fixed64 time_unix_nano = 3; uint64 duration_nano = 4;
  ValueType period_type = 5; int64 period = 6; repeated int32 comment_strindices = 7; bytes profile_id = 8; }
message Sample { int32 stack_index = 1; repeated int64 values = 2; repeated int32 attribute_indices = 3; int32 link_index = 4;
  repeated fixed64 timestamps_unix_nano = 5; }`,
  "1.7": `${REQUEST}
message ProfilesDictionary { repeated Mapping mapping_table = 1; repeated Location location_table = 2;
  repeated Function function_table = 3; repeated Link link_table = 4; repeated string string_table = 5;
  repeated KeyValue attribute_table = 6; repeated AttributeUnit attribute_units = 7; }
message Location { int32 mapping_index = 1; uint64 address = 2; repeated Line lines = 3; bool is_folded = 4; }
message Profile { repeated ValueType sample_type = 1; repeated Sample samples = 2; repeated int32 location_indices = 3;
  int64 time_nanos = 4; int64 duration_nanos = 5; ValueType period_type = 6; int64 period = 7; }
message Sample { int32 locations_start_index = 1; int32 locations_length = 2; repeated int64 values = 3;
  repeated int32 attribute_indices = 4; int32 link_index = 5; repeated uint64 timestamps_unix_nano = 6; }`,
  "1.6": `
message Request { repeated ResourceProfiles resource_profiles = 1; repeated Mapping mapping_table = 2;
  repeated Location location_table = 3; repeated Function function_table = 4; repeated Link link_table = 5;
  repeated string string_table = 6; repeated KeyValue attribute_table = 7; }
message Location { int32 mapping_index = 1; uint64 address = 2; repeated Line lines = 3; bool is_folded = 4; }
message Profile { repeated ValueType sample_type = 1; repeated Sample samples = 2; repeated int32 location_indices = 3;
  int64 time_nanos = 4; int64 duration_nanos = 5; }
message Sample { int32 locations_start_index = 1; int32 locations_length = 2; repeated int64 values = 3; }`,
  "1.4": `
message Request { repeated ResourceProfiles resource_profiles = 1; }
message Location { int32 mapping_index = 1; uint64 address = 2; repeated Line lines = 3; bool is_folded = 4; }
message Profile { repeated ValueType sample_type = 1; repeated Sample samples = 2; repeated Mapping mapping_table = 3;
  repeated Location location_table = 4; repeated int32 location_indices = 5; repeated Function function_table = 6;
  repeated string string_table = 10; int64 time_nanos = 11; int64 duration_nanos = 12; }
message Sample { int32 locations_start_index = 1; int32 locations_length = 2; repeated int64 values = 3; }`,
  "1.3": `
message Request { repeated ResourceProfiles resource_profiles = 1; }
message Profile { bytes profile_id = 1; fixed64 start_time_unix_nano = 2; fixed64 end_time_unix_nano = 3; Old profile = 7; }
message Old { repeated ValueType sample_type = 1; repeated string string_table = 6; }`,
};

export type ProfilesRelease = keyof typeof RELEASES;

/** protobufjs' type of a request as a release of opentelemetry-proto describes it. */
export function profilesRequestType(release: ProfilesRelease): protobuf.Type {
  return protobuf.parse(COMMON + RELEASES[release]).root.lookupType("Request");
}

/** A request of plain objects, encoded by protobufjs; names in camel case. */
export function encodeProfiles(release: ProfilesRelease, request: object): Uint8Array {
  const type = profilesRequestType(release);
  return type.encode(type.fromObject(request)).finish();
}
