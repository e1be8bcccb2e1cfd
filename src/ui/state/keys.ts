import { useEffect } from "react";

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

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.closest("dialog") !== null) return true;
  if (target instanceof HTMLInputElement) return target.type !== "range";
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || target.isContentEditable;
}
