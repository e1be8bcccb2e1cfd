import { lchownSync, readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { SettingError } from "./export/export-settings.ts";

/** Whom the agent becomes. */
export interface AgentUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Users that are looked for where nobody says which. */
const DEFAULT_USERS = ["longpole-agent", "nobody"];

/**
 * Whom an agent that was started by root becomes; undefined where it stays what it is: it was started by another user, or is
 * told to stay root. Throws a SettingError for a user that there is not.
 */
export function agentUser(name: string | undefined, passwd: string, ownUid: number): AgentUser | undefined {
  if (ownUid !== 0 || name === "root") return undefined;
  for (const wanted of name === undefined ? DEFAULT_USERS : [name]) {
    const line = passwd.split("\n").find((one) => one.startsWith(`${wanted}:`));
    const [, , uid, gid] = line?.split(":").map(Number) ?? [];
    if (uid !== undefined && gid !== undefined && uid > 0) return { name: wanted, uid, gid };
  }
  throw new SettingError(
    name === undefined
      ? "no user longpole-agent or nobody to become: useradd --system longpole-agent, or --user root to stay root"
      : `there is no user ${name} in /etc/passwd`,
  );
}

export const passwd = (): string => readFileSync("/etc/passwd", "utf8");

/** Gives a folder and what is in it to the user; one that is the user's already need not be open to anybody else, root included. */
export function giveFolder(folder: string, { uid, gid }: AgentUser): void {
  if (statSync(folder).uid === uid) return;
  lchownSync(folder, uid, gid);
  // Links as links: whoever had the folder before may have laid one to what is not his.
  for (const name of readdirSync(folder)) unlessGone(() => lchownSync(join(folder, name), uid, gid));
}

/** Files of a queue are sent, and threads end, between being listed and being looked at. */
function unlessGone(look: () => void): void {
  try {
    look();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ESRCH") throw error;
  }
}

/**
 * Makes this process that user's for good, all of its threads and without any capability. Throws an Error where something
 * is left of what it could do.
 */
export function becomeUser({ uid, gid, name }: AgentUser): void {
  process.setgroups!([gid]);
  process.setgid!(gid);
  process.setuid!(uid);
  for (const thread of readdirSync("/proc/self/task")) {
    let status = "";
    unlessGone(() => (status = readFileSync(`/proc/self/task/${thread}/status`, "latin1")));
    if (status === "") continue;
    // Those that it has, could take up again, and would hand to what it starts.
    for (const set of ["CapEff", "CapPrm", "CapAmb"]) {
      const [, mask = "?"] = new RegExp(`^${set}:\\s+([\\da-f]+)$`, "m").exec(status) ?? [];
      if (!/^0+$/.test(mask)) throw new Error(`as user ${name} a thread still has the capabilities ${mask} (${set})`);
    }
  }
}
