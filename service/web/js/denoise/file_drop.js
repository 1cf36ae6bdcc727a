// Pictures that are dropped anywhere on the page, or pasted.

import { element } from "../dom.js";

export const KINDS = "image/png,image/jpeg,image/webp,image/bmp,image/tiff,.png,.jpg,.jpeg,.webp,.bmp,.tif,.tiff";

/** Call `take(files)` for each drop on the page and each paste, until the signal. */
export function acceptFiles(take, signal) {
  let depth = 0; // a drag enters an element before it leaves that element's parent
  const cover = element("div", { class: "drop-cover", "aria-hidden": "true" }, element("p", {}, "Drop to denoise"));
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  const end = () => {
    depth = 0;
    cover.remove();
  };
  const on = (name, act) => document.addEventListener(name, act, { signal });
  on("dragenter", (event) => {
    if (hasFiles(event) && depth++ === 0) document.body.append(cover);
  });
  on("dragleave", (event) => {
    if (hasFiles(event) && --depth <= 0) end();
  });
  on("dragover", (event) => {
    if (hasFiles(event)) event.preventDefault();
  });
  on("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    end();
    take([...event.dataTransfer.files]);
  });
  on("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    take(files);
  });
  signal.addEventListener("abort", end);
}
