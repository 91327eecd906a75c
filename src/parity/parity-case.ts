import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { DataError } from "../errors/index.js";
import { readSafetensors, type StoredTensor } from "../files/index.js";
import { formatShape } from "../util/shape.js";
import { type FamilyCase, familyCaseSchema, ownOnly, shapesSchema } from "./family/family-case.js";
import { parseOptions } from "./parse-options.js";

/** Larger sizes indicate a damaged file. */
const size = z.int().positive().max(65_536);
const temperature = z.number().positive();
const labelSmoothing = z.number().min(0).lt(1);

const layerOptions = z.strictObject({
  inChannels: size,
  outChannels: size,
  kernelSize: size,
  stride: size,
  padding: z.int().nonnegative().max(65_536),
  dilation: size,
  groups: size,
  bias: z.boolean(),
  experts: size,
  ratio: z.number().positive(),
  temperature,
  routing: z.enum(["softmax", "sigmoid"]),
});
const lossOptions = z.strictObject({ labelSmoothing });
const networkOptions = z.strictObject({
  dynamic: z.boolean(),
  experts: size,
  temperature,
  learningRate: z.number().positive(),
  weightDecay: z.number().nonnegative(),
  labelSmoothing,
  seed: z.int(),
  parameters: z.array(z.tuple([z.string(), z.array(size), z.enum(["rule", "ones"]), z.number()])),
  /** How the values follow from it, in words. */
  rule: z.string().optional(),
});

const OPTIONS = { layer: layerOptions, loss: lossOptions, network: networkOptions } as const;

const caseSchema = z.object({
  file: z.string().min(1),
  tolerance: z.number().positive().max(1),
  options: z.record(z.string(), z.unknown()),
  tensors: shapesSchema,
});
const indexSchema = z.object({ cases: z.array(z.record(z.string(), z.unknown())).min(1) });

/** Content of every kind of case. */
interface CaseOf<Kind extends keyof typeof OPTIONS> extends Omit<z.infer<typeof caseSchema>, "options"> {
  readonly kind: Kind;
  readonly options: z.infer<(typeof OPTIONS)[Kind]>;
}

/** One dynamic convolution. */
export type LayerCase = CaseOf<"layer">;
/** Label-smoothed cross entropy. */
export type LossCase = CaseOf<"loss">;
/** Training steps of a whole network. */
export type NetworkCase = CaseOf<"network">;

/** A case that names its layer. */
export type NamedLayerCase = FamilyCase & { readonly kind: "family" };

/** A case in an index of reference vectors. */
export type ParityCase = LayerCase | LossCase | NetworkCase | NamedLayerCase;

/** Elements by name. */
export type Values = Readonly<Record<string, Float32Array | BigInt64Array>>;

/** Names of tensors that are results, unless a case lists them. All others are inputs. */
const RESULT_NAME = /^(y|attention|loss|(grad|gradnorm|buffer|logits)\..*)$/;

/**
 * Reads an index of reference vectors.
 *
 * @throws DataError describing what is wrong with it
 */
export async function readIndex(path: string): Promise<readonly ParityCase[]> {
  try {
    const { cases } = indexSchema.parse(JSON.parse(await readFile(path, "utf8")));
    return cases.map((each, n) => {
      const name = typeof each.file === "string" ? each.file : `case ${n}`;
      if ("layer" in each) return { ...parseCase(name, each, familyCaseSchema), kind: "family" };
      const { options, ...others } = parseCase(name, each, caseSchema);
      const kind = "inChannels" in options ? "layer" : "parameters" in options ? "network" : "loss";
      return {
        ...others,
        kind,
        options: parseOptions({ file: name, options }, OPTIONS[kind] as z.ZodType),
      } as ParityCase;
    });
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
    throw new DataError(`${path} is no index of reference vectors: ${reason}`, {
      cause,
      hint: "it must be a JSON document with `cases`, at least one, each with file, options, tolerance and tensors",
    });
  }
}

function parseCase<S extends z.ZodType>(name: string, value: unknown, schema: S): z.infer<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new Error(`${name}: ${z.prettifyError(parsed.error)}`);
}

/**
 * Reads the tensors of a case.
 *
 * @throws DataError if they are not those listed in the index, or include no result
 */
export async function readValues(indexPath: string, testCase: ParityCase): Promise<Values> {
  const file = await readSafetensors(join(dirname(indexPath), testCase.file));
  const tensors = ownOnly(file.tensors);
  const values: Record<string, Float32Array | BigInt64Array> = ownOnly({});
  for (const name of Object.keys({ ...testCase.tensors, ...tensors })) {
    const [listed, found] = [testCase.tensors[name], tensors[name]];
    const dtype = dtypeOf(testCase, name, found);
    const same = listed?.join() === found?.shape.join() && found?.dtype === dtype;
    if (!same) {
      throw disagreement(
        testCase,
        `tensor "${name}" is listed as ${listed ? `${dtype} ${formatShape(listed)}` : "absent"}, found ${found ? `${found.dtype} ${formatShape(found.shape)}` : "absent"}`,
      );
    }
    values[name] = found.data as Float32Array | BigInt64Array;
  }
  const results = resultNames(testCase, values);
  if (results.length === 0)
    throw disagreement(testCase, "no tensor is a result, so there is nothing to compare");
  const missing = results.find((name) => values[name] === undefined);
  if (missing !== undefined) throw disagreement(testCase, `the result "${missing}" is not among its tensors`);
  return values;
}

/** Names of the tensors that are results. */
export function resultNames(testCase: ParityCase, values: Values): readonly string[] {
  return testCase.kind === "family"
    ? testCase.outputs
    : Object.keys(values).filter((name) => RESULT_NAME.test(name));
}

/** The dtype that a tensor must have. In a case that names its layer, any tensor may hold integers. */
function dtypeOf({ kind }: ParityCase, name: string, found: StoredTensor | undefined): "float32" | "int64" {
  const whole = kind === "family" ? found?.dtype === "int64" : name === "target";
  return whole ? "int64" : "float32";
}

/**
 * Checks that a case has its inputs.
 *
 * @param needed shapes by name; `undefined` accepts any
 * @throws DataError naming the tensor
 */
export function assertTensors(
  testCase: Pick<ParityCase, "file" | "tensors">,
  needed: Readonly<Record<string, readonly number[] | undefined>>,
): void {
  for (const [name, shape] of Object.entries(needed)) {
    const listed = testCase.tensors[name];
    if (listed === undefined) throw disagreement(testCase, `tensor "${name}" is missing`);
    if (shape === undefined || listed.join() === shape.join()) continue;
    throw disagreement(
      testCase,
      `by its options, tensor "${name}" is ${formatShape(shape)}, found ${formatShape(listed)}`,
    );
  }
}

function disagreement({ file }: Pick<ParityCase, "file">, what: string): DataError {
  return new DataError(`${file}: ${what}`, {
    hint: "the index and its files must have been written together; write both anew",
  });
}
