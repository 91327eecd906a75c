import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { modelEntry } from "../../src/models/index.js";
import { applyModel, freeze, type Module } from "../../src/nn/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { count } from "../contract/gradient-check.js";

/** What `torchvision.py` wrote of a network with 5 classes. */
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

/** A tensor that follows from its name, by the formula of `torchvision.py`. */
function valuesOf(name: string, shape: readonly number[]): Float32Array {
  const seed = [...name].reduce((sum, letter, place) => sum + letter.charCodeAt(0) * (place + 1), 0) % 10007;
  const scale = Math.sqrt(6 / count(shape.slice(1)));
  const values = new Float32Array(count(shape));
  const scaled = (noise: number) => {
    if (name.endsWith("running_var")) return 1 + 0.5 * noise;
    if (shape.length === 1) return name.endsWith("weight") ? 1 + 0.3 * noise : 0.1 * noise;
    return noise * scale;
  };
  for (let i = 0; i < values.length; i++) {
    const wave = Math.sin((i + 1) * 12.9898 + seed * 78.233) * 43758.5453;
    values[i] = scaled(2 * (wave - Math.floor(wave)) - 1);
  }
  return values;
}

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
