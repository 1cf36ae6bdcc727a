// The charts of a training, which grow with its history.

import { element } from "../dom.js";
import { decibels, loss } from "../format.js";
import { chart } from "./chart.js";

const NOISY = { color: "--curve-noisy", dashed: true };

/** Create the charts: {node, update, destroy}. Call `update()` when the history has grown. */
export async function curves(history) {
  const note = element("p", { class: "hint floor-note" });
  const made = await Promise.all([
    chart({ title: "PSNR on held-out pictures", x: "epoch", format: decibels, series: [
      { label: "Denoised", color: "--curve-1", points: true }, { label: "Noisy", ...NOISY }] }),
    chart({ title: "Loss", x: "step", format: loss, logarithmic: true, note, series: [
      { label: "Training", color: "--curve-1" }, { label: "Validation", color: "--curve-2", points: true },
      { label: "Noise floor", ...NOISY }] }),
    chart({ title: "Learning rate", x: "step", format: (value) => value.toExponential(1), series: [
      { label: "Learning rate", color: "--curve-1" }] }),
  ]);
  const [quality, losses, rate] = made;
  const node = element("div", { class: "charts" }, quality.node, losses.node,
    element("details", { class: "more-curves" }, element("summary", {}, "Learning rate"), rate.node));
  let due = false;

  function draw() {
    due = false;
    const { x, denoised, noisy } = history.psnrs();
    quality.update([x, denoised, noisy], aboutPsnr(x, denoised, noisy));
    const found = history.losses();
    losses.update([found.x, found.training, found.validation, found.floor], aboutLoss(found, history.floor));
    const rates = history.rates();
    rate.update([rates.x, rates.rate], rates.x.length ? `Now ${rates.rate.at(-1).toExponential(1)}.` : "No values yet.");
    note.textContent = aboutFloor(history);
  }

  return {
    node,
    update() {
      if (due) return;
      due = true;
      requestAnimationFrame(() => due && draw());
    },
    destroy() {
      due = false;
      for (const one of made) one.destroy();
    },
  };
}

/** Explain why the loss does not fall to 0. */
function aboutFloor({ floor, start }) {
  if (floor !== null) {
    return `The loss stops near ${loss(floor)}, the variance of the noise: its targets are noisy themselves, and nothing can ` +
      "predict their noise. The PSNR shows how good the model is.";
  }
  if (!start) return "";
  return "The PSNR shows how good the model is. If the targets are noisy, the loss stops near the variance of their noise, " +
    "which is not known here.";
}

function aboutPsnr(epochs, denoised, noisy) {
  const known = denoised.filter((value) => value !== null);
  if (!known.length) return "No values yet.";
  const before = noisy.at(-1) === null ? "" : `, noisy pictures ${decibels(noisy.at(-1))}`;
  return `After epoch ${epochs.at(-1)}: ${decibels(known.at(-1))}, best ${decibels(known.reduce((best, value) => Math.max(best, value)))}${before}.`;
}

function aboutLoss({ x, training }, floor) {
  const known = training.filter((value) => value !== null);
  if (!known.length) return "No values yet.";
  return `From ${loss(known[0])} to ${loss(known.at(-1))} at step ${x.at(-1)}${floor === null ? "" : `; noise floor ${loss(floor)}`}.`;
}
