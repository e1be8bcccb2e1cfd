import type { Window } from "./window.ts";

/** `compute`, remembered per window: what many explanations look at is derived once, and goes with its window. */
export function oncePerWindow<T>(compute: (window: Window) => T): (window: Window) => T {
  const known = new WeakMap<Window, { readonly value: T }>();
  return (window) => {
    let held = known.get(window);
    if (held === undefined) known.set(window, (held = { value: compute(window) }));
    return held.value;
  };
}
