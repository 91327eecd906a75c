import { CheckpointError } from "../errors/index.js";
import type { WeightPrecision } from "../ship/compressed-weights.js";
import {
  type AttentionOutput,
  MODEL_CONFIG,
  MODEL_FILES,
  PREPROCESSOR_CONFIG,
} from "../ship/model-folder.js";

const HOW_WRITTEN =
  "`dyconv export RUN --transformers --out FOLDER` writes the folder: give the address of it";

/** What a folder says of its model. */
export interface ModelFiles {
  /** The ONNX model. */
  readonly bytes: Uint8Array;
  /** Address of the model. */
  readonly source: string;
  readonly classes: readonly string[];
  readonly attention: readonly AttentionOutput[];
  readonly preparation: Preparation;
}

/** How pixels become what a model takes. */
export interface Preparation {
  /** Height and width, in pixels. */
  readonly size: number;
  readonly fit: "stretch" | "crop";
  /** Of pixels from 0 to 1, by colour. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/**
 * Fetches the files of a model folder.
 *
 * @param folder its address, which ends in a slash
 * @throws CheckpointError where a file is missing, or is not what it should be
 */
export async function fetchModelFiles(folder: URL, weights: WeightPrecision): Promise<ModelFiles> {
  const at = (file: string) => new URL(file, folder).href;
  const source = at(MODEL_FILES[weights]);
  const [config, preprocessor, bytes] = await Promise.all([
    fetchJson(at(MODEL_CONFIG)),
    fetchJson(at(PREPROCESSOR_CONFIG)),
    fetchFile(source),
  ]);
  checkModel(source, bytes);
  const classes = classesOf(config);
  if (classes === undefined) throw notUnderstood(at(MODEL_CONFIG), "id2label", "the name of each class");
  const preparation = preparationOf(preprocessor);
  if (preparation === undefined) {
    throw notUnderstood(at(PREPROCESSOR_CONFIG), "size, image_mean and image_std", "how pixels are prepared");
  }
  return { bytes, source, classes, preparation, attention: attentionOf(config) };
}

async function fetchFile(address: string): Promise<Uint8Array> {
  let response: Response;
  try {
    response = await fetch(address);
  } catch (cause) {
    throw new CheckpointError(`${address}: cannot be reached (${(cause as Error).message})`, {
      hint: "check the address; a folder on another site must allow pages of yours (CORS)",
      cause,
    });
  }
  if (!response.ok) {
    throw new CheckpointError(`${address}: the server answers ${response.status}`, { hint: HOW_WRITTEN });
  }
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    throw new CheckpointError(`${address}: the download broke off (${(cause as Error).message})`, {
      hint: "load the model again",
      cause,
    });
  }
}

async function fetchJson(address: string): Promise<unknown> {
  const bytes = await fetchFile(address);
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new CheckpointError(`${address}: is no JSON (${(cause as Error).message})`, {
      hint: HOW_WRITTEN,
      cause,
    });
  }
}

/** Servers answer with a page of their own, and Git with a pointer, where a large file is missing. */
function checkModel(source: string, bytes: Uint8Array): void {
  // The first field of an ONNX model is its version, a number.
  if (bytes[0] === 0x08) return;
  const start = new TextDecoder("latin1").decode(bytes.subarray(0, 64));
  const what =
    bytes.length === 0
      ? "the file is empty"
      : /^\s*<(!doctype|html)/i.test(start)
        ? "it is a web page"
        : start.startsWith("version https://git-lfs")
          ? "it is a pointer of Git LFS to the model"
          : "its first bytes are those of something else";
  throw new CheckpointError(`${source}: not an ONNX model, ${what}`, { hint: HOW_WRITTEN });
}

function notUnderstood(address: string, keys: string, meaning: string): CheckpointError {
  return new CheckpointError(`${address}: expected ${keys}, which say ${meaning}`, { hint: HOW_WRITTEN });
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function classesOf(config: unknown): readonly string[] | undefined {
  const named = fieldsOf(fieldsOf(config).id2label);
  const classes = Object.keys(named).map((_, i) => named[String(i)]);
  return classes.length > 0 && classes.every((name) => typeof name === "string") ? classes : undefined;
}

/** Of folders that others wrote nothing is known. */
function attentionOf(config: unknown): readonly AttentionOutput[] {
  const found = fieldsOf(fieldsOf(config).dyconv).attention;
  return (Array.isArray(found) ? found : []).filter((entry): entry is AttentionOutput => {
    const { output, layer, kind, activation, axis } = fieldsOf(entry);
    return [output, layer, kind, activation].every((text) => typeof text === "string") && isSize(axis);
  });
}

function preparationOf(config: unknown): Preparation | undefined {
  const { size, do_center_crop, image_mean: mean, image_std: std } = fieldsOf(config);
  const { height, width, shortest_edge } = fieldsOf(size);
  const side = do_center_crop === true ? shortest_edge : height === width ? height : undefined;
  if (!isSize(side) || !areColours(mean) || !areColours(std) || std.includes(0)) return undefined;
  return { size: side, fit: do_center_crop === true ? "crop" : "stretch", mean, std };
}

function isSize(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= LARGEST_SIDE;
}

/** Of what a model takes. */
const LARGEST_SIDE = 4096;

function areColours(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.length === 3 && value.every(Number.isFinite);
}
