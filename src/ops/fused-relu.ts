import type { Tensor } from "../ir/index.js";
import type { OnnxAttribute } from "../onnx/builder.js";
import { heaviside, mul, sub } from "./elementwise.js";

/** ReLU in the same pass as an operator: `true`, or its upper bound (6 for ReLU6), or `false` for none. */
export type FusedRelu = boolean | number;

/** Composes a fused ReLU with a second one, clipped at `most`. */
export function reluAfter(relu: FusedRelu, most = Number.POSITIVE_INFINITY): FusedRelu {
  const bound = Math.min(typeof relu === "number" ? relu : Number.POSITIVE_INFINITY, most);
  return Number.isFinite(bound) ? bound : true;
}

/** The gradient with respect to the input of the ReLU that gave `y`. */
export function throughRelu(dy: Tensor, y: Tensor, relu: FusedRelu): Tensor {
  if (relu === false) return dy;
  return mul(dy, heaviside(relu === true ? y : mul(y, sub(relu, y))));
}

/** Attributes of ONNX Runtime's fused convolutions. */
export function reluAttributes(relu: FusedRelu): Readonly<Record<string, OnnxAttribute>> {
  if (relu === false) return {};
  if (relu === true) return { activation: "Relu" };
  return { activation: "Clip", activation_params: { floats: [0, relu] } };
}
