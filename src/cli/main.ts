#!/usr/bin/env node
import { runCommandLine } from "./program.js";
import { processTerminal } from "./terminal/terminal.js";

// EPIPE only means that the reader, such as `head`, has closed the pipe.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit();
  throw error;
});

process.exitCode = await runCommandLine(process.argv.slice(2), processTerminal());
