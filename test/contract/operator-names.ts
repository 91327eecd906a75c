import { readdirSync, readFileSync } from "node:fs";

const FOLDER = new URL("../../src/ops/", import.meta.url);

/**
 * The names of all operators that `src/ops` defines, read from its text: an operator is an object with a name or
 * comes from one of the few functions that make one of a name, and need not be exported.
 */
export function definedOperators(): readonly string[] {
  const texts = readdirSync(FOLDER).map((file) => readFileSync(new URL(file, FOLDER), "utf8"));
  const names = texts.flatMap((text) => [
    ...text.matchAll(/^ {2}name: "(\w+)",$|\b(?:unary|binary|comparison|reduction)\(\s*"(\w+)"/gm),
  ]);
  return [...new Set(names.map(([, own, made]) => (own ?? made)!))].sort();
}

/** Operators of the blocked layout, which not every processor has: `blocked.test.ts` checks them against plain ones. */
export const BLOCKED_OPERATORS: readonly string[] = ["blockedConv2d", "fromBlocked", "toBlocked"];
