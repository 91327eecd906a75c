import type { Attributes, Operator, Tensor, TensorOf } from "./tensor.js";

/** A subgraph to look for, from its output up to its inputs. `B` is the type of the bindings it finds. */
export interface Pattern<B = unknown> {
  /** The tensors bound to the pattern's names, or `undefined` if `tensor` does not match. */
  match(tensor: Tensor): B | undefined;
}

/** The combined bindings of the patterns of several inputs. */
type Found<P extends readonly Pattern[]> = P extends readonly [Pattern<infer B>, ...infer Rest]
  ? Rest extends readonly Pattern[]
    ? B & Found<Rest>
    : never
  : unknown;

/** Matches any tensor, or any for which `holds` is true, and binds it to a name. */
export function any<const N extends string>(
  name: N,
  holds: (tensor: Tensor) => boolean = () => true,
): Pattern<Readonly<Record<N, Tensor>>> {
  return { match: (tensor) => (holds(tensor) ? ({ [name]: tensor } as Record<N, Tensor>) : undefined) };
}

/**
 * Matches an operator whose inputs match the given patterns one by one; without patterns, any inputs match. Inputs of a
 * commutative operator are tried in both orders.
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

/** Like {@link pattern}, and also binds the operator's own tensor, with typed attributes, to a name. */
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

/** Matches a pattern directly, or through one single-input operator such as a reshape. */
export function behind<A extends Attributes, B>(operator: Operator<A>, inner: Pattern<B>): Pattern<B> {
  return { match: (tensor) => inner.match(tensor.is(operator) ? tensor.inputs[0]! : tensor) };
}
