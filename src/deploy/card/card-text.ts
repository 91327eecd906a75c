import { basename } from "node:path";
import { formatCount, formatPercent } from "../../report/index.js";
import type { OpenRun } from "../../runs/open-run.js";
import { version } from "../../runs/versions.js";
import { wilsonInterval } from "../../statistics/interval.js";
import type { MeasuredFile } from "../measured.js";
import { code, codeBlock, frontMatter, table } from "./markdown.js";

/** What a card says besides what the run knows. */
export interface CardContents {
  /** The test images, as the model of the folder classifies them. */
  readonly measured: MeasuredFile;
  /** Pictures in the folder, by their file names. */
  readonly pictures: readonly string[];
  /** Identifier of a licence. */
  readonly license?: string | undefined;
}

/** The model card of a classification: Markdown with front matter, every name of others escaped. */
export function cardText(run: OpenRun, { measured, pictures, license }: CardContents): string {
  const { config, classes, imageSize } = run;
  const data = basename(config.data);
  const hits = measured.hits.filter(Boolean).length;
  const images = measured.hits.length;
  return `${frontMatter({ ...metadata(run, data, hits / images), ...(license && { license }) })}

# ${code(config.model)} on ${code(data)}

Classifies images of ${imageSize}×${imageSize} pixels as one of ${classes.length} classes. ${share(hits, images)} of
${formatCount(images)} test images are classified correctly.

## Use

${codeBlock(USE, "js")}

\`pipeline("image-classification", folder)\` of @huggingface/transformers takes the folder too. \`onnx/model.onnx\` runs in any
ONNX runtime, and \`model.safetensors\` holds the weights under the names of dyconv.

## Data

${dataSection(run, data)}

## Recipe

${recipe(run)}

${pictures.map((file) => `![${file.replace(/\.\w+$/, "").replaceAll("-", " ")}](${file})`).join("\n\n")}

## Accuracy by class

${byClass(classes, measured)}

The intervals are Wilson's 95 % intervals over the test images. They say nothing of other data, nor of other seeds.

## Limits

${limits(run, license)
  .map((line) => `- ${line}`)
  .join("\n")}

## How it was made

${codeBlock([commandOf(run, data)], "sh")}

The command names what is usually changed; the whole configuration is in \`config.json\`. Versions:
${Object.entries({ ...run.versions, "this card": `dyconv ${version}` })
  .map(([name, found]) => `- ${code(name)}: ${code(found)}`)
  .join("\n")}
`;
}

const USE = [
  'import { loadModel } from "dyconv/web";',
  "",
  'const model = await loadModel("address of this folder");',
  'const { classes } = await model.classify(document.querySelector("img"));',
];

function metadata({ config: { model }, task }: OpenRun, data: string, accuracy: number) {
  const name = `${model} on ${data}`;
  return {
    library_name: "transformers.js",
    pipeline_tag: "image-classification",
    tags: ["dynamic-convolution", "image-classification", "onnx", "dyconv"],
    "model-index": [
      {
        name,
        results: [
          {
            task: { type: `image-${task}` },
            dataset: { name: data, type: data, split: "test" },
            metrics: [{ type: "accuracy", value: Number(accuracy.toFixed(4)) }],
          },
        ],
      },
    ],
  };
}

function share(hits: number, trials: number): string {
  const { low, high } = wilsonInterval(hits, trials);
  return `${formatPercent(hits / trials, 1)} (${formatPercent(low, 1)} to ${formatPercent(high, 1)})`;
}

function dataSection({ dataFingerprint, dataNote, config }: OpenRun, data: string): string {
  const lines = [`Trained on ${code(data)}, fingerprint ${code(dataFingerprint)}.`];
  if (dataNote !== undefined) lines.push(`Of the data it is said: ${code(dataNote)}`);
  if (config.limitTrain !== undefined) {
    lines.push(`No more than ${formatCount(config.limitTrain)} training images were used.`);
  }
  return lines.join("\n");
}

/** Values of a recipe, as the configuration calls them. */
const RECIPE = [
  ...["epochs", "batchSize", "optimizer", "learningRate", "momentum", "weightDecay", "schedule", "warmUp"],
  ...["cropScale", "labelSmoothing", "imageFit", "valSplit", "seed"],
] as const;

function recipe({ config }: OpenRun): string {
  const values: Readonly<Record<string, unknown>> = { ...config };
  const options = Object.entries(config.modelOptions).map(([name, value]) => [name, value] as const);
  const rows = [...RECIPE.map((name) => [name, values[name]] as const), ...options]
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [code(name), code(typeof value === "string" ? value : JSON.stringify(value))]);
  return table(["value", "set to"], rows);
}

function byClass(classes: readonly string[], { labels, hits }: MeasuredFile): string {
  const rows = classes.map((name, index) => {
    const own = hits.filter((_, i) => labels[i] === index);
    const right = own.filter(Boolean).length;
    return [code(name), String(own.length), own.length === 0 ? "–" : share(right, own.length)];
  });
  return table(["class", "test images", "correct"], rows);
}

function limits({ config, history }: OpenRun, license: string | undefined): readonly string[] {
  const lines = [
    "Every image is given one of these classes, also one that shows none of them; the probabilities are not calibrated.",
    "One seed was trained. Another seed can differ by as much as the intervals are wide, or more.",
  ];
  if (config.valSplit === 0) {
    lines.push(
      "The best epoch was chosen on the test images themselves, so the accuracy is on the high side.",
    );
  }
  if (config.limitTrain !== undefined || config.limitVal !== undefined) {
    lines.push("The run was trained or validated on a part of the data only.");
  }
  if (history.length > 1)
    lines.push("The configuration was changed while it was trained; see `config.json`.");
  lines.push(
    license === undefined
      ? "No licence is stated here; that of the data and of the weights is for whoever publishes them to say."
      : `The licence, ${code(license)}, is that of the weights. That of the data is for its publisher to say.`,
  );
  return lines;
}

function commandOf({ config }: OpenRun, data: string): string {
  const { epochs, batchSize, learningRate, cropScale, seed, valSplit, limitTrain, limitVal } = config;
  const flags = {
    ...{ data, epochs, batchSize, lr: learningRate, cropScale, seed, valSplit, limitTrain, limitVal },
  };
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  const words = given.map(([name, value]) => {
    const flag = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    return `--${flag} ${quoted(String(value))}`;
  });
  return `dyconv train ${quoted(config.model)} ${words.join(" ")}`;
}

function quoted(word: string): string {
  return /^[\w./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
