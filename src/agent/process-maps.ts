import { readFileSync } from "node:fs";

/** A part of a process's memory. */
export interface Mapping {
  readonly start: number;
  readonly end: number;
  /** byte of the file at `start` */
  readonly offset: number;
  /** file, "[vdso]", "[heap]", or "" for memory without a file or name */
  readonly path: string;
  /** device and inode: a file that was replaced is another one */
  readonly identity: string;
}

const LINE = /^([\da-f]+)-([\da-f]+) (\S{4}) ([\da-f]+) (\S+) (\d+)\s*(.*)$/;

const isExecutable = (rights: string): boolean => rights[2] === "x";

/**
 * The mappings of a text of /proc/PID/maps, ascending: those that hold code, or that `isWanted` takes by their rights
 * ("r-xp"); lines that are none are left out.
 */
export function parseMaps(text: string, isWanted: (rights: string) => boolean = isExecutable): Mapping[] {
  const mappings: Mapping[] = [];
  for (const line of text.split("\n")) {
    // Most parts hold data: they need not be understood.
    const rights = line.indexOf(" ") + 1;
    if (!isWanted(line.slice(rights, rights + 4))) continue;
    const match = LINE.exec(line);
    if (match === null) continue;
    mappings.push({
      start: Number.parseInt(match[1]!, 16),
      end: Number.parseInt(match[2]!, 16),
      offset: Number.parseInt(match[4]!, 16),
      path: match[7]!.replace(/ \(deleted\)$/, ""),
      identity: match[6] === "0" ? "" : `${match[5]}:${match[6]}`,
    });
  }
  return mappings;
}

/**
 * What a process has had mapped since it was first looked at: libraries come and go, and a process that has
 * ended tells nothing any more.
 */
export class ProcessMaps {
  private mappings: Mapping[] = [];

  /** Takes in a later look; where both say something about an address, the later one holds. False where it says nothing new. */
  add(later: readonly Mapping[]): boolean {
    if (later.every((one) => isSame(one, this.find(one.start)))) return false;
    const kept = this.mappings.filter((old) => !later.some((one) => one.start < old.end && old.start < one.end));
    this.mappings = [...kept, ...later].sort((a, b) => a.start - b.start);
    return true;
  }

  /** What a process has mapped now; undefined where it is gone or not to be looked at. */
  static now(pid: number): readonly Mapping[] | undefined {
    try {
      const found = parseMaps(readFileSync(`/proc/${pid}/maps`, "utf8"));
      return found.length > 0 ? found : undefined;
    } catch {
      // ENOENT, ESRCH, EACCES: what was seen before remains.
      return undefined;
    }
  }

  get isEmpty(): boolean {
    return this.mappings.length === 0;
  }

  find(address: number): Mapping | undefined {
    let [low, high] = [0, this.mappings.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.mappings[middle]!.start <= address) low = middle + 1;
      else high = middle;
    }
    const found = this.mappings[low - 1];
    return found !== undefined && address < found.end ? found : undefined;
  }
}

const isSame = (one: Mapping, other: Mapping | undefined): boolean =>
  other !== undefined &&
  one.start === other.start &&
  one.end === other.end &&
  one.offset === other.offset &&
  one.path === other.path &&
  one.identity === other.identity;
