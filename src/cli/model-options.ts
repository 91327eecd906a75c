import type { Command } from "commander";
import type { DynamicOptions } from "../models/index.js";
import { EXPERT_INITS, PLANS, ROUTINGS } from "../runs/choices.js";
import { choiceOption, number, positiveInteger } from "./options.js";

/** Options of a model's dynamic convolutions, as the command line gives them. */
export interface ModelFlags {
  readonly experts?: number;
  readonly ratio?: number;
  readonly routing?: DynamicOptions["routing"];
  readonly expertInit?: DynamicOptions["init"];
  readonly plan?: DynamicOptions["plan"];
}

/** Adds the options of a model's dynamic convolutions to a command. */
export function addModelOptions(command: Command): Command {
  return command
    .optionsGroup("Dynamic convolutions:")
    .option("--experts <k>", "kernels that are mixed (default: 2)", positiveInteger)
    .option("--ratio <r>", "channels to hidden channels of the attention (default: 4)", number)
    .addOption(
      choiceOption("--routing <name>", "what makes attention of logits, softmax by default", ROUTINGS),
    )
    .addOption(choiceOption("--expert-init <name>", "first values, per-expert by default", EXPERT_INITS))
    .addOption(choiceOption("--plan <name>", "how they are computed, auto by default", PLANS));
}

/** Parts flags in options of a model and all others. */
export function separateModelOptions<F extends ModelFlags>(flags: F) {
  const { experts, ratio, routing, expertInit: init, plan, ...others } = flags;
  const given = Object.entries({ experts, ratio, routing, init, plan }).filter(
    ([, value]) => value !== undefined,
  );
  return { modelOptions: Object.fromEntries(given) as DynamicOptions, others };
}
