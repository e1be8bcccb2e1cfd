import { readFileSync } from "node:fs";

export interface PackageJson {
  readonly version: string;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

/** Longpole's own. It stands two folders above, in the sources as in dist. */
export function packageJson(): PackageJson {
  return JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as PackageJson;
}
