/**
 * Thrown when a command has already printed its error, or was interrupted, and only has to exit with a code.
 */
export class CommandFailed extends Error {
  constructor(readonly exitCode = 1) {
    super();
  }
}
