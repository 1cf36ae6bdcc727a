// What is known about the picture on view: a line of figures whose places are kept free.

import { element } from "../dom.js";
import { bytes, grouped, rounded, seconds } from "../format.js";

const NOISE = "Standard deviation of the noise, estimated from the picture alone, in the file's own values from black (0) to white";
const WHITE = { 8: 255, 16: 65535, 32: 1 }; // by bits a channel

/** The line; `show(item, answer)` fills it, with the answer that would be saved, or null: what is known then is old. */
export function facts() {
  const places = {
    noise: place("Noise", NOISE),
    model: place("Model"),
    time: place("Time", "On the service, without the way there and back"),
    size: place("Size"),
    file: place("File"),
  };
  const root = element("dl", { class: "facts" }, Object.values(places));
  const show = (item, answer) => {
    root.classList.toggle("is-old", Boolean(item?.result) && !answer);
    const report = answer?.report ?? item?.result?.report ?? null;
    places.noise.firstChild.textContent = `Noise, of ${grouped(WHITE[report?.bits ?? 8])}`;
    const known = {
      noise: report && noiseOf(report),
      model: item?.result && modelOf(item.result),
      time: report && seconds(Object.values(report.milliseconds).reduce((sum, value) => sum + value, 0)),
      size: item?.width && `${item.width} × ${item.height}${report ? `, ${report.bits} bit` : ""}`,
      file: item && (answer ? `${bytes(item.file.size)} → ${bytes(answer.blob.size)}` : bytes(item.file.size)),
    };
    for (const [name, node] of Object.entries(places)) node.lastChild.textContent = known[name] || "–";
  };
  show(null, null);
  return { root, show };
}

/** Before and after, in the values of the file. */
export function noiseOf({ bits, noise: { before, after } }) {
  return [before, after].map((level) => rounded(level / 255 * WHITE[bits])).join(" → ");
}

function place(label, title = null) {
  return element("div", { title }, element("dt", {}, label), element("dd"));
}

function modelOf({ model, report }) {
  return report?.version ? `${model} v${report.version}` : model;
}
