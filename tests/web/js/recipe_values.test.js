import assert from "node:assert/strict";
import { test } from "node:test";

import { isModelName } from "../../../service/web/js/model_name.js";
import { ADVANCED, nameProblem, recipeFields, suggestedName } from "../../../service/web/js/train/recipe_values.js";

const FORM = { name: "stars", precision: "float32", unit: "minutes", amount: 10, base: "", model: "unet", advanced: {} };

test("a recipe has what the form says, and leaves the rest to the service", () => {
  assert.deepEqual(recipeFields(FORM), { name: "stars", precision: "float32", max_seconds: 600, epochs: 1_000_000, model: "unet" });
});

test("epochs have no time limit", () => {
  const { max_seconds: limit, epochs } = recipeFields({ ...FORM, unit: "epochs", amount: 3 });
  assert.deepEqual([limit, epochs], [undefined, 3]);
});

test("a model to start from decides the architecture", () => {
  const fields = recipeFields({ ...FORM, base: "stars@2" });
  assert.deepEqual([fields.base, "model" in fields], ["stars@2", false]);
});

test("numbers are numbers, and empty fields are left out", () => {
  const { lr, seed, patience, crop } = recipeFields({ ...FORM, advanced: { lr: "1e-3", seed: "0", patience: "", crop: undefined } });
  assert.deepEqual([lr, seed, patience, crop], [0.001, 0, undefined, undefined]);
});

test("per cent become shares without crumbs", () => {
  for (const [given, share] of [["10", 0.1], ["7", 0.07], ["29", 0.29], ["57", 0.57], ["12.5", 0.125]]) {
    assert.equal(recipeFields({ ...FORM, advanced: { validation: given } }).validation, share);
  }
});

test("fields that the form does not have are not sent", () => {
  assert.equal("weird" in recipeFields({ ...FORM, advanced: { weird: "1" } }), false);
});

test("the name is sent without the spaces around it", () => {
  assert.equal(recipeFields({ ...FORM, name: "  stars " }).name, "stars");
});

test("a name that cannot be is told with one that can", () => {
  assert.equal(nameProblem("my-stars"), "");
  assert.match(nameProblem("My Stars"), /^“My Stars” cannot be a name: .* Try “my-stars”\.$/);
  assert.match(nameProblem(""), /^A model needs a name: .* Try “my-model”\.$/);
  assert.match(nameProblem("漢字"), /Try “my-model”/);
  for (const text of ["", "!", "My Stars", "x".repeat(200), "ÄÖÜ 1"]) assert.ok(isModelName(suggestedName(text)), text);
});

test("the defaults are within their limits", () => {
  for (const { name, value, min = -Infinity, max = Infinity } of ADVANCED) {
    assert.ok(value === "" || (value >= min && value <= max), name);
  }
});
