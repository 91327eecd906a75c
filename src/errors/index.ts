/** Errors a user can act on: each states what was expected, what was received and what to do next. */

/** Options of {@link DyconvError}. */
export interface DyconvErrorOptions {
  /** What to do next, in one sentence. The command line prints it on its own line. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** Base class of all errors that dyconv throws deliberately. */
export class DyconvError extends Error {
  /** What to do next, if anything. */
  readonly hint: string | undefined;

  constructor(message: string, options: DyconvErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.hint = options.hint;
  }
}

/** An operator received shapes or dtypes it does not accept. Thrown while the model is traced. */
export class ShapeError extends DyconvError {
  constructor(
    readonly operator: string,
    readonly expected: string,
    readonly received: string,
    options: DyconvErrorOptions = {},
  ) {
    super(`${operator}: expected ${expected}, received ${received}`, options);
  }
}

/** A graph is inconsistent: a bug in a rewrite or a gradient rule, never a fault of user data. */
export class GraphError extends DyconvError {}

/** A data set, archive or image is missing, damaged or in an unexpected format. */
export class DataError extends DyconvError {}

/** A run folder or checkpoint is missing, damaged, or belongs to another model. */
export class CheckpointError extends DyconvError {}

/** An option has an invalid value. */
export class UsageError extends DyconvError {}

/** ONNX Runtime, or the requested device, is unavailable. */
export class RuntimeUnavailableError extends DyconvError {}

/** The loss became NaN or infinite. */
export class DivergedError extends DyconvError {
  constructor(
    readonly step: number,
    readonly loss: number,
    options: DyconvErrorOptions = {},
  ) {
    super(`the loss became ${loss} at step ${step}`, options);
  }
}
