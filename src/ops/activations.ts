import { UsageError } from "../errors/index.js";
import { type Attributes, type Operator, Tensor } from "../ir/index.js";
import type { OnnxBuilder } from "../onnx/builder.js";
import { heaviside, mul, type NoAttributes, sigmoid, sub, unary } from "./elementwise.js";
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
  // Both differences are positive where y lies strictly between the bounds.
  gradient: (dy, { output: y, attributes: { min, max } }) => [
    mul(dy, heaviside(mul(min === 0 ? y : sub(y, min), sub(max, y)))),
  ],
  emit: ({ inputs: [x], attributes: { min, max } }, onnx) =>
    onnx.node("Clip", [x!, onnx.float(min), onnx.float(max)]),
};

/** The operator of {@link hardSigmoid}. */
export const hardSigmoidOperator: Operator<NoAttributes> = {
  ...unary("hardSigmoid", "", (dy, _, y) => mul(dy, mul(heaviside(mul(y, sub(1, y))), 1 / 6))),
  emit: ({ inputs: [x] }, onnx) => emitHardSigmoid(x!, onnx),
};

function emitHardSigmoid(x: string, onnx: OnnxBuilder): string {
  return onnx.node("HardSigmoid", [x], { alpha: { float: 1 / 6 }, beta: { float: 0.5 } });
}

/** The operator of {@link hardSwish}. */
export const hardSwishOperator: Operator<NoAttributes> = {
  ...unary("hardSwish", "", (dy, x) => mul(dy, hardSwishSlope(x))),
  emit: ({ inputs: [x] }, onnx) => onnx.node("Mul", [x!, emitHardSigmoid(x!, onnx)]),
};

/** The float32 before 3. */
const BELOW_3 = 3 - 2 ** -22;

const hardSwishSlopeOperator: Operator<NoAttributes> = {
  ...unary("hardSwishSlope", "", (dy, x) => {
    const rise = hardSigmoid(x);
    return mul(dy, mul(heaviside(mul(rise, sub(1, rise))), 1 / 3));
  }),
  // hardSigmoid(x) + x/6 between the bounds, as the difference of x above one and x above the other: six passes.
  emit: ({ inputs: [x] }, onnx) => {
    const above = (alpha: number) => onnx.node("ThresholdedRelu", [x!], { alpha: { float: alpha } });
    const between = onnx.node("Sub", [above(-3), above(BELOW_3)]);
    return onnx.node("Add", [emitHardSigmoid(x!, onnx), onnx.node("Mul", [between, onnx.float(1 / 6)])]);
  },
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

/**
 * x · hardSigmoid(x), Howard et al., "Searching for MobileNetV3", ICCV 2019, section 5.2. The gradient is 0 at −3 and 1 at
 * 3, as in PyTorch.
 */
export function hardSwish(x: Tensor): Tensor {
  return Tensor.apply(hardSwishOperator, [x], {});
}

/** The derivative of {@link hardSwish}: 0 up to −3, x/3 + ½ up to 3, then 1. */
export function hardSwishSlope(x: Tensor): Tensor {
  return Tensor.apply(hardSwishSlopeOperator, [x], {});
}

/** x · sigmoid(x), Elfwing et al., 2017; also called swish. */
export function silu(x: Tensor): Tensor {
  return mul(x, sigmoid(x));
}
