import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeCard } from "../../src/deploy/card/write-card.js";
import { readSafetensors } from "../../src/files/index.js";
import { DATA, smallNetwork, smallRun } from "./small-run.js";

const HOSTILE = [
  "<script>alert(1)</script>",
  "[click](javascript:alert(1)) ![x](http://evil.test/x.png)",
  "a | b | 100.0% |",
  "`code` ``` fence",
  "---\nlicense: evil\n# heading\n",
  '"}]\nname: evil',
  "\u001b[31mred\u0000\u202egpj.exe",
  "@everyone http://evil.test",
  "*bold* _it_ &lt;b&gt; \\",
  " ",
];

describe("a card", () => {
  const folder = mkdtempSync(join(tmpdir(), "dyconv-card-"));
  const named = { ...DATA.test, classes: HOSTILE };
  const data = { ...DATA, test: named, train: { ...DATA.train, classes: HOSTILE } };
  const run = smallRun(smallNetwork(), HOSTILE);
  let text = "";

  beforeAll(async () => {
    await writeCard(folder, run, { data, threads: 1, pictures: ["curves-loss.png"] });
    text = readFileSync(join(folder, "README.md"), "utf8");
  }, 60_000);

  afterAll(() => rmSync(folder, { recursive: true }));

  it("is a folder with weights, model, configuration and text", async () => {
    expect(readdirSync(folder, { recursive: true }).toSorted()).toEqual(
      [
        "README.md",
        "config.json",
        "model.safetensors",
        "onnx",
        "onnx/model.onnx",
        "preprocessor_config.json",
      ].toSorted(),
    );
    const { tensors } = await readSafetensors(join(folder, "model.safetensors"));
    expect(Object.keys(tensors).length).toBe(Object.keys(run.state).length);
    const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
    expect(Object.values(config.id2label)).toEqual(HOSTILE);
  });

  it("has front matter of one JSON value a line", () => {
    const [, matter] = text.split(/^---$/m);
    const lines = matter!.trim().split("\n");
    const keys = lines.map((line) => line.slice(0, line.indexOf(": ")));
    expect(keys).toEqual(["library_name", "pipeline_tag", "tags", "model-index"]);
    for (const line of lines) JSON.parse(line.slice(line.indexOf(": ") + 2));
  });

  it("shows the names of classes as code and nothing else", () => {
    const rows = text.split("\n").filter((line) => / \| \d+ \| .*%/.test(line));
    expect(rows.length).toBe(HOSTILE.length);
    for (const row of rows)
      expect(row.match(/^\| (?:(`+)(?!`).*(?<!`)\1|\(empty\)) \| \d+ \| [\d.% (to)]+ \|$/)).not.toBe(null);
    const plain = text.replaceAll(/(?<!`)(`+)(?!`)[\s\S]*?(?<!`)\1(?!`)/g, "");
    expect(plain).not.toMatch(/<script|javascript:|evil|everyone|\*bold/);
    expect(text).not.toMatch(/[^\P{Cc}\n]|\p{Bidi_Control}/u);
  });

  it("tells accuracy with its interval, seed, versions and command", () => {
    expect(text).toMatch(/\d+\.\d% \(\d+\.\d% to \d+\.\d%\) of\n30 test images/);
    expect(text).toContain("dyconv train alexnet-dy --data shapes");
    expect(text).toContain("The best epoch was chosen on the test images");
    expect(text).toContain("![curves loss](curves-loss.png)");
  });

  it("states a licence that is given, and says so where there is none", async () => {
    expect(text).toContain("No licence is stated here");
    await writeCard(folder, run, { data, threads: 1, license: "mit\n---" });
    const licensed = readFileSync(join(folder, "README.md"), "utf8");
    expect(licensed).toContain('\nlicense: "mit ---"\n');
    expect(licensed).not.toContain("No licence is stated");
  });

  it("is refused for other tasks", async () => {
    await expect(writeCard(folder, { ...run, task: "regression" })).rejects.toThrow(
      "the run's task is regression; cards are written for classifications",
    );
  });
});
