/**
 * Prints how each sample mixes the kernels of an untrained AlexNet-DY, at temperatures 30 and 1. Run with
 * `npx tsx examples/02-attention.ts`.
 */
import { alexnetDy, applyModel, compile, initialState, RandomStream, spec, stateSpecs } from "dyconv";

const BATCH = 3;
const model = alexnetDy({ experts: 4 });
const attention = await compile(
  (state, x, temperature) => {
    const { attention } = applyModel(model, state, x, { annealed: { temperature } });
    // Attention by layer and kind; a dynamic convolution has one kind, `kernel`.
    return Object.fromEntries(
      Object.entries(attention).map(([layer, { kernel }]) => [layer, kernel!.values]),
    );
  },
  [stateSpecs(model), spec([BATCH, 3, 128, 128]), spec([])],
);

const state = initialState(model, 1);
const random = new RandomStream(1, "example images");
const images = Float32Array.from({ length: BATCH * 3 * 128 * 128 }, () => random.normal());
for (const temperature of [30, 1]) {
  console.log(`temperature ${temperature}`);
  for (const [layer, values] of Object.entries(
    await attention(state, images, Float32Array.of(temperature)),
  )) {
    const experts = values.length / BATCH;
    for (let sample = 0; sample < BATCH; sample++) {
      const row = Array.from(values.slice(sample * experts, (sample + 1) * experts), Number);
      console.log(`  ${layer}, sample ${sample}: ${row.map((weight) => weight.toFixed(4)).join("  ")}`);
    }
  }
}
await attention.dispose();
