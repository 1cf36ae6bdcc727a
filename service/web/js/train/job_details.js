// A run's log and recipe, folded away.

import { element, icon } from "../dom.js";
import { request } from "../api.js";
import { offer } from "../files.js";

/** `{node, tell, update}`: `tell()` when the history has grown, `update(job)` when the job has changed. */
export function details(id, history, signal) {
  const told = element("pre", { class: "log", tabindex: "0", "aria-label": "Events" });
  const printed = element("pre", { class: "log", tabindex: "0", "aria-label": "What the trainer printed" });
  const log = element("details", { class: "card", on: { toggle: () => { tell(); print(); } } }, element("summary", {}, "Log"),
    told, element("h2", {}, "What the trainer printed"), printed,
    element("div", { class: "downloads" }, file("Log", "log", `${id}.txt`), file("Figures, as CSV", "metrics?format=csv", `${id}.csv`)));
  const recipe = element("tbody");
  const node = element("div", { class: "run-details" }, log,
    element("details", { class: "card" }, element("summary", {}, "Recipe"), element("table", { class: "recipe" },
      element("caption", { class: "visually-hidden" }, "How it is trained"), recipe)));

  function tell() {
    if (!log.open) return;
    const atEnd = told.scrollTop + told.clientHeight >= told.scrollHeight - 8;
    told.textContent = history.lines.join("\n") || "Nothing has happened yet.";
    if (atEnd) told.scrollTop = told.scrollHeight;
  }

  async function print() {
    if (!log.open) return;
    try {
      const text = await (await request(`/train-jobs/${id}/log`, { signal })).text();
      printed.textContent = text.trim().split("\n").slice(-200).join("\n") || "Nothing.";
    } catch {
      // the next change of the job's state tries again
    }
  }

  function file(label, path, name) {
    const save = async () => offer(await (await request(`/train-jobs/${id}/${path}`, { signal })).blob(), name);
    return element("button", { type: "button", class: "button compact", on: { click: () => save().catch(() => {}) } },
      icon("download"), label);
  }

  return {
    node,
    tell,
    update(job) {
      recipe.replaceChildren(...Object.entries(job.spec).filter(([, value]) => value !== null).map(([key, value]) =>
        element("tr", {}, element("th", { scope: "row" }, key.replaceAll("_", " ")),
          element("td", {}, typeof value === "object" ? JSON.stringify(value) : String(value)))));
      print();
    },
  };
}
