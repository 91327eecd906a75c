import { DyconvError } from "../errors/index.js";

const HINTS: Readonly<Record<string, string>> = {
  ENOSPC:
    "The disk is full. Earlier files are intact; free some space and run the command again, training with --resume.",
  EDQUOT:
    "The disk quota is used up. Earlier files are intact; free some space and run the command again, training with --resume.",
  EACCES: "Choose a folder you may write to, or change its permissions.",
  EPERM: "Choose a folder you may write to, or change its permissions.",
  EROFS: "The file system is read-only; choose another folder.",
  ENOENT: "Check the path for typos; its folder must exist.",
  ENOTDIR: "A part of the path is a file, not a folder; choose another path.",
  EEXIST: "A file is in the way of a folder; remove it or choose another path.",
  EISDIR: "The path is a folder; name a file in it.",
  EMFILE: "Too many files are open; raise the limit with `ulimit -n`.",
};

/** Error code of the file system, such as ENOENT. Empty for other errors. */
export function errorCode(cause: unknown): string {
  return cause instanceof Error && "code" in cause ? String(cause.code) : "";
}

/**
 * The error to throw if `path` could not be used.
 *
 * Errors of dyconv are returned unchanged. Those of the file system become a {@link DyconvError} with the
 * original as `cause`, and a hint by error code (disk full, not writable, missing folder, …).
 *
 * @param doing what failed, to complete "cannot …", such as `"write"`
 */
export function fileError(doing: string, path: string, cause: unknown): DyconvError {
  if (cause instanceof DyconvError) return cause;
  const code = errorCode(cause);
  const reason = code || (cause instanceof Error ? cause.message : String(cause));
  const hint = HINTS[code];
  return new DyconvError(
    `cannot ${doing} ${path}: ${reason}`,
    hint === undefined ? { cause } : { cause, hint },
  );
}
