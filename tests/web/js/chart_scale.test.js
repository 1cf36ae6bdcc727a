import assert from "node:assert/strict";
import { test } from "node:test";

import { axisRange, joined, tableRows, ticks, wholeTick } from "../../../service/web/js/train/chart_scale.js";

/** Check numbers but for rounding. */
function near(found, expected) {
  assert.equal(found.length, expected.length, String(found));
  found.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) <= 1e-9 * Math.abs(expected[i]), `${found} is not ${expected}`));
}

test("an axis has air around its values", () => {
  near(axisRange(20, 30, false), [19.2, 30.8]);
  const [low, high] = axisRange(0.001, 1, true);
  assert.ok(low > 0 && low < 0.001 && high > 1);
  near([high / 1], [0.001 / low]);
});

test("an axis has a range without values, or with a single one", () => {
  assert.deepEqual(axisRange(null, null, false), [0, 1]);
  assert.deepEqual(axisRange(null, null, true), [0.01, 1]);
  near(axisRange(5, 5, false), [4.6, 5.4]);
  near(axisRange(-5, -5, false), [-5.4, -4.6]);
  near(axisRange(0, 0, false), [-0.08, 0.08]);
  near(axisRange(2, 2, true), [1.6, 2.5]);
});

test("ticks are round values within the range", () => {
  near(ticks(19.2, 30.8, 5), [20, 25, 30]);
  near(ticks(0.11, 0.39, 5), [0.2, 0.3]);
  near(ticks(-1.1, 1.1, 5), [-1, -0.5, 0, 0.5, 1].map((value) => value || 0));
  near(ticks(2, 38, 5), [10, 20, 30]);
  near(ticks(12_000, 13_000, 5), [12_000, 12_200, 12_400, 12_600, 12_800, 13_000]);
});

test("ticks of far values are powers of ten, and 3 between them if there is room", () => {
  near(ticks(0.002, 0.9, 5), [0.003, 0.01, 0.03, 0.1, 0.3]);
  near(ticks(1.5, 31.5, 5), [3, 10, 30]);
  near(ticks(1e-6, 1, 5), [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1]);
});

test("there are two ticks or more on every axis that is drawn", () => {
  for (const [low, high] of [[20, 30], [28.01, 28.02], [0.5, 0.5], [0, 0], [-3, 8], [1e-9, 1e-3], [3, 1e6]]) {
    const [from, to] = axisRange(low, high, false);
    const found = ticks(from, to, 5);
    assert.ok(found.length >= 2 && found.length <= 12, `${low} to ${high}: ${found}`);
    assert.ok(found.every((value) => value >= from - 1e-9 && value <= to + 1e-9), `${low} to ${high}: ${found}`);
  }
});

test("steps are whole numbers, large ones in thousands", () => {
  assert.deepEqual([0, 0.5, 9999, 10_000, 12_500, 1_000_000, -20_000].map(wholeTick), ["0", "", "9999", "10k", "12.5k", "1000k", "-20k"]);
});

test("a table has all rows, or evenly spaced ones and the last", () => {
  assert.deepEqual(tableRows(0, 4), []);
  assert.deepEqual(tableRows(4, 4), [0, 1, 2, 3]);
  assert.deepEqual(tableRows(10, 4), [0, 3, 6, 9]);
  assert.deepEqual(tableRows(9, 4), [0, 3, 6, 8]);
});

test("curves of several runs share their x values", () => {
  const runs = [{ x: [1, 2, 10], denoised: [20, 0, 22] }, { x: [2, 3], denoised: [5, null] }, { x: [], denoised: [] }];
  assert.deepEqual(joined(runs, "denoised"), [[1, 2, 3, 10], [20, 0, null, 22], [null, 5, null, null], [null, null, null, null]]);
});
