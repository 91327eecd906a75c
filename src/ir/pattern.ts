import type { Attributes, Operator, Tensor, TensorOf } from "./tensor.js";

/** A part of a graph to look for, from the tensor that it gives up to those it is made from; `B` is what it finds. */
export interface Pattern<B = unknown> {
  /** What the names of the pattern stand for, or `undefined` where `tensor` is not made so. */
  match(tensor: Tensor): B | undefined;
}

/** What the patterns of several inputs find, together. */
type Found<P extends readonly Pattern[]> = P extends readonly [Pattern<infer B>, ...infer Rest]
  ? Rest extends readonly Pattern[]
    ? B & Found<Rest>
    : never
  : unknown;

/** Any tensor, or any for which a condition holds, by a name. */
export function any<const N extends string>(
  name: N,
  holds: (tensor: Tensor) => boolean = () => true,
): Pattern<Readonly<Record<N, Tensor>>> {
  return { match: (tensor) => (holds(tensor) ? ({ [name]: tensor } as Record<N, Tensor>) : undefined) };
}

/**
 * An operator on as many inputs as there are patterns, each matching one; on any inputs where there is no pattern.
 * Inputs of a commutative operator are tried both ways.
 *
 * @example
 * // relu(x · scale + shift)
 * const rectified = pattern(reluOperator, pattern(channelAffineOperator, any("x"), any("scale"), any("shift")));
 * const found = rectified.match(tensor); // { x, scale, shift } or undefined
 */
export function pattern<A extends Attributes, const P extends readonly Pattern[]>(
  operator: Operator<A>,
  ...inputs: P
): Pattern<Found<P>> {
  const matchAll = (tensors: readonly Tensor[]): Found<P> | undefined => {
    const found = inputs.map((each, i) => each.match(tensors[i]!));
    return found.includes(undefined) ? undefined : (Object.assign({}, ...found) as Found<P>);
  };
  return {
    match: (tensor) => {
      if (!tensor.is(operator) || (inputs.length > 0 && inputs.length !== tensor.inputs.length))
        return undefined;
      const found = matchAll(tensor.inputs);
      return found ?? (operator.commutative ? matchAll(tensor.inputs.toReversed()) : undefined);
    },
  };
}

/** The pattern of an operator, whose tensor is found by a name too, its attributes typed. */
export function named<const N extends string, A extends Attributes, const P extends readonly Pattern[]>(
  name: N,
  operator: Operator<A>,
  ...inputs: P
): Pattern<Found<P> & Readonly<Record<N, TensorOf<A>>>> {
  const inner = pattern(operator, ...inputs);
  return {
    match: (tensor) => {
      const found = inner.match(tensor);
      const self = { [name]: tensor } as Record<N, TensorOf<A>>;
      return found && { ...found, ...self };
    },
  };
}

/** What a pattern finds, directly or behind one use of an operator with a single input, such as a reshape. */
export function behind<A extends Attributes, B>(operator: Operator<A>, inner: Pattern<B>): Pattern<B> {
  return { match: (tensor) => inner.match(tensor.is(operator) ? tensor.inputs[0]! : tensor) };
}
