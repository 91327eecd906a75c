import { ShapeError } from "../errors/index.js";
import { atScope, formatType, Tensor, topologicalOrder } from "../ir/index.js";
import { add, reshape, scalar, sumTo, zerosLike } from "../ops/index.js";
import { mapTree, type Tree } from "../util/tree.js";

const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;

/**
 * Gradients of a scalar with respect to every tensor of a tree, as further tensors of the same graph. Walks from the
 * scalar back to its inputs, sums contributions and undoes broadcasting. A tensor that the scalar does not depend on
 * gets zeros. Scopes are those of the differentiated tensors plus `.grad`.
 *
 * @throws ShapeError if `value` has more than one element
 */
export function gradients<T extends Tree<Tensor>>(value: Tensor, by: T): T {
  if (value.dtype !== "float32" || value.shape.some((size) => size !== 1)) {
    throw new ShapeError("grad", "a float32 scalar", formatType(value), {
      hint: "reduce it with sum or mean",
    });
  }
  const wanted = new Set<Tensor>();
  mapTree(by as Tree<Tensor>, isTensor, (tensor) => wanted.add(tensor));

  const order = topologicalOrder([value]);
  const needed = new Set<Tensor>();
  for (const node of order) {
    if (wanted.has(node) || node.inputs.some((input) => needed.has(input))) needed.add(node);
  }

  const found = new Map<Tensor, Tensor>();
  if (needed.has(value)) found.set(value, reshape(scalar(1), value.shape));
  for (const node of order.reverse()) {
    const outputGradient = found.get(node);
    if (outputGradient === undefined || !node.inputs.some((input) => needed.has(input))) continue;
    const { inputs, attributes, operator } = node;
    atScope(node.scope === "" ? "grad" : `${node.scope}.grad`, () => {
      const parts = operator.gradient(outputGradient, { inputs, output: node, attributes });
      inputs.forEach((input, i) => {
        const part = parts[i];
        if (!part || !needed.has(input)) return;
        const contribution = sumTo(part, input.shape);
        const earlier = found.get(input);
        found.set(input, earlier ? add(earlier, contribution) : contribution);
      });
    });
  }
  return mapTree(by as Tree<Tensor>, isTensor, (tensor) => found.get(tensor) ?? zerosLike(tensor)) as T;
}

/** A function over tensors that returns a scalar. */
export type ScalarFunction<P extends Tree<Tensor>, R extends readonly Tensor[]> = (
  parameters: P,
  ...rest: R
) => Tensor;

/**
 * Wraps a function to return its value and its gradient with respect to the first argument, a tree of tensors.
 *
 * @example
 * const { value, gradient } = valueAndGrad(loss)({ weight, bias }, x);
 */
export function valueAndGrad<P extends Tree<Tensor>, R extends readonly Tensor[]>(fn: ScalarFunction<P, R>) {
  return (parameters: P, ...rest: R): { value: Tensor; gradient: P } => {
    const value = fn(parameters, ...rest);
    return { value, gradient: gradients(value, parameters) };
  };
}

/** Wraps a function to return its gradient with respect to the first argument, a tree of tensors. */
export function grad<P extends Tree<Tensor>, R extends readonly Tensor[]>(fn: ScalarFunction<P, R>) {
  return (parameters: P, ...rest: R): P => valueAndGrad(fn)(parameters, ...rest).gradient;
}
