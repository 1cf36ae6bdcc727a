// What the page knows of the service by itself agrees with the service's own description.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { MESSAGES } from "../../../service/web/js/denoise/error_messages.js";
import { KINDS } from "../../../service/web/js/train/dataset_kinds.js";
import { SHOWN, TITLES, VERDICTS } from "../../../service/web/js/train/dataset_report.js";
import { FAILURES, STATES } from "../../../service/web/js/train/job_states.js";
import { ADVANCED, ARCHITECTURES, LENGTHS } from "../../../service/web/js/train/recipe_values.js";

const text = readFileSync(new URL("../../../docs/openapi.json", import.meta.url), "utf8");
const { schemas } = JSON.parse(text).components;
const recipe = schemas.TrainJobRequest.properties;

test("states, kinds, verdicts and architectures are the service's", () => {
  assert.deepEqual(new Set(Object.keys(STATES)), new Set(schemas.State.enum));
  assert.deepEqual(new Set(Object.keys(KINDS)), new Set(schemas.Dataset.properties.kind.enum));
  assert.deepEqual(new Set(Object.keys(VERDICTS)), new Set(schemas.DatasetCheck.properties.verdict.enum));
  assert.deepEqual(new Set(Object.keys(ARCHITECTURES)), new Set(recipe.model.enum));
});

test("checks, pictures of a report and failures of jobs are the service's", () => {
  assert.deepEqual(new Set(Object.keys(TITLES)), new Set(schemas.DatasetCheck.properties.name.enum));
  assert.deepEqual(Object.keys(SHOWN), schemas.DatasetCell.properties.shown.enum);
  assert.deepEqual(new Set(["cancelled", ...Object.keys(FAILURES)]), new Set(schemas.JobError.properties.code.enum));
});

test("the fields of a recipe have the service's defaults, and limits that it accepts", () => {
  for (const { name, value, min, max = -Infinity, per = 1 } of ADVANCED) {
    const { anyOf = [recipe[name]], default: usual } = recipe[name];
    const [{ minimum = -Infinity, maximum = Infinity }] = anyOf;
    assert.equal(value === "" ? undefined : value / per, usual, name);
    assert.ok(min / per >= minimum && max / per <= maximum, name);
  }
  assert.ok(LENGTHS.epochs.most <= recipe.epochs.maximum);
  assert.equal(LENGTHS.epochs.value, recipe.epochs.default);
});

test("errors that are explained are errors that exist", () => {
  const codes = new Set([...text.matchAll(/"code": "(\w+)"/g)].map(([, code]) => code));
  for (const code of Object.keys(MESSAGES)) assert.ok(codes.has(code), code);
});
