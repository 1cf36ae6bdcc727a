// Writes ZIP archives without compression, as pictures are already compressed.
// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16

const UTF8 = 0x0800; // flag: names are UTF-8
const TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/**
 * Write a ZIP archive.
 *
 * @param files [{name, blob}], below 4 GB together; a name that occurs again gets a number
 * @returns a Blob
 */
export async function zipped(files) {
  const [parts, directory] = [[], []];
  let offset = 0;
  const taken = new Set();
  for (const { name, blob } of files) {
    const bytes = new TextEncoder().encode(unused(name, taken));
    const crc = checksum(new Uint8Array(await blob.arrayBuffer()));
    const common = [[2, 20], [2, UTF8], [2, 0], [2, 0], [2, 0x21], [4, crc], [4, blob.size], [4, blob.size], [2, bytes.length], [2, 0]];
    const local = packed([[4, 0x04034b50], ...common]);
    directory.push(packed([[4, 0x02014b50], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]]), bytes);
    parts.push(local, bytes, blob);
    offset += local.length + bytes.length + blob.size;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = packed([[4, 0x06054b50], [2, 0], [2, 0], [2, files.length], [2, files.length], [4, size], [4, offset], [2, 0]]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

/** Return `name`, or `name-2`, `name-3`, ... if it is taken; the suffix stays last. */
function unused(name, taken) {
  const [, base, suffix] = /^(.*?)(\.[^.]*)?$/s.exec(name);
  let candidate = name;
  for (let number = 2; taken.has(candidate); number += 1) candidate = `${base}-${number}${suffix ?? ""}`;
  taken.add(candidate);
  return candidate;
}

/** Write little-endian numbers, given as [[bytes, value], ...]. */
function packed(fields) {
  const bytes = new Uint8Array(fields.reduce((sum, [width]) => sum + width, 0));
  let place = 0;
  for (const [width, value] of fields) {
    for (let i = 0; i < width; i += 1) bytes[place++] = value >>> (8 * i);
  }
  return bytes;
}

/** Compute the CRC-32. */
function checksum(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
