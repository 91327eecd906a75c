import type { Command } from "commander";
import type { Models } from "../flags/models.js";
import type { Terminal } from "../terminal/terminal.js";
import { defineAttention } from "./attention.js";
import { defineBench } from "./bench.js";
import { defineCard } from "./card.js";
import { defineCollapse } from "./collapse.js";
import { defineCompare } from "./compare.js";
import { defineConvert } from "./convert.js";
import { defineEval } from "./eval.js";
import { defineExport } from "./export.js";
import { defineImport } from "./import.js";
import { definePapers } from "./papers.js";
import { defineParity } from "./parity.js";
import { definePlot } from "./plot.js";
import { definePredict } from "./predict.js";
import { defineReport } from "./report.js";
import { defineSummary } from "./summary.js";
import { defineTrain } from "./train.js";
import { defineTune } from "./tune.js";

/** Adds a command to the program. Modules that are slow to load are imported in its action. */
export type DefineCommand = (program: Command, terminal: Terminal, models: Models) => void;

/** Every command, in the order in which help lists them. */
export const COMMANDS: readonly DefineCommand[] = [
  defineTrain,
  defineEval,
  definePredict,
  defineAttention,
  defineCollapse,
  defineExport,
  defineCard,
  defineCompare,
  defineReport,
  definePlot,
  defineSummary,
  defineConvert,
  defineImport,
  defineBench,
  definePapers,
  defineParity,
  defineTune,
];
