/** Checks shared by shape rules; each throws a {@link ShapeError}. */
import { ShapeError } from "../errors/index.js";
import { type DType, formatType, type TensorType } from "../ir/index.js";

/** Every input must have one of the allowed dtypes. */
export function expectDType(
  operator: string,
  inputs: readonly TensorType[],
  ...allowed: readonly DType[]
): void {
  if (inputs.every(({ dtype }) => allowed.includes(dtype))) return;
  throw new ShapeError(operator, allowed.join(" or "), inputs.map(formatType).join(" and "), {
    hint: "convert with cast(x, dtype)",
  });
}

/** The input must be float32 with the number of axes in `layout`, such as `[B, C, H, W]`. */
export function expectLayout(operator: string, x: TensorType, layout: string): void {
  if (x.dtype === "float32" && x.shape.length === layout.split(",").length) return;
  throw new ShapeError(operator, `float32 ${layout}`, formatType(x));
}

/** Numbers of elements must be integers. */
export function expectWholes(operator: string, values: Readonly<Record<string, number>>): void {
  if (Object.values(values).every(Number.isSafeInteger)) return;
  const received = Object.entries(values).map(([name, value]) => `${name} ${value}`);
  throw new ShapeError(operator, `whole numbers for ${Object.keys(values).join(", ")}`, received.join(", "));
}
