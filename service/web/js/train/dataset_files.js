// What people drop or pick: files, folders, archives.

import { tar } from "./tar.js";

const JUNK = /(^|\/)(\.|__MACOSX|Thumbs\.db$)/; // what operating systems leave behind; the service ignores it, too
const USED = /\.(png|jpe?g|webp|tiff?|bmp|zip|tar|t?gz|t?bz2|t?xz|pkl|npz)$/i;

/** The files of a drop, folders included, each with its path: [{path, file}]. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean); // now: it is empty later
  const plain = [...transfer.files];
  if (!entries.some((entry) => entry.isDirectory)) return picked(plain);
  const found = await Promise.all(entries.map(within));
  return tidy(found.flat());
}

/** The files of an input, each with its path. */
export function picked(files) {
  return tidy([...files].map((file) => ({ path: file.webkitRelativePath || file.name, file })));
}

/** The paths of those that no training can use: neither pictures nor archives or arrays of them. */
export function useless(files) {
  return files.map(({ path }) => path).filter((path) => !USED.test(path));
}

/** The parts of the form: the files as they are, or one TAR of all where there are folders. */
export function parts(files) {
  return files.some(({ path }) => path.includes("/")) ? [tar(files)] : files.map(({ file }) => file);
}

/** A name for the pictures: the folder's, the archive's, or the first file's. */
export function nameOf(files) {
  const [first] = files[0].path.split("/");
  return first.replace(/(\.tar)?\.[^.]+$/, "").slice(0, 200) || "pictures";
}

function tidy(files) {
  return files.filter(({ path }) => !JUNK.test(path)).sort((a, b) => a.path.localeCompare(b.path, "en", { numeric: true }));
}

async function within(entry) {
  const path = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) return [{ path, file: await new Promise((resolve, reject) => { entry.file(resolve, reject); }) }];
  const reader = entry.createReader();
  const children = [];
  for (;;) { // it hands out a hundred at a time
    const some = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
    if (!some.length) break;
    children.push(...some);
  }
  return (await Promise.all(children.map(within))).flat();
}
