import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { npmBinaries } from "./binaries.ts";

/** A PostgreSQL server whose programs are on this machine. */
export interface PostgresInstallation {
  /** "15.14" */
  readonly version: string;
  /** 15 */
  readonly major: number;
  /** folder with `initdb` and `postgres` */
  readonly binaries: string;
}

/** Folders with `postgres` in them, separated as in PATH; with it no others are looked for. */
const BINARIES_VARIABLE = "LONGPOLE_POSTGRES_BINARIES";

/** Where packages put servers, each below a folder of its version: Debian's, Red Hat's; and what was built by hand. */
const PACKAGES = [
  { below: "/usr/lib/postgresql", name: /^\d+$/ },
  { below: "/usr", name: /^pgsql-\d+$/ },
  { below: "/usr/local", name: /^pgsql$/ },
];

/** All of this machine, the newest first, one of each major version. Throws where the variable names a folder without one. */
export function postgresInstallations(): PostgresInstallation[] {
  const named = process.env[BINARIES_VARIABLE]?.split(delimiter).filter((folder) => folder !== "");
  const found = new Map<number, PostgresInstallation>();
  for (const binaries of named ?? [npmBinaries(), ...packaged()]) {
    const installation = installationIn(binaries);
    if (installation !== undefined && !found.has(installation.major)) found.set(installation.major, installation);
    if (installation === undefined && named !== undefined)
      throw new Error(`${BINARIES_VARIABLE}: there is no PostgreSQL server in ${binaries}`);
  }
  return [...found.values()].toSorted((a, b) => b.major - a.major);
}

function packaged(): string[] {
  return PACKAGES.flatMap(({ below, name }) => {
    const folders = existsSync(below) ? readdirSync(below).filter((entry) => name.test(entry)) : [];
    return folders.map((folder) => join(below, folder, "bin"));
  });
}

function installationIn(binaries: string): PostgresInstallation | undefined {
  // A client alone has neither.
  if (!["postgres", "initdb"].every((program) => existsSync(join(binaries, program)))) return undefined;
  const said = spawnSync(join(binaries, "postgres"), ["--version"], { encoding: "utf8" }).stdout ?? "";
  const version = /\(PostgreSQL\) (\d+[.\w]*)/.exec(said)?.[1];
  return version === undefined ? undefined : { version, major: Number.parseInt(version, 10), binaries };
}
