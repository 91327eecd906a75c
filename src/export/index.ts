import { type Graph, nodesOf, type Target, type Tensor, type TensorType, verify } from "../ir/index.js";
import { OnnxBuilder } from "../onnx/builder.js";
import { type RewriteName, rewrite } from "../rewrite/index.js";

/** How a graph is written as ONNX. */
export interface ExportOptions {
  /** Where it is to run; `"cpu"` by default. */
  readonly target?: Target;
  /**
   * Channels in a block of ONNX Runtime's blocked layout, on the very machine that runs the model; 0 by
   * default, for a model that runs anywhere.
   */
  readonly block?: number;
  /** Rewrites to leave out; none by default. */
  readonly withoutRewrites?: readonly RewriteName[];
  /** Name of the ONNX graph; `"dyconv"` by default. */
  readonly name?: string;
  /** Key and value pairs stored in the model. */
  readonly metadata?: Readonly<Record<string, string>>;
}

function border(name: string, { dtype, shape }: TensorType) {
  return { name, dtype, shape };
}

/**
 * Writes a graph as an ONNX model, after rewriting it for the target and verifying it.
 *
 * @throws GraphError if a rewrite or gradient rule broke the graph
 */
export function exportOnnx(graph: Graph, options: ExportOptions = {}): Uint8Array {
  const target = options.target ?? "cpu";
  const rewritten = rewrite(graph, { target, block: options.block ?? 0 }, options.withoutRewrites);
  verify(rewritten);

  const builder = new OnnxBuilder();
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
  return builder.build(
    options.name ?? "dyconv",
    rewritten.inputs.map(({ name, tensor }) => border(name, tensor)),
    rewritten.outputs.map(({ name, tensor }) => ({ ...border(name, tensor), value: names.get(tensor)! })),
    options.metadata,
  );
}
