import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { autoType, csvFormat, csvParse } from "d3-dsv";
import { ensureFolder, writeFileAtomically } from "dyconv/node";

type Cell = string | number;

/** Reads the rows of a result file. Empty if it does not exist yet. */
export async function readRows<Row extends object>(folder: string, suite: string): Promise<readonly Row[]> {
  const path = join(folder, `${suite}.csv`);
  return existsSync(path) ? [...csvParse<Row, string>(await readFile(path, "utf8"), autoType)] : [];
}

/** Writes a row to a result file. It replaces the row with the same values in the columns `keys`. */
export async function saveRow<Row extends object>(
  folder: string,
  suite: string,
  row: Row,
  keys: readonly (keyof Row)[],
): Promise<void> {
  const keyOf = (row: Row) => keys.map((key) => row[key] ?? "").join();
  const rows = new Map((await readRows<Row>(folder, suite)).map((old) => [keyOf(old), old]));
  const fresh = Object.entries<Cell>(row as Record<string, Cell>).map(([name, cell]) => [
    name,
    rounded(cell),
  ]);
  rows.set(keyOf(row), Object.fromEntries(fresh) as Row);
  await ensureFolder(folder);
  await writeFileAtomically(join(folder, `${suite}.csv`), `${csvFormat([...rows.values()])}\n`);
}

/** Rounds to five digits, which is more than any measurement here is worth. */
function rounded(cell: Cell): Cell {
  return typeof cell === "number" ? Number(cell.toPrecision(5)) : cell;
}
