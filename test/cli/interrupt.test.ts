import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CommandFailed } from "../../src/cli/failed.js";
import { Interrupt } from "../../src/cli/training/interrupt.js";
import { checkpointPath } from "../../src/runs/checkpoint.js";
import { temporaryFolder } from "../files/folder.js";
import { run } from "./run.js";

describe("a signal", () => {
  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("%s aborts, and ends the command with %d", (name, exitCode) => {
    const interrupt = new Interrupt(() => {});
    expect(() => interrupt.throwIfReceived()).not.toThrow();
    process.emit(name, name);
    expect(interrupt.signal.aborted).toBe(true);
    expect(() => interrupt.throwIfReceived()).toThrow(CommandFailed);
    expect(() => interrupt.throwIfReceived()).toThrow(expect.objectContaining({ exitCode }));
    expect(process.listenerCount("SIGINT"), "a second one ends the process").toBe(0);
  });
});

const FLAGS = "--data shapes --batch-size 4 --limit-train 4000 --limit-val 4 --threads 1 --lr 0.01".split(
  " ",
);

it.each(["train", "compare"])(
  "%s that gets SIGTERM saves and exits with 143",
  async (command) => {
    const folder = await temporaryFolder();
    const models = command === "train" ? ["alexnet"] : ["alexnet", "alexnet-dy"];
    const out = command === "train" ? folder : join(folder, "alexnet");
    // The folder holds no run yet, as if a process had been killed before it could begin one.
    const ended = run(command, ...models, "--out", folder, "--resume", ...FLAGS);
    while (!existsSync(join(out, "metrics.jsonl"))) await new Promise((resolve) => setTimeout(resolve, 50));
    await new Promise((resolve) => setTimeout(resolve, 500));
    process.emit("SIGTERM", "SIGTERM");
    const { code, stderr } = await ended;
    expect({ code, stderr }).toEqual({
      code: 143,
      stderr: expect.stringMatching(/stopped after step [1-9]/),
    });
    expect(existsSync(checkpointPath(out, "last"))).toBe(true);
    expect(existsSync(join(folder, "alexnet-dy"))).toBe(false);
  },
  60_000,
);
