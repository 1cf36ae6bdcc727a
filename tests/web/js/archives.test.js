import assert from "node:assert/strict";
import { test } from "node:test";

import { fileName } from "../../../service/web/js/denoise/save.js";
import { zipped } from "../../../service/web/js/denoise/zip.js";
import { tar } from "../../../service/web/js/train/tar.js";

/** A blob's bytes. */
async function bytesOf(blob) {
  return Buffer.from(await blob.arrayBuffer());
}

test("a ZIP archive has the bytes that other programs write", async () => {
  // What Python's zipfile reads and what it would write for this file, stored, of 1980-01-01.
  const found = await bytesOf(await zipped([{ name: "a.txt", blob: new Blob(["123456789"]) }]));
  const crc = "2639f4cb"; // of "123456789": 0xcbf43926
  const common = `1400 0008 0000 0000 2100 ${crc} 09000000 09000000 0500 0000`;
  const name = Buffer.from("a.txt").toString("hex");
  const expected = `504b0304 ${common} ${name} ${Buffer.from("123456789").toString("hex")}
    504b0102 1400 ${common} 0000 0000 0000 00000000 00000000 ${name}
    504b0506 0000 0000 0100 0100 33000000 2c000000 0000`;
  assert.equal(found.toString("hex"), expected.replaceAll(/\s/g, ""));
});

/** What a ZIP archive's directory lists: [name, content]. */
async function unzipped(blob) {
  const bytes = await bytesOf(blob);
  const end = bytes.length - 22;
  assert.equal(bytes.readUInt32LE(end), 0x06054b50);
  const found = [];
  let at = bytes.readUInt32LE(end + 16);
  for (let i = 0; i < bytes.readUInt16LE(end + 10); i += 1) {
    assert.equal(bytes.readUInt32LE(at), 0x02014b50);
    assert.equal(bytes.readUInt16LE(at + 8), 0x0800, "names are UTF-8");
    const [size, length, start] = [bytes.readUInt32LE(at + 24), bytes.readUInt16LE(at + 28), bytes.readUInt32LE(at + 42)];
    const name = bytes.toString("utf8", at + 46, at + 46 + length);
    assert.equal(bytes.readUInt32LE(start), 0x04034b50);
    assert.equal(bytes.toString("utf8", start + 30, start + 30 + length), name);
    found.push([name, bytes.toString("utf8", start + 30 + length, start + 30 + length + size)]);
    at += 46 + length;
  }
  assert.equal(at, end);
  return found;
}

test("names that occur again get a number before the suffix", async () => {
  const names = ["a.png", "a.png", "a-2.png", "none", "none", "é.tar.gz", "é.tar.gz", ".x", ".x"];
  const found = await unzipped(await zipped(names.map((name, i) => ({ name, blob: new Blob([`${i}`]) }))));
  assert.deepEqual(found, [["a.png", "0"], ["a-2.png", "1"], ["a-2-2.png", "2"], ["none", "3"], ["none-2", "4"], ["é.tar.gz", "5"],
    ["é.tar-2.gz", "6"], [".x", "7"], ["-2.x", "8"]]);
});

test("an archive of nothing is an archive, and files may be empty", async () => {
  assert.deepEqual(await unzipped(await zipped([])), []);
  assert.deepEqual(await unzipped(await zipped([{ name: "e", blob: new Blob([]) }])), [["e", ""]]);
});

/** The entries of a TAR archive: [name, content], with pax records applied. */
async function untarred(blob) {
  const bytes = await bytesOf(blob);
  assert.equal(bytes.length % 512, 0);
  const found = [];
  let records = {};
  let at = 0;
  for (; bytes[at] !== 0; ) {
    const head = bytes.subarray(at, at + 512);
    const text = (from, to) => head.toString("utf8", from, to).replace(/\0.*$/s, "");
    const sum = head.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
    assert.equal(Number.parseInt(text(148, 156), 8), sum, "checksum");
    assert.equal(head.toString("latin1", 257, 265), "ustar\x0000");
    const size = Number.parseInt(text(124, 136), 8);
    const content = bytes.subarray(at + 512, at + 512 + size);
    at += 512 + Math.ceil(size / 512) * 512;
    if (text(156, 157) === "x") records = paxRecords(content);
    else {
      found.push([records.path ?? text(0, 100), content.toString()]);
      records = {};
    }
  }
  assert.equal(bytes.length - at, 1024, "two empty blocks at the end");
  return found;
}

/** Records of "LENGTH KEY=VALUE\n"; each has to have the length that it says. */
function paxRecords(content) {
  const records = {};
  for (let at = 0; at < content.length;) {
    const length = Number.parseInt(content.toString("latin1", at), 10);
    const [, key, value] = /^\d+ ([^=]+)=(.*)\n$/s.exec(content.toString("utf8", at, at + length));
    records[key] = value;
    at += length;
  }
  return records;
}

test("a TAR archive has each file under its path", async () => {
  const contents = ["", "x", "y".repeat(511), "z".repeat(512), "w".repeat(513)];
  const files = contents.map((content, i) => ({ path: `first/${i}.png`, file: new File([content], `${i}.png`) }));
  assert.deepEqual(await untarred(tar(files)), contents.map((content, i) => [`first/${i}.png`, content]));
  assert.equal(tar(files).name, "files.tar");
});

test("long and foreign paths are kept, whatever their length", async () => {
  const paths = ["é/1.png", "漢字/😀.png", "a".repeat(100), "a".repeat(101)];
  for (let length = 80; length <= 120; length += 1) paths.push("ß".repeat(length)); // around 100 bytes and a record of three digits
  for (let length = 980; length <= 1000; length += 1) paths.push("b".repeat(length)); // and of four
  const files = paths.map((path, i) => ({ path, file: new File([`${i}`], "x") }));
  assert.deepEqual(await untarred(tar(files)), paths.map((path, i) => [path, `${i}`]));
});

test("only paths that a plain header cannot hold have a record", async () => {
  const size = (path) => tar([{ path, file: new File([], "x") }]).size;
  assert.equal(size("a".repeat(100)), 512 + 1024);
  assert.equal(size("a".repeat(101)), 512 + 512 + 512 + 1024);
  assert.equal(size("é"), 512 + 512 + 512 + 1024);
});

test("a TAR archive may be empty", async () => {
  assert.deepEqual(await untarred(tar([])), []);
});

test("a download has the picture's name and the answer's suffix", () => {
  const name = (item, type) => fileName({ name: item }, { type });
  assert.equal(name("shot.png", "image/png"), "shot-denoised.png");
  assert.equal(name("shot.jpeg", "image/jpeg"), "shot-denoised.jpg");
  assert.equal(name("a.b.tif", "image/tiff"), "a.b-denoised.tiff");
  assert.equal(name("pasted picture", "image/webp"), "pasted picture-denoised.webp");
  assert.equal(name(".png", "image/bmp"), "picture-denoised.bmp");
  assert.equal(name("x.png", ""), "x-denoised.png");
});
