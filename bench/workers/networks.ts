import { AdaptiveAvgPool2d, alexnet, alexnetDy, Flatten, Linear, type Module, Sequential } from "dyconv";
import type { NetworkName } from "../contest/protocol.js";

type DynamicOptions = NonNullable<Parameters<typeof alexnetDy>[0]>;

/** AlexNet-DY for images of any size from 32: average pooling and one linear layer after the last convolution. */
function alexnetDyPooled(options: DynamicOptions): Module {
  const layers = alexnetDy(options)
    .features.children()
    .map(([, layer]) => layer);
  return new Sequential(
    ...layers.slice(0, -1), // without the last max pooling
    new AdaptiveAvgPool2d(),
    new Flatten(),
    new Linear(128, 10),
  );
}

/** The networks of the benchmarks by name. */
export const NETWORKS: Readonly<Record<NetworkName, (options: DynamicOptions) => Module>> = {
  alexnet: () => alexnet(),
  "alexnet-dy": alexnetDy,
  "alexnet-dy-pooled": alexnetDyPooled,
};
