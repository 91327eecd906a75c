import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readSafetensors } from "../../src/files/index.js";
import { type BandMasks, modulateBands } from "../../src/nn/dynamic/band-modulation.js";
import { frequencyGroups, kernelSpectrum, spectrumSize } from "../../src/nn/dynamic/spectrum.js";
import { applyModel, FDConv2d, initialState, stateSpecs, suitsFDConv } from "../../src/nn/index.js";
import { type add, conv2d, mul, sub } from "../../src/ops/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { fourierTransform } from "../../src/util/fourier.js";
import { count, randomArray } from "../contract/gradient-check.js";

const trainable = (layer: FDConv2d) =>
  layer.namedParameters().reduce((sum, [, { shape, trainable }]) => sum + (trainable ? count(shape) : 0), 0);

it("has the parameters of the definition", () => {
  expect(trainable(new FDConv2d(64, 128, 3, { padding: 1, bias: false }))).toBe(87_678);
  expect(trainable(new FDConv2d(64, 128, 1, { bias: false }))).toBe(14_626);
  const widths = [64, 512, 1024, 2048].map((channels) => {
    return new FDConv2d(channels, 2, 1, { frequencyGroups: 1 }).local.conv.weight.shape[2];
  });
  expect(widths).toEqual([5, 5, 7, 7]);
});

it("says where the released code makes a convolution dynamic", () => {
  expect(suitsFDConv(17, 32, 3)).toBe(true);
  expect(suitsFDConv(16, 32, 3)).toBe(false);
  expect(suitsFDConv(64, 64, 7)).toBe(false);
});

describe("the spectrum", () => {
  it.each([1, 2, 12, 30, 35, 49])("a Fourier transform of length %d is the sum that defines it", (n) => {
    const re = Float64Array.from(randomArray(n, "re"));
    const im = Float64Array.from(randomArray(n, "im"));
    const found = fourierTransform(n)({ re, im });
    for (let f = 0; f < n; f++) {
      const sums = [0, 0];
      for (let t = 0; t < n; t++) {
        const angle = (-2 * Math.PI * f * t) / n;
        sums[0]! += re[t]! * Math.cos(angle) - im[t]! * Math.sin(angle);
        sums[1]! += re[t]! * Math.sin(angle) + im[t]! * Math.cos(angle);
      }
      expect(found.re[f]).toBeCloseTo(sums[0]!, 9);
      expect(found.im[f]).toBeCloseTo(sums[1]!, 9);
    }
  });

  it("is grouped by distance, ties by place", () => {
    // Rows u = 0, 1, ±2, −1 of 4, columns f = 0, 1, 2 of 4: squared distances u² + f².
    const groups = frequencyGroups(spectrumSize(4, 4, 1), 3);
    expect(Array.from(groups)).toEqual([0, 0, 1, 0, 1, 2, 1, 2, 2, 0, 1, 2]);
  });

  it.each([
    [20, 18, 3, 6],
    [7, 9, 1, 1],
  ])("of a kernel %d → %d, %d×%d begins the same plain convolution", async (inner, out, kernel, groups) => {
    const layer = new FDConv2d(inner, out, kernel, { frequencyGroups: groups, padding: 1, bias: false });
    const shape = [out, inner, kernel, kernel];
    const values = randomArray(count(shape), "kernel");
    const state = { ...initialState(layer, 1), spectrum: kernelSpectrum(values, shape) };
    const fn = await compile(
      (tensors, weight, x) =>
        sub(applyModel(layer, tensors, x).output, conv2d(x, weight, undefined, { padding: 1 })),
      [stateSpecs(layer), spec(shape), spec(["batch", inner, 6, 5])],
    );
    const difference = (await fn(state, values, randomArray(2 * inner * 30, "x"))) as Float32Array;
    await fn.dispose();
    // Heads begin at 10⁻⁶ rather than 0.
    expect(Math.max(...difference.map(Math.abs))).toBeLessThan(1e-3);
  });
});

/** irfft2(rfft2(image) ⊙ mask) by its sums, as the released code and PyTorch do it. */
function filtered(
  image: Float32Array,
  [height, width]: readonly [number, number],
  mask: number[][],
): number[] {
  const columns = Math.floor(width / 2) + 1;
  const turn = (angle: number, sign: number) => [Math.cos(angle), sign * Math.sin(angle)] as const;
  const spectrum = mask.map((row, u) =>
    row.map((keep, f) => {
      let [re, im] = [0, 0];
      for (let h = 0; h < height; h++) {
        for (let w = 0; w < width; w++) {
          const [c, s] = turn(2 * Math.PI * ((u * h) / height + (f * w) / width), -1);
          re += keep * image[h * width + w]! * c;
          im += keep * image[h * width + w]! * s;
        }
      }
      return [re, im] as const;
    }),
  );
  return Array.from({ length: height * width }, (_, place) => {
    const [h, w] = [Math.floor(place / width), place % width];
    let sum = 0;
    for (let f = 0; f < columns; f++) {
      let [re, im] = [0, 0];
      for (let u = 0; u < height; u++) {
        const [c, s] = turn((2 * Math.PI * u * h) / height, 1);
        const [a, b] = spectrum[u]![f]!;
        re += a * c - b * s;
        im += a * s + b * c;
      }
      const [c, s] = turn((2 * Math.PI * f * w) / width, 1);
      sum += f === 0 || 2 * f === width ? re * c : 2 * (re * c - im * s);
    }
    return sum / (height * width);
  });
}

/** Masks of the three cut-offs at a size. */
function exactMasks(height: number, width: number): number[][][] {
  return [0.25, 0.125, 0.0625].map((cutOff, band) =>
    Array.from({ length: height }, (_, u) =>
      Array.from({ length: Math.floor(width / 2) + 1 }, (_, f) => {
        const highest = Math.max(Math.min(u, height - u) / height, f / width);
        return (band === 0 ? highest < cutOff : highest <= cutOff) ? 1 : 0;
      }),
    ),
  );
}

describe("band modulation", () => {
  const bands = [0.3, -0.4, 0.8];

  it.each([
    ["exact", 8, 6],
    ["exact", 16, 16],
    ["exact", 7, 9],
    ["released", 10, 7],
    ["released", 12, 40],
  ] as const)("%s masks at %d×%d", async (masks: BandMasks, height, width) => {
    const size = [height, width] as const;
    const image = randomArray(height * width, "image");
    // Convolutions of weight 0: each band's factor is 2σ of its bias alone.
    const layer = new FDConv2d(2, 2, 3, { frequencyGroups: 1 });
    const state = initialState(layer, 1);
    const zeroed = Object.fromEntries(
      Object.entries(state).map(([name, values]) => {
        const band = /^bands\.(\d)\.bias$/.exec(name);
        if (band) return [name, Float32Array.of(bands[Number(band[1])]!)];
        return [name, name.startsWith("bands.") ? new Float32Array(values.length) : values];
      }),
    );
    let modulated: Parameters<typeof add>[0] | undefined;
    class Probe extends FDConv2d {
      override forward(...[x, context]: Parameters<FDConv2d["forward"]>) {
        modulated = modulateBands(x, this.bands, context, { masks, record: (weights) => weights });
        return x;
      }
    }
    const probe = new Probe(2, 2, 3, { frequencyGroups: 1 });
    const fn = await compile(
      (tensors, x) => {
        applyModel(probe, tensors, x);
        return mul(modulated as never, 1);
      },
      [stateSpecs(probe), spec([1, 2, height, width])],
    );
    const found = (await fn(zeroed, Float32Array.of(...image, ...image))) as Float32Array;
    await fn.dispose();
    const exact = masks === "exact" ? exactMasks(height, width) : exactMasks(64, 64);
    const columns = Math.floor(width / 2) + 1;
    const ofSize = exact.map((mask) =>
      Array.from({ length: height }, (_, u) =>
        Array.from({ length: columns }, (_, f) =>
          masks === "exact"
            ? mask[u]![f]!
            : mask[Math.floor((u * 64) / height)]![Math.floor((f * 33) / columns)]!,
        ),
      ),
    );
    const lows = [Array.from(image), ...ofSize.map((mask) => filtered(image, size, mask))];
    for (const [place, value] of found.subarray(0, height * width).entries()) {
      const expected = bands.reduce((sum, bias, band) => {
        const factor = 2 / (1 + Math.exp(-bias));
        return sum + factor * (lows[band]![place]! - lows[band + 1]![place]!);
      }, lows[3]![place]!);
      expect(value).toBeCloseTo(expected, 4);
    }
  });
});

it("refuses what has no spectrum, and says what to do", () => {
  const build = (options: ConstructorParameters<typeof FDConv2d>[3]) => () =>
    new FDConv2d(18, 20, 3, options);
  expect(build({ frequencyGroups: 11 })).toThrow("11 frequency groups do not divide a spectrum of 60×28");
  expect(build({ localWidth: 4 })).toThrow("localWidth must be odd");
  expect(build({ frequencyGroups: 2, frequencyGroup: [0, 1] })).toThrow(
    "60·28 groups from 0 to 1, not 2 numbers",
  );
  expect(build({ groups: 2 } as never)).toThrow("groups must be 1, not 2");
  expect(() => new FDConv2d(1, 20, 3)).toThrow("inChannels must be a whole number of at least 2");
});

const FOLDER = "../shared/golden-family";
describe.skipIf(!existsSync(FOLDER))(
  `tables of the reference vectors (skipped where ${FOLDER} is absent)`,
  () => {
    it.each([
      ["fdConv-00", 18, 32, 3, 64],
      ["fdConv-01", 30, 20, 1, 64],
      ["neutral-fdConv-00", 20, 18, 3, 62],
    ] as const)("%s: groups, and masks of its image", async (name, inner, out, kernel, groups) => {
      const { tensors } = await readSafetensors(join(FOLDER, `${name}.safetensors`));
      const ours = frequencyGroups(spectrumSize(out, inner, kernel), groups);
      expect(Array.from(ours)).toEqual(Array.from(tensors.frequencyGroup!.data, Number));
      const [height, width] = tensors.x!.shape.slice(2) as [number, number];
      if (tensors.bandMask) {
        expect(exactMasks(height, width).flat(2)).toEqual(Array.from(tensors.bandMask.data, Number));
      }
    });
  },
);
