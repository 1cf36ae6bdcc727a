import assert from "node:assert/strict";
import { test } from "node:test";

import { ago, bytes, counted, decibels, duration, grouped, loss, rounded, seconds, sentence, signed } from "../../../service/web/js/format.js";

/** Check `format(input)` for each [input, text]. */
function check(format, cases) {
  for (const [input, expected] of cases) assert.equal(format(input), expected, `${format.name}(${input})`);
}

test("bytes have the unit in which their number is below 1000", () => {
  check(bytes, [[0, "0 bytes"], [1, "1 byte"], [2, "2 bytes"], [999, "999 bytes"], [1000, "1 kB"], [1536, "1.5 kB"],
    [12_345, "12.3 kB"], [999_499, "999 kB"], [999_999, "1 MB"], [10_000_000, "10 MB"], [5e9, "5 GB"], [5e12, "5000 GB"]]);
});

test("short times are in milliseconds or seconds", () => {
  check(seconds, [[0, "0 ms"], [42.4, "42 ms"], [99.9, "100 ms"], [100, "0.1 s"], [812, "0.8 s"], [1000, "1 s"], [9960, "10 s"],
    [65_432, "65 s"]]);
});

test("long times are in seconds, minutes or hours", () => {
  check(duration, [[null, "unknown"], [undefined, "unknown"], [0, "1 s"], [59.4, "59 s"], [59.5, "1 min"], [90, "2 min"],
    [3569, "59 min"], [3570, "1 h"], [4800, "1 h 20 min"], [360_000, "100 h"]]);
});

test("times of the API are told by their age", () => {
  const now = Date.parse("2026-03-10T12:00:00Z");
  check((time) => ago(time, now), [["2026-03-10T11:59:01Z", "just now"], ["2026-03-10T11:59:00Z", "1 minute ago"],
    ["2026-03-10T09:00:00Z", "3 hours ago"], ["2026-03-09T11:00:00Z", "yesterday"], ["2026-03-03T12:00:00Z", "7 days ago"]]);
  assert.equal(ago("2026-03-10T12:05:00Z", now), "just now", "the service's clock may be ahead");
});

test("numbers have two or three significant digits", () => {
  check(rounded, [[0, "0"], [0.01234, "0.012"], [9.96, "10"], [12.34, "12.3"], [20, "20"], [123.4, "123"], [99.96, "100"]]);
  check(grouped, [[0, "0"], [999, "999"], [1_234_567, "1,234,567"]]);
});

test("counts have a plural", () => {
  assert.equal(counted(0, "picture"), "0 pictures");
  assert.equal(counted(1, "picture"), "1 picture");
  assert.equal(counted(1200, "file"), "1,200 files");
});

test("PSNR, gain and loss are dashes where they are not known", () => {
  check(decibels, [[28.066, "28.07 dB"], [null, "–"], [undefined, "–"]]);
  check(signed, [[4.171, "+4.17"], [0, "+0.00"], [-0.5, "−0.50"]]);
  check(loss, [[0.00123456, "0.00123"], [1, "1.00"], [null, "–"], ["nan", "–"]]);
});

test("messages become sentences", () => {
  check(sentence, [["", ""], ["  ", ""], ["crop is 30", "Crop is 30."], ["Is it? ", "Is it?"], ["Done.", "Done."], ["é", "É."]]);
});
