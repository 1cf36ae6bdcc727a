// Held-out pictures denoised after each epoch; a click enlarges them.

import { element } from "../dom.js";
import { json } from "../api.js";
import { decibels } from "../format.js";
import { psnr } from "../psnr.js";
import { boxesOf, canvas, cells } from "./sheet.js";

/**
 * Create the strip of a job's samples.
 *
 * @param reference what the references are: "Clean" or "Other shot"
 * @returns {node, refresh, showPsnr}; `refresh()` loads new samples, `showPsnr(epoch)` shows what the history has of an epoch
 */
export function filmstrip(job, history, reference, signal) {
  const list = element("ol", { class: "film", tabindex: "0", "aria-label": "Samples by epoch" });
  const empty = element("p", { class: "muted" }, "The first samples appear after the first epoch.");
  const node = element("section", { class: "card samples", "aria-labelledby": "samples-title" },
    element("div", { class: "section-head" }, element("h2", { id: "samples-title" }, "Samples"),
      element("p", { class: "muted small" }, "Held-out pictures, denoised after each epoch.")), empty, list);
  const frames = new Map(); // by epoch
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting) target.load();
  }, { root: list, rootMargin: "0px 400px" });
  signal.addEventListener("abort", () => seen.disconnect());

  function add(sample, grid) {
    const load = once(() => cells(sample.href, boxesOf(grid), signal));
    const figure = element("span", { class: "muted" });
    const button = element("button", { type: "button", class: "film-frame", on: { click: () => open(sample.epoch) } },
      element("span", { class: "cell" }), element("span", { class: "film-caption" }, `Epoch ${sample.epoch}`, figure));
    const frame = { figure, load, item: element("li", {}, button) };
    frame.item.load = async () => {
      seen.unobserve(frame.item);
      const cell = (await load().catch(() => [])).find(({ shown }) => shown === "denoised" || !shown);
      if (cell) button.firstChild.replaceWith(canvas(cell, cell.shown ? "Denoised picture" : "Samples"));
    };
    frames.set(sample.epoch, frame);
    showPsnr(sample.epoch);
    list.append(frame.item);
    seen.observe(frame.item);
  }

  function showPsnr(epoch) { // samples are there at once, their events come later
    const known = history.epochs.get(epoch);
    if (known && frames.has(epoch)) frames.get(epoch).figure.textContent = decibels(psnr(known));
  }

  function open(epoch) {
    const epochs = [...frames.keys()].sort((a, b) => a - b);
    enlarged(epochs, epoch, (chosen) => frames.get(chosen).load(), (chosen) => history.epochs.get(chosen), reference);
  }

  return {
    node,
    showPsnr,
    async refresh() {
      const { samples, grid } = await json(`/train-jobs/${job}/samples`, { signal });
      const atEnd = list.scrollLeft + list.clientWidth >= list.scrollWidth - 8;
      for (const sample of samples) if (!frames.has(sample.epoch)) add(sample, grid);
      empty.hidden = frames.size > 0;
      list.hidden = !frames.size;
      if (atEnd) list.scrollLeft = list.scrollWidth;
    },
  };
}

/** Open a dialog with the samples of an epoch, and buttons to the epochs before and after. */
function enlarged(epochs, first, load, figures, reference) {
  const title = element("h2", { id: "enlarged-title" });
  const place = element("div", { class: "enlarged-cells" });
  const go = (step) => show(epochs[epochs.indexOf(current) + step] ?? current);
  const earlier = element("button", { type: "button", class: "button", on: { click: () => go(-1) } }, "Previous");
  const later = element("button", { type: "button", class: "button", on: { click: () => go(1) } }, "Next");
  const close = element("button", { type: "button", class: "button primary", on: { click: () => dialog.close() } }, "Close");
  const dialog = element("dialog", { class: "dialog enlarged", "aria-labelledby": "enlarged-title" },
    element("div", { class: "enlarged-head" }, title, earlier, later, close), place);
  let current = first;

  async function show(epoch) {
    current = epoch;
    earlier.disabled = epoch === epochs[0];
    later.disabled = epoch === epochs.at(-1);
    const figure = figures(epoch);
    title.textContent = `Epoch ${epoch}${figure && psnr(figure) !== null ? `, ${decibels(psnr(figure))}` : ""}`;
    const found = await load(epoch);
    if (epoch !== current) return;
    const names = { noisy: "Noisy", denoised: "Denoised", reference };
    const columns = new Set(found.flatMap(({ shown }) => shown ?? []));
    place.replaceChildren(...[...columns].map((shown) => element("span", { class: "muted small" }, names[shown])),
      ...found.map((cell) => canvas(cell, cell.shown ? `${names[cell.shown]}, picture ${cell.scene + 1}` : `Samples of epoch ${epoch}`)));
  }

  dialog.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) go(step);
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  show(first);
  dialog.showModal();
}

/** Return a function that calls `make` once and keeps its result; after a failure it calls `make` again. */
function once(make) {
  let made = null;
  return () => {
    made ??= make().catch((error) => { made = null; throw error; });
    return made;
  };
}
