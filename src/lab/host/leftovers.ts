/** Names of what must not outlive its maker carry the maker's pid, so that a later run can tell what was left behind. */
export function ownName(what: string): string {
  return `${PREFIX}${process.pid}-${what}`;
}

/** Whether a thing of this name was left behind by a run that has been killed. */
export function leftoverName(name: string): boolean {
  const pid = /^(\d+)-/.exec(name.startsWith(PREFIX) ? name.slice(PREFIX.length) : "")?.[1];
  return pid !== undefined && !isAlive(Number(pid));
}

const PREFIX = "longpole-lab-";

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, and is somebody else's.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
