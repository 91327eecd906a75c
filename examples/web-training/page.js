import { packRun, train, unpackRun } from "dyconv/web-training";

const element = (selector) => document.querySelector(selector);
const [start, stop, save, status] = ["#start", "#stop", "#save", "[role=status]"].map(element);
const config = {
  model: "alexnet-dy",
  epochs: 4,
  batchSize: 16,
  limitTrain: 160,
  limitVal: 64,
  learningRate: 0.02,
};
const losses = [];

function drawStep({ epoch, batch, batches, loss, imagesPerSecond }) {
  losses.push(loss);
  const top = Math.max(...losses);
  const point = (value, i) => `${(400 * i) / Math.max(1, losses.length - 1)},${160 - (150 * value) / top}`;
  element("polyline").setAttribute("points", losses.map(point).join(" "));
  element("#top").textContent = top.toFixed(2);
  element("figure").hidden = false;
  status.textContent = `Epoch ${epoch}, step ${batch} of ${batches}: loss ${loss.toFixed(3)}, ${imagesPerSecond.toFixed(0)} images/s.`;
}

async function begin(signal) {
  const [data, saved] = ["#data", "#run"].map((id) => element(id).files[0]);
  return train(config, {
    data: data ?? "shapes",
    ...(saved && { resume: await unpackRun(saved) }),
    wasmPaths: "node_modules/onnxruntime-web/dist/",
    signal,
    onStep: drawStep,
    onEpoch: ({ epoch, valMetrics }) => console.log(`epoch ${epoch}: ${valMetrics.accuracy}`),
    onWarning: (message) => console.warn(message),
  });
}

start.addEventListener("click", async () => {
  const stopping = new AbortController();
  stop.onclick = () => stopping.abort();
  [start.disabled, stop.disabled, losses.length] = [true, false, 0];
  status.textContent = "Compiling the step …";
  const { files, finished } = await begin(stopping.signal).finally(
    () => ([start.disabled, stop.disabled] = [false, true]),
  );
  save.href = URL.createObjectURL(await packRun(files));
  save.hidden = false;
  status.textContent = `${finished ? "Done" : "Stopped"}; dyconv train --resume goes on with the saved run.`;
});
addEventListener("unhandledrejection", ({ reason }) => {
  status.textContent = [reason.message, reason.hint].filter(Boolean).join(". ");
});
