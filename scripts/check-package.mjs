// Packs what dist/ holds, installs it into an empty project as a user would, and uses it there.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
    types: [],
    skipLibCheck: true,
  };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["user.ts"] }));
  writeFileSync(
    join(project, "user.ts"),
    'import { DynamicConv2d } from "dyconv";\n\nconst layer: typeof DynamicConv2d = DynamicConv2d;\nconsole.log(layer.name);\n',
  );
  checkOutput("types, NodeNext and strict", "", process.execPath, [require.resolve("typescript/bin/tsc")]);
  checkOutput("import in node", "DynamicConv2d", process.execPath, ["user.js"]);
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
