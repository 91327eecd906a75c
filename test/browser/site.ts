import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, resolve } from "node:path";
import { build } from "tsdown";
import packageConfig from "../../tsdown.config.js";

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css",
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};
const QUIET = { config: false, dts: false, sourcemap: false, logLevel: "silent" } as const;

/** A page that uses the package as it is published, bundled for browsers. */
export interface Site {
  /** Text of the bundle, all its files. */
  readonly code: string;
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Builds the package and a page that uses it, and serves the page.
 *
 * @param files the page's script and what it imports from this project, by their paths in it
 */
export async function openSite(files: readonly [string, ...string[]]): Promise<Site> {
  const project = await mkdtemp(join(tmpdir(), "dyconv-browser-"));
  const site = join(project, "site");
  try {
    await installPackage(join(project, "node_modules", "dyconv"));
    // For pages that import it themselves: the copy that the package uses.
    await symlink(resolve("node_modules/onnxruntime-web"), join(project, "node_modules", "onnxruntime-web"));
    await bundlePage(project, site, files);
    const code = await readFile(join(site, "page.mjs"), "utf8");
    const server = await serve(site);
    const { port } = server.address() as AddressInfo;
    const close = async () => {
      server.close();
      await rm(project, { recursive: true });
    };
    return { code, url: `http://127.0.0.1:${port}/index.html`, close };
  } catch (error) {
    await rm(project, { recursive: true });
    throw error;
  }
}

/** What a user has after `npm install dyconv`. */
async function installPackage(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await cp("package.json", join(folder, "package.json"));
  await symlink(resolve("node_modules"), join(folder, "node_modules"));
  await build({ ...packageConfig[0], ...QUIET, outDir: join(folder, "dist") });
}

/** What a user's bundler does. */
async function bundlePage(
  project: string,
  site: string,
  files: readonly [string, ...string[]],
): Promise<void> {
  for (const file of files) await cp(file, join(project, file));
  await build({
    ...QUIET,
    cwd: project,
    tsconfig: false,
    entry: { page: join(project, files[0]) },
    platform: "browser",
    target: "es2022",
    outDir: site,
    deps: { alwaysBundle: [/./] },
    outputOptions: { codeSplitting: false },
  });
  await writeFile(join(site, "index.html"), '<!doctype html><script type="module" src="page.mjs"></script>');
}

/** Serves a folder, and beside it what ONNX Runtime asks for, to this machine alone. */
export async function serve(site: string): Promise<Server> {
  const server = createServer(async ({ url = "/" }, response) => {
    const path = new URL(url, "http://localhost").pathname;
    // ONNX Runtime looks for its WebAssembly beside the bundle.
    const folder = path.startsWith("/ort-wasm") ? "node_modules/onnxruntime-web/dist" : site;
    try {
      const body = await readFile(join(folder, path));
      // Threads of WebAssembly need the isolation that the latter two give.
      response.writeHead(200, {
        "content-type": TYPES[extname(path)] ?? "application/octet-stream",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-embedder-policy": "require-corp",
      });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return server;
}
