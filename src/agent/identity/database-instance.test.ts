import { expect, test } from "vitest";
import { databaseInstance } from "./database-instance.ts";

test.each([
  [
    "/usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/15/main -c config_file=/etc/x",
    "/var/lib/postgresql/15/main",
  ],
  ["postgres -D/srv/pg -p 5433", "/srv/pg"],
  ["postgres --pgdata=/srv/b", "/srv/b"],
  ["postgres -p 5433", "5433"],
  ["mysqld --user=mysql --datadir=/var/lib/mysql2 --port=3307", "/var/lib/mysql2"],
  ["mongod --dbpath /data/b --port 27018", "/data/b"],
  ["memcached -p 11212", "11212"],
  ["memcached -p11213", "11213"],
  ["postgres", ""],
  ["postgres -D", ""],
])("%s", (line, instance) => {
  expect(databaseInstance(line.split(" "))).toBe(instance);
});

test("what a database writes over its command line", () => {
  expect(databaseInstance(["redis-server 127.0.0.1:6380"])).toBe("127.0.0.1:6380");
  expect(databaseInstance(["redis-server *:6379 [cluster]"])).toBe("*:6379");
  // One process for each connection: it is the one's that began it.
  expect(databaseInstance(["postgres: 15/main: shop shop [local] idle"])).toBe("");
});
