import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import type { WebGpuReport } from "./on-webgpu.js";
import { expectSameTraining } from "./same-training.js";
import { trainSmallNetwork } from "./small-network.js";
import { softwareGpu } from "./software-gpu.js";

const environment = softwareGpu();

describe.skipIf(environment === undefined)(
  "WebGPU in node (skipped where no Chromium lends a driver)",
  () => {
    let report: WebGpuReport;

    beforeAll(async () => {
      const command = ["--import", "tsx", "test/runtime/on-webgpu.ts"];
      const env = { ...process.env, ...environment };
      const { stdout } = await promisify(execFile)(process.execPath, command, { env });
      report = JSON.parse(stdout) as WebGpuReport;
    }, 600_000);

    it("trains as the CPU does", async () => {
      expectSameTraining(report.training, await trainSmallNetwork({ device: "cpu" }));
    });

    it("keeps the state on the device, from which it can be read and set", () => {
      expect(report.totals).toEqual([
        [13, 26, 3, 4],
        [0, 1, 3, 4],
        [1, 3, 3, 4],
      ]);
    });

    it("writes results into given arrays", () => {
      expect(report.into).toEqual([2, 4, 6]);
    });

    it("agrees with the reference vectors of layers", (test) => {
      test.skip(report.parity === undefined, "../shared/golden, the reference vectors, is absent");
      expect(report.parity!.filter(({ passed }) => !passed)).toEqual([]);
      expect(report.parity!.length).toBe(5);
    });
  },
);
