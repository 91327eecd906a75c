/**
 * A training step of AlexNet-DY in a page: `bench/suites/page.ts` bundles this file and calls what it offers.
 *
 * ONNX Runtime's WebAssembly prints the times of its operators to the console. It keeps the function that it finds when
 * it is loaded, which is why this module replaces it first.
 */
import { InferenceSession } from "onnxruntime-web/wasm";
import type { OperatorTime, PageTask } from "../contest/protocol.js";
import { openStep, trainSteps } from "./train-steps.js";

const printed: string[] = [];
const log = console.log.bind(console);
console.log = (...values: readonly unknown[]) => {
  const text = values.join(" ");
  if (text.includes('"cat"')) printed.push(text);
  else log(...values);
};

const create = InferenceSession.create.bind(InferenceSession) as (
  model: Uint8Array,
  options: InferenceSession.SessionOptions,
) => Promise<InferenceSession>;

const HERE = { device: "wasm", wasmPaths: "./" } as const;

/** The time of every operator in every step. */
async function operatorTimes(task: PageTask): Promise<readonly OperatorTime[]> {
  let session: InferenceSession | undefined;
  Object.assign(InferenceSession, {
    create: async (model: Uint8Array, options: InferenceSession.SessionOptions) => {
      session = await create(model, { ...options, enableProfiling: true });
      return session;
    },
  });
  const step = await openStep(task, HERE);
  Object.assign(InferenceSession, { create });
  for (let n = 0; n < task.steps; n++) await step.run();
  printed.length = 0;
  session!.endProfiling();
  await step.dispose();
  return printed.flatMap(readEvents);
}

interface Event {
  readonly cat: string;
  readonly name: string;
  /** Microseconds. */
  readonly dur: number;
  readonly args: { readonly op_name: string };
}

/** The operators among the events of a printed line or array. */
function readEvents(text: string): readonly OperatorTime[] {
  const list = text.trim().replace(/^\[|[\],]+$/g, "");
  return (JSON.parse(`[${list}]`) as readonly Event[])
    .filter(({ cat, name }) => cat === "Node" && name.endsWith("_kernel_time"))
    .map(({ dur, args }) => ({ type: args.op_name, milliseconds: dur / 1000 }));
}

const offered = { trainSteps: (task: PageTask) => trainSteps(task, HERE), operatorTimes };

/** What the page offers. */
export type Offered = typeof offered;

Object.assign(globalThis, offered);
