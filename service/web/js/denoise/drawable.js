// Pictures to look at: decoded, in sizes that can be drawn quickly.

import { decode16 } from "./png16.js";
import { stretched } from "./contrast_stretch.js";

/** A picture that can be drawn: `levels[i]` is 1 / 2^i of its size, so that small views are not undersampled. */
export class Drawable {
  constructor(bitmap) {
    this.levels = [bitmap];
    this.width = bitmap.width;
    this.height = bitmap.height;
  }

  /** @throws if the browser cannot read such files */
  static async of(blob) {
    return new Drawable(await createImageBitmap(blob));
  }

  /** The same with the values between two points, at a PNG's full depth; what is none of 16 bits is left as it is. */
  static async stretched(blob, range) {
    const picture = await decode16(blob).catch(() => null);
    return picture ? Drawable.between(picture, range) : Drawable.of(blob);
  }

  /** Of what `decode16` gave. */
  static async between(picture, range) {
    return new Drawable(await createImageBitmap(stretched(picture, range)));
  }

  /** The smallest level that has a pixel for each that is shown at `scale`, and its share of the whole's size. */
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

/** A canvas of `side` pixels with the middle of the picture. */
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
  context.drawImage(source, 0, 0, canvas.width, canvas.height); // at a half, smoothing is the mean of four pixels
  return canvas;
}
