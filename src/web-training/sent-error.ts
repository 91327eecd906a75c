/** Errors on their way from worker to page, where a copy would lose its class and hint. */
import {
  CheckpointError,
  DataError,
  DyconvError,
  type DyconvErrorOptions,
  RuntimeUnavailableError,
  UsageError,
} from "../errors/index.js";

/** An error as it is sent. */
export interface SentError {
  readonly name: string;
  readonly message: string;
  readonly hint: string | undefined;
  /** Whether dyconv threw it deliberately. */
  readonly deliberate: boolean;
}

const CLASSES: Readonly<Record<string, new (message: string, options: DyconvErrorOptions) => DyconvError>> = {
  CheckpointError,
  DataError,
  RuntimeUnavailableError,
  UsageError,
};

/** An error, ready to be sent. */
export function packError(error: unknown): SentError {
  const deliberate = error instanceof DyconvError;
  const { name, message } = error instanceof Error ? error : { name: "Error", message: String(error) };
  return { name, message, hint: deliberate ? error.hint : undefined, deliberate };
}

/** The error that was sent: of its class, or else of the one that all share. */
export function unpackError({ name, message, hint, deliberate }: SentError): Error {
  if (!deliberate) return Object.assign(new Error(message), { name });
  const Class = Object.hasOwn(CLASSES, name) ? CLASSES[name]! : DyconvError;
  return Object.assign(new Class(message, hint === undefined ? {} : { hint }), { name });
}
