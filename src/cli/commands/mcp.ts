import { EXIT } from "../exit-code.ts";
import { serveMcp } from "../mcp/serve.ts";
import { packageJson } from "../package-json.ts";
import type { Terminal } from "../terminal.ts";

/** `longpole mcp`: answers for assistants on standard input and output, until the input ends. */
export async function mcp(terminal: Terminal): Promise<number> {
  const stopListening = terminal.onInterrupt(() => process.stdin.destroy());
  try {
    await serveMcp(process.stdin, terminal, packageJson().version);
    return EXIT.ok;
  } finally {
    stopListening();
  }
}
