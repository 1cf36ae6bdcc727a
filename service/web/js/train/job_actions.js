// The buttons of a training: stop, resume, use, download, delete.

import { json, request } from "../api.js";
import { confirmed } from "../dialog.js";
import { element, icon } from "../dom.js";
import { download } from "../files.js";

/**
 * Create the buttons.
 *
 * @param current returns {job, model, dataset}; `model` and `dataset` may be null
 * @param changed called with the job after a button changed it
 * @returns {nodes}; `nodes()` returns the buttons that the job's state allows
 */
export function jobActions(current, changed, signal) {
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

  async function remove(event) {
    const { currentTarget } = event; // the event loses it while the dialog is open
    const { id } = current().job;
    const text = "Its curves, samples and checkpoint are deleted. Its model is kept.";
    if (!await confirmed("Delete this training?", text, "Delete")) return;
    if (await act({ currentTarget }, `/train-jobs/${id}`, "DELETE")) location.hash = "#/train";
  }

  return {
    nodes() {
      const { job: { id, state, done, resumable }, model, dataset } = current();
      const path = `/train-jobs/${id}`;
      const button = (label, symbol, tone, click) =>
        element("button", { type: "button", class: `button ${tone}`, on: { click } }, icon(symbol), label);
      return [
        !done && state !== "cancelling" && button("Stop", "stop", "", (event) => act(event, `${path}/cancel`)),
        resumable && button("Resume", "play", "primary", (event) => act(event, `${path}/resume`)),
        model && element("a", { class: "button primary", href: `#/denoise?model=${encodeURIComponent(model.id)}` },
          icon("picture"), "Use this model"),
        model && dataset && element("a", { class: "button", href: `#/train/new?dataset=${dataset.id}&base=${encodeURIComponent(model.id)}` },
          icon("play"), "Train longer"),
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
