import type { TargetSource } from "./dataset.js";
import { pointInView, pointPairs } from "./view.js";

/**
 * Numbers per image, fed as `values`. Those named `a.x` and `a.y` are a point relative to the image, and move
 * along when it is cropped or mirrored. All others are unchanged.
 *
 * @param names of the values
 * @param table float32 [images, names]
 */
export function valueTargets(names: readonly string[], table: Float32Array): TargetSource {
  const count = names.length;
  const points = pointPairs(names);
  return {
    specs: { values: { dtype: "float32", shape: [count] } },
    write: (index, view, { values }, position) => {
      const row = table.slice(index * count, (index + 1) * count);
      for (const [x, y] of points) [row[x], row[y]] = pointInView(view, [row[x]!, row[y]!]);
      (values as Float32Array).set(row, position * count);
    },
  };
}
