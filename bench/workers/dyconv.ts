/** dyconv's side of the benchmarks: a contender that `child.ts` starts. */
import {
  applyModel,
  compile,
  DynamicConv2d,
  evaluationWorkload,
  freeze,
  gradients,
  initialState,
  type MixingPlan,
  mul,
  spec,
  stateSpecs,
  sum,
  type Tensor,
  trainingWorkload,
} from "dyconv";
import type { LayerTask, NetworkTask } from "../contest/protocol.js";
import { firstElement, randomArray } from "./arrays.js";
import { networkOf } from "./networks.js";
import { type OpenTask, serve } from "./serve.js";

type Plan = MixingPlan | "auto";

async function openNetwork(task: NetworkTask, plan: Plan): Promise<OpenTask> {
  const model = networkOf(task.network, { experts: task.experts, plan });
  const options = { imageSize: task.size, batchSize: task.batch, threads: task.threads };
  return task.kind === "train" ? trainingWorkload(model, options) : evaluationWorkload(model, options);
}

function openLayer(task: LayerTask, plan: Plan): Promise<OpenTask> {
  const { inChannels, outChannels, experts } = task;
  const layer = new DynamicConv2d(inChannels, outChannels, 3, { padding: 1, experts, plan });
  return task.kind === "forward" ? openForward(layer, task) : openBackward(layer, task);
}

/** The weights are constants, as in evaluation. */
async function openForward(layer: DynamicConv2d, { batch, inChannels, size, threads }: LayerTask) {
  const weights = initialState(layer, 0);
  const x = [batch, inChannels, size, size];
  const forward = await compile(
    (x: Tensor) => firstElement(applyModel(layer, freeze(layer, weights), x).output),
    [spec(x)],
    { threads },
  );
  const data = randomArray(x);
  return { run: () => forward(data), dispose: () => forward.dispose() };
}

async function openBackward(layer: DynamicConv2d, task: LayerTask): Promise<OpenTask> {
  const { batch, inChannels, outChannels, size, threads } = task;
  const x = [batch, inChannels, size, size];
  const dy = [batch, outChannels, size, size];
  const backward = await compile(
    (state: Readonly<Record<string, Tensor>>, x: Tensor, dy: Tensor) => {
      const { output } = applyModel(layer, state, x, { training: true });
      const gradient = gradients(sum(mul(output, dy)), { ...state, x });
      return { y: firstElement(output), gradients: Object.values(gradient).map(firstElement) };
    },
    [stateSpecs(layer), spec(x), spec(dy)],
    { threads },
  );
  const [state, xData, dyData] = [initialState(layer, 0), randomArray(x), randomArray(dy)];
  return {
    run: async () => (await backward(state, xData, dyData)).y,
    dispose: () => backward.dispose(),
  };
}

await serve("onnxruntime-node", (task, variant) => {
  const plan = variant.plan as Plan;
  return "network" in task ? openNetwork(task, plan) : openLayer(task, plan);
});
