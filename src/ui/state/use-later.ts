import { useEffect, useRef } from "react";

/** Browsers refuse hundreds of changes of the address within seconds, which a held key makes. */
const STAYS_MS = 300;

/** Calls `write` with the last value once it has stayed for a moment. */
export function useLater<T>(write: (value: T) => void): (value: T) => void {
  const latest = useRef(write);
  latest.current = write;
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  return (value) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => latest.current(value), STAYS_MS);
  };
}
