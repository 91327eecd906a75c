// Packs dist/, installs the package into an empty project as a user would, and uses it there.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { builtinModules, createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

const require = createRequire(import.meta.url);
const project = mkdtempSync(join(tmpdir(), "dyconv-package-"));

function run(command, args, cwd = project) {
  return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}

function check(what, passed, details = "") {
  console.log(`${passed ? "ok" : "FAILED"}  ${what}`);
  if (passed) return;
  console.log(details);
  process.exitCode = 1;
}

function checkOutput(what, expected, command, args) {
  try {
    const output = run(command, args);
    check(what, output.includes(expected), `expected ${JSON.stringify(expected)} in:\n${output}`);
  } catch (error) {
    check(what, false, error.stdout || error.message);
  }
}

/** A user's program. Lines marked as errors must be errors. */
const USER = `import { compileStep, DynamicConv2d, mul, spec, sum } from "dyconv";
import type { TrainOptions } from "dyconv/node";
import { loadModel } from "dyconv/web";
import { train } from "dyconv/web-training";

const layer: typeof DynamicConv2d = DynamicConv2d;
console.log(layer.name, loadModel.name, train.name);
export const options: TrainOptions = { out: "runs/mine" };

export async function lossOf(rate: Float32Array): Promise<number> {
  const step = await compileStep(
    ({ w }, { rate }) => ({ state: { w: mul(w, rate) }, results: { loss: sum(w) } }),
    { state: { w: spec([2]) }, inputs: { rate: spec([]) } },
  );
  // @ts-expect-error: no such input
  await step.run({ rat: rate });
  // @ts-expect-error: float32 is asked for
  await step.run({ rate: new Uint8Array(1) });
  const { loss } = await step.run({ rate });
  return Number(loss[0]);
}
`;

/** Bytes of `dyconv/web`, as they are and gzipped, at most. */
const WEB_LIMITS = [28_000, 10_000];
/** Rooms that training is made of. */
const TRAINING = /src\/(ir|ops|trace|grad|rewrite|export|optim|nn|models|tasks|runs|train|onnx)\//;

/** What a page loads: small, for a browser, and nothing that learns. */
function checkWebEntry() {
  const folder = join(project, "node_modules/dyconv/dist");
  const code = readFileSync(join(folder, "web.js"));
  const sizes = [code.length, gzipSync(code).length];
  const within = sizes.every((size, i) => size <= WEB_LIMITS[i]);
  check(`dyconv/web: ${sizes[0]} bytes, gzipped ${sizes[1]}`, within, `at most ${WEB_LIMITS.join(" and ")}`);
  const imported = [...code.toString().matchAll(/(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']/g)].map(
    ([, name]) => name,
  );
  const foreign = imported.filter((name) => !name.startsWith("onnxruntime-web/"));
  const builtin = builtinModules.filter((name) => code.includes(`"node:${name}"`));
  check(
    "dyconv/web imports onnxruntime-web alone",
    foreign.length + builtin.length === 0,
    foreign.join(", "),
  );
  const { sources } = JSON.parse(readFileSync(join(folder, "web.js.map"), "utf8"));
  const training = sources.filter((source) => TRAINING.test(source));
  check("dyconv/web holds no training", sources.length > 0 && training.length === 0, training.join(", "));
}

/** If two modules export the same name into one declaration file, one of them is renamed to `Tensor$1`. */
function checkTypesKeepTheirNames() {
  const folder = join(project, "node_modules/dyconv/dist");
  const files = readdirSync(folder).filter((name) => name.endsWith(".d.ts"));
  const renamed = files.flatMap(
    (name) => readFileSync(join(folder, name), "utf8").match(/\b[A-Z]\w*\$\d+\b/g) ?? [],
  );
  check("types keep their names", files.length > 0 && renamed.length === 0, [...new Set(renamed)].join(", "));
}

try {
  const { messages, pkg } = await publint({ pkgDir: ".", strict: true });
  check("publint", messages.length === 0, messages.map((message) => formatMessage(message, pkg)).join("\n"));

  run("npm", ["pack", "--silent", "--pack-destination", project], ".");
  const tarball = readdirSync(project).find((name) => name.endsWith(".tgz"));
  writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
  run("npm", ["install", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", `./${tarball}`]);

  const compilerOptions = {
    module: "NodeNext",
    target: "ES2022",
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    types: [],
  };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["user.ts"] }));
  writeFileSync(join(project, "user.ts"), USER);
  checkOutput("types, strict, libraries checked", "", process.execPath, [
    require.resolve("typescript/bin/tsc"),
  ]);
  checkTypesKeepTheirNames();
  checkWebEntry();
  checkOutput("import in node", "DynamicConv2d loadModel train", process.execPath, ["user.js"]);
  checkOutput("dyconv --help", "Usage: dyconv", "npx", ["--no-install", "dyconv", "--help"]);
  checkOutput("dyconv summary alexnet-dy", "8,324,368", "npx", [
    "--no-install",
    "dyconv",
    "summary",
    "alexnet-dy",
  ]);
} finally {
  rmSync(project, { recursive: true, force: true });
}
