import { exportOnnx } from "../export/index.js";
import { toBlocked } from "../ops/index.js";
import { spec, trace } from "../trace/index.js";
import type { Backend } from "./backend.js";

/** Channels of the probe: the largest block size of ONNX Runtime. */
const CHANNELS = 16;

let known: Promise<number> | undefined;

/**
 * Channels per block of ONNX Runtime's blocked layout on this processor; 0 if there is no such layout. ONNX Runtime
 * does not expose it, so this reorders two pixels to see where the second one ends up.
 */
export function blockedChannels(backend: Backend): Promise<number> {
  known ??= probe(backend).catch(() => 0);
  return known;
}

async function probe(backend: Backend): Promise<number> {
  const shape = [1, CHANNELS, 1, 2];
  const { graph } = trace((x) => toBlocked(x, CHANNELS), [spec(shape)]);
  const session = await backend.InferenceSession.create(exportOnnx(graph), { logSeverityLevel: 4 });
  const pixels = Float32Array.from({ length: 2 * CHANNELS }, (_, i) => i);
  const [input] = graph.inputs;
  const [output] = graph.outputs;
  const results = await session.run({ [input!.name]: new backend.Tensor("float32", pixels, shape) });
  await session.release();
  return (results[output!.name]!.data as Float32Array).indexOf(1);
}
