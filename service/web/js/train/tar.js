// Writes TAR archives (POSIX.1-2001, "pax") of the visitor's folders, without reading the files into memory.

const BLOCK = 512;
const encoder = new TextEncoder();

/**
 * Write a TAR archive.
 *
 * @param files [{path, file}]; paths use slashes
 * @returns a File named files.tar
 */
export function tar(files) {
  const parts = [];
  for (const { path, file } of files) {
    const name = encoder.encode(path);
    const records = {};
    if (name.length > 100 || name.length !== path.length) records.path = path;
    if (file.size >= 8 ** 11) records.size = String(file.size);
    if (Object.keys(records).length) {
      const extended = encoder.encode(Object.entries(records).map(([key, value]) => record(key, value)).join(""));
      parts.push(header(encoder.encode("pax"), extended.length, "x"), ...padded(extended, extended.length));
    }
    parts.push(header(name.slice(0, 100), file.size % 8 ** 11, "0"), ...padded(file, file.size));
  }
  parts.push(new Uint8Array(2 * BLOCK));
  return new File(parts, "files.tar", { type: "application/x-tar" });
}

/** Return "LENGTH KEY=VALUE\n". The length includes its own digits. */
function record(key, value) {
  const rest = encoder.encode(` ${key}=${value}\n`).length;
  let total = rest;
  while (total !== rest + String(total).length) total = rest + String(total).length;
  return `${total} ${key}=${value}\n`;
}

/** Return a header of 512 bytes. */
function header(name, size, type) {
  const block = new Uint8Array(BLOCK);
  const write = (offset, text) => block.set(encoder.encode(text), offset);
  const octal = (value, digits) => value.toString(8).padStart(digits, "0");
  block.set(name, 0);
  write(100, `${octal(0o644, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0`); // mode, user, group
  write(124, `${octal(size, 11)}\0${octal(0, 11)}\0`); // size, time
  write(148, " ".repeat(8)); // the checksum counts its own field as spaces
  write(156, type);
  write(257, "ustar\x0000");
  write(148, `${octal(block.reduce((sum, byte) => sum + byte, 0), 6)}\0 `);
  return block;
}

/** Return the content and zeros up to a whole number of blocks. */
function padded(content, length) {
  return [content, new Uint8Array((BLOCK - (length % BLOCK)) % BLOCK)];
}
