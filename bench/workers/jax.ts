/**
 * jax-js on WebAssembly, if installed: the forward pass of a dynamic layer, with the experts as channels of
 * one convolution.
 */
import { defaultDevice, init, jit, lax, nn, numpy as np, random } from "@jax-js/jax";
import type { LayerTask } from "../contest/protocol.js";
import { type OpenTask, serve } from "./serve.js";

function openLayer({ batch, inChannels, outChannels, size, experts }: LayerTask): OpenTask {
  const hidden = Math.floor(inChannels / 4);
  const shapes = [
    [batch, inChannels, size, size],
    [experts * outChannels, inChannels, 3, 3],
    [experts, outChannels],
    [inChannels, hidden],
    [hidden],
    [hidden, experts],
    [experts],
  ];
  const given = shapes.map((shape, seed) => random.normal(random.key(seed), shape));
  const forward = jit((x, weight, bias, w1, b1, w2, b2) => {
    const scores = nn.relu(np.add(np.matmul(np.mean(x!.ref, [2, 3]), w1!), b1!));
    const attention = nn.softmax(np.add(np.matmul(scores, w2!), b2!), 1);
    const y = lax.conv(x!, weight!, [1, 1], "SAME").reshape([batch, experts, outChannels, size, size]);
    const mixed = np.sum(np.multiply(y, attention.ref.reshape([batch, experts, 1, 1, 1])), 1);
    return np.add(mixed, np.matmul(attention, bias!).reshape([batch, outChannels, 1, 1]));
  });
  return {
    run: () => forward(...given.map((array) => array.ref)).data(),
    dispose: async () => {
      for (const array of given) array.dispose();
    },
  };
}

await init("wasm");
defaultDevice("wasm");
await serve("@jax-js/jax", async (task) => openLayer(task as LayerTask));
