import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Problem, events, json, request, wait } from "../../../service/web/js/api.js";

let key = null;
let sent = []; // [url, options] of each request
let answers = []; // one for each request: a Response, or an error to throw

globalThis.sessionStorage = { getItem: () => key };
globalThis.fetch = async (url, options) => {
  sent.push([url, options]);
  const answer = answers.shift();
  if (answer instanceof Error) throw answer;
  return answer;
};

beforeEach(() => { [key, sent, answers] = [null, [], []]; });

const problem = (status, body, headers = {}) => new Response(body, { status, headers });

test("a request is a GET, or a POST if it has a body", async () => {
  answers = [Response.json({ a: 1 }), Response.json({})];
  assert.deepEqual(await json("/models"), { a: 1 });
  await json("/train-jobs", { json: { name: "é" } });
  assert.equal(sent[0][1].method, "GET");
  assert.equal(sent[0][1].headers.Authorization, undefined);
  assert.equal(sent[1][1].method, "POST");
  assert.equal(sent[1][1].headers["Content-Type"], "application/json");
  assert.equal(sent[1][1].body, '{"name":"é"}');
});

test("a query leaves out what is not given, and escapes the rest", async () => {
  answers = [new Response(), new Response()];
  await request("/denoise", { query: { model: "a&b", strength: 0, format: null, report: undefined, empty: "" } });
  await request("/models", { query: { page: null } });
  assert.deepEqual(sent.map(([url]) => url), ["/denoise?model=a%26b&strength=0&empty=", "/models"]);
});

test("the key of this tab is sent; headers may be given", async () => {
  key = "n2n_secret";
  answers = [new Response()];
  await request("/train-jobs", { json: {}, headers: { "Idempotency-Key": "k" } });
  assert.equal(sent[0][1].headers.Authorization, "Bearer n2n_secret");
  assert.equal(sent[0][1].headers["Idempotency-Key"], "k");
});

test("a problem has the service's words, code and fields", async () => {
  const body = { title: "Unprocessable Content", status: 422, detail: "crop is 30", code: "bad_recipe", errors: [{ pointer: "body/crop" }] };
  answers = [problem(422, JSON.stringify(body))];
  await assert.rejects(request("/x"), (error) => {
    assert.ok(error instanceof Problem);
    assert.deepEqual([error.message, error.title, error.status, error.code, error.errors, error.retryAfter],
      ["crop is 30", "Unprocessable Content", 422, "bad_recipe", [{ pointer: "body/crop" }], null]);
    return true;
  });
});

test("an error page of a proxy is a problem, too", async () => {
  answers = [problem(502, "<html>Bad Gateway</html>"), problem(503, "", { "Retry-After": "7" }),
    problem(503, "", { "Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT" })];
  await assert.rejects(request("/x"), { name: "Problem", message: "Status 502", status: 502, errors: [] });
  await assert.rejects(request("/x"), { status: 503, retryAfter: 7 });
  await assert.rejects(request("/x"), { status: 503, retryAfter: null });
});

test("a cancelled request fails with the reason of the signal", async () => {
  const reason = new Error("left the view");
  await assert.rejects(request("/x", { signal: AbortSignal.abort(reason) }), reason);
  assert.equal(sent.length, 0);
  const controller = new AbortController();
  answers = [new TypeError("aborted")];
  const pending = request("/x", { signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(pending, reason);
});

test("a wait ends with its signal", async () => {
  const reason = new Error("over");
  const controller = new AbortController();
  const pending = wait(1e9, controller.signal);
  controller.abort(reason);
  await assert.rejects(pending, reason);
  await assert.rejects(wait(0, controller.signal), reason);
  await wait(0);
});

test("events continue behind the last one after the connection was lost", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const stream = (text) => new Response(text, { headers: { "Content-Type": "text/event-stream" } });
  answers = [stream('event: step\nid: 1\ndata: {"step": 1}\n\n'), problem(503, ""), stream('id: 2\ndata: 2\n\nevent: state\ndata: 3\n\n'),
    new Response(null, { status: 204 })];
  const found = [];
  const state = { over: false };
  const reading = events("/events", (event) => found.push([event.name, event.id, event.data])).finally(() => { state.over = true; });
  while (!state.over) {
    await new Promise((resolve) => { setImmediate(resolve); });
    context.mock.timers.tick(8000);
  }
  await reading;
  assert.deepEqual(found, [["step", "1", { step: 1 }], ["message", "2", 2], ["state", null, 3]]);
  assert.deepEqual(sent.map(([, { headers }]) => headers["Last-Event-ID"]), [undefined, "1", "1", "2"]);
});

test("events end with a problem that does not pass", async () => {
  answers = [problem(404, JSON.stringify({ code: "unknown_job" }))];
  await assert.rejects(events("/events", () => {}), { code: "unknown_job" });
  assert.equal(sent.length, 1);
});
