import {
  AdaptiveAvgPool2d,
  Conv2d,
  Dropout,
  DynamicConv2d,
  Flatten,
  type ForwardContext,
  Linear,
  Module,
  ReLU,
  Sequential,
  type Tensor,
} from "dyconv";

const CHANNELS = [8, 12, 16];

/** Three convolutions that take little time, dynamic ones where there are experts. */
export class SmallNetwork extends Module {
  readonly features: Sequential;
  readonly dropout = new Dropout(0.5);
  readonly classifier: Linear;

  constructor({ classes, experts }: { readonly classes: number; readonly experts: number }) {
    super();
    const layers = CHANNELS.flatMap((out, n) => {
      const [from, options] = [CHANNELS[n - 1] ?? 3, { stride: 2, padding: 1 }];
      const convolution =
        experts === 0
          ? new Conv2d(from, out, 3, options)
          : new DynamicConv2d(from, out, 3, { ...options, experts, ratio: 1 });
      return [convolution, new ReLU()];
    });
    this.features = new Sequential(...layers, new AdaptiveAvgPool2d(), new Flatten());
    this.classifier = new Linear(CHANNELS.at(-1)!, classes);
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const features = this.dropout.call(this.features.call(x, context), context);
    return this.classifier.call(features, context);
  }
}
