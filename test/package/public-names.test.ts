import ts from "typescript";
import { expect, it } from "vitest";

const ENTRIES = {
  dyconv: "src/index.ts",
  "dyconv/node": "src/node.ts",
  "dyconv/web": "src/web.ts",
  "dyconv/web-training": "src/web-training.ts",
};

/** What a module exports, types marked as such, in alphabetical order. */
function exportedNames(program: ts.Program, path: string): readonly string[] {
  const checker = program.getTypeChecker();
  const module = checker.getSymbolAtLocation(program.getSourceFile(path)!)!;
  const names = checker.getExportsOfModule(module).map((symbol) => {
    const { flags } = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    return flags & ts.SymbolFlags.Value ? symbol.name : `type ${symbol.name}`;
  });
  return names.sort();
}

it("the public names are those of public-names.md: where a change is meant, accept it with `vitest -u`", async () => {
  const config = ts.getParsedCommandLineOfConfigFile("tsconfig.json", {}, ts.sys as never)!;
  const program = ts.createProgram(Object.values(ENTRIES), config.options);
  const names = Object.entries(ENTRIES).map(
    ([entry, path]) => [entry, exportedNames(program, path)] as const,
  );
  const text = names.map(([entry, list]) => `# ${entry}\n\n${list.join("\n")}\n`).join("\n");
  await expect(text).toMatchFileSnapshot("public-names.md");
  // A program may import everything from both.
  const [library, node] = names.map(([, list]) => list.map((name) => name.replace("type ", "")));
  expect(library!.filter((name) => node!.includes(name))).toEqual([]);
});
