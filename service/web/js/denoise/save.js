// Downloads: the bytes that the service sent, not what the page draws.

import { download } from "../files.js";
import { zipped } from "./zip.js";

const SUFFIXES = { "image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/tiff": "tiff", "image/bmp": "bmp" };

/** Download one answer. */
export function save(item, answer) {
  download(answer.blob, fileName(item, answer.blob));
}

/** Download several answers as a ZIP archive; `answers` is [[item, answer], ...]. */
export async function saveAll(answers) {
  download(await zipped(answers.map(([item, { blob }]) => ({ name: fileName(item, blob), blob }))), "denoised.zip");
}

/** Return the name of a download: `shot-denoised.png` for `shot.png`, with the suffix of the answer's type. */
export function fileName(item, blob) {
  const base = item.name.replace(/\.[^.]+$/, "") || "picture";
  return `${base}-denoised.${SUFFIXES[blob.type] ?? "png"}`;
}
