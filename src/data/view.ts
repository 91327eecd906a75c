/** The visible part of an image, relative to its width and height. */
export interface View {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** Whether it is flipped horizontally. */
  readonly flip: boolean;
}

/** The whole image, not flipped. */
export const WHOLE_VIEW: View = { left: 0, top: 0, width: 1, height: 1, flip: false };

/**
 * Maps a point of an image to a view of it. Both are relative to width and height; points outside the view
 * are below 0 or above 1.
 */
export function pointInView(
  { left, top, width, height, flip }: View,
  [x, y]: readonly [x: number, y: number],
): readonly [x: number, y: number] {
  const across = (x - left) / width;
  return [flip ? 1 - across : across, (y - top) / height];
}

/** Pairs of values that are the x and y of a point, by their names `a.x` and `a.y`. */
export function pointPairs(names: readonly string[]): readonly (readonly [x: number, y: number])[] {
  return names.flatMap((name, x): (readonly [number, number])[] => {
    const y = name.endsWith(".x") ? names.indexOf(`${name.slice(0, -2)}.y`) : -1;
    return y < 0 ? [] : [[x, y]];
  });
}
