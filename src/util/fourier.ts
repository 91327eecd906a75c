/** Real and imaginary parts of a sequence. */
export interface Complex {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/** Smallest divisor greater than 1. */
function smallestFactor(n: number): number {
  for (let factor = 2; factor * factor <= n; factor++) if (n % factor === 0) return factor;
  return n;
}

/**
 * Discrete Fourier transform of any length, X_f = Σ_t x_t·e^(−2πi·ft/n), by the Cooley–Tukey algorithm over the prime
 * factors of the length.
 */
export function fourier({ re, im }: Complex): Complex {
  const n = re.length;
  if (n === 1) return { re: re.slice(), im: im.slice() };
  const parts = smallestFactor(n);
  const length = n / parts;
  const inner = Array.from({ length: parts }, (_, part) => {
    const take = (values: Float64Array) => Float64Array.from({ length }, (_, t) => values[t * parts + part]!);
    const taken = { re: take(re), im: take(im) };
    return length === 1 ? taken : fourier(taken);
  });
  const cos = Float64Array.from({ length: n }, (_, i) => Math.cos((2 * Math.PI * i) / n));
  const sin = Float64Array.from({ length: n }, (_, i) => -Math.sin((2 * Math.PI * i) / n));
  const out = { re: new Float64Array(n), im: new Float64Array(n) };
  for (let f = 0; f < n; f++) {
    const at = f % length;
    for (let part = 0; part < parts; part++) {
      const turn = (f * part) % n;
      const { re: a, im: b } = inner[part]!;
      out.re[f]! += a[at]! * cos[turn]! - b[at]! * sin[turn]!;
      out.im[f]! += a[at]! * sin[turn]! + b[at]! * cos[turn]!;
    }
  }
  return out;
}
