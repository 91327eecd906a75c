/** The part of an image that is seen, in parts of its width and height. */
export interface View {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** Whether it is mirrored left and right. */
  readonly flip: boolean;
}

/** All of an image, as it is. */
export const WHOLE_VIEW: View = { left: 0, top: 0, width: 1, height: 1, flip: false };

/** Where a point of an image is in a view of it; both in parts of width and height, outside of it below 0 or above 1. */
export function pointInView(
  { left, top, width, height, flip }: View,
  [x, y]: readonly [x: number, y: number],
): readonly [x: number, y: number] {
  const across = (x - left) / width;
  return [flip ? 1 - across : across, (y - top) / height];
}

/** Which of some values are the x and the y of a point, by their names: `a.x` and `a.y`. */
export function pointPairs(names: readonly string[]): readonly (readonly [x: number, y: number])[] {
  return names.flatMap((name, x): (readonly [number, number])[] => {
    const y = name.endsWith(".x") ? names.indexOf(`${name.slice(0, -2)}.y`) : -1;
    return y < 0 ? [] : [[x, y]];
  });
}
