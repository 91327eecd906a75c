import { expect, it } from "vitest";
import { formatPapers } from "../../src/cli/tables/papers-table.js";
import { countPaperNetwork, PAPER_NETWORKS } from "../../src/inspect/papers.js";
import { MULTIPLY_ADDS } from "../../src/inspect/summary.js";

const PAGE = `# The networks of the papers

Parameters are the trainable ones, of DyMN with running statistics; "published" is what the paper, or its released code,
says. Multiply-adds are those of one image, or of ten seconds of sound, at inference:
${MULTIPLY_ADDS}.
\`dyconv papers\` builds every network and counts it anew; this page is \`dyconv papers --markdown\`.

`;

/** Multiply-adds that definitions and counts by hand give, in millions. */
const MILLIONS: readonly (readonly [network: string, layer: string, millions: string])[] = [
  ["resnet18", "dyconv", "1859.0"],
  ["resnet18", "odconv, experts 1", "1828.5"],
  ["resnet18", "odconv, experts 4", "1905.4"],
  ["mobilenet-v2", "dyconv", "310.2"],
  ["mobilenet-v2 ×0.75", "dyconv", "214.5"],
  ["mobilenet-v2 ×0.5", "dyconv", "99.6"],
  ["mobilenet-v2 ×0.35", "dyconv", "60.5"],
  ["mobilenet-v2", "odconv, experts 1", "312.8"],
  ["mobilenet-v2", "odconv, experts 4", "328.2"],
  ["mobilenet-v2 ×0.5", "odconv, experts 1", "103.4"],
  ["mobilenet-v2 ×0.5", "odconv, experts 4", "108.1"],
  ["mobilenet-v3-small", "dyconv, head 1280", "59.2"],
];

it("the papers' counts are reached, or it is said why not; docs/papers.md has them", async () => {
  const rows = PAPER_NETWORKS.map(countPaperNetwork);
  expect(rows.length).toBeGreaterThanOrEqual(50);
  expect(rows.filter(({ matches, why }) => matches === false && why === "")).toEqual([]);
  const multiplyAdds = (network: string) =>
    rows.find((row) => row.network === network && row.layer === "static")!.multiplyAdds;
  expect(multiplyAdds("resnet18")).toBe(1_814_073_344);
  expect(multiplyAdds("resnet34")).toBe(3_663_761_408);
  expect(multiplyAdds("resnet50")).toBe(4_089_184_256);
  expect(multiplyAdds("mobilenet-v2")).toBe(300_774_272);
  expect(multiplyAdds("mobilenet-v2 ×0.75")).toBe(209_069_792);
  expect(multiplyAdds("mobilenet-v2 ×0.5")).toBe(97_131_840);
  expect(multiplyAdds("mobilenet-v3-small")).toBe(56_510_400);
  expect(multiplyAdds("mobilenet-v3-large")).toBe(216_589_760);
  for (const [network, layer, millions] of MILLIONS) {
    const row = rows.find((one) => one.network === network && one.layer === layer)!;
    expect(`${network} ${layer} ${(row.multiplyAdds / 1e6).toFixed(1)}`).toBe(
      `${network} ${layer} ${millions}`,
    );
  }
  await expect(PAGE + formatPapers(rows)).toMatchFileSnapshot("../../docs/papers.md");
}, 120_000);
