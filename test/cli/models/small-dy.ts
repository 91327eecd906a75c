import { defineModel, z } from "dyconv";
import { SmallNetwork } from "./network.js";

export default defineModel({
  name: "small-dy",
  summary: "three dynamic convolutions for images of 32 pixels",
  imageSize: 32,
  options: z.strictObject({
    experts: z.int().min(1).max(64).default(2).describe("number of kernels to mix"),
  }),
  create: (options) => new SmallNetwork(options),
});
