/**
 * Names of our layers' and networks' parameters in other code. Ours are PyTorch's wherever PyTorch has the
 * layer, so only dynamic layers and a few networks are listed.
 */
import { EfficientNet, MobileNetV2, MobileNetV3, ResNet, Warehouses } from "../models/index.js";
import {
  DCDConv2d,
  DCDLinear,
  DynamicConvolution,
  KernelWarehouseConv2d,
  type Module,
  ODConv2d,
} from "../nn/index.js";
import { timmPaths } from "./timm-names.js";

/** Names within a layer: our prefix, and theirs. */
type Renames = readonly (readonly [ours: string, theirs: string])[];

/** The low-rank path and the branch of DCD, whatever precedes q and p. */
const DCD: Renames = [
  ["downNorm.", "bn1."],
  ["latentNorm.", "bn2."],
  ["branch.reduce.", "fc.0."],
  ["branch.gate.", "fc.1.fc.0."],
  ["branch.phi.", "fc_phi."],
  ["branch.scale.", "fc_scale."],
];

/** Known dialects of each kind of layer, besides our own. */
const LAYERS: readonly (readonly [
  kind: { [Symbol.hasInstance](value: unknown): boolean },
  dialects: readonly Renames[],
])[] = [
  // OSVAI/ODConv
  [
    ODConv2d,
    [
      [
        ["branch.reduce.", "attention.fc."],
        ["branch.norm.", "attention.bn."],
        ["branch.channel.", "attention.channel_fc."],
        ["branch.filter.", "attention.filter_fc."],
        ["branch.spatial.", "attention.spatial_fc."],
        ["branch.kernel.", "attention.kernel_fc."],
      ],
    ],
  ],
  // OSVAI/KernelWarehouse
  [
    KernelWarehouseConv2d,
    [
      [
        ["branch.reduce.", "attention.fc1."],
        ["branch.norm.", "attention.norm1."],
        ["branch.mix.", "attention.fc2."],
        ["branch.expand.", "attention.fc3."],
        ["branch.bias", "attention.basis_bias"],
      ],
    ],
  ],
  // kaijieshi7/Dynamic-convolution-Pytorch
  [
    DynamicConvolution,
    [
      [
        ["routing.net.0.", "attention.fc1."],
        ["routing.net.2.", "attention.fc2."],
      ],
    ],
  ],
  // liyunsheng13/dcd: of ResNets, of MobileNetV2, and the classifier
  [
    DCDConv2d,
    [
      [["weight", "conv.weight"], ["down.", "q."], ["up.", "p."], ...DCD],
      [["weight", "conv.weight"], ["down.", "conv_q."], ["up.", "conv_p."], ...DCD],
    ],
  ],
  [
    DCDLinear,
    [[["weight", "cls.weight"], ["bias", "cls.bias"], ["down.", "cls_q."], ["up.", "cls_p."], ...DCD]],
  ],
];

/**
 * Possible names of a parameter within its layer, our own first.
 *
 * @param index of the warehouse among those of its network
 */
export function namesWithin(layer: object, name: string): readonly string[] {
  const dialects = LAYERS.filter(([kind]) => layer instanceof kind).flatMap(([, each]) => each);
  const theirs = dialects.flatMap((renames) => {
    const rename = renames.find(([ours]) => name.startsWith(ours));
    return rename === undefined ? [] : [rename[1] + name.slice(rename[0].length)];
  });
  return [name, ...theirs];
}

/** Names of a network's layers, derived from our path of a layer. */
export interface NetworkNames {
  /** Where the names are from. */
  readonly title: string;
  readonly of: (path: string) => string;
}

const OURS: NetworkNames = { title: "torchvision", of: (path) => path };

/** Applies the first rule that matches. */
function renamed(path: string, rules: readonly (readonly [RegExp, string])[]): string {
  const rule = rules.find(([pattern]) => pattern.test(path));
  return rule === undefined ? path : path.replace(rule[0], rule[1]);
}

/** Blocks per stage of MobileNetV2. */
const REPEATS = [1, 2, 3, 4, 3, 3, 1];

/** timm's stage and block for one of torchvision's features, from 1. */
function stageOf(feature: number): string {
  let first = 1;
  const stage = REPEATS.findIndex((count) => {
    if (feature < first + count) return true;
    first += count;
    return false;
  });
  return `blocks.${stage}.${feature - first}`;
}

/** Layers of an inverted residual in timm, by torchvision's name. The first block has no expansion. */
const TIMM_BLOCK: Readonly<Record<string, string>> = {
  "0.0": "conv_pw",
  "0.1": "bn1",
  "1.0": "conv_dw",
  "1.1": "bn2",
  "2": "conv_pwl",
  "3": "bn3",
};
const TIMM_FIRST: Readonly<Record<string, string>> = {
  "0.0": "conv_dw",
  "0.1": "bn1",
  "1": "conv_pw",
  "2": "bn2",
};
/** The same as one list that counts activations, as in tonylins/pytorch-mobilenet-v2 and DCD. */
const FLAT_BLOCK: Readonly<Record<string, string>> = {
  "0.0": "0",
  "0.1": "1",
  "1.0": "3",
  "1.1": "4",
  "2": "6",
  "3": "7",
};
const FLAT_FIRST: Readonly<Record<string, string>> = { "0.0": "0", "0.1": "1", "1": "3", "2": "4" };

function withinBlocks(
  path: string,
  first: Readonly<Record<string, string>>,
  others: Readonly<Record<string, string>>,
  place: (feature: number) => string,
): string | undefined {
  const [, feature, inner] = /^features\.(\d+)\.conv\.(\d(?:\.\d)?)$/.exec(path) ?? [];
  if (feature === undefined || inner === undefined) return undefined;
  const layer = (feature === "1" ? first : others)[inner];
  return layer === undefined ? undefined : `${place(Number(feature))}${layer}`;
}

const MOBILENET_NAMES: readonly NetworkNames[] = [
  OURS,
  {
    title: "timm",
    of: (path) =>
      withinBlocks(path, TIMM_FIRST, TIMM_BLOCK, (feature) => `${stageOf(feature)}.`) ??
      renamed(path, [
        [/^features\.0\.0$/, "conv_stem"],
        [/^features\.0\.1$/, "bn1"],
        [/^features\.18\.0$/, "conv_head"],
        [/^features\.18\.1$/, "bn2"],
        [/^classifier\.1$/, "classifier"],
      ]),
  },
  {
    title: "KernelWarehouse",
    of: (path) => renamed(path, [[/^classifier\.1$/, "classifier"]]),
  },
  ...["classifier.0", "classifier.1", "classifier"].map(
    (classifier): NetworkNames => ({
      title: "DCD",
      of: (path) =>
        withinBlocks(path, FLAT_FIRST, FLAT_BLOCK, (feature) => `features.${feature}.conv.`) ??
        renamed(path, [
          [/^features\.18\.(\d)$/, "conv.$1"],
          [/^classifier\.1$/, classifier],
        ]),
    }),
  ),
];

const RESNET_NAMES: readonly NetworkNames[] = [
  OURS,
  ...["classifier.0", "classifier.1"].map(
    (classifier): NetworkNames => ({
      title: "DCD",
      of: (path) => renamed(path, [[/^fc$/, classifier]]),
    }),
  ),
];

/** Naming schemes for the layers of a network, our own first. */
export function networkNames(model: Module): readonly NetworkNames[] {
  if (model instanceof MobileNetV2) return MOBILENET_NAMES;
  if (model instanceof MobileNetV3 || model instanceof EfficientNet) {
    const paths = timmPaths(model);
    return [OURS, { title: "timm", of: (path) => paths.get(path) ?? path }];
  }
  return model instanceof ResNet ? RESNET_NAMES : [OURS];
}

/** Names of a network's warehouses in KernelWarehouse, in order. */
export function warehouseNames(model: Module): ReadonlyMap<string, string> {
  const warehouses = model.namedModules().find(([, module]) => module instanceof Warehouses);
  if (warehouses === undefined) return new Map();
  const [path, module] = warehouses;
  return new Map(
    module
      .namedParameters({ recurse: false })
      .map(([name], n) => [`${path}.${name}`, `warehouse_manager.weights.${n}`]),
  );
}
