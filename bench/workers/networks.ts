import {
  AdaptiveAvgPool2d,
  alexnet,
  alexnetDy,
  Flatten,
  Linear,
  type Module,
  modelEntry,
  Sequential,
} from "dyconv";
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

const ALEXNETS: Readonly<Partial<Record<NetworkName, (options: DynamicOptions) => Module>>> = {
  alexnet: () => alexnet(),
  "alexnet-dy": alexnetDy,
  "alexnet-dy-pooled": alexnetDyPooled,
};

/** A network of the benchmarks, by name. The options are those of AlexNet-DY. */
export function networkOf(name: NetworkName, options: DynamicOptions): Module {
  const alexnetOf = ALEXNETS[name];
  if (alexnetOf) return alexnetOf(options);
  const [network, dynamic = "none"] = name.split("/") as [string, string?];
  return modelEntry(network).create({ dynamic, classes: 10 });
}
