import type { PackedImage } from "../data/resize-pixels.js";
import { DataError, UsageError } from "../errors/index.js";

/** What a page can show a model. A file is decoded by the browser, turned as its EXIF data say. */
export type ImageInput =
  | Blob
  | HTMLCanvasElement
  | HTMLImageElement
  | HTMLVideoElement
  | ImageBitmap
  | ImageData
  | OffscreenCanvas
  | VideoFrame;

/** Pixels of an image that are read, at most: 256 MiB of them. */
export const PIXEL_LIMIT = 2 ** 26;

/**
 * Reads the pixels of an image, in sRGB.
 *
 * @throws DataError where an image cannot be decoded, has not loaded, is too large, or is another site's
 * @throws UsageError for anything that is no image
 */
export async function readPixels(image: ImageInput): Promise<PackedImage> {
  if (is(image, "ImageData")) {
    checkSize(image.width, image.height);
    if (image.data instanceof Uint8ClampedArray) return image;
    throw new UsageError("ImageData: expected bytes, received other numbers", {
      hint: 'make it with the pixelFormat "rgba-unorm8"',
    });
  }
  if (is(image, "Blob")) return readFile(image);
  if (is(image, "HTMLImageElement")) {
    const { naturalWidth, naturalHeight } = image;
    if (!image.complete || naturalWidth === 0) {
      throw new DataError("the image element has no picture", {
        hint: "wait for image.decode() before it is classified, and check its src",
      });
    }
    return draw(image, naturalWidth, naturalHeight);
  }
  if (is(image, "HTMLVideoElement")) {
    if (image.readyState < image.HAVE_CURRENT_DATA) {
      throw new DataError("the video has no frame yet", { hint: 'wait for its event "loadeddata"' });
    }
    return draw(image, image.videoWidth, image.videoHeight);
  }
  if (is(image, "VideoFrame")) return draw(image, image.displayWidth, image.displayHeight);
  if (is(image, "HTMLCanvasElement") || is(image, "OffscreenCanvas") || is(image, "ImageBitmap")) {
    return draw(image, image.width, image.height);
  }
  throw new UsageError(`classify: expected an image, received ${Object.prototype.toString.call(image)}`, {
    hint: "give an image, canvas or video element, a File or Blob, an ImageBitmap, ImageData or a VideoFrame",
  });
}

/** Which class of the browser an object is of; a worker has fewer of them, and another frame its own. */
function is<Name extends keyof ImageClasses>(image: unknown, name: Name): image is ImageClasses[Name] {
  const tag = Object.prototype.toString.call(image).slice("[object ".length, -1);
  return tag === name || (name === "Blob" && tag === "File");
}

interface ImageClasses {
  Blob: Blob;
  HTMLCanvasElement: HTMLCanvasElement;
  HTMLImageElement: HTMLImageElement;
  HTMLVideoElement: HTMLVideoElement;
  ImageBitmap: ImageBitmap;
  ImageData: ImageData;
  OffscreenCanvas: OffscreenCanvas;
  VideoFrame: VideoFrame;
}

async function readFile(file: Blob): Promise<PackedImage> {
  // An element knows its size before anything is decoded; a worker has none.
  if (typeof Image === "undefined") return readBitmap(file);
  const image = new Image();
  const address = URL.createObjectURL(file);
  try {
    image.src = address;
    await new Promise((resolve, reject) => {
      image.onload = resolve;
      image.onerror = reject;
    }).catch(() => {
      throw undecodable(file);
    });
    const { naturalWidth, naturalHeight } = image;
    checkSize(naturalWidth, naturalHeight);
    await image.decode().catch(() => {
      throw undecodable(file);
    });
    return draw(image, naturalWidth, naturalHeight);
  } finally {
    URL.revokeObjectURL(address);
  }
}

async function readBitmap(file: Blob): Promise<PackedImage> {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw undecodable(file);
  });
  try {
    return draw(bitmap, bitmap.width, bitmap.height);
  } finally {
    bitmap.close();
  }
}

function undecodable(file: Blob): DataError {
  const name = "name" in file ? String(file.name) : "the file";
  const type = file.type === "" ? "of unknown type" : file.type;
  return new DataError(`${name}: the browser cannot decode it as an image (${file.size} bytes, ${type})`, {
    hint: "give a PNG, JPEG or WebP file",
  });
}

function draw(source: CanvasImageSource, width: number, height: number): PackedImage {
  checkSize(width, height);
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (context === null) throw tooMuch(width, height);
  context.drawImage(source, 0, 0, width, height);
  try {
    const { data } = context.getImageData(0, 0, width, height);
    return { data, width, height };
  } catch (cause) {
    if ((cause as Error).name !== "SecurityError") throw tooMuch(width, height, cause);
    throw new DataError("the image is another site's, so this page may not read its pixels", {
      hint: 'give the element crossorigin="anonymous", and have the other site allow it (CORS)',
      cause,
    });
  }
}

function checkSize(width: number, height: number): void {
  if (width < 1 || height < 1) {
    throw new DataError(`the image has ${width}×${height} pixels`, { hint: "give one that is not empty" });
  }
  if (width * height <= PIXEL_LIMIT) return;
  throw new DataError(`the image has ${width}×${height} pixels, more than the ${PIXEL_LIMIT} that are read`, {
    hint: "scale it down",
  });
}

function tooMuch(width: number, height: number, cause?: unknown): DataError {
  return new DataError(`the browser has no memory for ${width}×${height} pixels`, {
    hint: "scale the image down",
    cause,
  });
}
