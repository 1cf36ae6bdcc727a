// The choices: model, strength, self-ensemble, format.

import { json } from "../api.js";
import { element } from "../dom.js";
import { queue } from "./queue.js";

const AUTO = "Looks at the picture, and takes the shipped model that suits its noise.";
const FORMATS = [["", "As the picture is"], ["png", "PNG"], ["jpeg", "JPEG"], ["webp", "WebP, lossless"], ["tiff", "TIFF"]];
const SHALLOW = new Set(["jpeg", "webp"]);

/** The form; `wanted` is a model that the address names, or null. */
export function panel(wanted, signal) {
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
  const depth = element("p", { class: "hint", hidden: true }, "Keeps 8 bits a channel: deeper pictures are rounded.");

  const choose = (name) => {
    if (!tasks.has(name)) { // named by the address, and perhaps gone
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
  const list = async () => {
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
  list().catch(() => {}); // `auto` works without; what is wrong is told when a picture is sent
  return element("form", { class: "panel", "aria-label": "How to denoise", on: { submit: (event) => event.preventDefault() } },
    element("div", { class: "field" }, element("label", { for: "model" }, "Model"), model, hint),
    element("div", { class: "field" },
      element("div", { class: "label-row" }, element("label", { for: "strength" }, "Strength"), percent), strength,
      element("p", { id: "strength-hint", class: "hint" }, "Less keeps some of the grain.")),
    element("label", { class: "switch" }, ensemble,
      element("span", {}, "Self-ensemble",
        element("span", { id: "ensemble-hint", class: "hint block" },
          "The mean of eight flips and turns: a little better, at eight times the work."))),
    element("div", { class: "field" }, element("label", { for: "format" }, "Save as"), format, depth));
}
