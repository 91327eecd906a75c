import { RuntimeUnavailableError } from "../errors/index.js";

/**
 * Loads sharp, which reads and draws pictures. An installation without optional packages lacks its binaries.
 *
 * @throws RuntimeUnavailableError if it cannot be loaded
 */
export async function loadSharp() {
  try {
    return (await import("sharp")).default;
  } catch (cause) {
    throw new RuntimeUnavailableError(
      "reading and drawing pictures needs sharp, which cannot be loaded here",
      {
        hint: "install it with its binaries: npm install --include=optional sharp",
        cause,
      },
    );
  }
}

/** Whether {@link loadSharp} can load it. */
export function hasSharp(): Promise<boolean> {
  return loadSharp().then(
    () => true,
    () => false,
  );
}
