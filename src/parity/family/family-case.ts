import { z } from "zod";
import type { RuntimeOptions } from "../../runtime/index.js";

/** Larger sizes indicate a damaged file. */
const LARGEST = 65_536;

/** Schemas of common layer options. */
export const optionOf = {
  size: z.int().positive().max(LARGEST),
  padding: z.int().nonnegative().max(LARGEST),
  temperature: z.number().positive(),
  momentum: z.number().min(0).max(1),
  epsilon: z.number().nonnegative(),
  mode: z.enum(["train", "eval"]),
} as const;

/** Without what all objects inherit, so that a file may name something `toString`. */
export function ownOnly<T extends object>(record: T): T {
  return Object.assign(Object.create(null), record) as T;
}

/** Shapes of tensors by name. */
export const shapesSchema = z.record(z.string(), z.array(z.int().nonnegative())).transform(ownOnly);

/** Content of a case for a layer of the family. */
export const familyCaseSchema = z
  .object({
    file: z.string().min(1),
    layer: z.string().min(1),
    tolerance: z.number().positive().max(1),
    options: z.record(z.string(), z.unknown()),
    derived: z.record(z.string(), z.unknown()).optional(),
    plain: z.array(z.string()).optional(),
    state: z.object({ parameters: shapesSchema, buffers: shapesSchema, constants: shapesSchema }),
    inputs: z.array(z.string()),
    outputs: z.array(z.string()).min(1),
    tensors: shapesSchema,
  })
  .superRefine(({ tensors, inputs, plain = [] }, { addIssue }) => {
    for (const [key, names] of Object.entries({ inputs, plain })) {
      const missing = names.filter((name) => !(name in tensors));
      if (missing.length > 0)
        addIssue({ code: "custom", path: [key], message: `not among the tensors: ${missing.join(", ")}` });
    }
  });

/** A case in an index of the family's reference vectors. */
export type FamilyCase = z.infer<typeof familyCaseSchema>;

/** Elements by name. */
export type CaseValues = Readonly<Record<string, Float32Array | BigInt64Array>>;

/** Inputs of a case. */
export interface CaseRun {
  readonly testCase: FamilyCase;
  /** All tensors of its file. */
  readonly values: CaseValues;
  /** Folder of the case's file, and of other files that its options name. */
  readonly folder: string;
  /** Plan of every dynamic convolution. */
  readonly plan: "auto" | "aggregate" | "mix-outputs" | "mix-inputs" | "unfold";
  readonly runtime: RuntimeOptions;
}

/** Runs a case, and returns its outputs by name. */
export type CaseRunner = (run: CaseRun) => Promise<CaseValues>;
