import { defineModel, z } from "dyconv";
import { SmallNetwork } from "./network.js";

export default defineModel({
  name: "small",
  summary: "the same with static convolutions",
  imageSize: 32,
  options: z.strictObject({}),
  create: ({ classes }) => new SmallNetwork({ classes, experts: 0 }),
});
