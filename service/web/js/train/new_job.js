// A new training: pictures, their checks, a recipe, one button.

import { announce, element } from "../dom.js";
import { json } from "../api.js";
import { report } from "./dataset_report.js";
import { pictures } from "./dataset_form.js";
import { recipe } from "./recipe_form.js";

/** The form in `root`; `query`: `dataset`, one to begin with. */
export async function start(root, query, signal) {
  const { models } = await json("/models", { signal });
  let dataset = null;
  let key = newKey();
  const checks = step(2, "What the checks say");
  const how = recipe(models);
  const plan = step(3, "Training", how.node);
  const begin = element("button", { class: "button primary large" });
  const problem = element("div", { "aria-live": "assertive" });
  const end = element("div", { class: "start-end" }, begin, problem);
  const choice = pictures(chosen, signal);
  const form = element("form", { class: "start", on: { submit, input: () => { key = newKey(); } } },
    step(1, "Pictures", choice.node), checks, plan, end);
  root.append(
    element("header", { class: "page-head narrow" }, element("div", {}, element("a", { href: "#/train", class: "back" }, "Trainings"),
      element("h1", {}, "New training"),
      element("p", { class: "muted" }, "A model learns your own noise from noisy pictures alone. Nobody needs clean ones."))),
    form);
  chosen(null);
  if (query.get("base")) how.startFrom(query.get("base"));
  if (query.get("dataset")) await choice.choose(query.get("dataset"));

  function chosen(found) {
    dataset = found;
    key = newKey();
    checks.hidden = plan.hidden = end.hidden = found === null;
    problem.replaceChildren();
    if (!found) return;
    history.replaceState(null, "", `#/train/new?dataset=${found.id}`);
    checks.querySelector(".step-body")?.remove();
    checks.append(element("div", { class: "step-body" }, report(found, signal)));
    const { verdict } = found.report;
    plan.hidden = end.hidden = verdict === "refuse";
    begin.textContent = verdict === "warning" ? "Train in spite of the warnings" : "Start training";
    how.fit(found);
    announce(`The pictures are checked: ${verdict}.`);
  }

  async function submit(event) {
    event.preventDefault();
    if (!dataset || begin.hidden) return; // Enter in a field
    begin.disabled = true;
    problem.replaceChildren();
    try {
      const order = { dataset: dataset.id, ...how.read(), ...(dataset.report.verdict === "warning" ? { force: true } : {}) };
      const job = await json("/train-jobs", { json: order, headers: { "Idempotency-Key": key }, signal });
      location.hash = `#/train/${job.id}`;
    } catch (error) {
      if (signal.aborted) return;
      begin.disabled = false;
      problem.replaceChildren(element("p", { class: "notice bad", role: "alert" },
        element("strong", {}, "It did not start. "), error.message));
      const [fault] = error.errors ?? [];
      if (fault) document.getElementById(fault.pointer.replace("body/", ""))?.focus();
    }
  }
}

function step(number, title, body = null) {
  return element("section", { class: "card step", "aria-labelledby": `step-${number}` },
    element("h2", { id: `step-${number}` }, element("span", { class: "step-number", "aria-hidden": "true" }, number), title), body);
}

/** What makes a request that is sent twice, as after a lost answer, one job; randomUUID is for https alone. */
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(36)).join("-");
}
