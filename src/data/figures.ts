/** Stick figures: generated images with keypoints. */

import { COCO_SKELETON } from "../keypoints/index.js";
import { RandomStream } from "../util/random.js";
import type { DatasetPair } from "./dataset.js";
import { type KeypointDataset, type KeypointObject, keypointDataset } from "./keypoint-dataset.js";

/** Options of {@link generateFigures}. */
export interface FiguresOptions {
  /** Number of training images. Defaults to 1500. */
  readonly train?: number;
  /** Number of test images. Defaults to 250. */
  readonly test?: number;
  /** Defaults to 0. */
  readonly seed?: number;
  /** Height and width of the crops, in pixels. Defaults to 64. */
  readonly size?: number;
}

const [WIDTH, HEIGHT] = [144, 112];
/** Share of a bounding box that a body fills. Annotations without outlines use it for the area. */
const BODY = 0.53;

type Point = readonly [x: number, y: number];
type Colour = readonly [number, number, number];

/** Joints of a figure relative to its hips, in units of its height, with y downwards, in COCO's order. */
function pose(random: RandomStream): Point[] {
  const between = (low: number, high: number) => low + (high - low) * random.uniform();
  const lean = between(-0.3, 0.3);
  const up: Point = [Math.sin(lean), -Math.cos(lean)];
  const right: Point = [Math.cos(lean), Math.sin(lean)];
  const at = (across: number, along: number): Point => [
    right[0] * across + up[0] * along,
    right[1] * across + up[1] * along,
  ];
  const from = ([x, y]: Point, angle: number, length: number): Point => [
    x + Math.sin(angle) * length,
    y + Math.cos(angle) * length,
  ];
  // Figures face the viewer, so their left is the right of the image. Angles are measured from straight down,
  // outwards.
  const sides = [1, -1].map((side) => {
    const shoulder = at(0.12 * side, 0.3);
    const arm = between(0.1, 2.4);
    const elbow = from(shoulder, side * arm, 0.17);
    const wrist = from(elbow, side * (arm + between(-1.2, 1.2)), 0.16);
    const hip = at(0.075 * side, 0);
    const thigh = between(-0.05, 0.8);
    const knee = from(hip, side * thigh, 0.23);
    const ankle = from(knee, side * (thigh - between(0, 0.8)), 0.22);
    return { shoulder, elbow, wrist, hip, knee, ankle };
  });
  const nod = between(-0.02, 0.02);
  const face = [
    at(nod, 0.43),
    at(0.036 + nod, 0.465),
    at(nod - 0.036, 0.465),
    at(0.085, 0.45),
    at(-0.085, 0.45),
  ];
  const parts = ["shoulder", "elbow", "wrist", "hip", "knee", "ankle"] as const;
  return [...face, ...parts.flatMap((part) => sides.map((side) => side[part]))];
}

/** Draws on planes of red, green and blue, and records which figure each pixel shows. */
class Canvas {
  readonly owner = new Int8Array(WIDTH * HEIGHT).fill(-1);

  constructor(readonly pixels: Uint8Array) {}

  background(random: RandomStream, colour: Colour): void {
    const angle = 2 * Math.PI * random.uniform();
    const frequency = 0.05 + 0.3 * random.uniform();
    const [cos, sin] = [Math.cos(angle) * frequency, Math.sin(angle) * frequency];
    for (let i = 0; i < WIDTH * HEIGHT; i++) {
      const wave =
        18 * Math.sin(cos * (i % WIDTH) + sin * Math.floor(i / WIDTH)) + 16 * (random.uniform() - 0.5);
      this.#set(i, colour, wave, 1);
    }
  }

  /** Draws a line with round ends. With equal ends, it is a disc. */
  line([ax, ay]: Point, [bx, by]: Point, radius: number, colour: Colour, owner: number): void {
    const [dx, dy] = [bx - ax, by - ay];
    const square = dx * dx + dy * dy;
    const reach = radius + 1;
    const [left, right] = [Math.min(ax, bx) - reach, Math.max(ax, bx) + reach];
    const [top, bottom] = [Math.min(ay, by) - reach, Math.max(ay, by) + reach];
    for (let y = Math.max(0, Math.ceil(top)); y <= Math.min(HEIGHT - 1, bottom); y++) {
      for (let x = Math.max(0, Math.ceil(left)); x <= Math.min(WIDTH - 1, right); x++) {
        const along = square === 0 ? 0 : Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / square));
        const distance = Math.sqrt((x - ax - along * dx) ** 2 + (y - ay - along * dy) ** 2);
        const coverage = Math.min(1, radius + 0.5 - distance);
        if (coverage <= 0) continue;
        const i = y * WIDTH + x;
        this.#set(i, colour, 0, coverage);
        if (coverage > 0.5) this.owner[i] = owner;
      }
    }
  }

  /** The figure visible at a point. -2 outside the image. */
  ownerAt([x, y]: Point): number {
    const [column, row] = [Math.round(x), Math.round(y)];
    return column >= 0 && row >= 0 && column < WIDTH && row < HEIGHT ? this.owner[row * WIDTH + column]! : -2;
  }

  #set(i: number, colour: Colour, light: number, opacity: number): void {
    for (let channel = 0; channel < 3; channel++) {
      const at = channel * WIDTH * HEIGHT + i;
      const value = Math.min(255, Math.max(0, colour[channel]! + light));
      this.pixels[at] = Math.round(this.pixels[at]! + (value - this.pixels[at]!) * opacity);
    }
  }
}

const BODY_LINES = [
  ...([
    [5, 6],
    [11, 12],
    [5, 11],
    [6, 12],
  ] as const),
  ...([
    [5, 7],
    [7, 9],
    [6, 8],
    [8, 10],
    [11, 13],
    [13, 15],
    [12, 14],
    [14, 16],
  ] as const),
];
const brightness = ([red, green, blue]: Colour) => 0.3 * red + 0.6 * green + 0.1 * blue;

function randomColour(random: RandomStream): Colour {
  return [255 * random.uniform(), 255 * random.uniform(), 255 * random.uniform()];
}

/** A colour that contrasts with another. */
function contrasting(random: RandomStream, ground: Colour): Colour {
  for (;;) {
    const colour = randomColour(random);
    if (Math.abs(brightness(colour) - brightness(ground)) > 80) return colour;
  }
}

function drawFigure(
  canvas: Canvas,
  joints: readonly Point[],
  height: number,
  colours: readonly Colour[],
  owner: number,
) {
  const [body, face] = colours as [Colour, Colour];
  const radius = 0.022 * height;
  for (const [a, b] of BODY_LINES) canvas.line(joints[a]!, joints[b]!, radius, body, owner);
  const middle = (a: number, b: number): Point => [
    (joints[a]![0] + joints[b]![0]) / 2,
    (joints[a]![1] + joints[b]![1]) / 2,
  ];
  const head = middle(3, 4);
  canvas.line(middle(5, 6), head, radius, body, owner);
  canvas.line(head, head, 0.085 * height, body, owner);
  for (const ear of [3, 4]) canvas.line(joints[ear]!, joints[ear]!, 0.025 * height, body, owner);
  for (const eye of [1, 2]) canvas.line(joints[eye]!, joints[eye]!, 0.018 * height, face, owner);
  canvas.line(joints[0]!, joints[0]!, 0.014 * height, face, owner);
}

/** Draws an image, and returns the annotations of its figures. */
function drawScene(pixels: Uint8Array, imageId: number, random: RandomStream): KeypointObject[] {
  const canvas = new Canvas(pixels);
  const ground = randomColour(random);
  canvas.background(random, ground);
  const between = (low: number, high: number) => low + (high - low) * random.uniform();
  for (let pieces = random.integer(4); pieces > 0; pieces--) {
    const start: Point = [between(0, WIDTH), between(0, HEIGHT)];
    const end: Point = [start[0] + between(-30, 30), start[1] + between(-30, 30)];
    canvas.line(start, end, between(1, 4), randomColour(random), -1);
  }
  const count = 1 + random.integer(3);
  const figures = Array.from({ length: count }, (_, owner) => {
    const height = between(58, 96);
    // Each figure has a column of the image, but may reach into the next.
    const x = ((owner + 0.5) / count) * WIDTH + between(-10, 10);
    const y = between(0.5 * height + 2, HEIGHT - 0.42 * height);
    const joints = pose(random).map((point): Point => [x + height * point[0], y + height * point[1]]);
    drawFigure(canvas, joints, height, [contrasting(random, ground), ground], owner);
    return joints;
  });
  // Sometimes, an object in front.
  if (random.uniform() < 0.4) {
    const x = between(0, WIDTH);
    canvas.line(
      [x, between(0, HEIGHT)],
      [x + between(-12, 12), HEIGHT],
      between(3, 7),
      randomColour(random),
      -1,
    );
  }
  return figures.map((joints, owner) => describe(canvas, joints, owner, imageId));
}

/** Annotates a figure. Hidden keypoints have visibility 1, those outside the image 0. */
function describe(canvas: Canvas, joints: readonly Point[], owner: number, imageId: number): KeypointObject {
  const keypoints = joints.flatMap((point): number[] => {
    const seen = canvas.ownerAt(point);
    return seen === -2 ? [0, 0, 0] : [...point, seen === owner ? 2 : 1];
  });
  const inside = joints.filter((point) => canvas.ownerAt(point) !== -2);
  const [xs, ys] = [inside.map(([x]) => x), inside.map(([, y]) => y)];
  const margin = 4;
  const [left, top] = [Math.max(0, Math.min(...xs) - margin), Math.max(0, Math.min(...ys) - margin)];
  const [right, bottom] = [
    Math.min(WIDTH, Math.max(...xs) + margin),
    Math.min(HEIGHT, Math.max(...ys) + margin),
  ];
  const [width, height] = [right - left, bottom - top];
  return { imageId, keypoints, bbox: [left, top, width, height], area: BODY * width * height, crowd: false };
}

/**
 * Generates stick figures with COCO's 17 keypoints, one to three per image, in any pose, colour and size,
 * over noise and clutter. They are partly hidden by each other and by other objects; such keypoints are
 * labelled as hidden. Each sample is the crop around one figure.
 *
 * @example
 * const { train, test } = generateFigures({ train: 500, test: 100 });
 */
export function generateFigures(options: FiguresOptions = {}): DatasetPair<KeypointDataset> {
  const { train = 1500, test = 250, seed = 0, size = 64 } = options;
  const bytes = 3 * WIDTH * HEIGHT;
  const part = (which: string, length: number): KeypointDataset => {
    const pixels = new Uint8Array(length * bytes);
    const image = (i: number) => pixels.subarray(i * bytes, (i + 1) * bytes);
    const objects = Array.from({ length }, (_, i) =>
      drawScene(image(i), i, new RandomStream(seed, `figures ${which}`, i)),
    ).flat();
    return keypointDataset({
      ...{ name: `figures-${which}`, skeleton: COCO_SKELETON, objects, ignored: [], size },
      // Figures are more or less upright.
      augmentation: { scale: 0.2, rotation: 15 },
      read: (index) => ({ pixels: image(objects[index]!.imageId), width: WIDTH, height: HEIGHT }),
    });
  };
  return {
    name: "figures",
    train: part("train", train),
    test: part("test", test),
    fingerprint: `figures-${seed}-${train}-${test}-${size}`,
    note: "Generated stick figures, not photographs: average precision says nothing about published ones.",
  };
}
