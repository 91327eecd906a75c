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

/** Options of {@link exportOnnx}. */
export interface ExportOptions {
  /** Where the model will run. Defaults to `"cpu"`. */
  readonly target?: Target;
  /**
   * Channels per block of ONNX Runtime's blocked layout on the machine that will run the model. Defaults to 0: a
   * portable model.
   */
  readonly block?: number;
  /** The file may be opened on any device of ONNX Runtime, not only on the target. Defaults to `false`. */
  readonly portable?: boolean;
  /** Numbers by which rewrites decide what pays off. Defaults to those shipped for the target and block size. */
  readonly machineProfile?: MachineProfile;
  /** Rewrites to leave out. Defaults to none. */
  readonly withoutRewrites?: readonly RewriteName[];
  /** Name of the ONNX graph. Defaults to `"dyconv"`. */
  readonly name?: string;
  /** Key-value pairs stored in the model. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Version of the standard operator set, 17 to 26. Defaults to 21. */
  readonly opset?: Opset;
  /** Version of the file format. Defaults to the one released with the opset: 8 for 17, 10 for 21, 13 for 26. */
  readonly irVersion?: number;
  /** Declares an open batch with this size. Left open if omitted. */
  readonly batch?: number;
  /**
   * `"constant"` rejects a model with a convolution whose weight is computed at run time, as Core ML, TensorRT and
   * TFLite do. Defaults to `"any"`.
   */
  readonly convolutionWeights?: "constant" | "any";
  /**
   * Plans in order of preference for layers with per-sample kernels: each takes the first that it supports. Defaults to
   * the plan requested by the layer, or else the one predicted to be fastest.
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
  throw new GraphError(`the weights of ${computed.join(", ")} are computed at run time`, {
    hint:
      'trace with an open batch ("batch"), and without the plan "aggregate", so that kernels are not mixed; ' +
      'or use convolutionWeights: "any"',
  });
}

/**
 * Rewrites a graph for the target, verifies it, and writes it as an ONNX model.
 *
 * @throws GraphError if a rewrite or gradient rule broke the graph, or a weight that must be constant is computed
 * @throws UsageError for an unsupported opset or IR version
 */
export function exportOnnx(graph: Graph, options: ExportOptions = {}): Uint8Array {
  checkVersions(options);
  const { target = "cpu", block = 0, portable = false, machineProfile: profile } = options;
  const machine = machineOf({ target, block, portable, ...(profile && { profile }) });
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
