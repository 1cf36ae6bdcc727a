import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { asPng, denoised, queryOf } from "../../../service/web/js/denoise/api_denoise.js";

let sent = []; // [path, query, form] of each request
let answers = [];

globalThis.sessionStorage = { getItem: () => null };
globalThis.fetch = async (address, { body }) => {
  const url = new URL(address, "http://service");
  sent.push([url.pathname, Object.fromEntries(url.searchParams), body]);
  return answers.shift();
};

beforeEach(() => { [sent, answers] = [[], []]; });

const FILE = new File(["noisy"], "shot.png", { type: "image/png" });
const SETTINGS = { model: "unet", ensemble: false, strength: 1, format: "" };

/** A form as the service answers with. */
function form(parts) {
  const content = new FormData();
  for (const [name, value] of Object.entries(parts)) content.append(name, value);
  return new Response(content);
}

test("defaults are not sent", () => {
  assert.deepEqual(queryOf({ model: "auto" }),
    { model: "auto", format: null, strength: null, self_ensemble: null, report: null, uncertainty: null });
});

test("a strength of 0 is sent, as it is not the default", () => {
  assert.equal(queryOf({ model: "auto", strength: 0 }).strength, 0);
});

test("the map of the uncertainty needs the report and the self-ensemble", () => {
  assert.equal(queryOf({ model: "a", ensemble: true, report: true }).uncertainty, true);
  assert.equal(queryOf({ model: "a", ensemble: true }).uncertainty, null);
  assert.equal(queryOf({ model: "a", report: true }).uncertainty, null);
});

test("the answer is the picture with its report", async () => {
  const report = { model: "unet", bits: 8 };
  answers = [form({ image: new File(["clean"], "image.png", { type: "image/png" }), report: JSON.stringify(report) })];
  const found = await denoised(FILE, { ...SETTINGS, strength: 0.4, format: "webp" });
  assert.equal(await found.blob.text(), "clean");
  assert.deepEqual([found.report, found.uncertainty], [report, null]);
  const [path, query, body] = sent[0];
  assert.deepEqual([path, query], ["/denoise", { model: "unet", format: "webp", strength: "0.4", report: "multipart" }]);
  assert.equal(body.get("file").name, "shot.png");
  assert.equal(await body.get("file").text(), "noisy");
});

test("with the self-ensemble there is a map", async () => {
  answers = [form({ image: new Blob(["i"]), report: '{"model":"unet"}', uncertainty: new Blob(["u"]) })];
  const found = await denoised(FILE, { ...SETTINGS, ensemble: true });
  assert.equal(await found.uncertainty.text(), "u");
  assert.equal(sent[0][1].uncertainty, "true");
});

test("a file is sent once, also if it is refused", async () => {
  const detail = "the image has 3 pages, expected a single one";
  answers = [Response.json({ title: "Unprocessable Content", status: 422, code: "bad_image", detail }, { status: 422 })];
  await assert.rejects(denoised(FILE, SETTINGS), { code: "bad_image" });
  assert.equal(sent.length, 1);
});

test("a preview is the picture itself", async () => {
  answers = [new Response("png")];
  assert.equal(await (await asPng(new Blob(["x"]), "scratch", {})).text(), "png");
  assert.deepEqual(sent[0][1], { model: "scratch", strength: "0", format: "png" });
  assert.equal(sent[0][2].get("file").name, "picture", "a pasted blob has no name");
});
