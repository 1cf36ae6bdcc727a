// What the stage shows before there is a picture.

import { element, icon } from "../dom.js";
import { pickFiles } from "../files.js";
import { KINDS } from "./file_drop.js";
import { queue } from "./queue.js";

const SAMPLES = [
  { file: "camera.png", label: "A noisy photo" },
  { file: "render.png", label: "A noisy render", suited: "unet" }, // `auto` would mistake its highlights for noise
];

/** Create a place to drop pictures on, with samples to try; `take(files)` adds pictures. */
export function welcome(take) {
  return element("div", { class: "welcome" },
    element("div", { class: "welcome-text" },
      icon("picture"),
      element("h2", {}, "Drop noisy pictures here"),
      element("p", { class: "muted" }, "or paste them, or"),
      element("button", { type: "button", class: "button primary", on: { click: () => pickFiles(KINDS, take) } }, "Choose pictures"),
      element("p", { class: "hint" }, "PNG, JPEG, WebP, TIFF and BMP. 16-bit pictures stay 16-bit. Pictures are sent to this service only.")),
    element("div", { class: "samples", role: "group", "aria-label": "Samples" },
      element("p", { class: "hint" }, "No picture at hand? Try a sample"),
      SAMPLES.map((sample) => element("button", { type: "button", class: "sample", on: { click: () => addSample(sample) } },
        element("img", { src: `/web/samples/${sample.file.replace(".png", "-small.webp")}`, alt: "", width: 132, height: 88 }),
        sample.label))));
}

/** Add a sample. The settings stay as they are. */
async function addSample({ file, suited }) {
  const answer = await fetch(`/web/samples/${file}`);
  const isServed = queue.models.some(({ id }) => id === suited);
  queue.add([new File([await answer.blob()], file, { type: "image/png" })], isServed ? suited : null);
  document.querySelector(".compare").focus({ preventScroll: true }); // the focused button is hidden now
}
