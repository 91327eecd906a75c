import type { Tensor } from "../../ir/index.js";
import { hardSigmoid, hardSwish, relu, relu6, sigmoid, silu } from "../../ops/index.js";
import { Module } from "../module.js";

/** max(x, 0), elementwise: any shape → the same shape. */
export class ReLU extends Module {
  forward(x: Tensor): Tensor {
    return relu(x);
  }
}

/** min(max(x, 0), 6), elementwise: any shape → the same shape. */
export class ReLU6 extends Module {
  forward(x: Tensor): Tensor {
    return relu6(x);
  }
}

/** 1 / (1 + e⁻ˣ), elementwise: any shape → the same shape. */
export class Sigmoid extends Module {
  forward(x: Tensor): Tensor {
    return sigmoid(x);
  }
}

/** min(max(x + 3, 0), 6) / 6, elementwise: any shape → the same shape. */
export class Hardsigmoid extends Module {
  forward(x: Tensor): Tensor {
    return hardSigmoid(x);
  }
}

/**
 * x · min(max(x + 3, 0), 6) / 6, elementwise: any shape → the same shape.
 *
 * Howard et al., "Searching for MobileNetV3", ICCV 2019, section 5.2.
 */
export class Hardswish extends Module {
  forward(x: Tensor): Tensor {
    return hardSwish(x);
  }
}

/** x / (1 + e⁻ˣ), also called swish, elementwise: any shape → the same shape. */
export class SiLU extends Module {
  forward(x: Tensor): Tensor {
    return silu(x);
  }
}

/** Returns its input unchanged: it stands where a network omits a layer. */
export class Identity extends Module {
  forward(x: Tensor): Tensor {
    return x;
  }
}
