import { ConfigError } from "./config-error.ts";

/** Addresses without the user and password that were in them, which stand apart: addresses are shown and logged. */
export interface ClickHouseAddresses {
  readonly urls: readonly string[];
  readonly user?: string;
  readonly password?: string;
}

/** Throws ConfigError, which tells no password, for what is no http or https URL, and for addresses of several users. */
export function clickhouseAddresses(given: readonly string[]): ClickHouseAddresses {
  const parts = given.map(parted);
  const [first] = parts;
  const other = parts.find(({ user, password }) => user !== first?.user || password !== first?.password);
  if (other !== undefined)
    throw new ConfigError(
      `ClickHouse: one user and password are used for all addresses; that of ${other.url} is not that of ${first!.url}`,
    );
  return {
    urls: parts.map(({ url }) => url),
    ...(first === undefined || first.user === "" ? {} : { user: first.user }),
    ...(first === undefined || first.password === "" ? {} : { password: first.password }),
  };
}

function parted(text: string): { readonly url: string; readonly user: string; readonly password: string } {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new ConfigError(`ClickHouse: expected an http or https URL, found "${shown(text)}"`);
  const url = new URL(text);
  const { username, password } = url;
  if (username === "" && password === "") return { url: text, user: "", password: "" };
  url.username = url.password = "";
  return { url: url.href, user: decoded(username, url), password: decoded(password, url) };
}

function decoded(text: string, url: URL): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ConfigError(`ClickHouse: the user and password of ${url.href} are not percent-encoded: % is written %25`);
  }
}

/** What was typed, without what may be a password: all before the last @. */
const shown = (text: string): string => text.replace(/^([a-z][a-z\d+.-]*:\/\/)?.*@/is, "$1");
