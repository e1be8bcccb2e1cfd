/** Light or dark: as the system has it, until a person chose; the choice is kept where the browser lets it. */
const KEY = "longpole-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

export function followTheme(): void {
  apply();
  system.addEventListener("change", apply);
}

export function switchTheme(): void {
  const next = isDark() ? "light" : "dark";
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // Pages opened from disk may be refused storage: the choice then holds until the page is closed.
  }
  document.documentElement.dataset["theme"] = next;
  dispatchEvent(new Event("themechange"));
}

export const isDark = (): boolean => document.documentElement.dataset["theme"] === "dark";

function apply(): void {
  document.documentElement.dataset["theme"] = chosen() ?? (system.matches ? "dark" : "light");
  dispatchEvent(new Event("themechange"));
}

function chosen(): string | null {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === "light" || kept === "dark" ? kept : null;
  } catch {
    return null;
  }
}
