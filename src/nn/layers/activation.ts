import type { Tensor } from "../../ir/index.js";
import { hardSigmoid, hardSwish, relu, relu6, sigmoid, silu } from "../../ops/index.js";
import { Module } from "../module.js";

/** max(x, 0), element by element: any shape → the same shape. */
export class ReLU extends Module {
  forward(x: Tensor): Tensor {
    return relu(x);
  }
}

/** min(max(x, 0), 6), element by element: any shape → the same shape. */
export class ReLU6 extends Module {
  forward(x: Tensor): Tensor {
    return relu6(x);
  }
}

/** 1 / (1 + e⁻ˣ), element by element: any shape → the same shape. */
export class Sigmoid extends Module {
  forward(x: Tensor): Tensor {
    return sigmoid(x);
  }
}

/** min(max(x + 3, 0), 6) / 6, element by element: any shape → the same shape. */
export class Hardsigmoid extends Module {
  forward(x: Tensor): Tensor {
    return hardSigmoid(x);
  }
}

/**
 * x · min(max(x + 3, 0), 6) / 6, element by element: any shape → the same shape.
 *
 * Howard et al., "Searching for MobileNetV3", ICCV 2019, section 5.2.
 */
export class Hardswish extends Module {
  forward(x: Tensor): Tensor {
    return hardSwish(x);
  }
}

/** x / (1 + e⁻ˣ), also called swish, element by element: any shape → the same shape. */
export class SiLU extends Module {
  forward(x: Tensor): Tensor {
    return silu(x);
  }
}

/** Its input, unchanged: what stands in the place of a layer that a network does without. */
export class Identity extends Module {
  forward(x: Tensor): Tensor {
    return x;
  }
}
