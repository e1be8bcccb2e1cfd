import { readlinkSync } from "node:fs";

/** As many links as Linux follows in one path. */
const MAX_LINKS = 40;

/**
 * The path without links that `path`, an absolute one, leads to for a process whose root is the folder `root`; below that
 * root. The system follows an absolute link from the root of who asks: in the files of a container that would lead to those
 * of the host. What is not there is left as it is. Throws where links lead in a circle.
 */
export function pathInRoot(root: string, path: string): string {
  const open = path.split("/").reverse();
  const found: string[] = [];
  let links = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next === "" || next === ".") continue;
    if (next === "..") {
      found.pop();
      continue;
    }
    const target = linkAt(`${root}/${[...found, next].join("/")}`);
    if (target === undefined) {
      found.push(next);
      continue;
    }
    if (++links > MAX_LINKS) throw new Error(`${path}: more than ${MAX_LINKS} links`);
    if (target.startsWith("/")) found.length = 0;
    open.push(...target.split("/").reverse());
  }
  return `/${found.join("/")}`;
}

/** Undefined where there is no link. */
function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
