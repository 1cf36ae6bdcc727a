// Step 3 of a new training: the form of the recipe.

import { element } from "../dom.js";
import { ADVANCED, ARCHITECTURES, LENGTHS, nameProblem, recipeFields, suggestedName } from "./recipe_values.js";

/**
 * Create the form's fields.
 *
 * @param models the service's models, to start from
 * @returns {node, fit, startFrom, read}: `fit(dataset)` shows the fields that suit a dataset, `startFrom(id)` continues from a
 *   model's weights, `read()` returns the API's fields
 */
export function recipeForm(models) {
  const name = element("input", { id: "name", type: "text", maxlength: 64, spellcheck: "false", autocapitalize: "none",
    "aria-describedby": "name-hint name-problem", on: { input: checkName } });
  const problem = element("p", { class: "problem", id: "name-problem", "aria-live": "polite", hidden: true });
  const architecture = element("fieldset", { class: "kinds" }, element("legend", {}, "Model"),
    Object.entries(ARCHITECTURES).map(([value, { title, what }], i) => element("label", { class: "choice" },
      element("input", { type: "radio", name: "model", value, checked: i === 0 }),
      element("span", {}, element("strong", {}, title), element("span", { class: "hint" }, what)))));
  const base = element("select", { id: "base", on: { change: () => { architecture.disabled = base.value !== ""; } } },
    element("option", { value: "" }, "Nothing: train a new model"),
    models.map(({ id, task }) => element("option", { value: id }, task ? `${id}: ${task}` : id)));
  const length = lengthChoice();
  const advanced = ADVANCED.map((one) => ({ ...one, node: numberField(one) }));
  const precision = element("select", { id: "precision" },
    element("option", { value: "float32" }, "float32"), element("option", { value: "bfloat16" }, "bfloat16: faster if the processor supports it"));
  const node = element("div", { class: "step-body" },
    element("div", { class: "field" }, element("label", { for: "name" }, "Name of the model"), name,
      element("span", { class: "hint", id: "name-hint" },
        "a–z, 0–9, dots, dashes and underscores. If a model of yours has this name, it gets a new version."), problem),
    architecture, length.node,
    element("details", { class: "advanced" }, element("summary", {}, "More settings"),
      element("div", { class: "fields" },
        field("base", "Start from", "Training continues from this model's weights, with its architecture.", base),
        field("precision", "Precision", "", precision), advanced.map((one) => one.node))));

  function checkName() {
    problem.textContent = nameProblem(name.value.trim());
    problem.hidden = !problem.textContent;
    name.setCustomValidity(problem.textContent);
    name.setAttribute("aria-invalid", String(!problem.hidden));
  }

  return {
    node,
    fit(dataset) {
      for (const one of advanced) one.node.hidden = one.kind !== undefined && one.kind !== dataset.kind;
      if (!name.value || name.value === name.dataset.offered) name.value = name.dataset.offered = suggestedName(dataset.name);
      checkName();
    },
    startFrom(id) {
      if (![...base.options].some((option) => option.value === id)) base.append(element("option", { value: id }, id));
      base.value = id;
      architecture.disabled = true;
      name.value = id.split("@")[0];
      node.querySelector(".advanced").open = true;
    },
    read() {
      const shown = advanced.filter((one) => !one.node.hidden).map((one) => [one.name, one.node.querySelector("input").value]);
      return recipeFields({ name: name.value, precision: precision.value, ...length.read(), base: base.value,
        model: architecture.querySelector(":checked").value, advanced: Object.fromEntries(shown) });
    },
  };
}

function field(id, label, hint, control) {
  return element("div", { class: "field" }, element("label", { for: id }, label), control, hint && element("span", { class: "hint" }, hint));
}

function numberField({ name, label, hint, value, min, max, whole }) {
  return field(name, label, hint, element("input", { id: name, type: "number", value, min, max, step: whole ? 1 : "any" }));
}

/** Create the choice of minutes or epochs; `read()` returns {unit, amount}. */
function lengthChoice() {
  const amount = element("input", { type: "number", id: "length", required: true, "aria-label": "How long" });
  const unit = (value, label, checked) => element("label", { class: "segment" },
    element("input", { type: "radio", name: "unit", value, checked, class: "visually-hidden", on: { change: () => change(value) } }),
    element("span", {}, label));
  const node = element("fieldset", { class: "length" }, element("legend", {}, "How long"),
    element("div", { class: "length-row" }, amount,
      element("div", { class: "segments" }, unit("minutes", "Minutes", true), unit("epochs", "Epochs", false))),
    element("span", { class: "hint" }, "An epoch is one pass over all pictures. You can stop at any time, and resume later."));
  function change(value) {
    const { value: usual, least, most } = LENGTHS[value];
    Object.assign(amount, { value: usual, min: least, max: most, step: value === "epochs" ? 1 : "any" });
  }
  change("minutes");
  return { node, read: () => ({ unit: node.querySelector(":checked").value, amount: Number(amount.value) }) };
}
