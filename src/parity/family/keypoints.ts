import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { DataError } from "../../errors/index.js";
import { gradients } from "../../grad/index.js";
import type { Tensors } from "../../ir/index.js";
import {
  averageFlipped,
  COCO_SKELETON,
  decodeHeatmaps,
  heatmapLossPerSample,
  heatmapTargets,
  keypointAveragePrecision,
  objectKeypointSimilarity,
  type Size,
} from "../../keypoints/index.js";
import { mean, reshape } from "../../ops/index.js";
import { compile } from "../../runtime/index.js";
import { spec } from "../../trace/index.js";
import { assertTensors } from "../parity-case.js";
import { parseOptions } from "../parse-options.js";
import { type CaseRunner, type FamilyCase, optionOf } from "./family-case.js";

const size = z.tuple([optionOf.size, optionOf.size]);
const targetOptions = z.strictObject({ imageSize: size, heatmapSize: size, sigma: optionOf.size });

/** Cases of `heatmapTarget`. */
export const heatmapTarget: CaseRunner = async ({ testCase, values }) => {
  const options = parseOptions(testCase, targetOptions);
  const [batch, joints] = shapeOf(testCase, "visibility", 2) as [number, number];
  assertTensors(testCase, { keypoints: [batch, joints, 2] });
  const samples = Array.from({ length: batch }, (_, b) =>
    heatmapTargets(
      floats(values.keypoints!).subarray(2 * b * joints, 2 * (b + 1) * joints),
      floats(values.visibility!).subarray(b * joints, (b + 1) * joints),
      options,
    ),
  );
  return {
    target: concatenated(samples.map(({ target }) => target)),
    weight: concatenated(samples.map(({ weight }) => weight)),
  };
};

/** Cases of `heatmapLoss`, which has no options. */
export const heatmapLoss: CaseRunner = async ({ testCase, values, runtime }) => {
  parseOptions(testCase, z.strictObject({}));
  const names = ["heatmaps", "target", "weight"];
  assertTensors(testCase, { heatmaps: undefined, target: undefined, weight: undefined });
  const specs = Object.fromEntries(names.map((name) => [name, spec(testCase.tensors[name]!)]));
  const run = await compile(
    (fed: Tensors) => {
      const loss = mean(heatmapLossPerSample(fed.heatmaps!, fed.target!, fed.weight!));
      const found = gradients(loss, { heatmaps: fed.heatmaps! });
      return { loss: reshape(loss, [1]), "grad.heatmaps": found.heatmaps! };
    },
    [specs],
    runtime,
  );
  const fed = Object.fromEntries(names.map((name) => [name, floats(values[name]!)]));
  const results = await run(fed);
  await run.dispose();
  return results as Record<string, Float32Array>;
};

const decodeOptions = z.strictObject({
  flipPairs: z.array(z.tuple([z.int().nonnegative(), z.int().nonnegative()])).optional(),
  flipShift: z.boolean().optional(),
});

/** Cases of `heatmapDecode`. */
export const heatmapDecode: CaseRunner = async ({ testCase, values }) => {
  const { flipPairs, flipShift } = parseOptions(testCase, decodeOptions);
  const shape = shapeOf(testCase, "heatmaps", 4) as [number, number, number, number];
  const [batch, joints, height, width] = shape;
  assertTensors(testCase, { box: [batch, 4], ...(flipPairs && { "heatmaps.flipped": shape }) });
  if (flipPairs?.flat().some((joint) => joint >= joints)) {
    throw new DataError(`flipPairs: expected joints below ${joints}`, { hint: "write the vectors anew" });
  }
  const map: Size = [width, height];
  const given = floats(values.heatmaps!);
  const averaged =
    flipPairs &&
    averageFlipped(
      given,
      floats(values["heatmaps.flipped"]!),
      { keypoints: joints, size: map },
      {
        flipPairs,
        ...(flipShift !== undefined && { shift: flipShift }),
      },
    );
  const { keypoints, score } = decodeHeatmaps(averaged ?? given, map);
  const box = floats(values.box!);
  const inImage = keypoints.map((value, i) => {
    const [axis, sample] = [i % 2, Math.floor(i / (2 * joints))];
    return box[4 * sample + axis]! + (value / map[axis]!) * box[4 * sample + 2 + axis]!;
  });
  return { keypoints, score, "keypoints.image": inImage, ...(averaged && { averaged }) };
};

const oksOptions = z.strictObject({
  maxDetections: optionOf.size,
  annotations: z.string().regex(/^[\w.-]+$/),
  detections: z.string().regex(/^[\w.-]+$/),
});
const triples = z.array(z.number()).length(3 * COCO_SKELETON.keypoints.length);
const annotationFile = z.object({
  annotations: z.array(
    z.object({
      image_id: z.number(),
      iscrowd: z.literal([0, 1]),
      area: z.number(),
      bbox: z.tuple([z.number(), z.number(), z.number(), z.number()]),
      keypoints: triples,
    }),
  ),
});
const detectionFile = z.array(z.object({ image_id: z.number(), keypoints: triples, score: z.number() }));

/** Cases of `keypointsOks`. */
export const keypointsOks: CaseRunner = async ({ testCase, folder }) => {
  const options = parseOptions(testCase, oksOptions);
  const { annotations } = await readJson(join(folder, options.annotations), annotationFile);
  const truths = annotations.map(({ image_id, iscrowd, ...truth }) => ({
    ...truth,
    imageId: image_id,
    crowd: iscrowd === 1,
  }));
  const detections = (await readJson(join(folder, options.detections), detectionFile)).map(
    ({ image_id, ...detection }) => ({ ...detection, imageId: image_id }),
  );
  const { scores, precision } = keypointAveragePrecision(truths, detections, options);
  const oks = detections.flatMap((detection) =>
    truths.map((truth) =>
      truth.imageId === detection.imageId ? objectKeypointSimilarity(detection.keypoints, truth) : -1,
    ),
  );
  const { ap, ap50, ap75, apMedium, apLarge, ar, ar50, ar75, arMedium, arLarge } = scores;
  return {
    stats: Float32Array.of(ap, ap50, ap75, apMedium, apLarge, ar, ar50, ar75, arMedium, arLarge),
    oks: Float32Array.from(oks),
    precision,
  };
};

async function readJson<S extends z.ZodType>(path: string, schema: S): Promise<z.infer<S>> {
  try {
    return schema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
    throw new DataError(`${path}: ${reason}`, { hint: "write the vectors anew", cause });
  }
}

function shapeOf({ tensors }: FamilyCase, name: string, rank: number): readonly number[] {
  const shape = tensors[name];
  if (shape?.length === rank) return shape;
  throw new DataError(`tensor "${name}" must have ${rank} axes`, { hint: "write the vectors anew" });
}

function floats(values: Float32Array | BigInt64Array): Float32Array {
  return values instanceof Float32Array ? values : Float32Array.from(values, Number);
}

function concatenated(parts: readonly Float32Array[]): Float32Array {
  return Float32Array.from(parts.flatMap((part) => Array.from(part)));
}
