import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { postgresInstallations } from "../src/lab/system/postgres/installations.ts";
import type { SpareServer } from "../src/lab/system/postgres/spare-server.ts";
import { PATIENCE_MS, type Point, shopClient, shopServer, urlOf, Watched } from "./watched-postgres.ts";

describe.each(postgresInstallations())("PostgreSQL $version", (installation) => {
  let primary: SpareServer;
  let replica: SpareServer | undefined;

  beforeAll(async () => {
    primary = await shopServer(installation);
    replica = await primary.replica("second");
  }, PATIENCE_MS);
  afterAll(async () => {
    await replica?.remove();
    await primary.remove();
  }, PATIENCE_MS);

  test(
    "a replica that holds back is told by both: by bytes and by the time since what it has",
    async () => {
      const watched = [primary, replica!].map((server) => new Watched(urlOf(server, "longpole")));
      const [sender, own] = watched as [Watched, Watched];
      const delays = (): number[] => own.points("wal.delay").map(({ value }) => value);
      const write = async (): Promise<void> => {
        const client = await shopClient(primary);
        await client.query("UPDATE orders SET state = 'sent' WHERE id < 20000");
        await client.end();
      };
      await write();
      await own.until(() => delays().at(-1) === 0);
      await replica!.run("SELECT pg_wal_replay_pause()");
      await write();
      const wroteMs = performance.now();
      const behind = (name: string, least: number) => (): boolean => (sender.points(name).at(-1)?.value ?? 0) > least;
      // 20,000 rows, each with its new version of some 36 bytes and a header.
      await sender.until(behind("replication.data_delay", 20_000 * 36));
      await own.until(() => delays().at(-1)! > 2);
      const ofSecond = ({ attributes }: Point): boolean =>
        attributes["replication_client"]?.startsWith("second ") === true;
      expect(sender.points("replication.data_delay").every(ofSecond)).toBe(true);
      const heldSeconds = (performance.now() - wroteMs) / 1000;
      await replica!.run("SELECT pg_wal_replay_resume()");
      await own.until(() => delays().at(-1) === 0);
      await sender.until(() => !behind("replication.data_delay", 0)());
      // While it caught up, it told how long ago that was written.
      const replays = sender.points("wal.lag").filter(({ attributes }) => attributes["operation"] === "replay");
      expect(Math.max(...replays.map(({ value }) => value))).toBeGreaterThan(0.9 * heldSeconds);
      // Nobody sends any longer: it has all that it received, and is behind by more each moment.
      await sender.stop();
      await primary.stop();
      await own.until(() => delays().at(-1)! > 1);
      await primary.start();
      await own.until(() => delays().at(-1) === 0);
      await own.stop();
      // A replica reads, and asks for nothing that only a primary answers.
      expect(own.told.filter((text) => /recovery/.test(text))).toEqual([]);
      expect(own.points("wal.lag")).toEqual([]);
    },
    PATIENCE_MS,
  );
});
