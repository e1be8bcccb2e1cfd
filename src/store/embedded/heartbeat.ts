import { statFields } from "./data-lock.ts";

const INTERVAL_MS = 500;
const PING_MS = 1000;
/** Silent and without using the processor for so long: it hangs. */
const IDLE_HANG_MS = 3000;
/** Silent but busy: a starved machine. After so long it is of no use either. */
const BUSY_HANG_MS = 30_000;

/** Asks the engine again and again whether it is there, and tells when it hangs. */
export class Heartbeat {
  private readonly url: string;
  private timer: NodeJS.Timeout | undefined;
  private generation = 0;

  constructor(url: string) {
    this.url = url;
  }

  /** `onHang` is called once, with what was seen; then the heart beats no more. */
  start(pid: number, onHang: (reason: string) => void): void {
    const generation = ++this.generation;
    let lastAnswer = Date.now();
    let lastBusy = lastAnswer;
    let ticks = cpuTicks(pid);
    const beat = async (): Promise<void> => {
      const isUp = await this.answers(PING_MS);
      if (generation !== this.generation) return;
      const now = Date.now();
      const seen = cpuTicks(pid);
      if (seen > ticks) lastBusy = now;
      ticks = seen;
      if (isUp) lastAnswer = now;
      else if (now - Math.max(lastAnswer, lastBusy) >= IDLE_HANG_MS || now - lastAnswer >= BUSY_HANG_MS) {
        this.generation++;
        onHang(`has not answered for ${((now - lastAnswer) / 1000).toFixed(1)} s`);
        return;
      }
      this.timer = setTimeout(() => void beat(), INTERVAL_MS);
      // Watching the engine keeps nobody alive.
      this.timer.unref();
    };
    void beat();
  }

  stop(): void {
    this.generation++;
    clearTimeout(this.timer);
  }

  /** Whether the engine answers within `timeoutMs`. */
  async answers(timeoutMs: number): Promise<boolean> {
    try {
      const response = await fetch(`${this.url}/ping`, { signal: AbortSignal.timeout(timeoutMs) });
      return (await response.text()) === "Ok.\n";
    } catch {
      return false;
    }
  }
}

/** Ticks of 10 ms; a stopped or stuck process gains none, nor does one of which only the endless query wakes. */
export function cpuTicks(pid: number): number {
  const fields = statFields(pid);
  return fields === undefined ? 0 : Number(fields[11]) + Number(fields[12]);
}
