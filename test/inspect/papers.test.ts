import { expect, it } from "vitest";
import { formatPapers } from "../../src/cli/tables/papers-table.js";
import { countPaperNetwork, PAPER_NETWORKS } from "../../src/inspect/papers.js";

const PAGE = `# The networks of the papers

Parameters are the trainable ones; "published" is what the paper, or its released code, says. Multiply-adds are those of
one image at inference: convolutions, linear maps and the mixing of kernels. Pooling, batch normalisation, activations
and ODConv's scaling of channels are not counted. \`dyconv papers\` builds every network and counts it anew; this page is
\`dyconv papers --markdown\`.

`;

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
  await expect(PAGE + formatPapers(rows)).toMatchFileSnapshot("../../docs/papers.md");
}, 120_000);
