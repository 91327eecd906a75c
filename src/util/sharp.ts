import { RuntimeUnavailableError } from "../errors/index.js";

/**
 * Loads sharp, which decodes and renders images. Its binaries are optional dependencies and may not be installed.
 *
 * @throws RuntimeUnavailableError if it cannot be loaded
 */
export async function loadSharp() {
  try {
    return (await import("sharp")).default;
  } catch (cause) {
    throw new RuntimeUnavailableError(
      "decoding and rendering images needs sharp, which could not be loaded",
      {
        hint: "install it with its binaries: npm install --include=optional sharp",
        cause,
      },
    );
  }
}

/** Whether {@link loadSharp} succeeds here. */
export function hasSharp(): Promise<boolean> {
  return loadSharp().then(
    () => true,
    () => false,
  );
}
