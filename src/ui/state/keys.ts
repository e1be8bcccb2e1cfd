import { useEffect, useRef } from "react";

/** Calls the action of a pressed key ("j", "?", "ctrl+k", "Enter") unless someone is typing. */
export function useKeys(actions: Readonly<Record<string, (() => void) | undefined>>): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      const withControl = event.ctrlKey || event.metaKey;
      if (event.altKey || event.defaultPrevented) return;
      if (isTyping(event.target) && !withControl) return;
      const action = actions[withControl ? `ctrl+${event.key.toLowerCase()}` : event.key];
      if (action === undefined) return;
      event.preventDefault();
      action();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  });
}

/** The second of two keys has to follow within this time. */
const SECOND_KEY_MS = 1200;

/** Calls the action of a key that is pressed after `first`. That second key then means nothing else. */
export function useKeysAfter(first: string, actions: Readonly<Record<string, () => void>>): void {
  const latest = useRef(actions);
  latest.current = actions;
  useEffect(() => {
    let until = 0;
    const pressed = (event: KeyboardEvent): void => {
      if (event.altKey || event.ctrlKey || event.metaKey || isTyping(event.target)) return;
      const isSecond = performance.now() < until;
      until = !isSecond && event.key === first ? performance.now() + SECOND_KEY_MS : 0;
      const action = isSecond ? latest.current[event.key] : undefined;
      if (action === undefined) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      action();
    };
    // Before the others, which would take the second key for their own.
    addEventListener("keydown", pressed, { capture: true });
    return () => removeEventListener("keydown", pressed, { capture: true });
  }, [first]);
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.closest("dialog") !== null) return true;
  if (target instanceof HTMLInputElement) return target.type !== "range";
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || target.isContentEditable;
}
