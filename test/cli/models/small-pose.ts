import { Conv2d, defineModel, ReLU, Sequential, z } from "dyconv";

export default defineModel({
  name: "small-pose",
  summary: "heatmaps of keypoints from two convolutions",
  imageSize: 32,
  tasks: ["keypoints"],
  options: z.strictObject({}),
  create: ({ classes }) =>
    new Sequential(new Conv2d(3, 8, 3, { stride: 4, padding: 1 }), new ReLU(), new Conv2d(8, classes, 1)),
});
