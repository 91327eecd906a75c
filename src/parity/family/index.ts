import { DataError } from "../../errors/index.js";
import { condConv, condConvBlock } from "./cond-conv.js";
import { dcd, dcdLinear } from "./dcd.js";
import { dymnBlock, dyRelu } from "./dymn.js";
import { dynamicConv1d, dynamicConv2d, dynamicConv3d, dynamicConvTranspose2d } from "./dynamic-conv.js";
import type { CaseRunner, FamilyCase } from "./family-case.js";
import { fdConv } from "./fd-conv.js";
import { fdy } from "./fdy.js";
import { kernelWarehouse } from "./kernel-warehouse.js";
import { heatmapDecode, heatmapLoss, heatmapTarget, keypointsOks } from "./keypoints.js";
import { odConv } from "./od-conv.js";

/** Runner for the cases of each layer, by its name in an index. */
const RUNNERS: Readonly<Record<string, CaseRunner>> = {
  condConv,
  condConvBlock,
  dymnBlock,
  dyRelu,
  fdConv,
  fdy,
  kernelWarehouse,
  dcd,
  dcdLinear,
  dynamicConv1d,
  dynamicConv2d,
  dynamicConv3d,
  dynamicConvTranspose2d,
  odConv,
  heatmapDecode,
  heatmapLoss,
  heatmapTarget,
  keypointsOks,
};

/** Layers that an index may name. */
export const FAMILY_LAYERS: readonly string[] = Object.keys(RUNNERS).sort();

/**
 * The runner for a case.
 *
 * @throws DataError if its layer is unknown
 */
export function familyRunner({ file, layer }: FamilyCase): CaseRunner {
  const runner = Object.hasOwn(RUNNERS, layer) ? RUNNERS[layer] : undefined;
  if (runner !== undefined) return runner;
  throw new DataError(`${file}: no layer is named ${JSON.stringify(layer)}`, {
    hint: `layers: ${FAMILY_LAYERS.join(", ")}`,
  });
}
