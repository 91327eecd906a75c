import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { alternate, duel } from "../../bench/contest/alternate.js";
import { withChildren } from "../../bench/contest/child.js";
import type { Contender } from "../../bench/contest/contenders.js";
import type { NetworkTask } from "../../bench/contest/protocol.js";

const task: NetworkTask = {
  ...{ kind: "train", network: "alexnet-dy", experts: 2, batch: 8, size: 128, threads: 1 },
};
const settings = {
  ...{ rounds: 3, seconds: 0, threads: 1, quick: false, out: "", pytorch: undefined },
  wanted: () => true,
};

let folder: string;
let log: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "dyconv-"));
  log = join(folder, "log");
  vi.spyOn(console, "error").mockImplementation(() => {});
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

/** A contender that writes down when it is asked for a round, and answers with the next of its times, in whatever process. */
function scripted(name: string, times: readonly (number | "fails" | "dies")[]): Contender {
  const script = `
    const fs = require("node:fs");
    const log = ${JSON.stringify(log)};
    const times = ${JSON.stringify(times)};
    const answer = (message) => console.log(JSON.stringify(message));
    answer({ versions: {} });
    require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
      if ("open" in JSON.parse(line)) return answer({ opened: true });
      const before = fs.existsSync(log) ? fs.readFileSync(log, "utf8").split(" ") : [];
      const seconds = times[before.filter((each) => each === "${name}").length];
      fs.appendFileSync(log, "${name} ");
      if (seconds === "dies") process.exit(1);
      answer(seconds === "fails" ? { error: "no kernel" } : { seconds, calls: 1, peakMemoryBytes: 5e6 });
    });`;
  return {
    ...{ name, how: "eager", allocator: "", title: name, variant: {}, env: {}, takes: () => true },
    command: process.execPath,
    args: ["-e", script],
  };
}

test("contenders have their rounds in turn", async () => {
  const contenders = [scripted("a", [1, 2, 3]), scripted("b", [4, 5, 6])];
  const rounds = await withChildren(contenders, (children) =>
    alternate(
      children.map((child) => ({ child, task })),
      settings,
    ),
  );
  expect(await readFile(log, "utf8")).toBe("a b a b a b ");
  expect(rounds.map((each) => each.map(({ seconds }) => seconds))).toEqual([
    [1, 2, 3],
    [4, 5, 6],
  ]);
});

test.each(["fails", "dies"] as const)("one that %s is left out, the others go on", async (how) => {
  const contenders = [scripted("a", [1, how, 3]), scripted("b", [4, 5, 6])];
  const rounds = await withChildren(contenders, (children) =>
    alternate(
      children.map((child) => ({ child, task })),
      settings,
    ),
  );
  expect(rounds.map((each) => each.length)).toEqual([0, 3]);
  expect(await readFile(log, "utf8")).toBe("a b a b b ");
  expect(console.error).toHaveBeenCalledWith(expect.stringContaining("a failed (train, batch 8)"));
});

test("a contender that cannot be started is left out", async () => {
  const missing = { ...scripted("a", []), command: join(folder, "missing") };
  const titles = await withChildren([missing, scripted("b", [])], async (children) =>
    children.map(({ contender }) => contender.title),
  );
  expect(titles).toEqual(["b"]);
});

test("a duel's ratio is the median of the rounds' ratios", async () => {
  const rival = { contender: scripted("rival", [0.2, 0.6, 0.3]), task };
  const row = await duel(task, scripted("dyconv", [0.1, 0.2, 0.3]), rival, settings);
  expect(row).toMatchObject({ ratio: 2, ratioLow: 1, rounds: 3, peakMegabytes: 5 });
  expect(row!.ratioHigh).toBeCloseTo(3);
  expect(row!.imagesPerSecond).toBeCloseTo(8 / 0.2);
  expect(row!.rivalImagesPerSecond).toBeCloseTo(8 / 0.3);
});
