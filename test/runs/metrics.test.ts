import { writeFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { metricsPath, readMetrics } from "../../src/runs/metrics.js";
import { temporaryFolder } from "../files/folder.js";

const STEP = '{"kind":"step","step":10,"epoch":1,"trainLoss":2}\n';

it.each(["null", "3", "{}", '{"kind":"step","step":10,"epoch":1,"trainLoss":"high"}'])(
  "a line of %s among the metrics is named",
  async (line) => {
    const run = await temporaryFolder();
    await writeFile(metricsPath(run), `${STEP}${line}\n`);
    await expect(readMetrics(run)).rejects.toThrow(/metrics\.jsonl, line 2: not a record of metrics/);
  },
);

it("a run that has written none has no metrics", async () => {
  expect(await readMetrics(await temporaryFolder())).toEqual([]);
});
