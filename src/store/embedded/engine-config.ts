import { createHash } from "node:crypto";

/** The user that the engine runs its own endless query as. It cannot be renamed and has no password. */
const INNER_USER = "default";
export const WRITER = "longpole";
export const READER = "longpole_reader";

export interface RemoteShard {
  readonly host: string;
  readonly tcpPort: number;
  readonly password: string;
}

export interface EngineSettings {
  readonly dataDir: string;
  readonly httpPort: number;
  readonly tcpPort: number;
  readonly writerPassword: string;
  readonly readerPassword: string;
  readonly memoryLimitBytes: number;
  readonly usersFile: string;
  readonly logFile: string;
  /** of a cluster named "longpole" */
  readonly shards?: readonly RemoteShard[];
}

/** What the inner user runs: its listeners, then nothing, for ever. */
export const ENDLESS_QUERY: string =
  "SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP; " +
  "SELECT sleepEachRow(0.5) FROM system.numbers SETTINGS max_block_size=1 FORMAT Null";

/**
 * config.xml. No logs in tables: there are none of query_log and its kind unless configured, so they cannot fill a disk.
 * Caches and pools are those of a small machine; ClickHouse's defaults are for a server of its own.
 */
export function configXml(settings: EngineSettings): string {
  const { dataDir, memoryLimitBytes } = settings;
  const caches = Math.min(256 * 2 ** 20, Math.floor(memoryLimitBytes / 8));
  return `<clickhouse>
  <path>${xml(dataDir)}/</path>
  <tmp_path>${xml(dataDir)}/tmp/</tmp_path>
  <user_files_path>${xml(dataDir)}/user_files/</user_files_path>
  <format_schema_path>${xml(dataDir)}/format_schemas/</format_schema_path>
  <listen_host>127.0.0.1</listen_host>
  <http_port>${settings.httpPort}</http_port>
  <tcp_port>${settings.tcpPort}</tcp_port>
  <user_directories><users_xml><path>${xml(settings.usersFile)}</path></users_xml></user_directories>
  <logger><level>warning</level><log>${xml(settings.logFile)}</log><size>10M</size><count>2</count></logger>
  <max_server_memory_usage>${memoryLimitBytes}</max_server_memory_usage>
  <mark_cache_size>${caches}</mark_cache_size>
  <index_mark_cache_size>${Math.floor(caches / 4)}</index_mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <background_pool_size>2</background_pool_size>
  <background_move_pool_size>1</background_move_pool_size>
  <background_fetches_pool_size>1</background_fetches_pool_size>
  <background_common_pool_size>2</background_common_pool_size>
  <background_schedule_pool_size>4</background_schedule_pool_size>
  <background_message_broker_schedule_pool_size>1</background_message_broker_schedule_pool_size>
  <max_thread_pool_size>256</max_thread_pool_size>
  <max_concurrent_queries>64</max_concurrent_queries>
  <max_connections>256</max_connections>
  <merge_tree>
    <number_of_free_entries_in_pool_to_lower_max_size_of_merge>1</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
    <number_of_free_entries_in_pool_to_execute_mutation>1</number_of_free_entries_in_pool_to_execute_mutation>
    <number_of_free_entries_in_pool_to_execute_optimize_entire_partition>1</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>
  </merge_tree>
${remoteServers(settings.shards)}</clickhouse>
`;
}

function remoteServers(shards: readonly RemoteShard[] | undefined): string {
  if (shards === undefined) return "";
  const shard = ({ host, tcpPort, password }: RemoteShard): string =>
    `    <shard><internal_replication>true</internal_replication><replica><host>${xml(host)}</host><port>${tcpPort}</port>` +
    `<user>${WRITER}</user><password>${xml(password)}</password></replica></shard>\n`;
  return `  <remote_servers><longpole>\n${shards.map(shard).join("")}  </longpole></remote_servers>\n`;
}

/**
 * users.xml. The inner user may start listeners and read numbers, and its one session is taken by the endless query,
 * so that nobody else gets in as it. The reader may select from the tables of Longpole and nothing else: no files, no
 * addresses, no other servers, no programs; and no more time and memory than this.
 */
export function usersXml({ writerPassword, readerPassword, memoryLimitBytes }: EngineSettings): string {
  const memory = Math.floor(memoryLimitBytes * 0.6);
  const spill = Math.floor(memoryLimitBytes * 0.25);
  const user = (name: string, password: string, profile: string, grants: readonly string[]): string =>
    `    <${name}>${password}<networks><ip>127.0.0.1</ip></networks><profile>${profile}</profile><quota>default</quota>` +
    (grants.length === 0 ? "" : `<grants>${grants.map((grant) => `<query>${grant}</query>`).join("")}</grants>`) +
    `</${name}>\n`;
  const hashed = (password: string): string =>
    `<password_sha256_hex>${createHash("sha256").update(password).digest("hex")}</password_sha256_hex>`;
  const limits =
    `<max_memory_usage>${memory}</max_memory_usage><max_bytes_before_external_sort>${spill}</max_bytes_before_external_sort>` +
    `<max_bytes_before_external_group_by>${spill}</max_bytes_before_external_group_by>`;
  return `<clickhouse>
  <users>
${user(INNER_USER, "<no_password/>", "inner", ["GRANT SYSTEM LISTEN ON *.*", "GRANT SELECT ON system.numbers"])}${user(WRITER, hashed(writerPassword), "writer", [])}${user(READER, hashed(readerPassword), "reader", ["GRANT SELECT ON longpole.*", "GRANT SELECT ON longpole_local.*"])}  </users>
  <profiles>
    <default/>
    <inner><max_sessions_for_user>1</max_sessions_for_user><max_concurrent_queries_for_user>1</max_concurrent_queries_for_user></inner>
    <writer>${limits}</writer>
    <reader>${limits}<readonly>2</readonly><max_execution_time>120</max_execution_time>
      <constraints><max_memory_usage><min>1</min><max>${memory}</max></max_memory_usage><max_execution_time><min>1</min><max>600</max></max_execution_time><readonly><const/></readonly></constraints>
    </reader>
  </profiles>
  <quotas><default/></quotas>
</clickhouse>
`;
}

function xml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
