import assert from "node:assert/strict";
import { test } from "node:test";

import { dropped, nameOf, picked, toUpload, unusable } from "../../../service/web/js/train/dataset_files.js";
import { KINDS, NOISES } from "../../../service/web/js/train/dataset_kinds.js";

/** A file of an input; `path` as a chosen folder gives it. */
function file(name, path = "") {
  const made = new File(["x"], name);
  Object.defineProperty(made, "webkitRelativePath", { value: path });
  return made;
}

const paths = (files) => files.map(({ path }) => path);

test("files are sorted as people count, without what systems leave behind", () => {
  const names = ["10.png", "9.png", "a_2.png", "a_10.png", ".DS_Store", "Thumbs.db", "B.png"];
  assert.deepEqual(paths(picked(names.map((name) => file(name)))), ["9.png", "10.png", "a_2.png", "a_10.png", "B.png"]);
  const inside = ["f/first/1.png", "f/__MACOSX/1.png", "f/.git/x.png", "f/second/.x.png", "f/my.Thumbs.db.png"];
  assert.deepEqual(paths(picked(inside.map((path) => file("x", path)))), ["f/first/1.png", "f/my.Thumbs.db.png"]);
});

test("what is neither a picture nor an archive cannot be used", () => {
  const names = ["a.PNG", "b.jpeg", "c.tif", "d.tiff", "e.tar.gz", "f.tgz", "g.npz", "h.pkl", "i.zip", "m31.fits", "notes.txt", "png", "x.png.txt", "y.tarx"];
  assert.deepEqual(unusable(names.map((path) => ({ path }))), ["m31.fits", "notes.txt", "png", "x.png.txt", "y.tarx"]);
});

test("files are sent as they are, folders as one archive", () => {
  const plain = picked([file("1.png"), file("2.png")]);
  assert.deepEqual(toUpload(plain).map(({ name }) => name), ["1.png", "2.png"]);
  assert.deepEqual(toUpload(picked([file("1.png", "f/1.png")])).map(({ name }) => name), ["files.tar"]);
});

test("a dataset has the name of its folder, archive or first file", () => {
  const named = (path) => nameOf([{ path }]);
  assert.equal(named("night/first/1.png"), "night");
  assert.equal(named("night.2024/1.png"), "night.2024", "a folder has no suffix");
  assert.equal(named("shots.tar.gz"), "shots");
  assert.equal(named("clean ones.zip"), "clean ones");
  assert.equal(named("a.b.png"), "a.b");
  assert.equal(named("README"), "README");
  assert.equal(named(".png"), "pictures");
  assert.equal(named(`${"x".repeat(300)}.zip`).length, 200);
});

/** Entries as a browser gives them for a drop. */
const fileEntry = (path) => ({ isFile: true, fullPath: path, file: (resolve) => resolve(file(path.split("/").at(-1))) });
function folderEntry(path, children) {
  return { isFile: false, isDirectory: true, fullPath: path, createReader() {
    let at = 0; // browsers hand out a hundred at a time
    return { readEntries: (resolve) => resolve(children.slice(at, at += 100)) };
  } };
}
const drop = (...entries) => ({ items: entries.map((entry) => ({ webkitGetAsEntry: () => entry })), files: [] });

test("a dropped folder gives all files in it, however many", async () => {
  const many = Array.from({ length: 250 }, (_, i) => fileEntry(`/f/sub/${i}.png`));
  const found = await dropped(drop(folderEntry("/f", [folderEntry("/f/sub", many), folderEntry("/f/empty", []), fileEntry("/f/.DS_Store")]), fileEntry("/b.png")));
  assert.equal(found.length, 251);
  assert.deepEqual([paths(found)[0], paths(found)[1], paths(found).at(-1)], ["b.png", "f/sub/0.png", "f/sub/249.png"]);
});

test("dropped files need no entries", async () => {
  assert.deepEqual(paths(await dropped({ items: [{}], files: [file("2.png"), file("1.png")] })), ["1.png", "2.png"]);
});

test("a folder that cannot be read is an error", async () => {
  const broken = { isFile: false, isDirectory: true, fullPath: "/f", createReader: () => ({ readEntries: (_, reject) => reject(new Error("no permission")) }) };
  await assert.rejects(dropped(drop(broken)), /no permission/);
});

test("noise is described in units of 0 to 1, photons as they are", () => {
  assert.deepEqual(NOISES.gaussian.make(51), { name: "gaussian", sigma: 0.2 });
  assert.deepEqual(NOISES.blind.make(255), { name: "blind", sigma: 1 });
  assert.deepEqual(NOISES.poisson.make(30), { name: "poisson", lam: 30 });
  for (const { value, least, most } of Object.values(NOISES)) assert.ok(value >= least && value <= most);
});

test("pairs and bursts have several shots", () => {
  assert.deepEqual(Object.keys(KINDS).filter((kind) => KINDS[kind].shots), ["pairs", "bursts"]);
});
