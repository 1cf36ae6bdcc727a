// Files, folders and archives that the visitor drops or chooses, for a dataset.

import { tar } from "./tar.js";

const JUNK = /(^|\/)(\.|__MACOSX|Thumbs\.db$)/; // files of operating systems, which the service ignores, too
const LONGEST_NAME = 200; // characters, as in the API
const USED = /\.(png|jpe?g|webp|tiff?|bmp|zip|tar|t?gz|t?bz2|t?xz|pkl|npz)$/i;

/** Return the files of a drop as [{path, file}], folders included. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean); // before any await: the browser empties it afterwards
  const plain = [...transfer.files];
  if (!entries.some((entry) => entry.isDirectory)) return picked(plain);
  const found = await Promise.all(entries.map(within));
  return tidy(found.flat());
}

/** Return the files of an input as [{path, file}]. */
export function picked(files) {
  return tidy([...files].map((file) => ({ path: file.webkitRelativePath || file.name, file })));
}

/** Return the paths of files that are neither pictures nor archives or arrays of them. */
export function unusable(files) {
  return files.map(({ path }) => path).filter((path) => !USED.test(path));
}

/** Return the files to upload: as they are, or as one TAR archive if there are folders. */
export function toUpload(files) {
  return files.some(({ path }) => path.includes("/")) ? [tar(files)] : files.map(({ file }) => file);
}

/** Return a name for the dataset: the name of the folder, the archive or the first file. */
export function nameOf(files) {
  const [first, ...rest] = files[0].path.split("/");
  const name = rest.length ? first : first.replace(/(\.tar)?\.[^.]+$/, "");
  return name.slice(0, LONGEST_NAME) || "pictures";
}

/** Drop junk, and sort by path: 2 before 10. */
function tidy(files) {
  return files.filter(({ path }) => !JUNK.test(path)).sort((a, b) => a.path.localeCompare(b.path, "en", { numeric: true }));
}

/** Return the files of a FileSystemEntry, subfolders included. */
async function within(entry) {
  const path = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) return [{ path, file: await new Promise((resolve, reject) => { entry.file(resolve, reject); }) }];
  const reader = entry.createReader();
  const children = [];
  for (;;) { // readEntries returns at most a hundred at a time
    const some = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
    if (!some.length) break;
    children.push(...some);
  }
  return (await Promise.all(children.map(within))).flat();
}
