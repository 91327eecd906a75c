import { describe, expect, it } from "vitest";
import { type Batch, BatchLoader, type BatchLoaderOptions } from "../../src/data/batches.js";
import { allIndices } from "../../src/data/dataset.js";
import { generateShapes } from "../../src/data/shapes.js";

const { train } = generateShapes({ train: 22, test: 0, size: 8 });
const options = { indices: allIndices(22), batchSize: 8, seed: 3, imageSize: 12 };
const loader = (changes: Partial<BatchLoaderOptions> = {}) =>
  new BatchLoader(train, { ...options, ...changes });

async function epochOf(source: BatchLoader, epoch: number): Promise<Batch[]> {
  const batches: Batch[] = [];
  for (let number = 0; number < source.batches; number++) {
    batches.push(structuredClone(await source.batch(epoch, number)));
  }
  return batches;
}
const visited = (batches: readonly Batch[]) =>
  batches.flatMap(({ indices, count }) => [...indices.subarray(0, count)]);

describe("BatchLoader", () => {
  it("gives images, labels and matrices that belong together", async () => {
    const { images, targets, indices, rows, columns } = await loader().batch(0, 1);
    expect(rows).toHaveLength(8 * 12 * 8);
    expect(columns).toHaveLength(8 * 12 * 8);
    indices.forEach((index, i) => {
      expect(images.subarray(i * 192, (i + 1) * 192)).toEqual(
        train.images.subarray(index * 192, (index + 1) * 192),
      );
      expect(Number(targets.targets![i])).toBe(train.labels[index]);
    });
  });

  it("gives the same batch in any order of asking", async () => {
    const sequential = [await epochOf(loader(), 0), await epochOf(loader(), 1)];
    const source = loader();
    for (const [epoch, number] of [
      [1, 2],
      [0, 1],
      [1, 0],
      [0, 2],
      [0, 0],
    ] as const) {
      expect(await source.batch(epoch, number)).toEqual(sequential[epoch]![number]);
    }
  });

  it("visits every image once an epoch, in an order of its own", async () => {
    const source = loader();
    const first = visited(await epochOf(source, 0));
    const second = visited(await epochOf(source, 1));
    expect(Uint32Array.from(first).sort()).toEqual(allIndices(22));
    expect(Uint32Array.from(second).sort()).toEqual(allIndices(22));
    expect(second).not.toEqual(first);
    expect(visited(await epochOf(loader({ seed: 4 }), 0))).not.toEqual(first);
  });

  it("keeps to the indices given, in their order when not shuffled", async () => {
    const indices = Uint32Array.of(9, 4, 17);
    expect(visited(await epochOf(loader({ indices, batchSize: 2, shuffle: false }), 0))).toEqual([9, 4, 17]);
  });

  it("fills up the last batch by repeating it, and counts the real images", async () => {
    const last = await loader({ shuffle: false }).batch(0, 2);
    expect(last.count).toBe(6);
    expect([...last.indices]).toEqual([16, 17, 18, 19, 20, 21, 16, 17]);
  });

  it("leaves out a partial batch if told to", async () => {
    expect(loader().batches).toBe(3);
    expect(loader({ dropLast: true }).batches).toBe(2);
  });

  it("leaves a batch untouched while the next is prepared", async () => {
    const source = loader();
    const first = await source.batch(0, 0);
    const copy = structuredClone(first);
    await source.batch(0, 1);
    expect(first).toEqual(copy);
  });

  it("gives one matrix for all without augmentation", async () => {
    const { rows, columns } = await loader({ augmentation: "none" }).batch(0, 0);
    expect(rows).toHaveLength(12 * 8);
    expect(columns).toEqual(rows);
  });

  it("rejects what cannot be", async () => {
    expect(() => loader({ batchSize: 0 })).toThrow("batch size");
    expect(() => loader({ batchSize: 32, dropLast: true })).toThrow(
      expect.objectContaining({
        message: expect.stringContaining("do not make a batch"),
        hint: expect.stringMatching(/at most \d+; training leaves out/),
      }),
    );
    await expect(loader().batch(0, 3)).rejects.toThrow("no batch 3");
  });
});
