import { expect, test } from "vitest";
import { rewriteTable } from "../../bench/output/rewrite-table.js";
import type { RewriteRow } from "../../bench/suites/rewrites.js";

function row(
  rewrite: RewriteRow["rewrite"],
  kind: RewriteRow["kind"],
  ratios: readonly [number, number, number],
): RewriteRow {
  const [ratioLow, ratio, ratioHigh] = ratios;
  return {
    ...{ rewrite, kind, batch: 64, size: 128, threads: 2 },
    ...{ imagesPerSecond: 300, imagesPerSecondWithout: 200, ratio, ratioLow, ratioHigh, pairs: 20 },
  };
}

test("rewrites stand by what they buy training, all of them last", () => {
  const table = rewriteTable([
    row("all", "train", [2, 2.5, 3]),
    row("pool-first", "train", [1, 1.054, 1.1]),
    row("pool-first", "evaluate", [0.99, 1, 1.01]),
    row("keep-blocked", "train", [1.2, 1.25, 1.3]),
  ]);
  const [, , ...lines] = table.split("\n").map((line) => line.replaceAll(/ {2,}/g, " "));
  expect(lines).toEqual([
    expect.stringMatching(/^\| `keep-blocked` \| [^|]+ \| 1\.25× \(1\.20–1\.30\) \| – \|$/),
    expect.stringMatching(
      /^\| `pool-first` \| [^|]+ \| 1\.05× \(1\.00–1\.10\) \| 1\.00× \(0\.99–1\.01\) \|$/,
    ),
    expect.stringMatching(/^\| all \| [^|]+ \| 2\.50× \(2\.00–3\.00\) \| – \|$/),
  ]);
});
