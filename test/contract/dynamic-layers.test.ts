/** The contract of dynamic layers, layer by layer: rows in `dynamic/rows/`, checks in `dynamic/contract.ts`. */
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CONTRACT, type ContractRow, type Subject, subjectOf } from "./dynamic/contract.js";
import { condConvRows } from "./dynamic/rows/cond-conv.js";
import { dcdRows } from "./dynamic/rows/dcd.js";
import { dymnRows } from "./dynamic/rows/dymn.js";
import { dynamicConvRows } from "./dynamic/rows/dynamic-conv.js";
import { fdConvRows } from "./dynamic/rows/fd-conv.js";
import { fdyConvRows } from "./dynamic/rows/fdy-conv.js";
import { kernelWarehouseRows } from "./dynamic/rows/kernel-warehouse.js";
import { odConvRows } from "./dynamic/rows/od-conv.js";
import { perPositionRows } from "./dynamic/rows/per-position.js";

const ROWS: readonly ContractRow[] = [
  ...condConvRows,
  ...dynamicConvRows,
  ...dcdRows,
  ...odConvRows,
  ...kernelWarehouseRows,
  ...fdConvRows,
  ...fdyConvRows,
  ...dymnRows,
  ...perPositionRows,
];

/** Modules that are parts of layers, not layers. */
const PARTS = ["CondConvBlock", "CondConvRouter", "RoutingAttention"];

/** A mark for each row and property. */
const kept = new Map<string, Map<string, string>>();

describe.each(ROWS.map((row) => [row.name, row] as const))("%s", (_, row) => {
  let subject: Subject;
  beforeAll(async () => {
    subject = await subjectOf(row);
    kept.set(row.name, new Map());
  });
  afterAll(() => subject.dispose());

  it.each(Object.entries(CONTRACT))("%s", async (property, check) => {
    const marks = kept.get(row.name)!;
    const none =
      (property === "plans" && (row.plans ?? []).length === 0) ||
      (property === "neutral point" && row.neutral === undefined);
    if (none) {
      marks.set(property, "–");
      return;
    }
    marks.set(property, "✗");
    await check(subject);
    marks.set(property, property === "plans" ? `✓ ${row.plans!.length}` : "✓");
  });
});

it("no two rows have one name", () => {
  expect(new Set(ROWS.map(({ name }) => name)).size).toBe(ROWS.length);
});

it("every layer of src/nn/dynamic has a row", () => {
  const folder = new URL("../../src/nn/dynamic/", import.meta.url);
  const layers = readdirSync(folder).flatMap((file) => {
    const text = readFileSync(new URL(file, folder), "utf8");
    return [...text.matchAll(/^export class (\w+) extends (?:Module|DynamicConvolution)\b/gm)].map(
      ([, name]) => name!,
    );
  });
  const without = layers.filter((name) => !ROWS.some((row) => row.name.startsWith(`${name}, `)));
  expect(without.filter((name) => !PARTS.includes(name))).toEqual([]);
});

/** The table of what holds, for whoever reads the output. */
afterAll(() => {
  const properties = Object.keys(CONTRACT);
  const width = Math.max(...ROWS.map(({ name }) => name.length));
  const lines = ROWS.map(({ name }) => {
    const marks = properties.map((p) => (kept.get(name)?.get(p) ?? "").padEnd(p.length));
    return `${name.padEnd(width)}  ${marks.join("  ")}`;
  });
  console.log(["", `${"layer".padEnd(width)}  ${properties.join("  ")}`, ...lines].join("\n"));
});
