import { z } from "zod";
import { optionOf } from "./family-case.js";

const { size, padding } = optionOf;
/** A number, or a list with that one number. */
const single = (of: z.ZodType<number>) =>
  z.union([of, z.tuple([of])]).transform((value) => (typeof value === "number" ? value : value[0]));
const pair = <T extends z.ZodType>(of: T) => z.union([of, z.tuple([of, of])]);
const triple = <T extends z.ZodType>(of: T) => z.union([of, z.tuple([of, of, of])]);
const channels = { inChannels: size, outChannels: size };

/** Schemas of strides, padding, dilation, groups and sizes. */
export const geometryOf = {
  sequence: {
    ...channels,
    ...{ kernelSize: single(size), stride: single(size), padding: single(padding), dilation: single(size) },
    groups: size,
  },
  image: {
    ...channels,
    ...{
      kernelSize: pair(size),
      stride: pair(size),
      padding: pair(padding),
      dilation: pair(size),
      groups: size,
    },
  },
  volume: {
    ...channels,
    ...{ kernelSize: triple(size), stride: triple(size), padding: triple(padding), dilation: triple(size) },
    groups: size,
  },
} as const;
