import assert from "node:assert/strict";
import { test } from "node:test";

import { needsStretch, rangeOf, stretched } from "../../../service/web/js/denoise/contrast_stretch.js";

const picture = (channels, values) => ({ width: values.length / channels, height: 1, channels, values: Uint16Array.from(values) });

test("the range leaves out the darkest and the brightest half per cent", () => {
  const sky = Array.from({ length: 1000 }, (_, i) => 900 + i);
  assert.deepEqual(rangeOf(picture(1, [...sky.slice(3, -3), 0, 0, 0, 65535, 65535, 65535])), { black: 905, white: 1895 });
});

test("white is above black, whatever the picture is", () => {
  for (const level of [0, 1234, 65535]) {
    const { black, white } = rangeOf(picture(1, Array(20).fill(level)));
    assert.ok(white > black && white <= 65535, `${level}: ${black}, ${white}`);
  }
  const { black, white } = rangeOf(picture(2, [500, 0, 700, 0]));
  assert.ok(white > black, "nothing can be seen");
});

test("pixels that cannot be seen do not count", () => {
  const { black, white } = rangeOf(picture(4, [100, 200, 300, 65535, 9, 60000, 9, 0]));
  assert.deepEqual([black, white], [100, 300]);
});

test("pictures that fill less than a quarter of the range are stretched", () => {
  assert.ok(needsStretch({ black: 0, white: 16383 }));
  assert.ok(!needsStretch({ black: 0, white: 16384 }));
  assert.ok(needsStretch({ black: 60000, white: 65535 }));
});

test("values between the points fill a screen's greys; others are cut off", () => {
  const range = { black: 1000, white: 2000 };
  assert.deepEqual([...stretched(picture(1, [0, 1000, 1500, 2000, 65535]), range)].filter((_, i) => i % 4 === 0), [0, 0, 128, 255, 255]);
});

test("channels stay in their places", () => {
  const range = { black: 0, white: 255 };
  assert.deepEqual([...stretched(picture(1, [7]), range)], [7, 7, 7, 255]);
  assert.deepEqual([...stretched(picture(2, [7, 0x80ff]), range)], [7, 7, 7, 0x80]);
  assert.deepEqual([...stretched(picture(3, [1, 2, 3]), range)], [1, 2, 3, 255]);
  assert.deepEqual([...stretched(picture(4, [1, 2, 3, 0xffff]), range)], [1, 2, 3, 255]);
});
