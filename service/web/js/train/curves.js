// The charts of a run, drawn anew as its history grows.

import { element } from "../dom.js";
import { chart } from "./chart.js";
import { decibels, loss } from "./job_states.js";

const NOISY = { color: "--curve-noisy", dashed: true };

/** The charts; `{node, update, destroy}`, `update()` after the history has grown. */
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

/** Why the loss stops where it does. */
function aboutFloor({ floor, start }) {
  if (floor !== null) {
    return `The loss stops near ${loss(floor)}, and should: it compares with pictures that are noisy themselves, and nothing ` +
      "predicts their noise, whose variance this is. How good the model is, the PSNR tells.";
  }
  if (!start) return "";
  return "How good the model is, the PSNR tells. Where targets are noisy, the loss stops at the variance of their noise, " +
    "which is not known here.";
}

function aboutPsnr(epochs, denoised, noisy) {
  const known = denoised.filter((value) => value !== null);
  if (!known.length) return "No values yet.";
  const before = noisy.at(-1) === null ? "" : `, the noisy pictures ${decibels(noisy.at(-1))}`;
  return `After ${epochs.length} epochs ${decibels(known.at(-1))}, at best ${decibels(Math.max(...known))}${before}.`;
}

function aboutLoss({ x, training }, floor) {
  const known = training.filter((value) => value !== null);
  if (!known.length) return "No values yet.";
  return `From ${loss(known[0])} to ${loss(known.at(-1))} at step ${x.at(-1)}${floor === null ? "" : `; noise floor ${loss(floor)}`}.`;
}
