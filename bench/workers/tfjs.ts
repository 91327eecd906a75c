/**
 * TensorFlow.js on WebAssembly, if installed: the forward pass of a dynamic layer, with the experts as
 * channels of one convolution. The backend has no kernel for the weight gradient of a convolution, and only
 * one thread in Node.
 */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-wasm";
import type { LayerTask } from "../contest/protocol.js";
import { type OpenTask, serve } from "./serve.js";

function openLayer({ batch, inChannels, outChannels, size, experts }: LayerTask): OpenTask {
  const hidden = Math.floor(inChannels / 4);
  const x = tf.randomNormal([batch, size, size, inChannels]);
  const weight = tf.randomNormal([3, 3, inChannels, experts * outChannels]);
  const bias = tf.randomNormal([experts, outChannels]);
  const w1 = tf.randomNormal([inChannels, hidden]);
  const b1 = tf.randomNormal([hidden]);
  const w2 = tf.randomNormal([hidden, experts]);
  const b2 = tf.randomNormal([experts]);
  const forward = () => {
    const scores = tf.relu(tf.add(tf.matMul(tf.mean(x, [1, 2]), w1), b1));
    const attention = tf.softmax(tf.add(tf.matMul(scores, w2), b2));
    const byExpert = tf.reshape(tf.conv2d(x, weight, 1, "same"), [batch, size ** 2, experts, outChannels]);
    const mixed = tf.sum(tf.mul(byExpert, tf.reshape(attention, [batch, 1, experts, 1])), 2);
    return tf.add(mixed, tf.reshape(tf.matMul(attention, bias), [batch, 1, outChannels]));
  };
  return {
    run: async () => {
      const y = tf.tidy(forward);
      const data = await y.data();
      y.dispose();
      return data;
    },
    dispose: async () => {
      for (const tensor of [x, weight, bias, w1, b1, w2, b2]) tensor.dispose();
    },
  };
}

await tf.setBackend("wasm");
await serve("@tensorflow/tfjs-core", async (task) => openLayer(task as LayerTask));
