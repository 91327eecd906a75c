/** Nested arrays and records with leaves of one class: how functions take and return many tensors. */
export type Tree<T> = T | readonly Tree<T>[] | { readonly [key: string]: Tree<T> };

/** The tree `S` with every leaf of type `From` replaced by `To`. */
export type MapTree<S, From, To> = S extends From ? To : { readonly [K in keyof S]: MapTree<S[K], From, To> };

/** Calls `visit` for each leaf with its path (`state.features.0.weight`) and rebuilds the tree. */
export function mapTree<T, R>(
  tree: Tree<T>,
  isLeaf: (value: unknown) => value is T,
  visit: (leaf: T, path: string) => R,
  path = "",
): Tree<R> {
  if (isLeaf(tree)) return visit(tree, path);
  const below = (key: string | number) => (path === "" ? String(key) : `${path}.${key}`);
  if (Array.isArray(tree)) return tree.map((item, i) => mapTree(item as Tree<T>, isLeaf, visit, below(i)));
  return Object.fromEntries(
    Object.entries(tree as Record<string, Tree<T>>).map(([key, item]) => [
      key,
      mapTree(item, isLeaf, visit, below(key)),
    ]),
  );
}
