// Downloads: the service's own bytes, never the page's drawing.

import { element } from "../dom.js";
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

function offer(blob, name) {
  const address = URL.createObjectURL(blob);
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000); // the browser reads it after the click
}
