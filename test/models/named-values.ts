import { count } from "../contract/gradient-check.js";

/** A tensor that follows from its name, by the formula of `named_values.py`; kernels are `gain` times as large. */
export function valuesOf(name: string, shape: readonly number[], gain = 1): Float32Array {
  const seed = [...name].reduce((sum, letter, place) => sum + letter.charCodeAt(0) * (place + 1), 0) % 10007;
  const scale = gain * Math.sqrt(6 / count(shape.slice(1)));
  const values = new Float32Array(count(shape));
  const scaled = (noise: number) => {
    if (name.endsWith("running_var")) return 1 + 0.5 * noise;
    if (shape.length === 1) return name.endsWith("weight") ? 1 + 0.3 * noise : 0.1 * noise;
    return noise * scale;
  };
  for (let i = 0; i < values.length; i++) {
    const wave = Math.sin((i + 1) * 12.9898 + seed * 78.233) * 43758.5453;
    values[i] = scaled(2 * (wave - Math.floor(wave)) - 1);
  }
  return values;
}
