// Decodes 16-bit PNG files at their full depth; browsers decode them to 8 bits.
// https://www.w3.org/TR/png-3/, sections 5 (chunks), 9 (filters) and 10 (compression)

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const CHANNELS = { 0: 1, 2: 3, 4: 2, 6: 4 }; // by colour type: grey, RGB, grey with alpha, RGBA
const PAUSE = 4e6; // bytes after which other work has its turn

/**
 * Decode a 16-bit PNG.
 *
 * @param blob any file
 * @returns {width, height, channels, values: Uint16Array}, row by row; the last of 2 or 4 channels is alpha. Null if the
 *   file is not a 16-bit PNG, or if it is interlaced or has a transparent colour (tRNS)
 * @throws if the file is broken
 */
export async function decode16(blob) {
  const head = await viewOf(blob.slice(0, 33));
  if (head.byteLength < 33 || SIGNATURE.some((byte, i) => head.getUint8(i) !== byte)) return null;
  const [width, height, bits, channels] = [head.getUint32(16), head.getUint32(20), head.getUint8(24), CHANNELS[head.getUint8(25)]];
  const isInterlaced = head.getUint8(28) !== 0;
  if (bits !== 16 || !channels || isInterlaced) return null;
  const data = await compressed(blob);
  if (!data) return null;
  const inflated = data.stream().pipeThrough(new DecompressionStream("deflate"));
  const rows = new Uint8Array(await new Response(inflated).arrayBuffer());
  return { width, height, channels, values: await unfiltered(rows, 2 * channels, 2 * channels * width, height) };
}

/** Join the IDAT chunks; return null if the file has a transparent colour. */
async function compressed(blob) {
  const parts = [];
  for (let at = SIGNATURE.length; at < blob.size;) {
    const head = await viewOf(blob.slice(at, at + 8));
    const [length, kind] = [head.getUint32(0), head.getUint32(4)];
    if (kind === code("tRNS")) return null;
    if (kind === code("IDAT")) parts.push(blob.slice(at + 8, at + 8 + length));
    else if (kind === code("IEND")) break;
    at += length + 12;
  }
  return new Blob(parts);
}

/** Undo the filters of rows with a filter byte and `size` bytes each; a pixel has `step` bytes. */
async function unfiltered(rows, step, size, height) {
  if (rows.length !== height * (size + 1)) throw new RangeError(`the PNG has ${rows.length} bytes of rows, expected ${height * (size + 1)}`);
  const values = new Uint16Array(height * size / 2);
  let above = new Uint8Array(step + size); // with a zero pixel before the first one
  let row = new Uint8Array(step + size);
  for (let y = 0, place = 0, rest = PAUSE; y < height; y += 1) {
    const start = y * (size + 1);
    row.set(rows.subarray(start + 1, start + 1 + size), step);
    undo(rows[start], row, above, step);
    for (let i = step; i < row.length; i += 2) values[place++] = row[i] << 8 | row[i + 1];
    [above, row] = [row, above];
    if ((rest -= size) < 0) {
      rest = PAUSE;
      await new Promise((resolve) => { setTimeout(resolve); });
    }
  }
  return values;
}

function undo(filter, row, above, step) {
  switch (filter) {
    case 0: return;
    case 1:
      for (let i = step; i < row.length; i += 1) row[i] += row[i - step];
      return;
    case 2:
      for (let i = step; i < row.length; i += 1) row[i] += above[i];
      return;
    case 3:
      for (let i = step; i < row.length; i += 1) row[i] += (row[i - step] + above[i]) >> 1;
      return;
    case 4:
      for (let i = step; i < row.length; i += 1) row[i] += paeth(row[i - step], above[i], above[i - step]);
      return;
    default:
      throw new RangeError(`the PNG has a row with filter ${filter}, expected 0 to 4`);
  }
}

/** Return whichever of left, above and corner (above left) is nearest to left + above - corner. */
function paeth(left, above, corner) {
  const toLeft = Math.abs(above - corner);
  const toAbove = Math.abs(left - corner);
  const toCorner = Math.abs(left + above - 2 * corner);
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}

/** Read a blob as a DataView. */
async function viewOf(blob) {
  return new DataView(await blob.arrayBuffer());
}

/** Return a chunk's name as the number that the file has. */
function code(name) {
  return [...name].reduce((sum, letter) => sum * 256 + letter.charCodeAt(0), 0);
}
