import { get } from "node:http";
import type { Member } from "./fleet.ts";
import type { Instance } from "./instances.ts";
import type { Database } from "./postgres/database.ts";

const PATIENCE_MS = 5000;

/** Asks all processes at once, over the way that requests take. */
export async function checkHealth(
  members: readonly Member[],
  database: Database,
): Promise<{ readonly ok: boolean; readonly line: string }> {
  const checks = await Promise.all([
    ...members.map(({ instance, url }) => check(nameOf(instance, members), () => ask(`${url}/health`))),
    check("postgres", async () => void (await database.query("SELECT 1"))),
  ]);
  return { ok: checks.every(({ ok }) => ok), line: checks.map(({ line }) => line).join(" | ") };
}

/** Of a service with one process, its own name says all. */
function nameOf({ service, name }: Instance, members: readonly Member[]): string {
  return members.filter(({ instance }) => instance.service === service).length === 1 ? service : name;
}

async function check(name: string, answer: () => Promise<void>): Promise<{ ok: boolean; line: string }> {
  const began = performance.now();
  try {
    await answer();
    return { ok: true, line: `${name} ok ${Math.round(performance.now() - began)} ms` };
  } catch (error) {
    return { ok: false, line: `${name} FAILED ${(error as Error).message}` };
  }
}

function ask(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = get(url, { signal: AbortSignal.timeout(PATIENCE_MS) }, (response) => {
      response.resume();
      response.once("end", () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`status ${response.statusCode}`));
      });
    });
    request.once("error", reject);
  });
}
