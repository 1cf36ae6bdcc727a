import assert from "node:assert/strict";
import { test } from "node:test";

import { isModelName, modelName } from "../../../service/web/js/model_name.js";
import { routeOf } from "../../../service/web/js/route.js";

test("model names are what the service accepts", () => {
  for (const name of ["a", "0", "my-model_2.v1", "a--b", "x".repeat(64)]) assert.ok(isModelName(name), name);
  for (const name of ["", "A", "-a", ".a", "_a", "a b", "a@2", "é", "a/b", "x".repeat(65)]) assert.ok(!isModelName(name), name);
});

test("names are made of other text", () => {
  assert.equal(modelName("My Stars"), "my-stars");
  assert.equal(modelName("a--b_c.d"), "a--b_c.d", "a valid name stays as it is");
  assert.equal(modelName("  --Röhre (2)!  "), "r-hre-2");
  assert.equal(modelName("..hidden.."), "hidden");
  assert.equal(modelName("漢字"), "");
  assert.equal(modelName(""), "");
  const long = modelName(`${"x".repeat(55)} ${"y".repeat(20)}`);
  assert.ok(isModelName(long), long);
  assert.ok(!long.endsWith("-"), long);
});

const VIEWS = ["denoise", "train", "models"];

/** The route as plain values. */
function route(hash) {
  const { name, parameters: { path, query } } = routeOf(hash, VIEWS);
  return [name, path, String(query)];
}

test("an address names a view, a path and a query", () => {
  assert.deepEqual(route("#/train/new?dataset=d1&base=a%402"), ["train", ["new"], "dataset=d1&base=a%402"]);
  assert.deepEqual(route("#/train/compare/a,b/"), ["train", ["compare", "a,b"], ""]);
  assert.deepEqual(route("#/denoise?model=my%20model"), ["denoise", [], "model=my+model"]);
  assert.deepEqual(route("#models"), ["models", [], ""]);
});

test("unknown addresses lead to the first view", () => {
  for (const hash of ["", "#", "#/", "#/nothing/here?x=1", "#/toString", "#/__proto__", "#/%"]) {
    assert.deepEqual(route(hash), ["denoise", [], ""], hash);
  }
});

test("a broken escape does not break the page", () => {
  assert.deepEqual(route("#/train/%zz"), ["train", ["%zz"], ""]);
});
