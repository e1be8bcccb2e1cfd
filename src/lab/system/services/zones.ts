/** The service that owns zones and their records. It keeps them in PostgreSQL. */
import { pbkdf2 } from "node:crypto";
import { Agent, createServer } from "node:http";
import { promisify } from "node:util";
import express, { type NextFunction, type Request, type Response } from "express";
import { callService } from "./call-service.ts";
import { conflictsOf, type NamedRecord } from "./conflicts.ts";
import { DebugLog } from "./debug-log.ts";
import { grouped } from "./grouped.ts";
import { readConfig, serve, urlOf } from "./serve.ts";
import { JoinedWrites } from "./joined-writes.ts";
import { Connections, type Session } from "./zones-database.ts";

const { settings, database, folder } = readConfig<"zones">();
const debug = new DebugLog(settings.debugLog, folder);
const connections = new Connections(settings, database, debug);
const writes = new JoinedWrites(settings.writeDelayMs);
const agent = new Agent({ keepAlive: true });
const derive = promisify(pbkdf2);
const app = express();

const PAGE = 20;
const UPSTREAM_TIMEOUT_MS = 10_000;

app.get("/health", (_request, response) => void response.json({ ok: true }));

app.use(async (request, _response, next) => {
  debug.line(`begin ${request.method} ${request.url}`);
  if (settings.tokenRounds > 0) {
    await derive(request.get("authorization") ?? "anonymous", "zones", settings.tokenRounds, 32, "sha256");
  }
  next();
});

app.get("/records/:name", async (request, response) => {
  const rows = await connections.during((session) =>
    session.query("SELECT id, zone_id, name, type, content, ttl, updated_at FROM records WHERE name = $1", [
      request.params.name,
    ]),
  );
  if (rows.length === 0) return void response.status(404).json({ error: "no such record" });
  response.json(rows);
});

app.get("/zones/:zone", async (request, response) => {
  const zone = await connections.during((session) => zoneOf(session, request.params.zone));
  if (zone === undefined) return void response.status(404).json({ error: "no such zone" });
  response.json(zone);
});

app.get("/zones/:zone/records", async (request, response) => {
  const listing = await connections.during(async (session) => {
    const zone = await zoneOf(session, request.params.zone);
    if (zone === undefined) return undefined;
    const delegation = await delegationOf(zone.account_id);
    const records = await recordsOf(session, zone.id);
    return { zone: { ...zone, delegation }, records, conflicts: conflictsOf(records, settings.conflicts) };
  });
  if (listing === undefined) return void response.status(404).json({ error: "no such zone" });
  response.json(listing);
});

app.post("/zones/:zone/records", express.json(), async (request, response) => {
  const record = request.body as NewRecord;
  const created = await connections.during(async (session) => {
    const zone = await zoneOf(session, request.params.zone);
    if (zone === undefined) return undefined;
    if (settings.holdConnection === "statement") await delegationOf(zone.account_id);
    await writes.turn();
    return session.transaction((transaction) => create(transaction, zone, record));
  });
  if (created === undefined) return void response.status(404).json({ error: "no such zone" });
  response.status(201).json(created);
});

app.get("/accounts/:account/zones", async (request, response) => {
  response.json(await connections.during((session) => summaryOf(session, Number(request.params.account))));
});

app.use((error: Error, request: Request, response: Response, next: NextFunction) => {
  console.error(`${request.method} ${request.url}: ${error.message}`);
  if (response.headersSent) return next(error);
  response.status(500).json({ error: error.message });
});

interface Zone {
  readonly id: number;
  readonly name: string;
  readonly account_id: number;
}

interface NewRecord {
  readonly name: string;
  readonly type: string;
  readonly content: string;
  readonly ttl?: number;
}

type ListedRecord = NamedRecord & Record<string, unknown>;

async function zoneOf(session: Session, id: string): Promise<Zone | undefined> {
  const rows = await session.query("SELECT id, name, account_id, serial FROM zones WHERE id = $1", [Number(id)]);
  return rows[0] as Zone | undefined;
}

/** Whether the registrar has the zones of this account point here; `accounts` is who talks to the registrar. */
async function delegationOf(account: number): Promise<unknown> {
  const url = `${urlOf("accounts")}/accounts/${account}/delegation`;
  const answer = await callService({ agent, method: "GET", url, timeoutMs: UPSTREAM_TIMEOUT_MS });
  if (answer.status !== 200) throw new Error(`the delegation is not known: status ${answer.status}`);
  return answer.body;
}

async function recordsOf(session: Session, zone: number): Promise<ListedRecord[]> {
  const records = await pageOf(session, zone);
  if (settings.payload === "page") return records;
  const versions = await session.query(
    `SELECT record_id, version, type, content, changed_at, zone_file FROM record_versions
     WHERE record_id = ANY($1) ORDER BY record_id, version`,
    [records.map((record) => record["id"])],
  );
  const byRecord = grouped(versions, (version) => version["record_id"]);
  return records.map((record) => ({ ...record, history: byRecord.get(record["id"]) ?? [] }));
}

async function pageOf(session: Session, zone: number): Promise<ListedRecord[]> {
  if (settings.editors === "joined") {
    const rows = await session.query(
      `SELECT r.id, r.name, r.type, r.content, r.ttl, r.updated_at, e.name AS editor
       FROM records r JOIN editors e ON e.id = r.editor_id WHERE r.zone_id = $1 ORDER BY r.id LIMIT $2`,
      [zone, PAGE],
    );
    return rows as ListedRecord[];
  }
  const rows = await session.query(
    "SELECT id, name, type, content, ttl, updated_at, editor_id FROM records WHERE zone_id = $1 ORDER BY id LIMIT $2",
    [zone, PAGE],
  );
  const records: ListedRecord[] = [];
  for (const { editor_id, ...record } of rows) {
    const editors = await session.query("SELECT name FROM editors WHERE id = $1", [editor_id]);
    records.push({ ...record, editor: editors[0]?.["name"] } as unknown as ListedRecord);
  }
  return records;
}

async function create(session: Session, zone: Zone, record: NewRecord): Promise<unknown> {
  const raiseSerial = async (): Promise<void> => {
    const id = settings.sharedSerial ? 1 : zone.id;
    await session.query("UPDATE zones SET serial = serial + 1 WHERE id = $1", [id]);
  };
  if (settings.serial === "first-statement") await raiseSerial();
  if (settings.holdConnection === "request") await delegationOf(zone.account_id);
  const [created] = await session.query(
    `INSERT INTO records (zone_id, name, type, content, ttl) VALUES ($1, $2, $3, $4, $5)
     RETURNING id, name, type, content, ttl, updated_at`,
    [zone.id, record.name, record.type, record.content, record.ttl ?? 300],
  );
  await session.query("INSERT INTO record_versions (record_id, version, type, content) VALUES ($1, 1, $2, $3)", [
    created?.["id"],
    record.type,
    record.content,
  ]);
  if (settings.summary === "kept") {
    await session.query(
      `INSERT INTO zone_counts (zone_id, type, records) VALUES ($1, $2, 1)
       ON CONFLICT (zone_id, type) DO UPDATE SET records = zone_counts.records + 1`,
      [zone.id, record.type],
    );
  }
  if (settings.serial === "last-statement") await raiseSerial();
  return created;
}

/** The zones of an account with their place among all by number of changes, and its records by type. */
async function summaryOf(session: Session, account: number): Promise<unknown> {
  const zones = await session.query(
    `SELECT id, name, serial, place FROM (
       SELECT id, name, account_id, serial, rank() OVER (ORDER BY serial DESC) AS place FROM zones
     ) ranked WHERE account_id = $1`,
    [account],
  );
  if (settings.summary === "kept") {
    const records = await session.query(
      "SELECT type, sum(records)::int AS records FROM zone_counts WHERE zone_id = ANY($1) GROUP BY type",
      [zones.map((zone) => zone["id"])],
    );
    return { zones, records };
  }
  const records = await session.query(
    `SELECT latest.type, count(*)::int AS records FROM (
       SELECT DISTINCT ON (record_id) record_id, type FROM record_versions ORDER BY record_id, version DESC
     ) latest JOIN records r ON r.id = latest.record_id
     WHERE r.zone_id = ANY($1) GROUP BY latest.type`,
    [zones.map((zone) => zone["id"])],
  );
  return { zones, records };
}

serve(
  createServer(app),
  async () => {
    agent.destroy();
    await connections.close();
  },
  settings.listenBacklog,
);
