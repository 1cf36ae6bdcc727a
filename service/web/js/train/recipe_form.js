// Step 3 of a training: how to train, in plain words; what is left alone has the service's own defaults.

import { element } from "../dom.js";

/** The architectures: those of the API's field `model`. */
export const ARCHITECTURES = {
  unet: { title: "U-Net", what: "A good choice for most pictures: precise, and quick to train and to use." },
  photo: { title: "Large U-Net", what: "Learns the most and takes the longest: for many pictures, and noise of many levels." },
  torch: { title: "Auto-encoder", what: "The course report's: precise, and slow on large pictures." },
  scratch: { title: "Strided auto-encoder", what: "The smallest and quickest, on our own framework; a little less precise." },
};

const NAME = /^[a-z0-9][a-z0-9._-]*$/;

const LENGTHS = { minutes: { value: 10, least: 0.1, most: 100_000 }, epochs: { value: 10, least: 1, most: 1_000_000 } };
const ENDLESS = 1_000_000; // epochs, where the time decides

// The API's name, a label, a hint, the default and attributes; `kind` where it is for one kind of pictures alone.
const ADVANCED = [
  { name: "lr", label: "Learning rate", hint: "Its peak. Lower it if a training goes astray.", value: 0.001, min: 0.000001, max: 10 },
  { name: "batch_size", label: "Crops a step", hint: "More are steadier, and take more memory.", value: 16, min: 1, whole: true },
  { name: "crop", label: "Side of a crop, in pixels", hint: "How much of a picture is seen at a time.", value: 64, min: 8, whole: true },
  { name: "patience", label: "Stop early, after epochs", hint: "So many without a better one. Empty: never.", value: "", min: 1, whole: true },
  { name: "validation", label: "Held out, in per cent", hint: "Scenes that only judge.", value: 10, min: 1, max: 90, times: 0.01 },
  { name: "seed", label: "Seed", hint: "The same one repeats a training.", value: 0, min: 0, whole: true },
  { name: "target_copies", label: "Shots in a target, at most", hint: "Means of more shots settle sooner.", value: 1, min: 1, whole: true,
    kind: "bursts" },
  { name: "gamma", label: "Sharpness", hint: "Larger is sharper, and noisier.", value: 2, min: 0, kind: "single" },
];

/**
 * The form's fields.
 *
 * @param models those that are served, to start from
 * @returns {node, fit, startFrom, read}; `fit(dataset)` offers what suits it; `read()` gives the API's fields
 */
export function recipe(models) {
  const name = element("input", { id: "name", type: "text", maxlength: 64, spellcheck: "false", autocapitalize: "none",
    "aria-describedby": "name-hint name-problem", on: { input: judge } });
  const problem = element("p", { class: "problem", id: "name-problem", "aria-live": "polite", hidden: true });
  const architecture = element("fieldset", { class: "kinds" }, element("legend", {}, "Model"),
    Object.entries(ARCHITECTURES).map(([value, { title, what }], i) => element("label", { class: "choice" },
      element("input", { type: "radio", name: "model", value, checked: i === 0 }),
      element("span", {}, element("strong", {}, title), element("span", { class: "hint" }, what)))));
  const base = element("select", { id: "base", on: { change: () => { architecture.disabled = base.value !== ""; } } },
    element("option", { value: "" }, "Nothing: learn from the beginning"),
    models.map(({ id, task }) => element("option", { value: id }, task ? `${id}: ${task}` : id)));
  const time = lengthChoice();
  const advanced = ADVANCED.map((field) => ({ ...field, node: number(field) }));
  const precision = element("select", { id: "precision" },
    element("option", { value: "float32" }, "float32"), element("option", { value: "bfloat16" }, "bfloat16: faster where the processor has it"));
  const node = element("div", { class: "step-body" },
    element("div", { class: "field" }, element("label", { for: "name" }, "Name of the model"), name,
      element("span", { class: "hint", id: "name-hint" },
        "a–z, 0–9, dots and dashes. A name that a model of yours has gets a new version."), problem),
    architecture, time.node,
    element("details", { class: "advanced" }, element("summary", {}, "More settings"),
      element("div", { class: "fields" },
        field("base", "Start from", "What it has learnt is kept as a beginning; it decides the model.", base),
        field("precision", "Arithmetic", "", precision), advanced.map((one) => one.node))));

  function judge() {
    const given = name.value.trim();
    problem.textContent = NAME.test(given) ? "" : `${given ? `“${given}” cannot be a name` : "A model needs a name"}: ` +
      `small letters a–z, digits, dots and dashes are allowed, a letter or digit first. Try “${modelName(given)}”.`;
    problem.hidden = !problem.textContent;
    name.setCustomValidity(problem.textContent);
    name.setAttribute("aria-invalid", String(!problem.hidden));
  }

  return {
    node,
    fit(dataset) {
      for (const one of advanced) one.node.hidden = one.kind !== undefined && one.kind !== dataset.kind;
      if (!name.value || name.value === name.dataset.offered) name.value = name.dataset.offered = modelName(dataset.name);
      judge();
    },
    /** Go on with what a model has learnt, under its name. */
    startFrom(id) {
      if (![...base.options].some((option) => option.value === id)) base.append(element("option", { value: id }, id));
      base.value = id;
      architecture.disabled = true;
      name.value = id.split("@")[0];
      node.querySelector(".advanced").open = true;
    },
    read() {
      const values = { name: name.value.trim(), precision: precision.value, ...time.read() };
      if (base.value) values.base = base.value;
      else values.model = architecture.querySelector(":checked").value;
      for (const one of advanced) {
        const given = one.node.querySelector("input").value;
        if (given !== "" && !one.node.hidden) values[one.name] = Number(given) * (one.times ?? 1);
      }
      return values;
    },
  };
}

/** A model's name after that of pictures. */
function modelName(text) {
  return text.toLowerCase().replace(/[^a-z0-9._]+/g, "-").replace(/^[-._]+|[-._]+$/g, "").slice(0, 56) || "my-model";
}

function field(id, label, hint, control) {
  return element("div", { class: "field" }, element("label", { for: id }, label), control, hint && element("span", { class: "hint" }, hint));
}

function number({ name, label, hint, value, min, max, whole }) {
  return field(name, label, hint, element("input", { id: name, type: "number", value, min, max, step: whole ? 1 : "any" }));
}

/** Minutes or epochs. */
function lengthChoice() {
  const amount = element("input", { type: "number", id: "length", required: true, "aria-label": "How long" });
  const unit = (value, label, checked) => element("label", { class: "segment" },
    element("input", { type: "radio", name: "unit", value, checked, class: "visually-hidden", on: { change: () => turn(value) } }),
    element("span", {}, label));
  const node = element("fieldset", { class: "length" }, element("legend", {}, "How long"),
    element("div", { class: "length-row" }, amount,
      element("div", { class: "segments" }, unit("minutes", "Minutes", true), unit("epochs", "Epochs", false))),
    element("span", { class: "hint" }, "An epoch sees all pictures once. You can stop at any time, and go on later."));
  function turn(value) {
    const { value: usual, least, most } = LENGTHS[value];
    Object.assign(amount, { value: usual, min: least, max: most, step: value === "epochs" ? 1 : "any" });
  }
  turn("minutes");
  return {
    node,
    read: () => (node.querySelector(":checked").value === "minutes"
      ? { max_seconds: Number(amount.value) * 60, epochs: ENDLESS } : { epochs: Number(amount.value) }),
  };
}
