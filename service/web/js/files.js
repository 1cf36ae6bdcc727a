// Files from the visitor's disk, and downloads to it.

import { element } from "./dom.js";

/** Open the browser's file dialog, and call `take(files)`; `kinds` is an `accept` attribute. */
export function pickFiles(kinds, take, multiple = true) {
  const input = element("input", { type: "file", multiple, accept: kinds });
  input.addEventListener("change", () => take([...input.files]));
  input.click();
}

/** Download a blob under this name. */
export function download(blob, name) {
  const address = URL.createObjectURL(blob);
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000); // the browser reads it after the click
}
