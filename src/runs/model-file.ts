/** Custom models: a module that exports one, given by its path. */

import { createHash } from "node:crypto";
import { readFile, realpath } from "node:fs/promises";
import { createRequire, register } from "node:module";
import { extname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { DyconvError, UsageError } from "../errors/index.js";
import { MODELS, type ModelEntry } from "../models/index.js";

/** The module of a custom model. Modules that it imports are not included. */
export interface ModelFile {
  /** Absolute path. */
  readonly path: string;
  /** SHA-256 of the file, in hexadecimal digits. */
  readonly sha256: string;
}

/** A model loaded from a file. */
export interface LoadedModel {
  readonly entry: ModelEntry;
  readonly file: ModelFile;
}

const EXTENSIONS = [".js", ".mjs", ".ts", ".mts"];

/** Whether a word is the path of a model file, and not the name of a registered model. */
export function isModelPath(word: string): boolean {
  return EXTENSIONS.includes(extname(word));
}

/**
 * Imports a module and returns the model that it exports by default, created with `defineModel`. This
 * executes the module. Its `import … from "dyconv"` resolves to this package, wherever the file is.
 *
 * @throws UsageError if the file does not exist, cannot be imported, or exports no model
 */
export async function loadModelFile(given: string): Promise<LoadedModel> {
  const path = await realpath(resolve(given)).catch((cause: unknown) => {
    throw new UsageError(`${given}: no such file`, {
      hint: "Give the path of a module that exports a model.",
      cause,
    });
  });
  const sha256 = createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
  const entry = findEntry(given, await importModule(given, path));
  return { entry, file: { path, sha256 } };
}

async function importModule(given: string, path: string): Promise<Readonly<Record<string, unknown>>> {
  resolveOwnPackage();
  try {
    return (await import(/* @vite-ignore */ pathToFileURL(path).href)) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ERR_UNKNOWN_FILE_EXTENSION") {
      throw new UsageError(`${given}: Node ${process.versions.node} does not run TypeScript`, {
        hint: "Use Node 22.18 or newer, set NODE_OPTIONS=--import=tsx, or compile the file to JavaScript.",
        cause,
      });
    }
    if (cause instanceof DyconvError) throw cause;
    throw new UsageError(`${given}: the module cannot be loaded (${message})`, { cause });
  }
}

function findEntry(
  given: string,
  { default: found, model = found }: Readonly<Record<string, unknown>>,
): ModelEntry {
  const entry = model as Partial<ModelEntry> | undefined;
  if (typeof entry?.create !== "function" || typeof entry.completeOptions !== "function") {
    throw new UsageError(`${given}: exports no model`, {
      hint: "Export one by default: export default defineModel({ … }).",
    });
  }
  if (Object.hasOwn(MODELS, entry.name!)) {
    throw new UsageError(`${given}: its model has the name of a registered model, ${entry.name}`, {
      hint: "Give it another name.",
    });
  }
  return entry as ModelEntry;
}

/** Runs in Node's hooks thread, which has no access to this file. */
const HOOKS = `
let own;
export function initialize(data) { own = data; }
export function resolve(specifier, context, next) {
  return next(own[specifier] ?? specifier, context);
}`;

let registered = false;

/** A second copy of dyconv would create parameters and tensors that this one does not recognize. */
function resolveOwnPackage(): void {
  if (registered) return;
  registered = true;
  const root = join(createRequire(import.meta.url).resolve("dyconv/package.json"), "..");
  // Resolve to the sources when they run under tsx, as in development.
  const source = extname(import.meta.url) === ".ts";
  const url = (name: string) => pathToFileURL(join(root, source ? `src/${name}.ts` : `dist/${name}.js`)).href;
  const data = { dyconv: url("index"), "dyconv/node": url("node") };
  register(`data:text/javascript,${encodeURIComponent(HOOKS)}`, { parentURL: import.meta.url, data });
}
