// How good a model is, on pictures that were held out from training.

import { element } from "../dom.js";
import { decibels, signed } from "../format.js";
import { advice, gain, noisyPsnr, psnr } from "../psnr.js";

/** Show the gain over the noisy pictures, and the PSNR before and after, as far as they are known. */
export function figures(metrics) {
  const [known, before, better] = [psnr(metrics), noisyPsnr(metrics), gain(metrics)];
  if (known === null) return element("p", { class: "figures hint" }, "Not measured.");
  const estimated = typeof metrics.psnr === "number" ? "" : ", estimated";
  const little = advice(better);
  return element("div", { class: "figures" },
    element("p", { class: "gain" }, better === null ? decibels(known) : `${signed(better)} dB`),
    element("p", { class: "hint" }, better === null ? `PSNR on held-out pictures${estimated}`
      : `PSNR ${before.toFixed(2)} → ${known.toFixed(2)} dB on held-out pictures${estimated}`),
    better > 0 && scale(before, known),
    little && element("p", { class: "problem" }, little));
}

/** Draw both on a line from 15 to 40 dB. */
function scale(before, after) {
  const place = (value) => `${Math.min(100, Math.max(0, (value - 15) / 25 * 100))}%`;
  return element("div", { class: "scale", "aria-hidden": "true", style: { "--from": place(before), "--to": place(after) } });
}
