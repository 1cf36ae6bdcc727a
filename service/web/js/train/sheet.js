// Cuts the sheets of pictures that the service draws into their cells.

import { element } from "../dom.js";
import { request } from "../api.js";

const CELL = 128; // pixels, as in the service's sheets of samples and of evidence
const GAP = 4;

/**
 * Load the sheet at `path`, and return rows of ImageBitmaps without the white margin around small pictures.
 *
 * @param margin whether the sheet has a gap around all cells, as samples have
 */
export async function cells(path, { margin = false, signal } = {}) {
  const sheet = await createImageBitmap(await (await request(path, { signal })).blob());
  const context = element("canvas", { width: sheet.width, height: sheet.height }).getContext("2d", { willReadFrequently: true });
  context.drawImage(sheet, 0, 0);
  const count = (side) => Math.round((side - (margin ? GAP : -GAP)) / (CELL + GAP));
  const at = (index) => (margin ? GAP : 0) + index * (CELL + GAP);
  return Promise.all(Array.from({ length: count(sheet.height) }, (_, row) => {
    const places = Array.from({ length: count(sheet.width) }, (__, column) => [at(column), at(row)]);
    const [x, y] = [0, 1].map((axis) => Math.min(...places.map((place) => marginOf(context, place, axis))));
    return Promise.all(places.map(([left, top]) =>
      createImageBitmap(sheet, left + x, top + y, CELL - 2 * x, CELL - 2 * y)));
  }));
}

/** Return the width of the white margin left and right of a cell's picture (axis 0), or above and below it (axis 1). */
function marginOf(context, [left, top], axis) {
  const white = (from) => {
    const line = axis === 0 ? [left + from, top, 1, CELL] : [left, top + from, CELL, 1];
    return context.getImageData(...line).data.every((value) => value === 255);
  };
  let width = 0;
  while (width < CELL / 2 - 4 && white(width) && white(CELL - 1 - width)) width += 1;
  return width < CELL / 2 - 4 ? width : 0;
}

/** Draw a cell on a new canvas; `label` is for screen readers. */
export function canvas(cell, label) {
  const node = element("canvas", { class: "cell", width: cell.width, height: cell.height, role: "img", "aria-label": label });
  node.getContext("2d").drawImage(cell, 0, 0);
  return node;
}
