// A model as a card: what it is for, how good it is, where it comes from, and buttons.

import { element, icon } from "../dom.js";
import { bytes, grouped } from "../format.js";
import { figures } from "./figures.js";
import { versions } from "./versions.js";

const SOURCES = { shipped: "shipped", trained: "trained here", uploaded: "uploaded" };

/** Create the card; `act` has `download(id, format)`, `promote(id)`, `rollBack(name)` and `remove(id, whole)`, which report their own errors. */
export function card(model, act) {
  const heading = `model-${model.name}`;
  const remove = element("button", { type: "button", class: "button compact danger", on: { click: () => act.remove(model.name, true) } },
    icon("trash"), "Delete");
  return element("article", { class: "card model", "aria-labelledby": heading, data: { model: model.name } },
    element("header", {},
      element("h2", { id: heading }, model.name),
      element("span", { class: "badge" }, `version ${model.version}`),
      element("span", { class: model.source === "trained" ? "badge good" : "badge" }, SOURCES[model.source]),
      model.default && element("span", { class: "badge accent", title: "Used by requests that name no model" }, "API default")),
    element("p", { class: "task" }, capital(model.task) || "No description."),
    model.unavailable && element("p", { class: "task" }, `Not served now: ${model.unavailable}`),
    figures(model.metrics),
    element("dl", { class: "traits" },
      trait("Parameters", model.parameters === null ? "–" : grouped(model.parameters)),
      trait("File", bytes(model.bytes)),
      trait("Added", new Date(model.created_at).toLocaleDateString(undefined, { dateStyle: "medium" })),
      trait("SHA-256", element("code", { title: model.sha256 }, model.sha256.slice(0, 12)))),
    lineage(model),
    element("div", { class: "buttons" },
      element("a", { class: "button compact primary", href: `#/denoise?model=${encodeURIComponent(model.name)}` }, "Use this model"),
      element("button", { type: "button", class: "button compact", on: { click: () => act.download(model.id, "safetensors") } },
        icon("download"), "Weights"),
      element("button", { type: "button", class: "button compact", title: "For other runtimes", on: { click: () => act.download(model.id, "onnx") } },
        icon("download"), "ONNX"),
      model.source !== "shipped" && remove),
    versions(model, act),
    details("Architecture, recipe, data", model));
}

function trait(label, value) {
  return element("div", {}, element("dt", {}, label), element("dd", {}, value));
}

/** What it was made from: parents first. */
function lineage({ lineage: { job, dataset, base_sha256: base, commit, n2n } }) {
  const steps = [
    base && ["Started from", element("code", { title: base }, base.slice(0, 12))],
    dataset && ["Dataset", element("code", { title: dataset }, dataset.slice(0, 13))],
    job && ["Training", element("a", { href: `#/train/${encodeURIComponent(job)}` }, "training job")],
    (commit || n2n) && ["Code", `n2n ${n2n ?? "?"}${commit ? `, commit ${commit.slice(0, 8)}` : ""}`],
  ].filter(Boolean);
  return element("dl", { class: "lineage" }, steps.map(([label, value]) => trait(label, value)));
}

function details(title, { architecture, recipe, data, licence }) {
  return element("details", { class: "more" },
    element("summary", {}, title),
    Object.entries({ Architecture: architecture, Recipe: recipe, Data: data }).map(([name, values]) =>
      [element("h3", {}, name), element("dl", { class: "values" }, Object.entries(values).map(([key, value]) => trait(key, plain(value))))]),
    licence && [element("h3", {}, "Licence"), element("p", { class: "hint" }, licence)]);
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function plain(value) {
  return value !== null && typeof value === "object" ? JSON.stringify(value).replaceAll('"', "").replaceAll(",", ", ") : String(value);
}
