// What can be done with a training: stop, go on, use, download, delete.

import { element, icon } from "../dom.js";
import { json, request } from "../api.js";

/**
 * The buttons of a run's page.
 *
 * @param current gives the job as it is, and its model if that is there: {job, model}
 * @param changed gets the job when one of them changed it
 * @returns {nodes}; `nodes()` makes those that the job's state allows
 */
export function actions(current, changed, signal) {
  const problem = element("p", { class: "notice bad action-problem", role: "alert", hidden: true });

  async function act(event, path, method = "POST") {
    const button = event.currentTarget;
    button.disabled = true;
    problem.hidden = true;
    try {
      return method === "POST" ? changed(await json(path, { method, signal })) : await request(path, { method, signal });
    } catch (error) {
      if (signal.aborted) return null;
      button.disabled = false;
      problem.hidden = false;
      problem.textContent = error.message;
      return null;
    }
  }

  function remove() {
    const { id } = current().job;
    confirm("Delete this training?", "Its curves, samples and checkpoint are deleted. A model that came of it stays.", async (event) => {
      if (await act(event, `/train-jobs/${id}`, "DELETE")) location.hash = "#/train";
    });
  }

  return {
    nodes() {
      const { job: { id, state, done, resumable }, model } = current();
      const path = `/train-jobs/${id}`;
      const button = (label, symbol, tone, click) =>
        element("button", { type: "button", class: `button ${tone}`, on: { click } }, icon(symbol), label);
      return [
        !done && state !== "cancelling" && button("Stop", "stop", "", (event) => act(event, `${path}/cancel`)),
        resumable && button("Go on", "play", "primary", (event) => act(event, `${path}/resume`)),
        model && element("a", { class: "button primary", href: `#/denoise?model=${encodeURIComponent(model.id)}` },
          icon("picture"), "Use this model"),
        model && button("Weights", "download", "", (event) =>
          save(event, `/models/${encodeURIComponent(model.id)}/download`, `${model.name}.safetensors`)),
        done && button("Delete", "trash", "quiet", remove),
        problem,
      ];
    },
  };

  async function save(event, from, name) {
    const answer = await act(event, from, "GET");
    if (answer) download(await answer.blob(), name);
    const button = event.target.closest("button");
    if (button) button.disabled = false;
  }
}

/** Hand a file to the browser's downloads. */
export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Ask before something that cannot be undone. */
function confirm(question, consequence, then) {
  const dialog = element("dialog", { class: "dialog", "aria-labelledby": "confirm-title" },
    element("h2", { id: "confirm-title" }, question), element("p", {}, consequence),
    element("div", { class: "dialog-buttons" },
      element("button", { type: "button", class: "button", on: { click: () => dialog.close() } }, "Keep it"),
      element("button", { type: "button", class: "button danger", on: { click: (event) => { then(event); dialog.close(); } } }, "Delete")));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
