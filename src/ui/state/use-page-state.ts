import { useSyncExternalStore } from "react";
import { formatState, type PageState, parseState, patched } from "./page-state.ts";

/** The state of the address, and how to change it: a step of the history, or in place of the present one. */
export function usePageState(): readonly [PageState, (patch: Partial<PageState>, replace?: boolean) => void] {
  const hash = useSyncExternalStore(listen, () => location.hash);
  const state = parseState(hash);
  return [
    state,
    (patch, replace = false) => {
      const next = formatState(patched(state, patch));
      if (next === location.hash) return;
      if (replace) {
        history.replaceState(null, "", next);
        dispatchEvent(new HashChangeEvent("hashchange"));
      } else location.hash = next;
    },
  ];
}

function listen(changed: () => void): () => void {
  addEventListener("hashchange", changed);
  return () => removeEventListener("hashchange", changed);
}
