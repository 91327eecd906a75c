import type { Machine, MachineProfile } from "../ir/index.js";
import { PLAN_COEFFICIENTS } from "./mixtures/coefficients.js";

/** CPUs with AVX-512, whose blocks are of 16 channels. */
const AVX512: MachineProfile = {
  name: "avx512",
  plans: PLAN_COEFFICIENTS.cpu,
  winograd: { leastSaving: 1.5, leastRows: 32, imagesAtOnce: 64 },
  mixedKernels: { bytesAtOnce: 6e6, mostParts: 64 },
};

/** CPUs with AVX2, whose blocks are of 8 channels. No number was found that is better there than AVX-512's. */
const AVX2: MachineProfile = { ...AVX512, name: "avx2" };

const WASM: MachineProfile = { ...AVX512, name: "wasm", plans: PLAN_COEFFICIENTS.wasm };

/** Where nothing was measured: without blocks, the other numbers decide nothing. */
const UNMEASURED: MachineProfile = {
  name: "unmeasured",
  winograd: AVX512.winograd,
  mixedKernels: AVX512.mixedKernels,
};

/** A machine with the profile that is shipped for its kind, or with one of its own. */
export function machineOf({ target, block, profile }: Omit<Machine, "profile"> & Partial<Machine>): Machine {
  return { target, block, profile: profile ?? shippedProfile(target, block) };
}

/** ONNX Runtime chooses the size of a block by the instruction set. */
function shippedProfile(target: Machine["target"], block: number): MachineProfile {
  if (target === "wasm") return WASM;
  if (target !== "cpu") return UNMEASURED;
  return block === 8 ? AVX2 : AVX512;
}
