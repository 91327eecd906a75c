/** Plain arrays with shapes, and the loops that oracles of layers are made of; all in double precision. */

export type Shape = readonly number[];

/** Elements with a shape, row-major. */
export interface Values {
  readonly shape: Shape;
  readonly data: ArrayLike<number>;
}

export const size = (shape: Shape): number => shape.reduce((product, n) => product * n, 1);

/** Elements of a shape, each from its place in the row-major order. */
export const values = (shape: Shape, of: (place: number) => number): Values => ({
  shape,
  data: Float64Array.from({ length: size(shape) }, (_, place) => of(place)),
});

/** Entry `index` of the first axis. */
export function entry({ shape, data }: Values, index: number): Values {
  const inner = shape.slice(1);
  return values(inner, (place) => data[index * size(inner) + place]!);
}

/** All positions of a shape, in order. */
export function positions(shape: Shape): number[][] {
  return shape.reduce<number[][]>(
    (all, n) => all.flatMap((at) => Array.from({ length: n }, (_, i) => [...at, i])),
    [[]],
  );
}

/** The element at a position; 0 outside. */
export function at({ shape, data }: Values, position: readonly number[]): number {
  if (position.some((index, axis) => index < 0 || index >= shape[axis]!)) return 0;
  return data[position.reduce((offset, index, axis) => offset * shape[axis]! + index, 0)]!;
}

export const total = (terms: readonly number[]): number => terms.reduce((sum, term) => sum + term, 0);
export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

export function softmax(logits: readonly number[]): number[] {
  const powers = logits.map(Math.exp);
  return powers.map((power) => power / total(powers));
}

/** Mean of each channel of a sample [C, …]. */
export function pooled(x: Values): number[] {
  return Array.from({ length: x.shape[0]! }, (_, c) => {
    const channel = entry(x, c);
    return total(Array.from(channel.data)) / channel.data.length;
  });
}

/** Wv + b, W [out, in] whatever axes of size 1 follow. */
export function linear(weight: Values, v: readonly number[], bias?: Values): number[] {
  return Array.from(
    { length: weight.shape[0]! },
    (_, o) => total(v.map((value, i) => value * weight.data[o * v.length + i]!)) + (bias?.data[o] ?? 0),
  );
}

/** Normalisation by running statistics; ε is 1e-5. */
export function normalized(
  v: readonly number[],
  state: Readonly<Record<string, Values>>,
  norm: string,
): number[] {
  const of = (name: string, c: number) => state[`${norm}.${name}`]!.data[c]!;
  return v.map(
    (value, c) =>
      ((value - of("running_mean", c)) / Math.sqrt(of("running_var", c) + 1e-5)) * of("weight", c) +
      of("bias", c),
  );
}

/** Σₖ weights[k]·experts[k]. */
export function mix(weights: readonly number[], experts: Values): Values {
  return values(experts.shape.slice(1), (place) => {
    const stride = size(experts.shape.slice(1));
    return total(weights.map((weight, k) => weight * experts.data[k * stride + place]!));
  });
}

/** Where windows lie: one number for all axes, or one an axis. */
export interface Geometry {
  readonly stride?: number | Shape;
  readonly padding?: number | Shape;
  readonly dilation?: number | Shape;
  readonly groups?: number;
  /** Of a transposed convolution. */
  readonly outputPadding?: number | Shape;
}

const axisOf = (option: number | Shape | undefined, axis: number, standard: number) =>
  typeof option === "number" ? option : (option?.[axis] ?? standard);

/** A sample [C, …] convolved with a kernel [O, C/groups, …] of the same rank. */
export function convolve(x: Values, kernel: Values, bias: Values | undefined, geometry: Geometry): Values {
  const groups = geometry.groups ?? 1;
  const [out, inner, ...taps] = kernel.shape as [number, number, ...number[]];
  const stride = (axis: number) => axisOf(geometry.stride, axis, 1);
  const padding = (axis: number) => axisOf(geometry.padding, axis, 0);
  const dilation = (axis: number) => axisOf(geometry.dilation, axis, 1);
  const sizes = taps.map(
    (k, axis) =>
      Math.floor((x.shape[axis + 1]! + 2 * padding(axis) - dilation(axis) * (k - 1) - 1) / stride(axis)) + 1,
  );
  const shape = [out, ...sizes];
  const places = positions(shape);
  const windows = positions([inner, ...taps]);
  return values(shape, (place) => {
    const [o, ...position] = places[place] as [number, ...number[]];
    const first = Math.floor(o / (out / groups)) * inner;
    const terms = windows.map(([c, ...tap]) => {
      const pixel = position.map((p, axis) => p * stride(axis) - padding(axis) + tap[axis]! * dilation(axis));
      return at(x, [first + c!, ...pixel]) * at(kernel, [o, c!, ...tap]);
    });
    return total(terms) + (bias?.data[o] ?? 0);
  });
}

/** A sample [C, …] and a kernel [C, O/groups, …]: each pixel puts its kernel on the output. */
export function convolveTransposed(
  x: Values,
  kernel: Values,
  bias: Values | undefined,
  geometry: Geometry,
): Values {
  const groups = geometry.groups ?? 1;
  const [channels, inner, ...taps] = kernel.shape as [number, number, ...number[]];
  const of = (option: number | Shape | undefined, standard: number) =>
    taps.map((_, axis) => axisOf(option, axis, standard));
  const [stride, padding, dilation] = [
    of(geometry.stride, 1),
    of(geometry.padding, 0),
    of(geometry.dilation, 1),
  ];
  const more = of(geometry.outputPadding, 0);
  const shape = [
    inner * groups,
    ...taps.map(
      (k, i) => (x.shape[i + 1]! - 1) * stride[i]! - 2 * padding[i]! + dilation[i]! * (k - 1) + more[i]! + 1,
    ),
  ];
  const y = Float64Array.from(
    { length: size(shape) },
    (_, place) => bias?.data[Math.floor(place / size(shape.slice(1)))] ?? 0,
  );
  for (const [c, ...pixel] of positions(x.shape) as [number, ...number[]][]) {
    for (const [o, ...tap] of positions([inner, ...taps]) as [number, ...number[]][]) {
      const place = tap.map((t, i) => pixel[i]! * stride[i]! - padding[i]! + t * dilation[i]!);
      if (place.some((p, i) => p < 0 || p >= shape[i + 1]!)) continue;
      const channel = Math.floor(c / (channels / groups)) * inner + o;
      const offset = [channel, ...place].reduce((sum, index, axis) => sum * shape[axis]! + index, 0);
      y[offset]! += at(x, [c, ...pixel]) * at(kernel, [c, o, ...tap]);
    }
  }
  return { shape, data: y };
}
