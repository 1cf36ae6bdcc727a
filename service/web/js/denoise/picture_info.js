// The line below the comparison: noise, model, time, size and file size of the selected picture.

import { element } from "../dom.js";
import { bytes, counted, grouped, rounded, seconds } from "../format.js";

const NOISE = "Standard deviation of the noise, estimated from the picture alone, in the file's own values (0 is black)";
const WHITE = { 8: 255, 16: 65535, 32: 1 }; // by bits per channel

/** Create the line; `show(item, answer)` fills it. `answer` is what would be downloaded; if it is null, old figures are shown in grey. */
export function pictureInfo() {
  const places = {
    noise: place("Noise", NOISE),
    model: place("Model"),
    time: place("Time", "Time on the service, without the transfer"),
    size: place("Size"),
    file: place("File"),
  };
  const root = element("dl", { class: "facts" }, Object.values(places));
  const show = (item, answer) => {
    root.classList.toggle("is-old", Boolean(item?.result) && !answer);
    const report = (answer ?? item?.result)?.report;
    const pages = report?.pages > 1 ? `, ${counted(report.pages, "page")}` : "";
    places.noise.firstChild.textContent = `Noise ${pages && "of page 1 "}(0–${grouped(WHITE[report?.bits ?? 8])})`;
    const known = {
      noise: report && noiseOf(report),
      model: report && modelOf(report),
      time: report && seconds(millisecondsOf(report)),
      size: item?.width && `${item.width} × ${item.height}${report ? `, ${report.bits} bit${pages}` : ""}`,
      file: item && (answer ? `${bytes(item.file.size)} → ${bytes(answer.blob.size)}` : bytes(item.file.size)),
    };
    for (const [name, node] of Object.entries(places)) node.lastChild.textContent = known[name] || "–";
  };
  show(null, null);
  return { root, show };
}

/** Format the noise before and after, in the values of the file. */
export function noiseOf({ bits, noise: { before, after } }) {
  return [before, after].map((level) => rounded(level / 255 * WHITE[bits])).join(" → ");
}

/** Return the time that the service needed, all stages together. */
export function millisecondsOf({ milliseconds }) {
  return Object.values(milliseconds).reduce((sum, value) => sum + value, 0);
}

function place(label, title = null) {
  return element("div", { title }, element("dt", {}, label), element("dd"));
}

function modelOf({ model, version }) {
  return version ? `${model} v${version}` : model;
}
