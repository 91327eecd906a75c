import { loadModel } from "dyconv/web";

const [status, image, classes, attention] = document.querySelectorAll("[role=status], img, div");
const row = (parent, name, values) => {
  const line = parent.appendChild(document.createElement("p"));
  line.append(name, document.createElement("span"));
  for (const value of values)
    line.lastChild.append(Object.assign(document.createElement("meter"), { value, ariaLabel: name }));
};
const classify = async ([file]) => {
  image.src = URL.createObjectURL(file);
  image.hidden = false;
  for (const part of [classes, attention]) part.replaceChildren();
  const found = await model.classify(file);
  for (const { label, probability } of found.classes)
    row(classes, `${label} ${(100 * probability).toFixed(1)} %`, [probability]);
  for (const [layer, kinds] of Object.entries(found.attention))
    for (const [kind, { values }] of Object.entries(kinds))
      row(attention, `${layer} ${kind}`, values.slice(0, 64));
};
addEventListener("unhandledrejection", ({ reason }) => (status.textContent = reason.message));
addEventListener("error", ({ message }) => (status.textContent = message));
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  return classify(event.dataTransfer.files);
});
document.querySelector("input").addEventListener("change", (event) => classify(event.target.files));

const wasmPaths = new URL("node_modules/onnxruntime-web/dist/", location.href);
const model = await loadModel("model/", { wasmPaths });
status.textContent = `Runs on ${model.device === "webgpu" ? "WebGPU" : `WebAssembly, threads: ${model.threads}`}.`;
