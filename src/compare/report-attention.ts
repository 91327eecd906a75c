import {
  attentionByClassSpec,
  curvesSpec,
  expertUseSpec,
  type LayerUse,
  type ReportAttention,
  type ReportFigure,
  type RunCurves,
} from "../report/index.js";
import { readStoredAttention } from "../runs/attention-file.js";
import { attentionName, expertWarnings, unusedExperts } from "../runs/expert-use.js";
import type { EpochMetrics } from "../runs/metrics.js";
import type { OpenRun } from "../runs/open-run.js";
import { drawFigure } from "./draw-figure.js";

/** Up to this many layers are plotted: those nearest to uniform. */
const MOST_LINES = 8;

/** The part of a report about a run's attention. Undefined if it has none. */
export async function reportAttention(
  folder: string,
  { model, config }: Pick<OpenRun, "model" | "config">,
  epochs: readonly EpochMetrics[],
): Promise<ReportAttention | undefined> {
  const { attention, ablation } = await readStoredAttention(folder);
  const layers = layersOf(epochs);
  const byClass = attention?.byClass ?? [];
  if (layers.length === 0 && byClass.length === 0 && ablation === undefined) return undefined;
  const rest = Object.fromEntries(model.annealedScalars().map(({ name, rest }) => [name, rest]));
  const warnings = expertWarnings(epochs, rest, (epochs.at(-1)?.epoch ?? 0) >= config.epochs);
  return {
    warnings: warnings.map(({ sentence }) => sentence),
    figures: [
      ...(layers.length > 0 ? await useFigures(layers) : []),
      ...(byClass.length > 0 ? [await byClassFigure(byClass, attention!.images.length)] : []),
    ],
    ...(ablation && { ablation }),
  };
}

interface Layer extends LayerUse {
  readonly entropies: RunCurves["points"];
}

function layersOf(epochs: readonly EpochMetrics[]): readonly Layer[] {
  const names = epochs.at(-1)?.experts?.map(attentionName) ?? [];
  return names.map((name) => {
    const seen = epochs.flatMap(({ epoch, experts = [] }) =>
      experts.filter((each) => attentionName(each) === name).map((each) => ({ epoch, ...each })),
    );
    return {
      name,
      epochs: seen,
      unused: unusedExperts(seen.at(-1)!),
      entropies: seen.map(({ epoch, entropy }) => ({ epoch, value: entropy, set: "validation" as const })),
    };
  });
}

async function useFigures(layers: readonly Layer[]): Promise<ReportFigure[]> {
  const lastOf = ({ entropies }: Layer) => entropies.at(-1)!.value;
  const chosen = layers.toSorted((a, b) => lastOf(b) - lastOf(a)).slice(0, MOST_LINES);
  const lines = layers
    .filter((layer) => chosen.includes(layer))
    .map(({ name, entropies }) => ({ name, points: entropies }));
  const part = lines.length < layers.length ? `, of the ${lines.length} layers nearest to uniform` : "";
  return [
    await drawFigure(
      (width) =>
        curvesSpec(lines, {
          ...{ title: "Entropy of the attention", y: "1 is uniform, 0 one-hot" },
          ...width,
        }),
      `Mean entropy of an image’s attention on the validation images, each epoch${part}.`,
    ),
    await drawFigure(
      (width) => expertUseSpec(layers, width),
      "Share of the attention that each expert has on the validation images, each epoch.",
    ),
  ];
}

function byClassFigure(
  byClass: Parameters<typeof attentionByClassSpec>[0],
  images: number,
): Promise<ReportFigure> {
  return drawFigure(
    (width) => attentionByClassSpec(byClass, width),
    `Mean attention by class, over ${images} images; p of a permutation test.`,
  );
}
