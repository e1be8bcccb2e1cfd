/** Text of a JSON value with key order, white space and escapes drawn from `seed`: same value, any spelling. */
export function randomJson(value: unknown, seed: number): string {
  let state = seed | 1;
  const below = (n: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
  };
  // A plain spelling half of the time: that is what the decoders' quick ways are for.
  const isPlain = below(2) === 0;
  const space = (): string => (isPlain ? "" : ["", "", " ", "\n", "\t\r\n  "][below(5)]!);
  const string = (text: string): string =>
    JSON.stringify(text).replaceAll(/\\u[0-9a-f]{4}|\\.|./gsu, (part) =>
      isPlain || part.length > 1 || part === '"' || below(8) > 0
        ? part
        : `\\u${part.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  const write = (held: unknown): string => {
    if (typeof held === "string") return string(held);
    if (typeof held !== "object" || held === null) return JSON.stringify(held);
    const parts = Array.isArray(held)
      ? held.map((element) => space() + write(element) + space())
      : Object.entries(held).map(
          ([key, inner]) => `${space()}${string(key)}${space()}:${space()}${write(inner)}${space()}`,
        );
    if (!isPlain && !Array.isArray(held)) {
      for (let i = parts.length - 1; i > 0; i--) {
        const j = below(i + 1);
        [parts[i], parts[j]] = [parts[j]!, parts[i]!];
      }
    }
    const inside = parts.join(",") + (parts.length === 0 ? space() : "");
    return Array.isArray(held) ? `[${inside}]` : `{${inside}}`;
  };
  return space() + write(value) + space();
}
