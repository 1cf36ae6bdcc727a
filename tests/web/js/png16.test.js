import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";

import { decode16 } from "../../../service/web/js/denoise/png16.js";

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];

/** A chunk; its checksum is not read. */
function chunk(name, data) {
  const bytes = Buffer.alloc(12 + data.length);
  bytes.writeUInt32BE(data.length);
  bytes.write(name, 4, "latin1");
  bytes.set(data, 8);
  return bytes;
}

/** A PNG with these filtered rows: [[filter, ...bytes], ...]; `pieces` IDAT chunks. */
function png(width, height, rows, { colour = 0, bits = 16, interlaced = 0, before = [], pieces = 1 } = {}) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width);
  header.writeUInt32BE(height, 4);
  header.set([bits, colour, 0, 0, interlaced], 8);
  const data = deflateSync(Uint8Array.from(rows.flat()));
  const size = Math.ceil(data.length / pieces);
  const parts = Array.from({ length: pieces }, (_, i) => chunk("IDAT", data.subarray(i * size, (i + 1) * size)));
  return new Blob([Uint8Array.from(SIGNATURE), chunk("IHDR", header), ...before, ...parts, chunk("IEND", Buffer.alloc(0))]);
}

/** The decoded values as a plain array. */
async function values(blob) {
  return [...(await decode16(blob)).values];
}

test("values have both bytes, the high one first", async () => {
  const found = await decode16(png(2, 1, [[0, 0x12, 0x34, 0xff, 0xff]]));
  assert.deepEqual({ ...found, values: [...found.values] }, { width: 2, height: 1, channels: 1, values: [0x1234, 0xffff] });
});

test("each filter is undone", async () => {
  // Row 1 is the same for all: 10, 20 (bytes 0 10 0 20). Row 2 is to be 30, 60.
  const first = [0, 0, 10, 0, 20];
  const rows = {
    none: [0, 0, 30, 0, 60],
    sub: [1, 0, 30, 0, 30],
    up: [2, 0, 20, 0, 40],
    average: [3, 0, 25, 0, 35], // 30 - (0 + 10 >> 1), 60 - (30 + 20 >> 1)
    paeth: [4, 0, 20, 0, 30], // nearest to 0 + 10 - 0 is above: 10; nearest to 30 + 20 - 10 = 40 is left: 30
  };
  for (const [name, row] of Object.entries(rows)) assert.deepEqual(await values(png(2, 2, [first, row])), [10, 20, 30, 60], name);
});

test("the mean is rounded down, and at a tie the left byte goes before the one above and the corner", async () => {
  assert.deepEqual(await values(png(1, 2, [[0, 0, 11], [3, 0, 20]])), [11, 25]);
  // Left 10, above 25, corner 20: 10 + 25 - 20 = 15 is as near to the left as to the corner.
  assert.deepEqual(await values(png(2, 2, [[0, 0, 20, 0, 25], [4, 0, 246, 0, 50]])), [20, 25, 10, 60]);
});

test("bytes of a filter wrap around at 256", async () => {
  assert.deepEqual(await values(png(2, 1, [[1, 1, 200, 1, 100]])), [0x01c8, 0x022c]);
});

test("the filter of the first row takes zeros above it", async () => {
  for (const filter of [2, 4]) assert.deepEqual(await values(png(1, 1, [[filter, 3, 4]])), [0x0304]);
});

test("all kinds of pixels are read, in several chunks", async () => {
  for (const [colour, channels] of [[0, 1], [2, 3], [4, 2], [6, 4]]) {
    const row = Array.from({ length: 2 * channels * 3 }, (_, i) => i);
    const found = await decode16(png(3, 1, [[0, ...row]], { colour, pieces: 3 }));
    assert.equal(found.channels, channels);
    assert.deepEqual([...found.values], Array.from({ length: channels * 3 }, (_, i) => (2 * i) << 8 | (2 * i + 1)));
  }
});

test("other files are left to the browser", async () => {
  const row = [[0, 0, 1]];
  assert.equal(await decode16(new Blob([])), null);
  assert.equal(await decode16(new Blob(["GIF89a", new Uint8Array(100)])), null);
  assert.equal(await decode16(png(2, 1, row, { bits: 8 })), null);
  assert.equal(await decode16(png(1, 1, row, { interlaced: 1 })), null);
  assert.equal(await decode16(png(1, 1, row, { colour: 3 })), null, "palettes have 8 bits at most");
  assert.equal(await decode16(png(1, 1, row, { before: [chunk("tRNS", [0, 1])] })), null);
});

test("other chunks are skipped", async () => {
  assert.deepEqual(await values(png(1, 1, [[0, 0, 1]], { before: [chunk("gAMA", [0, 0, 0, 1]), chunk("tEXt", Buffer.from("IDAT"))] })), [1]);
});

test("broken files are errors", async () => {
  await assert.rejects(decode16(png(2, 1, [[0, 0, 1]])), /3 bytes of rows, expected 5/);
  await assert.rejects(decode16(png(1, 1, [[5, 0, 1]])), /filter 5, expected 0 to 4/);
  const whole = png(40, 40, Array.from({ length: 40 }, (_, y) => [0, ...Array.from({ length: 80 }, (__, x) => (x * y * 7) % 251)]));
  await assert.rejects(decode16(whole.slice(0, whole.size - 60)));
});
