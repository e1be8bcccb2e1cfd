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
    tell({ kind: "loading", stage: "asking the server" });
    const answer = await fetch(`api/v1/page${location.search}`, { headers: { accept: "application/json" } });
    const body: unknown = await answer.json();
    tell(answer.ok ? checked(body) : { kind: "failed", why: problemText(answer.status, body) });
  } catch (error) {
    tell({ kind: "failed", why: error instanceof Error ? error.message : String(error) });
  }
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

function problemText(status: number, body: unknown): string {
  const detail = typeof body === "object" && body !== null && "detail" in body ? String(body.detail) : "";
  return `the server answered ${status}${detail === "" ? "" : `: ${detail}`}`;
}
