let last: Promise<unknown> = Promise.resolve();

/**
 * Runs `body` once all that was given before has ended. ONNX Runtime's WebAssembly takes one call at a time,
 * over all sessions; the native one blocks the thread while it runs, so that waiting loses nothing.
 */
export function inTurn<R>(body: () => Promise<R>): Promise<R> {
  const result = last.then(body);
  last = result.catch(() => undefined);
  return result;
}
