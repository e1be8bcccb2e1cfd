import type { Estimate, PairedEstimate } from "../analysis/bootstrap.ts";

/** Standard deviations of the logarithm, of what a model of waits is wrong by. */
export interface ModelError {
  /** per logarithm of the change that is predicted: of twice as much change twice as much is wrong */
  readonly perChange: number;
  /** per stretch 1 / (1 - use) beyond 1 of the fullest resource whose waits change, after the change */
  readonly perStretch: number;
}

/**
 * Fitted on simulated systems near their limit that no published figure is taken from, seeds 301 to 314:
 * `npm run bench:capacity -- --busy --cases 14 --first-seed 301 --json FILE`, then `--calibrate FILE`.
 */
export const MODEL_ERROR: ModelError = { perChange: 0.06, perStretch: 0.0075 };

/** Normal deviate of a two-sided 90 % interval. */
const Z = 1.645;

/**
 * In 9 of 10 cases a measurement of the changed system, as long as the one that was replayed, falls within: it has the
 * sampling error of this one once more, and the model of waits an error of its own, which grows with the change
 * that it predicts and with how full what it changes is left. `stretch`: 1 / (1 - use) of that, 1 where no waits change.
 */
export function predictionInterval(
  { now, predicted }: PairedEstimate,
  stretch: number,
  { perChange, perStretch }: ModelError = MODEL_ERROR,
): Estimate {
  const { value } = predicted;
  if (!(value > 0) || !(now.value > 0)) return predicted;
  const model = Math.hypot(perChange * Math.log(value / now.value), stretch > 1 ? perStretch * (stretch - 1) : 0);
  const reach = (bound: number): number => {
    const sampled = bound > 0 ? Math.abs(Math.log(bound / value)) / Z : 1;
    return Math.exp(Z * Math.hypot(Math.SQRT2 * sampled, model));
  };
  return { value, low: value / reach(predicted.low), high: value * reach(predicted.high) };
}

export interface Calibration extends ModelError {
  /** share of the cases that the intervals then cover */
  readonly covered: number;
}

/**
 * The likeliest errors of the model (normal logarithms, by a grid), given what was measured after the changes. The
 * sampling error is known: what is seen beyond it is the model's.
 */
export function fitModelError(
  cases: readonly { readonly pair: PairedEstimate; readonly stretch: number; readonly measured: number }[],
): Calibration {
  let best: { error: ModelError; loss: number } | undefined;
  for (let i = 0; i <= 40; i++) {
    for (let j = 0; j <= 40; j++) {
      const error = { perChange: i / 50, perStretch: j / 400 };
      const loss = cases.reduce((sum, one) => sum + lossOf(one, error), 0);
      if (best === undefined || loss < best.loss) best = { error, loss };
    }
  }
  const { error } = best!;
  const covered = cases.filter(({ pair, stretch, measured }) => {
    const { low, high } = predictionInterval(pair, stretch, error);
    return low <= measured && measured <= high;
  });
  return { ...error, covered: covered.length / cases.length };
}

/** Minus the logarithm of the likelihood of one case. */
function lossOf(
  { pair, stretch, measured }: { pair: PairedEstimate; stretch: number; measured: number },
  error: ModelError,
): number {
  const { value, low, high } = predictionInterval(pair, stretch, error);
  const bound = measured < value ? low : high;
  const deviation = Math.max(1e-4, Math.abs(Math.log(bound / value)) / Z);
  return Math.log(deviation) + 0.5 * (Math.log(measured / value) / deviation) ** 2;
}
