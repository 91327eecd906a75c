import { GraphError, UsageError } from "../errors/index.js";
import {
  type Graph,
  type MachineProfile,
  nodesOf,
  type Target,
  type Tensor,
  type TensorType,
  verify,
} from "../ir/index.js";
import { OLDEST_IR, OnnxBuilder, OPSETS, type Opset } from "../onnx/builder.js";
import { machineOf, type RewriteName, rewrite, withPlans } from "../rewrite/index.js";

export { machineOf } from "../rewrite/index.js";

/** How a graph is written as ONNX. */
export interface ExportOptions {
  /** Where it is to run. Defaults to `"cpu"`. */
  readonly target?: Target;
  /**
   * Channels in a block of ONNX Runtime's blocked layout, on the very machine that runs the model; 0 by
   * default, for a model that runs anywhere.
   */
  readonly block?: number;
  /** Numbers by which rewrites decide what pays. Defaults to those shipped for the size of the blocks. */
  readonly machineProfile?: MachineProfile;
  /** Rewrites to leave out. Defaults to none. */
  readonly withoutRewrites?: readonly RewriteName[];
  /** Name of the ONNX graph. Defaults to `"dyconv"`. */
  readonly name?: string;
  /** Key and value pairs stored in the model. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Version of the standard operators, 17 to 26. Defaults to 21. */
  readonly opset?: Opset;
  /** Version of the file format; by default the one that came with the opset: 8 with 17, 10 with 21, 13 with 26. */
  readonly irVersion?: number;
  /** Declares an open batch with this size. Left open if omitted. */
  readonly batch?: number;
  /**
   * `"constant"` refuses a model with a convolution whose weight is computed when it runs, as Core ML, TensorRT
   * and TFLite do; `"any"` by default.
   */
  readonly convolutionWeights?: "constant" | "any";
  /**
   * Plans in order of preference for layers whose kernels differ from image to image: each layer takes the first that
   * it has. By default the quickest as predicted, or the one that the layer asks for.
   */
  readonly plans?: Parameters<typeof withPlans>[1];
}

function border(name: string, { dtype, shape }: TensorType, batch: number | "batch" = "batch") {
  return { name, dtype, shape: shape.map((size) => (size === "batch" ? batch : size)) };
}

function checkVersions({ opset, irVersion }: ExportOptions): void {
  if (opset !== undefined && !OPSETS.includes(opset)) {
    throw new UsageError(`opset must be one of ${OPSETS.join(", ")}, not ${opset}`);
  }
  if (irVersion !== undefined && (!Number.isInteger(irVersion) || irVersion < OLDEST_IR)) {
    throw new UsageError(`irVersion must be a whole number of at least ${OLDEST_IR}, not ${irVersion}`);
  }
}

function checkConvolutions(builder: OnnxBuilder): void {
  const computed = builder.computedConvolutions();
  if (computed.length === 0) return;
  throw new GraphError(`the weights of ${computed.join(", ")} are computed when the model runs`, {
    hint:
      'trace with an open batch ("batch"), and without the plan "aggregate", so that kernels are not mixed; ' +
      'or take convolutionWeights: "any"',
  });
}

/**
 * Writes a graph as an ONNX model, after rewriting it for the target and verifying it.
 *
 * @throws GraphError if a rewrite or gradient rule broke the graph, or a weight is computed that must not be
 * @throws UsageError for an opset that there is not
 */
export function exportOnnx(graph: Graph, options: ExportOptions = {}): Uint8Array {
  checkVersions(options);
  const { target = "cpu", block = 0, machineProfile: profile } = options;
  const machine = machineOf({ target, block, ...(profile && { profile }) });
  const planned = options.plans === undefined ? graph : withPlans(graph, options.plans);
  const rewritten = rewrite(planned, machine, options.withoutRewrites);
  verify(rewritten);

  const named = [...rewritten.inputs, ...rewritten.outputs].map(({ name }) => name);
  const builder = new OnnxBuilder(named, options.opset);
  const names = new Map<Tensor, string>(rewritten.inputs.map(({ name, tensor }) => [tensor, name]));
  for (const node of nodesOf(rewritten)) {
    if (names.has(node)) continue;
    builder.setScope(node.scope);
    const { operator, inputs, attributes } = node;
    const context = {
      inputs: inputs.map((input) => names.get(input)!),
      types: inputs,
      output: node,
      attributes,
      target,
    };
    names.set(node, operator.emit(context, builder));
  }
  if (options.convolutionWeights === "constant") checkConvolutions(builder);
  const { batch } = options;
  return builder.build(
    options.name ?? "dyconv",
    rewritten.inputs.map(({ name, tensor }) => border(name, tensor, batch)),
    rewritten.outputs.map(({ name, tensor }) => ({
      ...border(name, tensor, batch),
      value: names.get(tensor)!,
    })),
    options.metadata,
    options.irVersion,
  );
}
