import type { Machine, MachineProfile } from "../ir/index.js";
import { PLAN_COEFFICIENTS } from "./mixtures/coefficients.js";

/** CPUs with AVX-512, with blocks of 16 channels. */
const AVX512: MachineProfile = {
  name: "avx512",
  plans: PLAN_COEFFICIENTS.cpu,
  winograd: { leastSaving: 1.5, leastRows: 32, imagesAtOnce: 64 },
  mixedKernels: { bytesAtOnce: 6e6, mostParts: 64, mostBytes: 2 ** 27, mostCopied: 2 ** 22, leastRun: 8 },
  plainConvolutions: { mostPixels: 128, leastWeights: 2 ** 16, mostImages: 4 },
  weightGradients: { mostPartials: 0.5, mostPixels: 512, mostCopies: 5 },
};

/** CPUs with AVX2, with blocks of 8 channels. No number was found to be better there than AVX-512's. */
const AVX2: MachineProfile = { ...AVX512, name: "avx2" };

const WASM: MachineProfile = { ...AVX512, name: "wasm", plans: PLAN_COEFFICIENTS.wasm };

/** For targets without measurements. Without blocks, the other numbers have no effect. */
const UNMEASURED: MachineProfile = {
  name: "unmeasured",
  winograd: AVX512.winograd,
  mixedKernels: AVX512.mixedKernels,
  plainConvolutions: AVX512.plainConvolutions,
  weightGradients: AVX512.weightGradients,
};

/** Completes a machine. `profile` defaults to the one shipped for its kind. */
export function machineOf({
  target,
  block,
  portable = false,
  profile,
}: Omit<Machine, "profile"> & Partial<Machine>): Machine {
  return { target, block, portable, profile: profile ?? shippedProfile(target, block) };
}

/** ONNX Runtime chooses the block size by instruction set. */
function shippedProfile(target: Machine["target"], block: number): MachineProfile {
  if (target === "wasm") return WASM;
  if (target !== "cpu") return UNMEASURED;
  return block === 8 ? AVX2 : AVX512;
}
