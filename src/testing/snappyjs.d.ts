/** The part of snappyjs 0.7.0 that tests use; it has no types of its own. */
declare module "snappyjs" {
  export function compress(uncompressed: Uint8Array): Uint8Array;
}
