import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { boxesOf, cells } from "../../../service/web/js/train/sheet.js";

const GRID = { columns: ["noisy", "denoised", "reference"], rows: 2, x: 4, y: 20, width: 128, height: 96, pitch: 132 };
let asked = [];
let decoded = [];

globalThis.sessionStorage = { getItem: () => null };
globalThis.fetch = async (address) => {
  asked.push(address);
  return new Response("sheet");
};
globalThis.createImageBitmap = async (source, ...box) => {
  decoded.push(box);
  return box.length ? { of: source, box } : "sheet";
};

beforeEach(() => { [asked, decoded] = [[], []]; });

test("a grid has a box for each picture, row by row", () => {
  const boxes = boxesOf(GRID);
  assert.deepEqual(boxes.map(({ scene, shown }) => `${scene} ${shown}`),
    ["0 noisy", "0 denoised", "0 reference", "1 noisy", "1 denoised", "1 reference"]);
  assert.deepEqual(boxes[5], { scene: 1, shown: "reference", x: 268, y: 152, width: 128, height: 96 });
});

test("without a grid there are no boxes", () => {
  assert.deepEqual(boxesOf(null), []);
});

test("a sheet is loaded once, and cut where the boxes are", async () => {
  const found = await cells("/sheet.png", boxesOf(GRID));
  assert.equal(asked.length, 1);
  assert.deepEqual(found[1], { scene: 0, shown: "denoised", bitmap: { of: "sheet", box: [136, 20, 128, 96] } });
  assert.equal(found.length, 6);
});

test("a sheet of an older version stays whole", async () => {
  assert.deepEqual(await cells("/sheet.png", []), [{ bitmap: "sheet" }]);
  assert.deepEqual(decoded, [[]]);
});
