import { Readable } from "node:stream";
import { loadProfiles, type LoadedProfile } from "../formats/load-profiles.ts";
import { InputError } from "../model/intake.ts";

/** A heap profile of a large program, as it is sent. */
const MAX_BYTES = 256 << 20;
/** Beyond the seconds that the address asks for. */
const PATIENCE_MS = 15_000;

export const isUrl = (path: string): boolean => /^https?:\/\//i.test(path);

/**
 * The profile that an address answers with, as `/debug/pprof/profile?seconds=5` of a Go program does; the address as it was
 * given, no other that it leads to. Throws InputError with what went wrong.
 */
export async function fetchProfile(address: string, signal: AbortSignal): Promise<LoadedProfile> {
  const fail = (found: string): never => {
    throw new InputError("unreadable", { file: address, byteOffset: -1, expected: "a profile", found });
  };
  if (!URL.canParse(address)) return fail("no URL");
  const seconds = Number(new URL(address).searchParams.get("seconds") ?? 30);
  const timeoutMs = 1000 * (Number.isFinite(seconds) ? Math.max(0, Math.min(seconds, 3600)) : 30) + PATIENCE_MS;
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const response = await fetch(address, { redirect: "error", signal: limit });
    if (response.status !== 200) fail(`status ${response.status}`);
    for await (const chunk of response.body ?? []) {
      size += (chunk as Uint8Array).length;
      if (size > MAX_BYTES) fail(`more than ${MAX_BYTES} bytes`);
      chunks.push(chunk as Uint8Array);
    }
  } catch (error) {
    if (error instanceof InputError) throw error;
    const cause = (error as Error).cause;
    return fail(cause instanceof Error ? cause.message : (error as Error).message);
  }
  const { profiles, errors } = await loadProfiles(["-"], { others: "refuse", stdin: Readable.from(chunks) });
  const [error] = errors;
  if (error !== undefined) {
    const { byteOffset, expected, found } = error;
    throw new InputError(error.code, { file: address, byteOffset, expected, found });
  }
  const [profile] = profiles;
  return profile === undefined ? fail("an empty answer") : { ...profile, file: address };
}
