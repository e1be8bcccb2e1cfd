import type { Leftover } from "../messages.ts";

/** Drops a database on a server that is not ours, and the role that was made for it. */
export async function dropDatabase({ url, name, role }: Extract<Leftover, { kind: "database" }>): Promise<void> {
  const { Client } = (await import("pg")).default;
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    if (role !== undefined) await client.query(`DROP ROLE IF EXISTS ${role}`);
  } finally {
    await client.end();
  }
}
