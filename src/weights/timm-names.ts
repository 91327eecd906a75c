import { type Module, SqueezeExcitation } from "../nn/index.js";

/** Layers of an inverted residual in timm, by the number of its convolutions: convolution and normalisation of each. */
const LAYERS: Readonly<Record<number, readonly (readonly [convolution: string, norm: string])[]>> = {
  2: [
    ["conv_dw", "bn1"],
    ["conv_pw", "bn2"],
  ],
  3: [
    ["conv_pw", "bn1"],
    ["conv_dw", "bn2"],
    ["conv_pwl", "bn3"],
  ],
};

/** A block with squeeze-and-excitation: `features.4`, or `features.4.0` where stages have a level of their own. */
const BLOCK = /^features\.\d+(\.\d+)?$/;

/**
 * timm's paths of a MobileNetV3 or an EfficientNet, by torchvision's. A stage of timm ends where the blocks' channels change.
 * `tf_` networks, and those with CondConv, have the same names.
 */
export function timmPaths(model: Module): ReadonlyMap<string, string> {
  const modules = model.namedModules();
  const shapes = new Map(model.namedParameters().map(([name, { shape }]) => [name, shape]));
  const blocks = modules.filter(
    ([path]) => BLOCK.test(path) && modules.some(([each]) => each === `${path}.block`),
  );
  const paths = new Map([
    ["features.0.0", "conv_stem"],
    ["features.0.1", "bn1"],
  ]);
  let place = { channels: 0, stage: -1, block: 0 };
  for (const [path] of blocks) {
    const parts = modules.filter(([each]) => isChild(each, `${path}.block`));
    const convolutions = parts.filter(([, part]) => !(part instanceof SqueezeExcitation));
    const [channels] = shapes.get(`${convolutions.at(-1)![0]}.1.weight`)!;
    place =
      channels === place.channels
        ? { ...place, block: place.block + 1 }
        : { channels: channels!, stage: place.stage + 1, block: 0 };
    const theirs = `blocks.${place.stage}.${place.block}`;
    for (const [n, [each]] of convolutions.entries()) {
      const [convolution, norm] = LAYERS[convolutions.length]![n]!;
      paths.set(`${each}.0`, `${theirs}.${convolution}`).set(`${each}.1`, `${theirs}.${norm}`);
    }
    for (const [each, part] of parts) {
      if (!(part instanceof SqueezeExcitation)) continue;
      paths.set(`${each}.fc1`, `${theirs}.se.conv_reduce`).set(`${each}.fc2`, `${theirs}.se.conv_expand`);
    }
    paths.set(`${path}.router`, `${theirs}.routing_fn`);
  }
  return new Map([...paths, ...headPaths(modules, place.stage + 1)]);
}

/** What follows the blocks: MobileNetV3 has its last convolution as a stage, and a linear layer as `conv_head`. */
function headPaths(modules: readonly (readonly [string, Module])[], stages: number) {
  const features = modules.filter(([path]) => isChild(path, "features"));
  const last = features.at(-1)![0];
  const hidden = modules.some(([path]) => path === "classifier.3");
  return hidden
    ? ([
        [`${last}.0`, `blocks.${stages}.0.conv`],
        [`${last}.1`, `blocks.${stages}.0.bn1`],
        ["classifier.0", "conv_head"],
        ["classifier.3", "classifier"],
      ] as const)
    : ([
        [`${last}.0`, "conv_head"],
        [`${last}.1`, "bn2"],
        ["classifier.1", "classifier"],
      ] as const);
}

const isChild = (path: string, parent: string) =>
  path.startsWith(`${parent}.`) && !path.slice(parent.length + 1).includes(".");
