// What can be done with a training: stop, go on, use, download, delete.

import { json, request } from "../api.js";
import { confirmed } from "../dialog.js";
import { element, icon } from "../dom.js";
import { offer } from "../files.js";

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

  async function remove(event) {
    const { currentTarget } = event; // gone after the question
    const { id } = current().job;
    const text = "Its curves, samples and checkpoint are deleted. A model that came of it stays.";
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
        resumable && button("Go on", "play", "primary", (event) => act(event, `${path}/resume`)),
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
    if (answer) offer(await answer.blob(), name);
    const button = event.target.closest("button");
    if (button) button.disabled = false;
  }
}
