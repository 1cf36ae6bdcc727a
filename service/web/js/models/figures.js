// How good a model is, on pictures that its training never saw.

import { element } from "../dom.js";
import { advice, gain, noisyPsnr, psnr, signed } from "../psnr.js";

/** What is gained over the noisy pictures, and the PSNR before and after, as far as they are known. */
export function figures(metrics) {
  const [known, before, better] = [psnr(metrics), noisyPsnr(metrics), gain(metrics)];
  if (known === null) return element("p", { class: "figures hint" }, "Not measured.");
  const estimated = typeof metrics.psnr === "number" ? "" : ", estimated";
  const little = advice(better);
  return element("div", { class: "figures" },
    element("p", { class: "gain" }, better === null ? `${known.toFixed(2)} dB` : `${signed(better)} dB`),
    element("p", { class: "hint" }, better === null ? `PSNR on held-out pictures${estimated}`
      : `PSNR ${before.toFixed(2)} → ${known.toFixed(2)} dB on held-out pictures${estimated}`),
    better > 0 && scale(before, known),
    little && element("p", { class: "problem" }, little));
}

/** The two as places on a line of 15 to 40 dB. */
function scale(before, after) {
  const place = (value) => `${Math.min(100, Math.max(0, (value - 15) / 25 * 100))}%`;
  return element("div", { class: "scale", "aria-hidden": "true", style: { "--from": place(before), "--to": place(after) } });
}
