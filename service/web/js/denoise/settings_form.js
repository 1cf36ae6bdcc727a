// The form: model, strength, self-ensemble and format.

import { json } from "../api.js";
import { element } from "../dom.js";
import { queue } from "./queue.js";

const AUTO = "Uses the best shipped model: photo, or else unet, torch or scratch.";
const FORMATS = [["", "Same as the picture"], ["png", "PNG"], ["jpeg", "JPEG"], ["webp", "WebP, lossless"], ["tiff", "TIFF"]];
const SHALLOW = new Set(["jpeg", "webp"]);

/** Create the form; `wanted` is a model that the address names, or null. */
export function settingsForm(wanted, signal) {
  const model = element("select", { id: "model", "aria-describedby": "model-hint", on: { change: () => choose(model.value) } },
    element("option", { value: "auto" }, "auto"));
  const hint = element("p", { id: "model-hint", class: "hint model-hint" }, AUTO);
  const tasks = new Map([["auto", AUTO]]);
  const strength = element("input", { id: "strength", type: "range", min: 0, max: 100, step: 1, "aria-describedby": "strength-hint",
    on: { input: () => queue.change({ strength: strength.valueAsNumber / 100 }) } });
  const percent = element("output", { for: "strength" });
  const ensemble = element("input", { type: "checkbox", role: "switch", "aria-describedby": "ensemble-hint",
    on: { change: () => queue.change({ ensemble: ensemble.checked }) } });
  const format = element("select", { id: "format", on: { change: () => queue.change({ format: format.value }) } },
    FORMATS.map(([value, label]) => element("option", { value }, label)));
  const depth = element("p", { class: "hint", hidden: true }, "Stores 8 bits per channel: deeper pictures are rounded.");

  const choose = (name) => {
    if (!tasks.has(name)) { // the address names it, but it may have been deleted
      tasks.set(name, "");
      model.append(element("option", { value: name }, name));
    }
    queue.change({ model: name });
  };
  const show = () => {
    const { settings } = queue;
    [model.value, format.value, ensemble.checked] = [settings.model, settings.format, settings.ensemble];
    strength.value = Math.round(settings.strength * 100);
    percent.textContent = `${strength.value} %`;
    depth.hidden = !SHALLOW.has(settings.format);
    hint.textContent = tasks.get(settings.model) ?? "";
  };
  const loadModels = async () => {
    const { models } = await json("/models", { signal });
    for (const each of models) {
      tasks.set(each.id, each.task || `Version ${each.version}, ${each.source}.`);
      if (![...model.options].some((option) => option.value === each.id)) model.append(element("option", { value: each.id }, each.id));
    }
    queue.models = models;
    show();
  };

  queue.addEventListener("settings", show, { signal });
  choose(wanted ?? queue.settings.model);
  show();
  loadModels().catch(() => {}); // `auto` works without the list; an error shows when a picture is sent
  return element("form", { class: "panel", "aria-label": "Denoising settings", on: { submit: (event) => event.preventDefault() } },
    element("div", { class: "field" }, element("label", { for: "model" }, "Model"), model, hint),
    element("div", { class: "field" },
      element("div", { class: "label-row" }, element("label", { for: "strength" }, "Strength"), percent), strength,
      element("p", { id: "strength-hint", class: "hint" }, "Lower values keep some of the grain.")),
    element("label", { class: "switch" }, ensemble,
      element("span", {}, "Self-ensemble",
        element("span", { id: "ensemble-hint", class: "hint block" },
          "Averages eight flips and rotations: slightly better, but takes eight times as long."))),
    element("div", { class: "field" }, element("label", { for: "format" }, "Save as"), format, depth));
}
