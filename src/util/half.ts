const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The largest finite float16. */
export const LARGEST_HALF = 65504;

/** The bits of a number as an IEEE 754 float16, rounded to nearest, ties to even. */
export function halfBits(value: number): number {
  float[0] = value;
  const sign = (bits[0]! >>> 16) & 0x8000;
  const size = Math.abs(float[0]!);
  if (Number.isNaN(size)) return sign | 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  // Subnormals, below 2⁻¹⁴, are 2⁻²⁴ apart; above, each power of two has 2¹⁰ steps.
  const exponent = Math.max(-14, Math.floor(Math.log2(size)));
  const steps = roundHalfEven(size * 2 ** (10 - exponent));
  return sign | (steps + ((exponent + 14) << 10));
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
