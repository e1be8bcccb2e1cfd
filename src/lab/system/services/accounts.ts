/** The service that owns accounts. It alone talks to the registrar. */
import { pbkdf2Sync } from "node:crypto";
import { lookup } from "node:dns";
import { Agent, createServer } from "node:http";
import type { LookupFunction } from "node:net";
import express, { type NextFunction, type Request, type Response } from "express";
import pg from "pg";
import { REGISTRAR_HOST } from "../../settings.ts";
import { AccountCache } from "./account-cache.ts";
import { callService } from "./call-service.ts";
import { indexAccounts } from "./search-index.ts";
import { readConfig, serve, urlOf } from "./serve.ts";

interface Account {
  readonly id: number;
  readonly name: string;
  readonly plan: string;
}

const { settings, database } = readConfig<"accounts">();
const pool = new pg.Pool({ ...database, max: 5, application_name: "accounts" });
// A server that restarts cuts connections that nobody uses at the time; the pool opens others.
pool.on("error", (error) => console.error(error.message));
const agent = new Agent({ keepAlive: true, lookup: findRegistrar });
const cache = new AccountCache<Account>(settings.cache, settings.refreshLock, fetchAccount);
const rankMatches = indexAccounts(settings.garbageObjects);
const sessions = new Map<number, readonly number[]>();
const app = express();
const FILL_AGAIN_MS = 300;

app.get("/health", (_request, response) => void response.json({ ok: true }));

app.use((request, _response, next) => {
  if (settings.retainKb > 0) sessions.set(sessions.size, sessionOf(request.url));
  rankMatches(request.url);
  next();
});

app.get("/accounts/:account", async (request, response) => {
  const account = await cache.get(Number(request.params.account));
  if (account === undefined) return void response.status(404).json({ error: "no such account" });
  response.json({ ...account, signature: signature(JSON.stringify(account)) });
});

app.get("/accounts/:account/delegation", async (request, response) => {
  response.json(await askRegistrar(`/delegations/${Number(request.params.account)}`));
});

app.use((error: Error, request: Request, response: Response, next: NextFunction) => {
  console.error(`${request.method} ${request.url}: ${error.message}`);
  if (response.headersSent) return next(error);
  response.status(502).json({ error: error.message });
});

/** An account in good standing with the registrar, and how much it has; undefined where there is none. */
async function fetchAccount(id: number): Promise<Account | undefined> {
  const { rows } = await pool.query<Account>("SELECT id, name, plan, email, since FROM accounts WHERE id = $1", [id]);
  const account = rows[0];
  if (account === undefined) return undefined;
  const usage = await pool.query("SELECT count(*)::int AS zones FROM zones WHERE account_id = $1", [id]);
  const standing = await askRegistrar(`/registrants/${id}`);
  return { ...account, ...usage.rows[0], standing };
}

/**
 * As after a restart in the middle of a day: the cache begins with all accounts, in good standing as they were last
 * time, and not with a minute of misses. Tried again while the database is not there yet.
 */
async function fillCache(): Promise<void> {
  try {
    const { rows } = await pool.query<Account>(
      `SELECT a.id, a.name, a.plan, a.email, a.since, count(z.id)::int AS zones
       FROM accounts a LEFT JOIN zones z ON z.account_id = a.id GROUP BY a.id`,
    );
    cache.fill(rows.map((account) => [account.id, { ...account, standing: { status: "ok" } }]));
  } catch {
    setTimeout(() => void fillCache(), FILL_AGAIN_MS).unref();
  }
}

/** The partner has a name of its own; here it leads to this machine, as a line in /etc/hosts would do. */
function findRegistrar(...[host, options, found]: Parameters<LookupFunction>): void {
  if (host !== REGISTRAR_HOST) return lookup(host, options, found);
  if (options.all === true) found(null, [{ address: "127.0.0.1", family: 4 }]);
  else found(null, "127.0.0.1", 4);
}

/** Asks again at once where there is no answer in time, or none that helps. */
async function askRegistrar(path: string): Promise<unknown> {
  const { timeoutMs, retries } = settings.registrar;
  for (let attempt = 0; ; attempt++) {
    try {
      const { port } = new URL(urlOf("registrar"));
      const url = `http://${REGISTRAR_HOST}:${port}${path}`;
      const answer = await callService({ agent, method: "GET", url, timeoutMs });
      if (answer.status === 200) return answer.body;
      if (attempt === retries) throw new Error(`the registrar answers with status ${answer.status}`);
    } catch (error) {
      if (attempt === retries) throw error;
    }
  }
}

/** So that who gets the account later can tell that it is ours. */
function signature(text: string): string {
  let signed = text;
  for (let round = 0; round < settings.signatureRounds; round++) {
    signed = pbkdf2Sync(signed, "accounts", 500, 32, "sha256").toString("hex");
  }
  return signed;
}

/** One of V8's numbers takes 8 bytes. */
function sessionOf(url: string): readonly number[] {
  return Array.from({ length: settings.retainKb * 128 }, (_, i) => url.length + i + 0.5);
}

void fillCache();
serve(createServer(app), async () => {
  agent.destroy();
  await pool.end();
});
