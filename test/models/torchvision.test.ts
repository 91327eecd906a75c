import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { modelEntry } from "../../src/models/index.js";
import { applyModel, freeze, type Module } from "../../src/nn/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { valuesOf } from "./named-values.js";

/** What `torchvision_networks.py` wrote of a network with 5 classes. */
interface Reference {
  /** The module that was applied: the network, or one of its parts. */
  readonly part: string;
  readonly imageSize: number;
  /** SHA-256 of all state names and shapes. */
  readonly states: string;
  /** The first five of each of two images. */
  readonly outputs: readonly number[];
}

const REFERENCES: Readonly<Record<string, Reference>> = JSON.parse(
  readFileSync(new URL("torchvision.json", import.meta.url), "utf8"),
);

it.each(Object.entries(REFERENCES))(
  "%s has torchvision's state names, and its values with the same weights",
  async (name, { part, imageSize, states, outputs }) => {
    const network = modelEntry(name.replaceAll("_", "-")).create({ classes: 5 });
    const model = part === "" ? network : (network as unknown as Readonly<Record<string, Module>>)[part]!;
    const parameters = model.namedParameters();
    const lines = parameters.map(([path, { shape }]) => `${path}:${shape.join(",")}`).sort();
    expect(createHash("sha256").update(lines.join("\n")).digest("hex")).toBe(states);

    const state = Object.fromEntries(parameters.map(([path, { shape }]) => [path, valuesOf(path, shape)]));
    const weights = freeze(model, state);
    const size = [2, 3, imageSize, imageSize] as const;
    const run = await compile((x) => applyModel(model, weights, x).output, [spec([...size])]);
    const values = (await run(valuesOf("image", size))) as Float32Array;
    await run.dispose();
    const each = values.length / 2;
    const scale = Math.max(...outputs.map(Math.abs));
    const found = [...values.slice(0, 5), ...values.slice(each, each + 5)];
    for (const [i, value] of found.entries())
      expect(Math.abs(value - outputs[i]!) / scale).toBeLessThan(2e-5);
  },
  60_000,
);
