// The page of a new training: pictures, checks, recipe.

import { json } from "../api.js";
import { announce, element } from "../dom.js";
import { datasetForm } from "./dataset_form.js";
import { datasetReport } from "./dataset_report.js";
import { recipeForm } from "./recipe_form.js";

/** Show the form in `root`; `query` may have a `dataset`, and a model `base` to start from. */
export async function newJob(root, query, signal) {
  const { models } = await json("/models", { signal });
  let dataset = null;
  let key = newKey();
  const checks = step(2, "Checks");
  const recipe = recipeForm(models);
  const plan = step(3, "Training", recipe.node);
  const begin = element("button", { class: "button primary large" });
  const problem = element("div", { "aria-live": "assertive" });
  const end = element("div", { class: "start-end" }, begin, problem);
  const choice = datasetForm(show, signal);
  const form = element("form", { class: "start", on: { submit, input: () => { key = newKey(); } } },
    step(1, "Pictures", choice.node), checks, plan, end);
  root.append(
    element("header", { class: "page-head narrow" }, element("div", {}, element("a", { href: "#/train", class: "back" }, "Trainings"),
      element("h1", {}, "New training"),
      element("p", { class: "muted" }, "The model learns your noise from noisy pictures alone. Clean pictures are not needed."))),
    form);
  show(null);
  if (query.get("base")) recipe.startFrom(query.get("base"));
  if (query.get("dataset")) await choice.choose(query.get("dataset"));

  /** Show what belongs to a dataset; null if none is chosen. */
  function show(found) {
    dataset = found;
    key = newKey();
    checks.hidden = plan.hidden = end.hidden = found === null;
    problem.replaceChildren();
    if (!found) return;
    history.replaceState(null, "", `#/train/new?dataset=${found.id}`);
    checks.querySelector(".step-body")?.remove();
    checks.append(element("div", { class: "step-body" }, datasetReport(found, signal)));
    const { verdict } = found.report;
    plan.hidden = end.hidden = verdict === "refuse";
    begin.textContent = verdict === "warning" ? "Train despite the warnings" : "Start training";
    recipe.fit(found);
    announce(`Checks finished: ${verdict}.`);
  }

  async function submit(event) {
    event.preventDefault();
    if (!dataset || begin.hidden) return; // Enter was pressed in a field
    begin.disabled = true;
    problem.replaceChildren();
    try {
      const order = { dataset: dataset.id, ...recipe.read(), ...(dataset.report.verdict === "warning" ? { force: true } : {}) };
      const job = await json("/train-jobs", { json: order, headers: { "Idempotency-Key": key }, signal });
      location.hash = `#/train/${job.id}`;
    } catch (error) {
      if (signal.aborted) return;
      begin.disabled = false;
      problem.replaceChildren(element("p", { class: "notice bad", role: "alert" },
        element("strong", {}, "The training did not start. "), error.message));
      const [fault] = error.errors ?? [];
      if (fault) document.getElementById(fault.pointer.replace("body/", ""))?.focus();
    }
  }
}

function step(number, title, body = null) {
  return element("section", { class: "card step", "aria-labelledby": `step-${number}` },
    element("h2", { id: `step-${number}` }, element("span", { class: "step-number", "aria-hidden": "true" }, number), title), body);
}

/** Return an idempotency key, so that a request that is sent twice makes one job. randomUUID works with HTTPS only. */
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(36)).join("-");
}
