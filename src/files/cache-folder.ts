import { homedir } from "node:os";
import { join } from "node:path";

/**
 * The folder for downloads and measurements of this machine: `$DYCONV_CACHE`, or a folder in the user's
 * cache.
 */
export function cacheFolder(): string {
  const { DYCONV_CACHE, XDG_CACHE_HOME } = process.env;
  if (DYCONV_CACHE) return DYCONV_CACHE;
  return join(XDG_CACHE_HOME || join(homedir(), ".cache"), "dyconv");
}
