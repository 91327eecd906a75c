/** A command has said what failed or stopped it, and only the exit code is left to give. */
export class CommandFailed extends Error {
  constructor(readonly exitCode = 1) {
    super();
  }
}
