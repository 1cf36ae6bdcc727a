// A training's log and recipe, which open on a click.

import { request } from "../api.js";
import { element, icon } from "../dom.js";
import { download } from "../files.js";

/** Create both: {node, showEvents, update}. Call `showEvents()` when the history has grown, `update(job)` when the job has changed. */
export function jobDetails(id, history, signal) {
  const lines = element("pre", { class: "log", tabindex: "0", "aria-label": "Events" });
  const printed = element("pre", { class: "log", tabindex: "0", "aria-label": "Trainer output" });
  const log = element("details", { class: "card", on: { toggle: () => { showEvents(); print(); } } }, element("summary", {}, "Log"),
    lines, element("h2", {}, "Trainer output"), printed,
    element("div", { class: "downloads" }, file("Log", "log", `${id}.txt`), file("Metrics as CSV", "metrics?format=csv", `${id}.csv`)));
  const recipe = element("tbody");
  const node = element("div", { class: "run-details" }, log,
    element("details", { class: "card" }, element("summary", {}, "Recipe"), element("table", { class: "recipe" },
      element("caption", { class: "visually-hidden" }, "Recipe"), recipe)));

  function showEvents() {
    if (!log.open) return;
    const atEnd = lines.scrollTop + lines.clientHeight >= lines.scrollHeight - 8;
    lines.textContent = history.lines.join("\n") || "No events yet.";
    if (atEnd) lines.scrollTop = lines.scrollHeight;
  }

  async function print() {
    if (!log.open) return;
    try {
      const text = await (await request(`/train-jobs/${id}/log`, { signal })).text();
      printed.textContent = text.trim().split("\n").slice(-200).join("\n") || "No output.";
    } catch {
      // the next change of the job tries again
    }
  }

  function file(label, path, name) {
    const save = async () => download(await (await request(`/train-jobs/${id}/${path}`, { signal })).blob(), name);
    return element("button", { type: "button", class: "button compact", on: { click: () => save().catch(() => {}) } },
      icon("download"), label);
  }

  return {
    node,
    showEvents,
    update(job) {
      recipe.replaceChildren(...Object.entries(job.spec).filter(([, value]) => value !== null).map(([key, value]) =>
        element("tr", {}, element("th", { scope: "row" }, key.replaceAll("_", " ")),
          element("td", {}, typeof value === "object" ? JSON.stringify(value) : String(value)))));
      print();
    },
  };
}
