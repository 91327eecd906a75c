import { basename, resolve, sep } from "node:path";

/**
 * Short names of runs that are shown together: the last parts of their paths, as many as are needed to tell
 * them apart.
 *
 * @param folders of different runs
 */
export function runNames(folders: readonly string[]): string[] {
  const paths = folders.map((folder) => resolve(folder).split(sep));
  return paths.map((path, i) => {
    const others = paths.filter((_, j) => j !== i);
    for (let parts = 1; parts < path.length; parts++) {
      const name = path.slice(-parts).join("/");
      if (others.every((other) => other.slice(-parts).join("/") !== name)) return name;
    }
    return path.join("/") || basename(folders[i]!);
  });
}
