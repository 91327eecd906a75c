import type { Tensor } from "./tensor.js";

/** A traced computation: its inputs and outputs by name. */
export interface Graph {
  readonly inputs: readonly NamedTensor[];
  readonly outputs: readonly NamedTensor[];
}

/** A tensor and its name as an input or output, such as `state.features.0.weight`. */
export interface NamedTensor {
  readonly name: string;
  readonly tensor: Tensor;
}

/** All tensors that `roots` depend on, each once, after its inputs. */
export function topologicalOrder(roots: readonly Tensor[]): Tensor[] {
  const order: Tensor[] = [];
  const visited = new Set<Tensor>();
  // An explicit stack: the graph of a deep network would overflow the call stack.
  const stack = roots.map((tensor) => ({ tensor, next: 0 })).reverse();
  while (stack.length > 0) {
    const top = stack[stack.length - 1]!;
    if (top.next === 0 && visited.has(top.tensor)) {
      stack.pop();
      continue;
    }
    visited.add(top.tensor);
    const input = top.tensor.inputs[top.next++];
    if (input === undefined) {
      order.push(top.tensor);
      stack.pop();
    } else if (!visited.has(input)) {
      stack.push({ tensor: input, next: 0 });
    }
  }
  return order;
}

/** Number of multiply-adds to compute a tensor from its inputs. */
export function multiplyAdds(node: Tensor): number {
  const { operator, inputs, attributes } = node;
  return operator.multiplyAdds?.(inputs, node, attributes) ?? 0;
}

/** All tensors of a graph in topological order, the graph's inputs first. */
export function nodesOf(graph: Graph): Tensor[] {
  return topologicalOrder([...graph.inputs, ...graph.outputs].map(({ tensor }) => tensor));
}
