// Sheets of pictures that the service draws, cut into their cells.

import { element } from "../dom.js";
import { request } from "../api.js";

const CELL = 128; // pixels, as n2n_core.training.run_folder.sample_sheet and n2n_core.datasets.thumbnails have it
const GAP = 4;

/**
 * The cells of the sheet at `path`: rows of ImageBitmaps, without the paper around small pictures.
 *
 * @param margin whether there is a gap around all, as samples have it
 */
export async function cells(path, { margin = false, signal } = {}) {
  const sheet = await createImageBitmap(await (await request(path, { signal })).blob());
  const context = element("canvas", { width: sheet.width, height: sheet.height }).getContext("2d", { willReadFrequently: true });
  context.drawImage(sheet, 0, 0);
  const count = (side) => Math.round((side - (margin ? GAP : -GAP)) / (CELL + GAP));
  const at = (index) => (margin ? GAP : 0) + index * (CELL + GAP);
  return Promise.all(Array.from({ length: count(sheet.height) }, (_, row) => {
    const places = Array.from({ length: count(sheet.width) }, (__, column) => [at(column), at(row)]);
    const [x, y] = [0, 1].map((axis) => Math.min(...places.map((place) => paper(context, place, axis))));
    return Promise.all(places.map(([left, top]) =>
      createImageBitmap(sheet, left + x, top + y, CELL - 2 * x, CELL - 2 * y)));
  }));
}

/** How wide the white paper is to the left and right of a cell's picture (axis 0), or above and below it (1). */
function paper(context, [left, top], axis) {
  const white = (from) => {
    const line = axis === 0 ? [left + from, top, 1, CELL] : [left, top + from, CELL, 1];
    return context.getImageData(...line).data.every((value) => value === 255);
  };
  let width = 0;
  while (width < CELL / 2 - 4 && white(width) && white(CELL - 1 - width)) width += 1;
  return width < CELL / 2 - 4 ? width : 0;
}

/** A cell as an element; `label` says what it shows. */
export function canvas(cell, label) {
  const node = element("canvas", { class: "cell", width: cell.width, height: cell.height, role: "img", "aria-label": label });
  node.getContext("2d").drawImage(cell, 0, 0);
  return node;
}
