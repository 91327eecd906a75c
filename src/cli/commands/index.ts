import type { Command } from "commander";
import type { Terminal } from "../terminal.js";
import { defineBench } from "./bench.js";
import { defineParity } from "./parity.js";
import { defineSummary } from "./summary.js";

/** Adds a command to the program. What is slow to load, it imports in its action. */
export type DefineCommand = (program: Command, terminal: Terminal) => void;

/** Every command, in the order in which help lists them. */
export const COMMANDS: readonly DefineCommand[] = [defineSummary, defineBench, defineParity];
