import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import type { StoredTensor } from "../../src/files/index.js";
import { modelEntry } from "../../src/models/index.js";
import { applyModel, freeze } from "../../src/nn/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { networkNames } from "../../src/weights/foreign-names.js";
import { matchWeights } from "../../src/weights/match-weights.js";
import { count } from "../contract/gradient-check.js";
import { valuesOf } from "../models/named-values.js";

/** What `timm_networks.py` wrote of a network with 5 classes. */
interface Reference {
  readonly imageSize: number;
  /** SHA-256 of all state names and numbers of values. */
  readonly states: string;
  readonly outputs: readonly number[];
}

const REFERENCES: Readonly<Record<string, Reference>> = JSON.parse(
  readFileSync(new URL("timm.json", import.meta.url), "utf8"),
);

const GAIN = 1.15;
const EXPERTS_GAIN = 16;

const OURS: Readonly<Record<string, readonly [name: string, options: Record<string, unknown>]>> = {
  mobilenetv3_large_100: ["mobilenet-v3-large", { epsilon: 1e-5 }],
  tf_mobilenetv3_small_100: ["mobilenet-v3-small", {}],
  efficientnet_b0: ["efficientnet-b0", {}],
  tf_efficientnet_cc_b0_4e: ["efficientnet-b0", { epsilon: 1e-3, dynamic: "condconv", experts: 4 }],
};

it.each(Object.entries(REFERENCES))(
  "%s: weights under timm's names give timm's logits",
  async (title, { imageSize, states, outputs }) => {
    const [name, options] = OURS[title]!;
    const model = modelEntry(name).create({ classes: 5, ...options });
    const names = networkNames(model).find((each) => each.title === "timm")!;
    const tensors = Object.fromEntries(
      model.namedParameters().map(([path, { shape }]): [string, StoredTensor] => {
        const [, layer, leaf] = /^(.*)\.(\w+)$/.exec(path)!;
        const theirs = `${names.of(layer!)}.${leaf}`;
        const data = valuesOf(theirs, shape, shape.length === 5 ? GAIN * EXPERTS_GAIN : GAIN);
        return [
          theirs,
          { dtype: "float32", shape: shape.length === 5 ? [shape[0]!, count(shape.slice(1))] : shape, data },
        ];
      }),
    );
    const lines = Object.entries(tensors).map(([each, { data }]) => `${each}:${data.length}`);
    expect(createHash("sha256").update(lines.sort().join("\n")).digest("hex")).toBe(states);

    const { state, notes } = matchWeights(model, { tensors, metadata: {} }, { source: "w" });
    expect(notes).toEqual(["w: its names are those of timm"]);
    const weights = freeze(model, state);
    const size = [2, 3, imageSize, imageSize] as const;
    const run = await compile((x) => applyModel(model, weights, x).output, [spec([...size])]);
    const found = (await run(valuesOf("image", size, GAIN))) as Float32Array;
    await run.dispose();
    const scale = Math.max(...outputs.map(Math.abs));
    for (const [i, value] of found.entries())
      expect(Math.abs(value - outputs[i]!) / scale).toBeLessThan(1e-4);
  },
  60_000,
);
