import { createRequire } from "node:module";

/** Version of the installed package. */
export const { version } = createRequire(import.meta.url)("dyconv/package.json") as {
  readonly version: string;
};
