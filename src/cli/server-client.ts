import { readFileSync } from "node:fs";

/** A server that cannot be reached, or an answer of it that is none. The message says which server and what to do. */
export class ServerError extends Error {
  override readonly name: string = "ServerError";
}

export interface ServerOptions {
  readonly url: string;
  readonly tokenFile?: string;
}

/** What a stream of events brings. */
export interface ServerEvent {
  readonly event: string;
  readonly data: string;
}

/** Calls the API of a running Longpole. */
export class ServerClient {
  readonly url: string;
  private readonly headers: Readonly<Record<string, string>>;

  /** `environment` may hold LONGPOLE_TOKEN; a token is no flag, since everybody sees the flags of a process. */
  constructor({ url, tokenFile }: ServerOptions, environment: Readonly<Record<string, string | undefined>>) {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
      throw new ServerError(`--url: expected an http or https URL, found "${url}"`);
    }
    this.url = url.replace(/\/+$/, "");
    const token = tokenFile === undefined ? environment["LONGPOLE_TOKEN"] : tokenIn(tokenFile);
    this.headers = token === undefined || token === "" ? {} : { authorization: `Bearer ${token}` };
  }

  /** Events of a path until the server ends them. */
  async *events(path: string, signal: AbortSignal): AsyncGenerator<ServerEvent> {
    const response = await this.call(path, { signal, headers: { accept: "text/event-stream" } });
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const event = eventOf(text.slice(0, end));
        text = text.slice(end + 2);
        if (event !== undefined) yield event;
      }
    }
  }

  async get(path: string, signal: AbortSignal): Promise<string> {
    return (await this.call(path, { signal, headers: {} })).text();
  }

  async post(path: string, body: object, signal: AbortSignal): Promise<string> {
    const headers = { "content-type": "application/json" };
    const response = await this.call(path, { method: "POST", signal, headers, body: JSON.stringify(body) });
    return response.text();
  }

  private async call(
    path: string,
    init: Omit<RequestInit, "headers"> & { readonly headers: Readonly<Record<string, string>> },
  ): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(`${this.url}${path}`, { ...init, headers: { ...this.headers, ...init.headers } });
    } catch (error) {
      if (init.signal?.aborted === true) throw error;
      throw new ServerError(`cannot reach ${this.url}: ${reasonOf(error)}`);
    }
    if (response.ok) return response;
    throw new ServerError(`${this.url} answers: ${await problemText(response)}`);
  }
}

function eventOf(block: string): ServerEvent | undefined {
  let event = "message";
  const data: string[] = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) event = line.slice(7);
    else if (line.startsWith("data: ")) data.push(line.slice(6));
  }
  return data.length === 0 ? undefined : { event, data: data.join("\n") };
}

/** fetch says "fetch failed"; the system's reason is its cause. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error & { cause?: NodeJS.ErrnoException };
  if (cause?.code === "ECONNREFUSED") return "nobody listens there; `longpole up` starts a server";
  // Of several addresses of one name each has its own reason.
  const inner = (cause as unknown as AggregateError | undefined)?.errors?.[0] as NodeJS.ErrnoException | undefined;
  if (inner?.code === "ECONNREFUSED") return "nobody listens there; `longpole up` starts a server";
  return inner?.message ?? cause?.message ?? message;
}

async function problemText(response: Response): Promise<string> {
  const text = await response.text();
  const hint = response.status === 401 ? " (LONGPOLE_TOKEN or --token-file gives the token)" : "";
  try {
    const { title, detail } = JSON.parse(text) as { title?: string; detail?: string };
    if (detail !== undefined) return `${response.status} ${title ?? ""}: ${detail}${hint}`;
  } catch {
    // Not of Longpole, a proxy perhaps: its status is all there is to say.
  }
  return `${response.status} ${response.statusText}${hint}`;
}

function tokenIn(file: string): string {
  try {
    const lines = readFileSync(file, "utf8").split("\n");
    return lines.map((line) => line.trim()).find((line) => line !== "" && !line.startsWith("#")) ?? "";
  } catch (error) {
    throw new ServerError(`--token-file: cannot read ${file}: ${(error as Error).message}`);
  }
}
