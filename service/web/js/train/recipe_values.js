// A recipe: the fields of the form, and the JSON that the API takes.

import { isModelName, modelName } from "../model_name.js";

/** The architectures, by the API's `model`. */
export const ARCHITECTURES = {
  unet: { title: "U-Net", what: "A good choice for most pictures: precise, fast to train and fast to use." },
  photo: { title: "Large U-Net", what: "Learns the most and takes the longest. For many pictures and many noise levels." },
  torch: { title: "Auto-encoder", what: "The network of the course report: precise, but slow on large pictures." },
  scratch: { title: "Strided auto-encoder", what: "The smallest and fastest, on n2n's own framework. Slightly less precise." },
};

/** How long to train, by the unit of the form. */
export const LENGTHS = { minutes: { value: 10, least: 0.1, most: 100_000 }, epochs: { value: 10, least: 1, most: 1_000_000 } };

/** The API's name, the label, the hint, the default and the limits; `kind`: for this kind of dataset only. */
export const ADVANCED = [
  { name: "lr", label: "Learning rate", hint: "The peak value. Lower it if a training diverges.", value: 0.001, min: 0.000001, max: 10 },
  { name: "batch_size", label: "Batch size", hint: "Crops per step. More are steadier, but need more memory.", value: 16, min: 1, whole: true },
  { name: "crop", label: "Crop size, in pixels", hint: "Side of the square that the model sees of a picture.", value: 64, min: 8, whole: true },
  { name: "patience", label: "Stop early, after epochs", hint: "Epochs without improvement. Empty: never.", value: "", min: 1, whole: true },
  { name: "validation", label: "Held out, in per cent", hint: "Scenes that are used for validation only.", value: 10, min: 1, max: 90, per: 100 },
  { name: "seed", label: "Seed", hint: "The same seed repeats a training.", value: 0, min: 0, whole: true },
  { name: "target_copies", label: "Shots per target, at most", hint: "A mean of more shots converges sooner.", value: 1, min: 1, whole: true,
    kind: "bursts" },
  { name: "gamma", label: "Sharpness", hint: "Larger values are sharper, but noisier.", value: 2, min: 0, kind: "single" },
];

const ENDLESS = LENGTHS.epochs.most; // epochs, if the time limit decides

/** Return what is wrong with a model's name, and a valid one; "" if nothing is wrong. */
export function nameProblem(given) {
  if (isModelName(given)) return "";
  return `${given ? `“${given}” cannot be a name` : "A model needs a name"}: use at most 64 lowercase letters a–z, digits, dots, dashes and ` +
    `underscores, with a letter or digit first. Try “${suggestedName(given)}”.`;
}

/** Return a valid name for a model, close to that of its dataset. */
export function suggestedName(text) {
  return modelName(text) || "my-model";
}

/** Return the API's fields for a length: `unit` is "minutes" or "epochs". */
export function lengthFields(unit, amount) {
  return unit === "minutes" ? { max_seconds: amount * 60, epochs: ENDLESS } : { epochs: amount };
}

/**
 * Return the API's fields for a recipe.
 *
 * @param form {name, precision, unit, amount, base, model, advanced}: `base` is "" or the model to start from, which decides
 *   the architecture; `advanced` has the text of the fields that are shown, by name: "" leaves a field to the service's default
 */
export function recipeFields({ name, precision, unit, amount, base, model, advanced }) {
  const numbers = ADVANCED.filter((field) => (advanced[field.name] ?? "") !== "")
    .map((field) => [field.name, Number(advanced[field.name]) / (field.per ?? 1)]);
  return { name: name.trim(), precision, ...lengthFields(unit, amount), ...(base ? { base } : { model }), ...Object.fromEntries(numbers) };
}
