let last: Promise<unknown> = Promise.resolve();

/**
 * Runs `body` after all earlier ones have ended. ONNX Runtime's WebAssembly takes one call at a time across all
 * sessions; the native one blocks the thread anyway, so nothing is lost by waiting.
 */
export function inTurn<R>(body: () => Promise<R>): Promise<R> {
  const result = last.then(body);
  last = result.catch(() => undefined);
  return result;
}
