// How good a model is, on pictures that its training never saw.

import { element } from "../dom.js";

/** The PSNR before and after, and what is gained, as far as it was measured; others by their names. */
export function figures(metrics) {
  const { psnr, noisy_psnr: before, ...others } = metrics;
  const estimate = others.psnr_estimate;
  const known = psnr ?? estimate;
  if (known === undefined || known === null) return element("p", { class: "figures hint" }, "Not measured.");
  const gain = before ? known - before : null;
  return element("div", { class: "figures" },
    element("p", { class: "gain" }, gain === null ? decibels(known) : `+${gain.toFixed(2)} dB`),
    element("p", { class: "hint" },
      gain === null ? `PSNR${psnr ? "" : ", estimated"}, on pictures kept from training` : `PSNR ${before.toFixed(2)} → ${known.toFixed(2)} dB, the mean of held-out pictures`),
    gain !== null && scale(before, known));
}

/** The two as places on a line of 15 to 40 dB. */
function scale(before, after) {
  const place = (value) => `${Math.min(100, Math.max(0, (value - 15) / 25 * 100))}%`;
  return element("div", { class: "scale", "aria-hidden": "true", style: { "--from": place(before), "--to": place(after) } });
}

function decibels(value) {
  return `${value.toFixed(2)} dB`;
}
