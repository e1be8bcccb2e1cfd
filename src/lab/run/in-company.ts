/**
 * Work and what goes on beside it. The company is told to end when the work has ended or failed; where the company fails,
 * the work is told to end, is awaited, and the company's error is thrown. An error of the work is thrown after the
 * company has ended: never as an unhandled rejection in between.
 *
 * `signal`: ends the work from outside.
 */
export async function inCompany<T>(
  work: (signal: AbortSignal) => Promise<T>,
  company: (ended: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<T> {
  const over = new AbortController();
  const working = work(AbortSignal.any([signal, over.signal])).finally(() => over.abort());
  // It may fail while the company still ends, before anybody waits for it.
  working.catch(() => {});
  try {
    await company(over.signal);
  } catch (error) {
    over.abort();
    await working.catch(() => {});
    throw error;
  }
  return working;
}
