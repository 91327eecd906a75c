/** Classifies an image with a folder, in the package that the folder is for. Prints the classes as JSON. */
import { basename, dirname } from "node:path";
import { env, pipeline } from "@huggingface/transformers";

const [folder, image] = process.argv.slice(2);
env.allowRemoteModels = false;
env.localModelPath = dirname(folder);
const classify = await pipeline("image-classification", basename(folder), { dtype: "fp32" });
console.log(JSON.stringify(await classify(image, { top_k: 10 })));
