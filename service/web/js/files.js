// Files from the visitor's disk, and to it.

import { element } from "./dom.js";

/** Let the browser ask for files of these kinds (as the attribute `accept`): `take(files)`. */
export function pickFiles(kinds, take, multiple = true) {
  const input = element("input", { type: "file", multiple, accept: kinds });
  input.addEventListener("change", () => take([...input.files]));
  input.click();
}

/** Save a blob under this name. */
export function offer(blob, name) {
  const address = URL.createObjectURL(blob);
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000); // the browser reads it after the click
}
