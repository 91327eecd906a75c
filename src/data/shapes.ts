import { RandomStream } from "../util/random.js";
import type { DatasetPair, MemoryDataset, TargetDataset } from "./dataset.js";
import { valueTargets } from "./value-targets.js";

/** Options of {@link generateShapes}. */
export interface ShapesOptions {
  /** Number of training images. Defaults to 4000. */
  readonly train?: number;
  /** Number of test images. Defaults to 1000. */
  readonly test?: number;
  /** Defaults to 0. */
  readonly seed?: number;
  /** Height and width of the images. Defaults to 32. */
  readonly size?: number;
}

/** Signed distance from an outline, negative inside. Shapes about fill the unit disc. */
type SignedDistance = (x: number, y: number) => number;
type Colour = readonly [number, number, number];
/** A value between 0 and 1 for every pixel, to blend two colours. */
type Texture = (x: number, y: number) => number;

/** Many times faster than `Math.hypot`, which guards against overflow. */
const norm = (x: number, y: number) => Math.sqrt(x * x + y * y);

const disc =
  (radius: number): SignedDistance =>
  (x, y) =>
    norm(x, y) - radius;

const box =
  (halfWidth: number, halfHeight: number): SignedDistance =>
  (x, y) =>
    Math.max(Math.abs(x) - halfWidth, Math.abs(y) - halfHeight);

/** A regular polygon. `apothem` is the distance of its sides from the centre. */
function polygon(sides: number, apothem: number): SignedDistance {
  const sector = (2 * Math.PI) / sides;
  return (x, y) => {
    const angle = Math.atan2(x, y);
    return Math.cos(angle - sector * Math.round(angle / sector)) * norm(x, y) - apothem;
  };
}

/** A star. Each half sector has one straight edge, from a tip to a notch. */
function pointedStar(points: number, tip: number, notch: number): SignedDistance {
  const sector = (2 * Math.PI) / points;
  const notchX = notch * Math.sin(sector / 2);
  const notchY = notch * Math.cos(sector / 2);
  const length = Math.hypot(notchX, tip - notchY);
  return (x, y) => {
    const angle = Math.atan2(x, -y);
    const folded = Math.abs(angle - sector * Math.round(angle / sector));
    const radius = norm(x, y);
    const across = radius * Math.sin(folded) * (tip - notchY);
    return (across + (radius * Math.cos(folded) - tip) * notchX) / length;
  };
}

const shaft = box(0.55, 0.2);
const crossBar = box(0.9, 0.3);
const outerMoon = disc(0.92);
const innerMoon = disc(0.8);

function arrow(x: number, y: number): number {
  const head = Math.max(-0.05 - x, (x + Math.abs(y) * 1.2 - 0.95) / norm(1, 1.2));
  return Math.min(shaft(x + 0.4, y), head);
}

/** A square on its tip with two discs on its upper sides. The exact distance, after Inigo Quilez. */
function heart(x: number, y: number): number {
  const scale = 1.5;
  const u = Math.abs(x) / scale;
  const v = 0.55 - y / scale;
  if (u + v > 1) return scale * (norm(u - 0.25, v - 0.75) - Math.SQRT2 / 4);
  const onSide = Math.max(0, (u + v) / 2);
  return scale * Math.sign(u - v) * Math.min(norm(u, v - 1), norm(u - onSide, v - onSide));
}

const SHAPES: Readonly<Record<string, SignedDistance>> = {
  circle: disc(0.85),
  square: box(0.74, 0.74),
  triangle: polygon(3, 0.52),
  star: pointedStar(5, 1.05, 0.42),
  cross: (x, y) => Math.min(crossBar(x, y), crossBar(y, x)),
  ring: (x, y) => Math.abs(norm(x, y) - 0.68) - 0.22,
  crescent: (x, y) => Math.max(outerMoon(x, y), -innerMoon(x - 0.45, y)),
  arrow,
  heart,
  hexagon: polygon(6, 0.8),
};
/** Largest tilt in radians: objects are nearly upright, as in photographs. */
const MAX_TILT = 0.25;
/** Smallest difference in brightness between an object and its background. */
const MIN_CONTRAST = 0.5;

const CLASSES = Object.keys(SHAPES);
const OUTLINES = Object.values(SHAPES);

const between = (random: RandomStream, low: number, high: number) => low + (high - low) * random.uniform();
const clamp = (value: number) => Math.min(1, Math.max(0, value));
const randomColour = (random: RandomStream): Colour => [random.uniform(), random.uniform(), random.uniform()];
const brightness = ([red, green, blue]: Colour) => 0.3 * red + 0.6 * green + 0.1 * blue;

/** A colour close to another one. */
function similarColour(random: RandomStream, [red, green, blue]: Colour): Colour {
  const shift = () => between(random, -0.2, 0.2);
  return [clamp(red + shift()), clamp(green + shift()), clamp(blue + shift())];
}

/** Two colours, one clearly lighter than the other, in random order. */
function contrastingColours(random: RandomStream): readonly [Colour, Colour] {
  for (;;) {
    const first = randomColour(random);
    const second = randomColour(random);
    if (Math.abs(brightness(first) - brightness(second)) > MIN_CONTRAST) return [first, second];
  }
}

/** Stripes, checks, noise or a gradient, in any direction. Coordinates are relative to the image. */
function randomTexture(random: RandomStream): Texture {
  const kind = random.integer(4);
  const angle = between(random, 0, 2 * Math.PI);
  const frequency = between(random, 10, 30);
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  if (kind === 0) return (x, y) => 0.5 + 0.5 * Math.sin(frequency * (cos * x + sin * y));
  if (kind === 1) {
    return (x, y) =>
      clamp(0.5 + 2 * Math.sin(frequency * (cos * x + sin * y)) * Math.sin(frequency * (cos * y - sin * x)));
  }
  if (kind === 2) return valueNoise(random, 9);
  return (x, y) => clamp(0.5 + 0.7 * (cos * (x - 0.5) + sin * (y - 0.5)));
}

/** Random values on a grid with `cells` cells per side, interpolated. */
function valueNoise(random: RandomStream, cells: number): Texture {
  const grid = Float32Array.from({ length: (cells + 1) ** 2 }, () => random.uniform());
  return (x, y) => {
    const column = Math.floor(x * cells);
    const row = Math.floor(y * cells);
    const u = x * cells - column;
    const v = y * cells - row;
    const at = row * (cells + 1) + column;
    const below = at + cells + 1;
    const upper = grid[at]! * (1 - u) + grid[at + 1]! * u;
    return upper * (1 - v) + (grid[below]! * (1 - u) + grid[below + 1]! * u) * v;
  };
}

/** Draws on one image of planes [3, size, size] within a larger array. */
class Canvas {
  constructor(
    readonly pixels: Uint8Array,
    readonly offset: number,
    readonly size: number,
  ) {}

  blend(x: number, y: number, colour: Colour, opacity: number): void {
    const plane = this.size * this.size;
    for (let channel = 0; channel < 3; channel++) {
      const at = this.offset + channel * plane + y * this.size + x;
      const old = this.pixels[at]!;
      this.pixels[at] = Math.round(old + (255 * clamp(colour[channel]!) - old) * opacity);
    }
  }

  background(texture: Texture, first: Colour, second: Colour): void {
    const { size } = this;
    for (let channel = 0; channel < 3; channel++) {
      const start = this.offset + channel * size * size;
      this.pixels.fill(Math.round(255 * clamp(first[channel]!)), start, start + size * size);
    }
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        this.blend(x, y, second, texture((x + 0.5) / size, (y + 0.5) / size));
      }
    }
  }

  /** Fills an outline scaled to `radius` pixels. `shade` lightens one side and darkens the other. */
  fill(outline: SignedDistance, place: Placement, colour: Colour, shade: number): void {
    const { x: centreX, y: centreY, radius, angle } = place;
    const cos = Math.cos(angle) / radius;
    const sin = Math.sin(angle) / radius;
    const reach = 1.3 * radius + 1;
    const bottom = Math.min(this.size, Math.ceil(centreY + reach));
    const right = Math.min(this.size, Math.ceil(centreX + reach));
    for (let y = Math.max(0, Math.floor(centreY - reach)); y < bottom; y++) {
      for (let x = Math.max(0, Math.floor(centreX - reach)); x < right; x++) {
        const dx = x + 0.5 - centreX;
        const dy = y + 0.5 - centreY;
        const coverage = clamp(0.5 - radius * outline(cos * dx + sin * dy, cos * dy - sin * dx));
        if (coverage === 0) continue;
        const light = 1 + (shade * dy) / radius;
        this.blend(x, y, [colour[0] * light, colour[1] * light, colour[2] * light], coverage);
      }
    }
  }
}

interface Placement {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly angle: number;
}

const CLUTTER: readonly SignedDistance[] = [disc(0.5), box(0.9, 0.25), box(0.5, 0.5)];

/** Draws a shape, and returns its placement. */
function draw(canvas: Canvas, outline: SignedDistance, random: RandomStream): Placement {
  const { size } = canvas;
  const [ground, colour] = contrastingColours(random);
  canvas.background(randomTexture(random), ground, similarColour(random, ground));
  for (let pieces = random.integer(4); pieces > 0; pieces--) {
    const place = {
      x: between(random, 0, size),
      y: between(random, 0, size),
      radius: size * between(random, 0.06, 0.12),
      angle: between(random, 0, 2 * Math.PI),
    };
    canvas.fill(CLUTTER[random.integer(CLUTTER.length)]!, place, randomColour(random), 0);
  }
  const radius = size * between(random, 0.36, 0.44);
  const place = {
    x: between(random, 0.95 * radius, size - 0.95 * radius),
    y: between(random, 0.95 * radius, size - 0.95 * radius),
    radius,
    angle: between(random, -MAX_TILT, MAX_TILT),
  };
  canvas.fill(outline, place, colour, between(random, -0.2, 0.2));
  return place;
}

/** Generates images, with the centre of each shape: x and y relative to the image. */
function generate(part: string, length: number, seed: number, size: number) {
  const centres = new Float32Array(2 * length);
  const images = new Uint8Array(length * 3 * size * size);
  // Balanced but shuffled, so that every n-th image is a fair sample too.
  const order = new RandomStream(seed, `shapes ${part} order`).permutation(length);
  const labels = Int32Array.from(order, (rank) => rank % CLASSES.length);
  for (let i = 0; i < length; i++) {
    const canvas = new Canvas(images, i * 3 * size * size, size);
    const { x, y } = draw(canvas, OUTLINES[labels[i]!]!, new RandomStream(seed, `shapes ${part}`, i));
    centres.set([x / size, y / size], 2 * i);
  }
  return { length, height: size, width: size, images, labels, centres };
}

/**
 * Generates a data set for trying things without a download. Each image shows one of ten shapes (circle,
 * square, triangle, star, cross, ring, crescent, arrow, heart, hexagon) with random place, size, tilt and
 * colour, over a textured background with clutter. Only the outline reveals the class: every shape comes in
 * every colour, light on dark as often as dark on light.
 *
 * @example
 * const { train, test } = generateShapes({ train: 1000, test: 200 });
 */
export function generateShapes(options: ShapesOptions = {}): DatasetPair<MemoryDataset> {
  const { train = 4000, test = 1000, seed = 0, size = 32 } = options;
  const part = (which: string, length: number): MemoryDataset => {
    const { centres: _, ...images } = generate(which, length, seed, size);
    return { name: `shapes-${which}`, classes: CLASSES, ...images };
  };
  return {
    name: "shapes",
    train: part("train", train),
    test: part("test", test),
    fingerprint: `shapes-${seed}-${train}-${test}-${size}`,
    note: "Generated shapes, not photographs: accuracies say nothing about published ones.",
  };
}

/**
 * Generates the images of {@link generateShapes} for regression: the targets are the place of the shape, as
 * values `centre.x` and `centre.y` relative to the image size.
 */
export function generatePositions(options: ShapesOptions = {}): DatasetPair<TargetDataset> {
  const { train = 4000, test = 1000, seed = 0, size = 32 } = options;
  const names = ["centre.x", "centre.y"];
  const part = (which: string, length: number): TargetDataset => {
    const { centres, labels: _, ...images } = generate(which, length, seed, size);
    const targets = valueTargets(names, centres);
    return { name: `positions-${which}`, classes: names, task: "regression", ...images, targets };
  };
  return {
    name: "positions",
    train: part("train", train),
    test: part("test", test),
    fingerprint: `positions-${seed}-${train}-${test}-${size}`,
    note: "Generated shapes, not photographs.",
  };
}
