import { useEffect, useState } from "react";
import { reasonIn } from "./load-page.ts";

/** An answer of the server, or how far it is. */
export type Answer<T> =
  | { readonly kind: "none" }
  | { readonly kind: "waiting" }
  | { readonly kind: "answered"; readonly value: T }
  | { readonly kind: "failed"; readonly why: string };

/** GETs `path` whenever it changes; undefined asks nothing. Whoever leaves takes the question back. */
export function useServer<T>(path: string | undefined): Answer<T> {
  const [held, setHeld] = useState<{ readonly path: string | undefined; readonly answer: Answer<T> }>({
    path: undefined,
    answer: { kind: "none" },
  });
  useEffect(() => {
    if (path === undefined) return;
    const abort = new AbortController();
    ask<T>(path, abort.signal).then(
      (answer) => setHeld({ path, answer }),
      (error: unknown) => {
        if (!abort.signal.aborted) setHeld({ path, answer: { kind: "failed", why: String(error) } });
      },
    );
    return () => abort.abort();
  }, [path]);
  if (path === undefined) return { kind: "none" };
  return held.path === path ? held.answer : { kind: "waiting" };
}

async function ask<T>(path: string, signal: AbortSignal): Promise<Answer<T>> {
  const answer = await fetch(path, { signal });
  const body: unknown = await answer.json();
  if (!answer.ok) return { kind: "failed", why: reasonIn(body) };
  return { kind: "answered", value: body as T };
}

/** The window in the page's address, as a part of a query. */
export function windowQuery(): URLSearchParams {
  const params = new URLSearchParams(location.search);
  const window = new URLSearchParams();
  for (const name of ["last", "from", "to"]) {
    const value = params.get(name);
    if (value !== null) window.set(name, value);
  }
  return window;
}
