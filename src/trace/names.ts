/** Names for a graph's inputs and outputs, from the trees that a function takes and returns. */
import { mapTree, type Tree } from "../util/tree.js";

/** Calls `visit` for each leaf of each argument, with its name as an input of the graph. */
export function mapArguments<T, R>(
  args: readonly unknown[],
  isLeaf: (value: unknown) => value is T,
  visit: (leaf: T, name: string) => R,
): Tree<R>[] {
  return args.map((tree, position) => {
    const root = isLeaf(tree) || Array.isArray(tree) ? `arg${position}` : "";
    return mapTree(tree as Tree<T>, isLeaf, visit, root);
  });
}

/** The name of the output at a path of the tree that a traced function returns. */
export function outputName(path: string): string {
  return path === "" ? "output" : `out.${path}`;
}
