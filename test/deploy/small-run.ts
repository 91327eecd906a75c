import { generateShapes } from "../../src/data/index.js";
import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  DynamicConv2d,
  Flatten,
  initialState,
  Linear,
  type Module,
  ODConv2d,
  ReLU,
  Sequential,
} from "../../src/nn/index.js";
import { parseTrainConfig } from "../../src/runs/config.js";
import type { OpenRun } from "../../src/runs/open-run.js";

/** Images for a run whose network takes 8 × 8 pixels. */
export const DATA = generateShapes({ train: 4, test: 30 });

/** A network with two kinds of dynamic layers. */
export const smallNetwork = () =>
  new Sequential(
    new DynamicConv2d(3, 16, 3, { experts: 3, ratio: 1, padding: 1 }),
    new BatchNorm2d(16),
    new ReLU(),
    new ODConv2d(16, 16, 3, { experts: 2, padding: 1 }),
    new ReLU(),
    new AdaptiveAvgPool2d(),
    new Flatten(),
    new Linear(16, 10),
  );

/** A run as it would be opened from a folder. */
export function smallRun(model: Module = smallNetwork(), classes = DATA.test.classes): OpenRun {
  return {
    ...{ model, state: initialState(model, 1), imageSize: 8, classes, verified: true },
    config: parseTrainConfig({ model: "alexnet-dy", data: "shapes" }),
    annealed: Object.fromEntries(model.annealedScalars().map(({ name, rest }) => [name, rest])),
    ...{ task: "classification", dataFingerprint: DATA.fingerprint, dataNote: DATA.note },
    ...{ versions: {}, history: [] },
  };
}
