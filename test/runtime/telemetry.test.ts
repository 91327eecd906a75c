import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const traces = spawnSync("strace", ["-V"]).status === 0;
// Without the network that it looks for, ONNX Runtime would only try.
const isolates = spawnSync("unshare", ["--net", "--map-root-user", "true"]).status === 0;

/** What a process that runs a model leaves behind, and how often it reaches for the network. */
function runOnce(environment: Readonly<Record<string, string>>) {
  const folder = mkdtempSync(join(tmpdir(), "dyconv-telemetry-"));
  try {
    const places = { HOME: "home", XDG_CACHE_HOME: "cache", TMPDIR: "temporary" };
    for (const place of Object.values(places)) mkdirSync(join(folder, place));
    const trace = join(folder, "trace");
    const command = [
      ...(isolates ? ["unshare", "--net", "--map-root-user"] : []),
      ...(traces ? ["strace", "-f", "-qq", "-e", "trace=socket", "-o", trace] : []),
      ...[process.execPath, "--import", "tsx", "test/runtime/one-run.ts"],
    ];
    const paths = Object.entries(places).map(([name, place]) => [name, join(folder, place)]);
    // On a build machine ONNX Runtime collects nothing, whatever it is told.
    const { ORT_DISABLE_TELEMETRY: _, CI: _ci, ...inherited } = process.env;
    const { stdout, stderr } = spawnSync(command[0]!, command.slice(1), {
      env: { ...inherited, ...Object.fromEntries(paths), TSX_DISABLE_CACHE: "1", ...environment },
      encoding: "utf8",
    });
    const files = Object.values(places).flatMap((place) =>
      readdirSync(join(folder, place), { recursive: true, withFileTypes: true }),
    );
    return {
      output: `${stdout}${stderr}`.trim(),
      files: files.filter((entry) => entry.isFile()).map(({ name }) => name),
      sockets: traces ? (readFileSync(trace, "utf8").match(/AF_INET6?\b/g)?.length ?? 0) : undefined,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe.skipIf(process.platform !== "linux")("ONNX Runtime's telemetry (seen on Linux only)", () => {
  it("by default leaves no file in home, cache or temporary folder", () => {
    const { output, files } = runOnce({});
    expect(output).toBe("2,3 1");
    expect(files).toEqual([]);
  });

  it.skipIf(!traces)("by default opens no connection (skipped where there is no strace)", () => {
    expect(runOnce({}).sockets).toBe(0);
  });

  it("is the user's to turn on", () => {
    const { output, files } = runOnce({ ORT_DISABLE_TELEMETRY: "0" });
    expect(output).toBe("2,3 0");
    // It also shows that the two tests above would see what there is to be seen.
    expect(files).not.toEqual([]);
  });
});
