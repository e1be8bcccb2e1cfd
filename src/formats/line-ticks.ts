/** A function of the program, by the lines that were running when it was sampled. */
export interface FunctionTicks {
  readonly name: string;
  /** path of its source, as the process sees it */
  readonly file: string;
  /** samples in it, without what it calls */
  readonly samples: number;
  /** by line, from 1 on */
  readonly lines: ReadonlyMap<number, number>;
}

interface Node {
  readonly callFrame?: { readonly functionName?: unknown; readonly url?: unknown; readonly lineNumber?: unknown };
  readonly positionTicks?: readonly { readonly line?: unknown; readonly ticks?: unknown }[];
}

/**
 * What a CPU profile of V8 says of lines (`positionTicks`, which only profiles of its inspector have), most samples first.
 * Functions whose code is no file are left out. bytes: a .cpuprofile that `decodeCpuProfile` could read.
 */
export function readLineTicks(bytes: Uint8Array): FunctionTicks[] {
  const { nodes = [] } = JSON.parse(new TextDecoder().decode(bytes)) as { readonly nodes?: readonly Node[] };
  const found = new Map<string, { name: string; file: string; samples: number; lines: Map<number, number> }>();
  for (const { callFrame = {}, positionTicks = [] } of nodes) {
    const { functionName, url, lineNumber } = callFrame;
    if (typeof url !== "string" || typeof functionName !== "string") continue;
    const file = pathOf(url);
    if (file === undefined) continue;
    const key = `${functionName}\0${url}\0${String(lineNumber)}`;
    const held = found.get(key) ?? { name: functionName, file, samples: 0, lines: new Map<number, number>() };
    found.set(key, held);
    for (const { line, ticks } of positionTicks) {
      if (typeof line !== "number" || typeof ticks !== "number" || !(ticks > 0) || !(line > 0)) continue;
      held.samples += ticks;
      held.lines.set(line, (held.lines.get(line) ?? 0) + ticks);
    }
  }
  return [...found.values()].filter(({ samples }) => samples > 0).sort((a, b) => b.samples - a.samples);
}

/** CommonJS modules have a path, others a URL. */
function pathOf(url: string): string | undefined {
  if (url.startsWith("/")) return url;
  if (!url.startsWith("file:///")) return undefined;
  try {
    return decodeURIComponent(new URL(url).pathname);
  } catch {
    return undefined;
  }
}
