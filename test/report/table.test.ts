import { describe, expect, test } from "vitest";
import { formatMarkdownTable, formatTable } from "../../src/report/index.js";

const HEAD = ["layer", "input", "output", "parameters", "size"];
const ROWS = [
  ["features.0", "3 × 128 × 128", "48 × 31 × 31", "17,472", "184.5 kB"],
  ["features.8.routing.net.0", "128 × 7 × 7", "192 × 7 × 7", "1,442,688", "3.1 MB"],
  ["total", "", "", "8,324,368", "33.3 MB"],
];

const widestLine = (table: string) => Math.max(...table.split("\n").map((line) => line.length));

describe("formatTable", () => {
  test("sets text left and numbers right, between rules", () => {
    expect(
      formatTable(
        ["model", "val acc"],
        [
          ["AlexNet-DY", "0.8209"],
          ["AlexNet", "–"],
        ],
      ),
    ).toBe(
      [
        "─────────────────────",
        "model       val acc",
        "─────────────────────",
        "AlexNet-DY   0.8209",
        "AlexNet           –",
        "─────────────────────",
      ].join("\n"),
    );
  });

  test.each([80, 60, 50])("fits in %i columns and keeps numbers whole", (width) => {
    const table = formatTable(HEAD, ROWS, { width });
    expect(widestLine(table)).toBeLessThanOrEqual(width);
    for (const number of ["17,472", "1,442,688", "8,324,368", "184.5 kB"]) expect(table).toContain(number);
  });

  test("wraps names between their parts", () => {
    const lines = formatTable(["layer", "parameters"], [["features.8.routing.net.0", "1,442,688"]], {
      width: 28,
    }).split("\n");
    expect(lines.slice(3, -1).map((line) => line.split(" ")[0])).toEqual(["features.8.", "routing.net.0"]);
  });

  test("wraps a list of numbers between them", () => {
    const cells = [["0.250 0.250 0.500", "mixed"]];
    const table = formatTable(["attention", "state"], cells, { width: 20, align: ["left", "left"] });
    expect(table).toContain("0.250 0.250  mixed\n0.500\n");
  });

  test("is cut no further than its words when the terminal is narrower", () => {
    expect(formatTable(["model"], [["AlexNet-DY"]], { width: 4 })).toContain("AlexNet-DY");
  });

  test("colours only where it is asked to, and only the head", () => {
    const escapeCode = "\u001b[";
    expect(formatTable(HEAD, ROWS)).not.toContain(escapeCode);
    const lines = formatTable(HEAD, ROWS, { colour: true }).split("\n");
    expect(lines.filter((line) => line.includes(escapeCode))).toEqual([lines[1]]);
  });

  test("takes alignments, and no rows", () => {
    expect(formatTable(["a", "b"], [["1", "x"]], { align: ["left", "right"] })).toContain("1  x");
    expect(formatTable(["a", "b"], [])).toContain("a  b");
  });
});

test("formatMarkdownTable aligns, and escapes what would break a cell", () => {
  const rows = [
    ["a|b", "12"],
    ["c\nd", "8,324,368"],
  ];
  expect(formatMarkdownTable(["run", "parameters"], rows)).toBe(
    [
      "| run    | parameters |",
      "| ------ | ---------: |",
      "| a\\|b   |         12 |",
      "| c<br>d |  8,324,368 |",
    ].join("\n"),
  );
});
