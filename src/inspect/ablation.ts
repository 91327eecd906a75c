import { UsageError } from "../errors/index.js";
import { type InferOptions, infer, openInference } from "../infer/infer.js";
import type { Samples } from "../infer/samples.js";
import type { Tensor } from "../ir/index.js";
import type { Applied, AttentionPlace } from "../nn/index.js";
import { reshape, slice } from "../ops/index.js";
import type { OpenRun } from "../runs/open-run.js";
import { comparePaired, type Hits, type PairedDifference } from "../statistics/paired.js";
import { RandomStream } from "../util/random.js";
import {
  type MeanAttention,
  REPLACEMENTS,
  type Replacement,
  replacedAttention,
} from "./replaced-attention.js";

/** Accuracy with replaced attention. */
export interface AblationRow extends PairedDifference {
  /** Path of the layer. `undefined` for all layers at once. */
  readonly layer: string | undefined;
  readonly replacement: Replacement;
  readonly accuracy: number;
}

/** Conclusion of an ablation. */
export type AblationVerdict = "matters" | "does-not-matter" | "undecided";

/** Whether a network's attention matters. */
export interface Ablation {
  readonly images: number;
  /** Accuracy of the unchanged network. */
  readonly accuracy: number;
  /** Every replacement, in each layer separately and in all layers. */
  readonly rows: readonly AblationRow[];
  readonly verdict: AblationVerdict;
}

/** Largest change of accuracy, in either direction, that counts as negligible. */
const NEGLIGIBLE = 0.01;

/**
 * Measures whether a run's attention matters: accuracy with the attention of each layer, and of all layers,
 * replaced, compared with the unchanged network on the same images.
 *
 * @param images images with known classes
 * @throws UsageError if the model records no attention, or an image's class is unknown
 */
export async function ablateAttention(
  run: OpenRun,
  images: Samples,
  options: InferOptions = {},
): Promise<Ablation> {
  const samples = shuffled(images, run.config.seed);
  const truths = samples.truths.map((truth) => run.classes.indexOf(truth ?? ""));
  if (truths.includes(-1)) {
    throw new UsageError("attention can be ablated only on images whose class is known", {
      hint: "take test images of the run's data, or files in folders that have the names of the classes",
    });
  }
  const own = await infer(run, samples, readAll, options);
  const layers = [...new Set(Object.keys(own).flatMap((name) => layerOf(name) ?? []))];
  if (layers.length === 0) {
    throw new UsageError(
      `${run.config.model} has no dynamic convolutions, so there is no attention to replace`,
    );
  }
  const choices = 1 + REPLACEMENTS.length;
  const inference = await openInference(run, samples, ({ output }) => ({ logits: output }), {
    ...options,
    settings: {
      shape: [layers.length, choices],
      apply: (chosen) => ({
        replaceAttention: (place, attention) =>
          replacedAttention(place, attention, rowOf(chosen, layers.indexOf(place.layer)), meansOf(own)),
      }),
    },
  });
  const hitsWith = async (replacement: Replacement, replaced: (layer: string) => boolean) => {
    const chosen = layers.map((layer) => (replaced(layer) ? 1 + REPLACEMENTS.indexOf(replacement) : 0));
    const settings = Float32Array.from({ length: layers.length * choices }, (_, i) =>
      chosen[Math.floor(i / choices)] === i % choices ? 1 : 0,
    );
    return hitsOf((await inference.rows(settings)).logits, truths);
  };
  const before = hitsOf(own.logits!, truths);
  const rows: AblationRow[] = [];
  for (const layer of [...(layers.length > 1 ? layers : []), undefined]) {
    for (const replacement of REPLACEMENTS) {
      const hits = await hitsWith(replacement, (name) => layer === undefined || name === layer);
      const change = comparePaired(before, hits, run.config.seed);
      rows.push({ layer, replacement, accuracy: shareOf(hits), ...change });
    }
  }
  await inference.dispose();
  return { images: truths.length, accuracy: shareOf(before), rows, verdict: verdictOf(rows) };
}

/**
 * The attention matters if giving every image the mean attention, or that of another image, lowers accuracy
 * significantly. It does not matter if both changes are certainly negligible.
 */
export function verdictOf(rows: readonly AblationRow[]): AblationVerdict {
  const deciding = rows.filter(
    ({ layer, replacement }) =>
      layer === undefined && (replacement === "mean" || replacement === "another-image"),
  );
  if (deciding.some(({ interval, p }) => interval.high < 0 && p < 0.05)) return "matters";
  const negligible = deciding.every(
    ({ interval }) => Math.max(Math.abs(interval.low), Math.abs(interval.high)) <= NEGLIGIBLE,
  );
  return negligible ? "does-not-matter" : "undecided";
}

/** Logits, and all attention under names that {@link layerOf} maps back. */
function readAll({ output, attention }: Applied): Readonly<Record<string, Tensor>> {
  const tensors: Record<string, Tensor> = { logits: output };
  for (const [layer, kinds] of Object.entries(attention)) {
    for (const [kind, { values }] of Object.entries(kinds)) tensors[nameOf({ layer, kind })] = values;
  }
  return tensors;
}

const nameOf = ({ layer, kind }: AttentionPlace) => `${kind} of ${layer}`;
const layerOf = (name: string) => / of (.*)$/.exec(name)?.[1];

function meansOf(rows: Readonly<Record<string, readonly Float32Array[]>>): MeanAttention {
  return (place) => {
    const samples = rows[nameOf(place)]!;
    return samples[0]!.map((_, c) => samples.reduce((sum, row) => sum + row[c]!, 0) / samples.length);
  };
}

function rowOf(matrix: Tensor, row: number): Tensor {
  return reshape(slice(matrix, { axis: 0, start: row, end: row + 1 }), [matrix.shape[1]!]);
}

/** In data sorted by class, the attention of another image would be from the same class. */
function shuffled(samples: Samples, seed: number): Samples {
  const { images, truths, names } = samples;
  const order = Array.from(new RandomStream(seed, "ablation").permutation(names.length));
  const bytes = images.length / names.length;
  const moved = new Uint8Array(images.length);
  for (const [to, from] of order.entries()) {
    moved.set(images.subarray(from * bytes, (from + 1) * bytes), to * bytes);
  }
  return {
    ...samples,
    images: moved,
    truths: order.map((i) => truths[i]),
    names: order.map((i) => names[i]!),
  };
}

function hitsOf(logits: readonly Float32Array[], truths: readonly number[]): Hits {
  return logits.map((row, i) => row.indexOf(Math.max(...row)) === truths[i]);
}

function shareOf(hits: Hits): number {
  return hits.filter(Boolean).length / hits.length;
}
