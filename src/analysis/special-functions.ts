/**
 * Distribution functions that the tests need. Relative error about 1e-12, also far out in the tails, where p-values
 * of 1e-50 must still be ordered; for arguments around 1e6 about 1e-9, lost in the logarithms of the gamma function.
 */

/** Probability that a standard normal variable exceeds z. */
export function normalUpperTail(z: number): number {
  const half = upperIncompleteGamma(0.5, (z * z) / 2) / 2;
  return z >= 0 ? half : 1 - half;
}

/** z with `normalUpperTail(z) = tail`, for 0 < tail < 1. */
export function normalUpperQuantile(tail: number): number {
  if (tail > 0.5) return -normalUpperQuantile(1 - tail);
  return bisect(0, 40, (z) => normalUpperTail(z) > tail);
}

/** Probability that |T| exceeds |t| for Student's T with `freedom` degrees, which need not be whole. */
export function studentTwoSided(t: number, freedom: number): number {
  if (t === 0) return 1;
  if (!Number.isFinite(t)) return 0;
  return incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5);
}

/** t with `studentTwoSided(t, freedom) = tails`: half the width of an interval of coverage 1 - tails, in standard errors. */
export function studentQuantile(tails: number, freedom: number): number {
  const x = incompleteBetaInverse(tails, freedom / 2, 0.5);
  return Math.sqrt((freedom * (1 - x)) / x);
}

/** Natural logarithm of the gamma function for x > 0 (Lanczos' approximation, 9 terms). */
export function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const t = x + 6.5;
  let sum = LANCZOS[0]!;
  for (let i = 1; i < LANCZOS.length; i++) sum += LANCZOS[i]! / (x - 1 + i);
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

/** P. Godfrey's coefficients for g = 7, n = 9; relative error below 1e-15. */
const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

/** Logarithm of the binomial coefficient "n over k". */
export function logChoose(n: number, k: number): number {
  return logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1);
}

/** Regularised incomplete beta function I_x(a, b), a and b > 0 (DLMF 8.17.22, evaluated by Lentz's method). */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The continued fraction converges fast only below the mean.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
  return (
    front /
    lentz((m) => {
      const half = m >> 1;
      return m % 2 === 0
        ? (half * (b - half) * x) / ((a + m - 1) * (a + m))
        : (-(a + half) * (a + b + half) * x) / ((a + m - 1) * (a + m));
    })
  );
}

/** x with `incompleteBeta(x, a, b) = p`. */
export function incompleteBetaInverse(p: number, a: number, b: number): number {
  return bisect(0, 1, (x) => incompleteBeta(x, a, b) < p);
}

/** Regularised upper incomplete gamma function Q(a, x): the chi-squared tail is Q(freedom / 2, x / 2). */
export function upperIncompleteGamma(a: number, x: number): number {
  if (x <= 0) return 1;
  const front = Math.exp(a * Math.log(x) - x - logGamma(a));
  if (x < a + 1) {
    // series DLMF 8.7.1 of the lower function
    let term = 1 / a;
    let sum = term;
    for (let n = 1; term > 1e-17 * sum; n++) {
      term *= x / (a + n);
      sum += term;
    }
    return 1 - front * sum;
  }
  // continued fraction DLMF 8.9.2, contracted: 1 / (x + 1 - a - 1(1 - a) / (x + 3 - a - ...))
  let b = x + 1 - a;
  let c = 1e300;
  let d = 1 / b;
  let h = d;
  for (let i = 1; i < 100_000; i++) {
    const term = -i * (i - a);
    b += 2;
    d = 1 / nonZero(term * d + b);
    c = nonZero(b + term / c);
    h *= d * c;
    if (Math.abs(d * c - 1) < 1e-16) break;
  }
  return front * h;
}

/** Value of 1 + d(1) / (1 + d(2) / (1 + ...)), by the modified Lentz method. */
function lentz(coefficient: (m: number) => number): number {
  let c = 1;
  let d = 0;
  let value = 1;
  for (let m = 1; m < 100_000; m++) {
    const term = coefficient(m);
    d = 1 / nonZero(1 + term * d);
    c = nonZero(1 + term / c);
    value *= c * d;
    if (Math.abs(c * d - 1) < 1e-16) break;
  }
  return value;
}

function nonZero(x: number): number {
  return Math.abs(x) < 1e-300 ? 1e-300 : x;
}

/** The point in (low, high) where `below` turns from true to false, to the last bit. */
function bisect(low: number, high: number, below: (x: number) => boolean): number {
  for (let i = 0; i < 200; i++) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high) break;
    if (below(middle)) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
