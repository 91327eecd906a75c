import { UsageError } from "../errors/index.js";
import { type Attributes, type Operator, Tensor } from "../ir/index.js";
import { mul, nonzero, sigmoid, sub } from "./elementwise.js";
import { expectDType } from "./expect.js";

interface ClampAttributes extends Attributes {
  readonly min: number;
  readonly max: number;
}

/** The operator of {@link clamp}. */
export const clampOperator: Operator<ClampAttributes> = {
  name: "clamp",
  elementwise: true,
  evaluate: ([x], { attributes: { min, max } }) => x!.map((value) => Math.min(Math.max(value, min), max)),
  infer: ([x]) => {
    expectDType("clamp", [x!], "float32");
    return x!;
  },
  // Neither difference is 0 where y lies strictly between the bounds.
  gradient: (dy, { output: y, attributes: { min, max } }) => [
    mul(dy, nonzero(mul(sub(y, min), sub(max, y)))),
  ],
  emit: ({ inputs: [x], attributes: { min, max } }, onnx) =>
    onnx.node("Clip", [x!, onnx.float(min), onnx.float(max)]),
};

/** The operator of {@link hardSigmoid}. */
export const hardSigmoidOperator: Operator<Record<string, never>> = {
  name: "hardSigmoid",
  elementwise: true,
  infer: ([x]) => {
    expectDType("hardSigmoid", [x!], "float32");
    return x!;
  },
  gradient: (dy, { output: y }) => [mul(dy, mul(nonzero(mul(y, sub(1, y))), 1 / 6))],
  emit: ({ inputs: [x] }, onnx) =>
    onnx.node("HardSigmoid", [x!], { alpha: { float: 1 / 6 }, beta: { float: 0.5 } }),
};

/**
 * min(max(x, min), max). The gradient is 0 at the bounds, as in PyTorch's `relu6` and `hardtanh`.
 *
 * @throws UsageError unless both bounds are finite and `min` is below `max`
 */
export function clamp(x: Tensor, { min, max }: { readonly min: number; readonly max: number }): Tensor {
  if (!(Number.isFinite(min) && Number.isFinite(max) && min < max)) {
    throw new UsageError(`clamp needs finite bounds with min below max, not ${min} and ${max}`, {
      hint: "for a bound on one side use maximum or minimum",
    });
  }
  return Tensor.apply(clampOperator, [x], { min, max });
}

/** min(max(x, 0), 6). */
export function relu6(x: Tensor): Tensor {
  return clamp(x, { min: 0, max: 6 });
}

/** min(max(x + 3, 0), 6) / 6. The gradient is 0 at −3 and 3, as in PyTorch. */
export function hardSigmoid(x: Tensor): Tensor {
  return Tensor.apply(hardSigmoidOperator, [x], {});
}

/** x · hardSigmoid(x), Howard et al., "Searching for MobileNetV3", ICCV 2019, section 5.2. */
export function hardSwish(x: Tensor): Tensor {
  return mul(x, hardSigmoid(x));
}

/** x · sigmoid(x), Elfwing et al., 2017; also called swish. */
export function silu(x: Tensor): Tensor {
  return mul(x, sigmoid(x));
}
