import { PAGE_SCHEMA, type PageDocument } from "../../model/page.ts";

/** What became of loading; `done` of `total` where the server tells how far it is. */
export type Loading =
  | { readonly kind: "loading"; readonly stage: string }
  | { readonly kind: "loaded"; readonly page: PageDocument }
  | { readonly kind: "failed"; readonly why: string };

/** The page's document: the one within the page, or else the server's of the last 15 minutes. */
export async function loadPage(tell: (loading: Loading) => void): Promise<void> {
  const within = document.getElementById("page");
  try {
    if (within !== null) {
      const { packed } = within.dataset;
      const text = packed === undefined ? within.textContent : await unpacked(within.textContent);
      tell(checked(JSON.parse(text)));
      return;
    }
    await listen(tell);
  } catch (error) {
    tell({ kind: "failed", why: error instanceof Error ? error.message : String(error) });
  }
}

/**
 * Asks the server for the window in the address and tells how far it is. What is known early is shown early; where that
 * was shown, a failure later leaves it as it is.
 */
function listen(tell: (loading: Loading) => void): Promise<void> {
  tell({ kind: "loading", stage: "asking the server" });
  return new Promise((resolve) => {
    const events = new EventSource(`api/v1/page/events${location.search}`);
    let isShown = false;
    const end = (loading: Loading): void => {
      events.close();
      if (loading.kind === "loaded" || !isShown) tell(loading);
      resolve();
    };
    const told = (event: MessageEvent<string>): unknown => JSON.parse(event.data);
    events.addEventListener("progress", (event) => {
      if (!isShown) tell({ kind: "loading", stage: progressText(told(event)) });
    });
    events.addEventListener("partial", (event) => {
      isShown = true;
      tell(checked(told(event)));
    });
    events.addEventListener("page", (event) => end(checked(told(event))));
    events.addEventListener("problem", (event) => end({ kind: "failed", why: problemText(told(event)) }));
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

function checked(document: unknown): Loading {
  const schema =
    typeof document === "object" && document !== null && "schema" in document ? document.schema : undefined;
  if (schema !== PAGE_SCHEMA) {
    return {
      kind: "failed",
      why: `this page shows "${PAGE_SCHEMA}", the data are "${String(schema)}": reload the page, or use the same version of both`,
    };
  }
  return { kind: "loaded", page: document as PageDocument };
}

function problemText(body: unknown): string {
  const { title, detail } =
    typeof body === "object" && body !== null ? (body as { title?: unknown; detail?: unknown }) : {};
  const text = [detail, title].find((part) => typeof part === "string");
  return `the server says: ${text ?? "no reason"}`;
}
