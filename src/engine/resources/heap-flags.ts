/** The heap's limit as the command line of a process sets it. */
export interface HeapFlag {
  /** as whoever sets it types it */
  readonly setting: "max-old-space-size" | "Xmx";
  readonly bytes: number;
}

/** Resource attributes that SDKs send of their process; of the semantic conventions, and lists of words as JSON. */
const COMMAND_LINES = ["process.command_args", "process.command_line"];

/** labels: by lower-case key. Undefined where no command line is told, or none that sets it; the last one of several holds. */
export function heapFlagOf(labels: ReadonlyMap<string, string>): HeapFlag | undefined {
  for (const key of COMMAND_LINES) {
    const words = wordsOf(labels.get(key) ?? "");
    const flag = words.map((word, i) => nodeFlag(word, words[i + 1]) ?? javaFlag(word)).findLast(Boolean);
    if (flag !== undefined) return flag;
  }
  return undefined;
}

function wordsOf(text: string): readonly string[] {
  try {
    const list: unknown = text.startsWith("[") ? JSON.parse(text) : undefined;
    if (Array.isArray(list)) return list.map(String);
  } catch {
    // A command line may begin with a bracket, too.
  }
  return text.split(/\s+/);
}

const MEBIBYTE = 2 ** 20;

/** V8 takes mebibytes, underscores for dashes, and the number behind a blank as well. */
function nodeFlag(word: string, next: string | undefined): HeapFlag | undefined {
  const [, own] = /^--max[-_]old[-_]space[-_]size(?:=(\d+))?$/.exec(word) ?? [];
  const text = own ?? (/^--max[-_]old[-_]space[-_]size$/.test(word) && /^\d+$/.test(next ?? "") ? next : undefined);
  const bytes = Number(text ?? 0) * MEBIBYTE;
  return bytes > 0 ? { setting: "max-old-space-size", bytes } : undefined;
}

const UNITS: Readonly<Record<string, number>> = { "": 1, k: 2 ** 10, m: MEBIBYTE, g: 2 ** 30, t: 2 ** 40 };

function javaFlag(word: string): HeapFlag | undefined {
  const [, amount, unit = ""] = /^(?:-Xmx|-XX:MaxHeapSize=)(\d+)([kmgt]?)$/i.exec(word) ?? [];
  const bytes = Number(amount ?? 0) * UNITS[unit.toLowerCase()]!;
  return bytes > 0 ? { setting: "Xmx", bytes } : undefined;
}
