/** How a target is asked. */
export interface Question {
  /** of http or https; it is asked as it stands here, and nothing it answers leads anywhere else; may hold a password */
  readonly url: string;
  readonly accept: string;
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/**
 * The body of the answer. Throws where it is not 200, comes too late, has more than `maxBytes` or sends elsewhere: a target that
 * was configured must not lead to one that was not.
 */
export async function askTarget(question: Question, stopped: AbortSignal): Promise<Buffer> {
  const { url, accept, timeoutMs, maxBytes } = question;
  const signal = AbortSignal.any([stopped, AbortSignal.timeout(timeoutMs)]);
  const { username, password } = new URL(url);
  const secret = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const authorization = secret === ":" ? {} : { authorization: `Basic ${Buffer.from(secret).toString("base64")}` };
  // `fetch` refuses an address with a password, and repeats it in its error.
  const response = await fetch(toldUrl(url), { headers: { accept, ...authorization }, redirect: "error", signal });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`status ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += (chunk as Uint8Array).length;
    // Leaving the loop ends the connection.
    if (size > maxBytes) throw new Error(`more than ${maxBytes} bytes`);
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks, size);
}

/** An address as it may stand in a log: without name and password. */
export function toldUrl(url: string): string {
  const told = new URL(url);
  told.username = told.password = "";
  return told.href;
}

/** `fetch` says only that it failed; why is in its cause. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
