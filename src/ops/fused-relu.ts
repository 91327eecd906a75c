import type { Tensor } from "../ir/index.js";
import type { OnnxAttribute } from "../onnx/builder.js";
import { mul, nonzero, sub } from "./elementwise.js";

/** ReLU in the same pass as an operator: `true`, or the bound that it goes up to, 6 for ReLU6; `false` for none. */
export type FusedRelu = boolean | number;

/** ReLU up to `most` after one that is there already. */
export function reluAfter(relu: FusedRelu, most = Number.POSITIVE_INFINITY): FusedRelu {
  const bound = Math.min(typeof relu === "number" ? relu : Number.POSITIVE_INFINITY, most);
  return Number.isFinite(bound) ? bound : true;
}

/** The gradient before the ReLU that gave `y`. */
export function throughRelu(dy: Tensor, y: Tensor, relu: FusedRelu): Tensor {
  if (relu === false) return dy;
  return mul(dy, nonzero(relu === true ? y : mul(y, sub(relu, y))));
}

/** Attributes of ONNX Runtime's fused convolutions. */
export function reluAttributes(relu: FusedRelu): Readonly<Record<string, OnnxAttribute>> {
  if (relu === false) return {};
  if (relu === true) return { activation: "Relu" };
  return { activation: "Clip", activation_params: { floats: [0, relu] } };
}
