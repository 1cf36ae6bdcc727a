// Cuts the sheets of pictures that the service draws into their cells.

import { element } from "../dom.js";
import { request } from "../api.js";

/** Return the boxes of the API's `SampleGrid`, row by row: {scene, shown, x, y, width, height}. Without a grid there are none. */
export function boxesOf(grid) {
  if (!grid) return [];
  const { columns, rows, x, y, width, height, pitch } = grid;
  return Array.from({ length: rows }, (_, scene) => columns.map((shown, column) =>
    ({ scene, shown, x: x + column * pitch, y: y + scene * pitch, width, height }))).flat();
}

/**
 * Load the sheet at `path`, and return its cells: {scene, shown, bitmap}.
 *
 * @param boxes where they are, as `boxesOf` or the API's `DatasetReport.cells` say. If there are none, the whole sheet is the
 *   only cell, and has only a `bitmap`
 */
export async function cells(path, boxes, signal) {
  const sheet = await createImageBitmap(await (await request(path, { signal })).blob());
  if (!boxes.length) return [{ bitmap: sheet }];
  return Promise.all(boxes.map(async ({ scene, shown, x, y, width, height }) =>
    ({ scene, shown, bitmap: await createImageBitmap(sheet, x, y, width, height) })));
}

/** Draw a cell on a new canvas; `label` is for screen readers. */
export function canvas({ shown, bitmap }, label) {
  const node = element("canvas", { class: shown ? "cell" : "cell whole", width: bitmap.width, height: bitmap.height, role: "img", "aria-label": label });
  node.getContext("2d").drawImage(bitmap, 0, 0);
  return node;
}
