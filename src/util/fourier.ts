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
 * The discrete Fourier transform of sequences of a given length, X_f = Σ_t x_t·e^(−2πi·ft/n), by the Cooley–Tukey
 * algorithm over the prime factors of the length.
 */
export function fourierTransform(n: number): (sequence: Complex) => Complex {
  const [cos, sin] = [new Float64Array(n), new Float64Array(n)];
  for (let i = 0; i < n; i++) {
    cos[i] = Math.cos((2 * Math.PI * i) / n);
    sin[i] = -Math.sin((2 * Math.PI * i) / n);
  }

  /** Transforms the elements `stride` apart from `start` on, n / stride of them. */
  function transform(x: Complex, start: number, stride: number): Complex {
    const count = n / stride;
    const parts = smallestFactor(count);
    const length = count / parts;
    const [re, im] = [new Float64Array(count), new Float64Array(count)];
    for (let part = 0; part < parts; part++) {
      const from = start + part * stride;
      const [inner, first] = length === 1 ? [x, from] : [transform(x, from, stride * parts), 0];
      let turn = 0;
      for (let f = 0; f < count; f++) {
        const at = first + (f % length);
        const a = inner.re[at]!;
        const b = inner.im[at]!;
        re[f]! += a * cos[turn]! - b * sin[turn]!;
        im[f]! += a * sin[turn]! + b * cos[turn]!;
        turn += part * stride;
        if (turn >= n) turn -= n;
      }
    }
    return { re, im };
  }

  return (sequence) => transform(sequence, 0, 1);
}
