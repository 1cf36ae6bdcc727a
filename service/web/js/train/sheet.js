// Sheets of pictures that the service draws, cut into their cells.

import { element } from "../dom.js";
import { request } from "../api.js";

const CELL = 128; // pixels, as n2n_core.samples and n2n_core.datasets.thumbnails have it
const GAP = 4;

/**
 * The cells of the sheet at `path`: rows of ImageBitmaps.
 *
 * @param margin whether there is a gap around all, as samples have it
 */
export async function cells(path, { margin = false, signal } = {}) {
  const sheet = await createImageBitmap(await (await request(path, { signal })).blob());
  const start = margin ? GAP : 0;
  const count = (side) => Math.round((side - (margin ? GAP : -GAP)) / (CELL + GAP));
  const at = (index) => start + index * (CELL + GAP);
  const rows = Array.from({ length: count(sheet.height) }, (_, row) =>
    Promise.all(Array.from({ length: count(sheet.width) }, (__, column) =>
      createImageBitmap(sheet, at(column), at(row), CELL, CELL))));
  return Promise.all(rows);
}

/** A cell as an element; `label` says what it shows. */
export function canvas(cell, label) {
  const node = element("canvas", { class: "cell", width: cell.width, height: cell.height, role: "img", "aria-label": label });
  node.getContext("2d").drawImage(cell, 0, 0);
  return node;
}
