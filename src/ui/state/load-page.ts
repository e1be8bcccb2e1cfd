import { PAGE_SCHEMA, type PageDocument } from "../../model/page.ts";
import { PROFILES_SCHEMA, type ProfilesDocument } from "../../model/profiles-page.ts";

/** A step of loading: how far it is, the page (or what is known of it so far), or why there is none. */
export type Loading =
  | { readonly kind: "loading"; readonly stage: string }
  | { readonly kind: "loaded"; readonly page: PageDocument; readonly isWhole: boolean }
  /** the answer of before, made at a time; a newer one is on its way */
  | { readonly kind: "held"; readonly page: PageDocument; readonly madeUnixNs: string }
  | { readonly kind: "profiles"; readonly profiles: ProfilesDocument }
  /** there is no answer yet, and the server is asked again by itself */
  | { readonly kind: "waiting"; readonly why: string }
  | { readonly kind: "failed"; readonly why: string };

/** Whether the page comes from a server, which has other windows and newer data. */
export const isServed = (): boolean => document.getElementById("page") === null;

/** The loading that was begun last: one that waits to ask again leaves that to it. */
let latest: symbol | undefined;

/**
 * The page's document: the one within the page, or else the server's of the window in the address. `hasPage`: one is shown
 * already, which is as good as the server's of before.
 */
export async function loadPage(tell: (loading: Loading) => void, hasPage: boolean): Promise<void> {
  const within = document.getElementById("page");
  const own = Symbol("loading");
  latest = own;
  try {
    if (within !== null) {
      const { packed } = within.dataset;
      const text = packed === undefined ? within.textContent : await unpacked(within.textContent);
      tell(checked(JSON.parse(text)));
      return;
    }
    tell({ kind: "loading", stage: "asking the server" });
    let retry = await listen(tell, hasPage);
    while (retry !== undefined) {
      const { why, afterMs } = retry;
      tell({ kind: "waiting", why });
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      if (latest !== own) return;
      retry = await listen(tell, hasPage);
    }
  } catch (error) {
    tell({ kind: "failed", why: error instanceof Error ? error.message : String(error) });
  }
}

/** That the server has no answer yet, and when it wants to be asked again. */
interface Retry {
  readonly why: string;
  readonly afterMs: number;
}

/** Asks the server for the window in the address and tells how far it is. What is known early is shown early. */
function listen(tell: (loading: Loading) => void, hasPage: boolean): Promise<Retry | undefined> {
  const query = new URLSearchParams(location.search);
  if (!hasPage) query.set("held", "true");
  return new Promise((resolve) => {
    const events = new EventSource(`api/v1/page/events?${query.toString()}`);
    const end = (loading: Loading): void => {
      events.close();
      tell(loading);
      resolve(undefined);
    };
    const told = (event: MessageEvent<string>): unknown => JSON.parse(event.data);
    events.addEventListener("progress", (event) => tell({ kind: "loading", stage: progressText(told(event)) }));
    events.addEventListener("held", (event) => {
      const { madeUnixNs, page } = told(event) as { madeUnixNs: string; page: unknown };
      const loading = checked(page);
      // One of another version says nothing here: the newer one is on its way.
      if (loading.kind === "loaded") tell({ kind: "held", page: loading.page, madeUnixNs });
    });
    events.addEventListener("partial", (event) => tell(checked(told(event), false)));
    events.addEventListener("page", (event) => end(checked(told(event))));
    events.addEventListener("problem", (event) => {
      const problem = told(event);
      const why = problemText(problem);
      const afterMs = retryMs(problem);
      if (afterMs === undefined) return end({ kind: "failed", why });
      events.close();
      resolve({ why, afterMs });
    });
    events.addEventListener("error", () =>
      end({ kind: "failed", why: "the server does not answer, or refuses this caller" }),
    );
  });
}

function progressText(told: unknown): string {
  if (typeof told !== "object" || told === null || !("stage" in told)) return "working";
  const { stage, done, total } = told as { stage: string; done: number; total: number };
  return total > 1 ? `${stage} (${done} of ${total})` : stage;
}

/** base64 of gzip → text */
async function unpacked(base64: string): Promise<string> {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

function checked(document: unknown, isWhole = true): Loading {
  const schema =
    typeof document === "object" && document !== null && "schema" in document ? document.schema : undefined;
  if (schema === PROFILES_SCHEMA) return { kind: "profiles", profiles: document as ProfilesDocument };
  if (schema !== PAGE_SCHEMA) {
    return {
      kind: "failed",
      why: `this page shows "${PAGE_SCHEMA}", the data are "${String(schema)}": reload the page, or use the same version of both`,
    };
  }
  return { kind: "loaded", page: document as PageDocument, isWhole };
}

function problemText(body: unknown): string {
  return `the server says: ${reasonIn(body)}`;
}

function retryMs(problem: unknown): number | undefined {
  if (typeof problem !== "object" || problem === null || !("retryAfterSeconds" in problem)) return undefined;
  return typeof problem.retryAfterSeconds === "number" ? 1000 * problem.retryAfterSeconds : undefined;
}

/** What a problem document (RFC 9457) says. */
export function reasonIn(body: unknown): string {
  const { title, detail } =
    typeof body === "object" && body !== null ? (body as { title?: unknown; detail?: unknown }) : {};
  const text = [detail, title].find((part) => typeof part === "string");
  return text ?? "no reason";
}
