/** Errors a user can act on: each says what was expected, what came, and what to do next. */

/** What every error of dyconv carries besides its message. */
export interface DyconvErrorOptions {
  /** What to do next, one sentence; printed on a line of its own by the command line. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** Base of all errors that dyconv throws on purpose. */
export class DyconvError extends Error {
  /** What to do next, if there is something to do. */
  readonly hint: string | undefined;

  constructor(message: string, options: DyconvErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.hint = options.hint;
  }
}

/** An operator received shapes or dtypes it cannot take; thrown where the model is traced. */
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

/** A graph breaks its own rules; a defect of a rewrite or of a gradient rule, never of user data. */
export class GraphError extends DyconvError {}

/** A data set, archive or image is damaged, missing or of another format. */
export class DataError extends DyconvError {}

/** A run folder or checkpoint is missing, damaged or belongs to another model. */
export class CheckpointError extends DyconvError {}

/** An option has a value that cannot be. */
export class UsageError extends DyconvError {}

/** ONNX Runtime, or the device asked for, is unavailable here. */
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
