// Downloads: the service's own bytes, never the page's drawing.

import { offer } from "../files.js";
import { zipped } from "./zip.js";

const SUFFIXES = { "image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/tiff": "tiff", "image/bmp": "bmp" };

/** Save one answer. */
export function save(item, answer) {
  offer(answer.blob, fileName(item, answer.blob));
}

/** Save several as an archive: `answers` is [[item, answer], ...]. */
export async function saveAll(answers) {
  offer(await zipped(answers.map(([item, { blob }]) => ({ name: fileName(item, blob), blob }))), "denoised.zip");
}

/** `shot.png` becomes `shot-denoised.png`. */
export function fileName(item, blob) {
  const base = item.name.replace(/\.[^.]+$/, "") || "picture";
  return `${base}-denoised.${SUFFIXES[blob.type] ?? "png"}`;
}
