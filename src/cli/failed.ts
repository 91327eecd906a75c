/** A command did its work and has said what did not pass: exit code 1, with nothing more to print. */
export class CommandFailed extends Error {}
