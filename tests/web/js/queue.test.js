import assert from "node:assert/strict";
import { test } from "node:test";

import { Problem } from "../../../service/web/js/api.js";
import { Queue } from "../../../service/web/js/denoise/queue.js";
import { Item } from "../../../service/web/js/denoise/queue_item.js";
import { resultKey } from "../../../service/web/js/denoise/settings.js";

/** An item whose work the test ends: `item.finish()` or `item.fail(error)`. */
class FakeItem extends Item {
  runs = [];

  async preview() {
    [this.shown, this.width, this.height] = [this.file, 1000, 1000];
  }

  run(settings, { signal, onUpload }) {
    this.runs.push({ ...settings });
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
      this.upload = onUpload;
      this.fail = reject;
      this.finish = (milliseconds = 100) => {
        this.result = { key: resultKey(this.own(settings)), report: { milliseconds: { inference: milliseconds } } };
        resolve();
      };
    });
  }
}

const picture = (name) => new File(["x"], name);

function queueOf(...names) {
  const queue = new Queue((file, suited) => new FakeItem(file, suited));
  return [queue, ...queue.add(names.map(picture))];
}

/** Let everything run that does not wait for the test. */
function settled() {
  return new Promise((resolve) => { setImmediate(resolve); });
}

const statesOf = (queue) => queue.items.map((item) => item.state);

test("two pictures are worked on at a time, the selected one first", async () => {
  const [queue, a, b, c, d] = queueOf("a", "b", "c", "d");
  await settled();
  assert.deepEqual(statesOf(queue), ["sending", "sending", "waiting", "waiting"]);
  assert.equal(queue.selected, a);
  queue.select(d);
  a.finish();
  await settled();
  assert.deepEqual(statesOf(queue), ["done", "sending", "waiting", "sending"]);
  b.finish();
  d.finish();
  await settled();
  c.finish();
  await settled();
  assert.deepEqual(statesOf(queue), ["done", "done", "done", "done"]);
});

test("what is sent is being worked on", async () => {
  const [, item] = queueOf("a");
  await settled();
  item.upload(0.25);
  assert.deepEqual([item.state, item.share], ["sending", 0.25]);
  item.upload(1);
  assert.equal(item.state, "working");
});

test("a failure is told, and stops no other picture", async () => {
  const [queue, a, b] = queueOf("a", "b");
  await settled();
  a.fail(new Problem({ title: "x", status: 422, code: "bad_image" }));
  b.finish();
  await settled();
  assert.deepEqual(statesOf(queue), ["failed", "done"]);
  assert.equal(a.error.code, "bad_image");
  queue.change({ strength: 0.5 });
  await settled();
  assert.equal(a.state, "failed", "the strength has nothing to do with it");
  queue.again(a);
  await settled();
  assert.deepEqual([a.state, a.error], ["sending", null]);
});

test("a picture waits while the service is busy, and is tried again", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const [, item] = queueOf("a");
  await settled();
  item.fail(new Problem({ title: "x", status: 503, code: "overloaded" }, 7));
  await settled();
  assert.deepEqual([item.state, item.note], ["waiting", "the service is busy"]);
  context.mock.timers.tick(6999);
  await settled();
  assert.equal(item.state, "waiting");
  context.mock.timers.tick(1);
  await settled();
  assert.deepEqual([item.state, item.note, item.runs.length], ["sending", "", 2]);
});

test("a cancelled picture stays cancelled, also while it waits for a busy service", async () => {
  const [queue, a, b] = queueOf("a", "b");
  await settled();
  queue.cancel(a);
  b.fail(new Problem({ title: "x", status: 429, code: "rate_exceeded" }, 1000));
  await settled();
  queue.cancel(b);
  await settled();
  assert.deepEqual(statesOf(queue), ["cancelled", "cancelled"]);
  queue.change({ model: "unet" });
  await settled();
  assert.deepEqual([a.runs.length, b.runs.length], [1, 1]);
});

test("a new model denoises again, a new strength does not", async () => {
  const [queue, item] = queueOf("a");
  await settled();
  item.finish();
  await settled();
  queue.change({ strength: 0.5 });
  await settled();
  assert.equal(item.state, "done");
  queue.change({ model: "unet" });
  queue.change({ model: "photo" }); // before the first one has begun to send
  await settled();
  assert.equal(item.state, "sending");
  item.finish();
  await settled();
  assert.deepEqual([item.state, item.runs.at(-1).model], ["done", "photo"]);
  assert.ok(item.fits(queue.settings));
});

test("a picture's own model counts only while the choice is auto", async () => {
  const queue = new Queue((file, suited) => new FakeItem(file, suited));
  const [item] = queue.add([picture("render")], "unet");
  await settled();
  item.finish();
  await settled();
  queue.change({ model: "unet" });
  await settled();
  assert.equal(item.state, "done", "it has that result already");
  queue.change({ model: "scratch" });
  await settled();
  assert.equal(item.state, "sending");
});

test("removing selects a neighbour, and ends the work", async () => {
  const [queue, a, b, c] = queueOf("a", "b", "c");
  await settled();
  queue.select(b);
  queue.remove(b);
  assert.equal(queue.selected, c);
  queue.remove(c);
  assert.equal(queue.selected, a);
  queue.remove(c); // once more, as two clicks do
  assert.deepEqual(queue.items, [a]);
  queue.remove(a);
  assert.equal(queue.selected, null);
  await settled();
});

test("the time of a picture is estimated from those before", async () => {
  const [queue, a, b] = queueOf("a", "b");
  await settled();
  assert.equal(queue.expected(b), null);
  a.finish(300);
  await settled();
  b.height = 2000;
  assert.equal(queue.expected(b), 600);
  b.pages = 3;
  assert.equal(queue.expected(b), 1800);
  queue.settings.model = "another";
  assert.equal(queue.expected(b), null);
  b.finish();
  await settled();
});

test("a file that the browser cannot read is shown by the service, unless it has several pages", async (context) => {
  context.mock.method(globalThis, "fetch", async () => answer);
  globalThis.sessionStorage = { getItem: () => null };
  globalThis.createImageBitmap = async () => { throw new Error("unreadable"); };
  const item = new Item(picture("stack.tif"));
  const { signal } = new AbortController();
  const problem = (code) => Response.json({ title: "x", status: 422, code, detail: "it has 3 pages" }, { status: 422 });
  let answer = problem("several_pages");
  await item.preview(null, signal);
  assert.deepEqual([item.shown, item.readable, item.thumbnail], [null, false, null]);
  answer = problem("bad_image");
  await assert.rejects(item.preview(null, signal), { code: "bad_image" });
});

test("what is seen of a picture depends on its depth and on what the browser reads", () => {
  const item = new Item(picture("a.tif"));
  assert.deepEqual(["", "jpeg", "tiff"].map((format) => item.viewFormat({ format })), ["", "jpeg", "png"]);
  Object.assign(item, { readable: false, shown: picture("a.png") });
  assert.deepEqual(["", "jpeg"].map((format) => item.viewFormat({ format })), ["png", "jpeg"]);
  item.range = { black: 0, white: 1 };
  assert.deepEqual(["", "jpeg"].map((format) => item.viewFormat({ format })), ["png", "png"]);
  Object.assign(item, { range: null, shown: null });
  assert.equal(item.viewFormat({ format: "" }), "", "pages are not shown at all");
});
