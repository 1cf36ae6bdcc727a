// Decoded pictures, in sizes that can be drawn quickly.

import { decode16 } from "./png16.js";
import { stretched } from "./contrast_stretch.js";

/** A picture that can be drawn. `levels[i]` has 1 / 2^i of its size, so that small views do not alias. */
export class Drawable {
  constructor(bitmap) {
    this.levels = [bitmap];
    this.width = bitmap.width;
    this.height = bitmap.height;
  }

  /**
   * Decode a file.
   * @throws if the browser cannot read it
   */
  static async of(blob) {
    return new Drawable(await createImageBitmap(blob));
  }

  /** Decode a 16-bit PNG, and show the values between two points (see `rangeOf`). Other files are shown as they are. */
  static async stretched(blob, range) {
    const picture = await decode16(blob).catch(() => null);
    return picture ? Drawable.between(picture, range) : Drawable.of(blob);
  }

  /** Show the values between two points of a picture that `decode16` returned. */
  static async between(picture, range) {
    const pixels = new ImageData(stretched(picture, range), picture.width, picture.height);
    return new Drawable(await createImageBitmap(pixels));
  }

  /** Return the smallest level that has at least one pixel for each screen pixel at `scale`. */
  at(scale) {
    let level = 0;
    while (scale * 2 ** (level + 1) <= 1 && Math.min(this.width, this.height) >> (level + 1) > 0) level += 1;
    while (this.levels.length <= level) this.levels.push(halved(this.levels.at(-1)));
    return this.levels[level];
  }

  close() {
    this.levels[0].close();
  }
}

/** Draw the middle of the picture, as a square, on a new canvas of `side` pixels. */
export function thumbnail(drawable, side) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const part = Math.min(drawable.width, drawable.height);
  const source = drawable.at(side / part);
  const share = source.width / drawable.width;
  const [left, top] = [(drawable.width - part) / 2 * share, (drawable.height - part) / 2 * share];
  canvas.getContext("2d").drawImage(source, left, top, part * share, part * share, 0, 0, side, side);
  return canvas;
}

function halved(source) {
  const canvas = new OffscreenCanvas(Math.max(1, source.width >> 1), Math.max(1, source.height >> 1));
  const context = canvas.getContext("2d");
  context.globalCompositeOperation = "copy";
  context.drawImage(source, 0, 0, canvas.width, canvas.height); // at half the size, smoothing is the mean of four pixels
  return canvas;
}
