import { z } from "zod";
import { defineModel } from "../../src/models/index.js";
import { AvgPool2d, DynamicConv2d, Flatten, Linear, ReLU, Sequential } from "../../src/nn/index.js";

/** One dynamic convolution on 16×16 pixels: small, so that little time goes into opening it. */
export const smallDynamic = defineModel({
  name: "small-dy",
  summary: "one dynamic convolution",
  imageSize: 16,
  options: z.strictObject({}),
  create: ({ classes }) =>
    new Sequential(
      new DynamicConv2d(3, 8, 3, { padding: 1, experts: 2, ratio: 1 }),
      new ReLU(),
      new AvgPool2d(2),
      new Flatten(),
      new Linear(8 * 64, classes),
    ),
});
