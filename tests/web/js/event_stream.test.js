import assert from "node:assert/strict";
import { test } from "node:test";

import { readEvents } from "../../../service/web/js/event_stream.js";

/** Read a stream of these chunks: strings, or bytes. */
async function events(...chunks) {
  const found = [];
  const encoder = new TextEncoder();
  const stream = new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(typeof chunk === "string" ? encoder.encode(chunk) : chunk);
      controller.close();
    },
  });
  for await (const event of readEvents(stream)) found.push(event);
  return found;
}

test("an event has a name, an id and data", async () => {
  assert.deepEqual(await events('event: epoch\nid: 7\ndata: {"epoch": 1}\n\n'), [{ name: "epoch", id: "7", data: '{"epoch": 1}' }]);
});

test("what is missing has a default", async () => {
  assert.deepEqual(await events("data:x\n\n"), [{ name: "message", id: null, data: "x" }]);
});

test("several lines of data are joined; one space after the colon is dropped", async () => {
  assert.deepEqual((await events("data: a\ndata:  b\ndata\ndata: c: d\n\n"))[0].data, "a\n b\n\nc: d");
});

test("comments, unknown fields and events without data are skipped", async () => {
  assert.deepEqual(await events(": ping\n\nevent: state\n\nretry: 10\ndata: 1\n\n"), [{ name: "message", id: null, data: "1" }]);
});

test("empty data are data", async () => {
  assert.deepEqual(await events("data:\n\n"), [{ name: "message", id: null, data: "" }]);
});

test("lines may end with LF, CR LF or CR", async () => {
  for (const end of ["\n", "\r\n", "\r"]) {
    assert.deepEqual(await events(`id: 1${end}data: a${end}data: b${end}${end}data: c${end}${end}${end === "\r" ? " " : ""}`),
      [{ name: "message", id: "1", data: "a\nb" }, { name: "message", id: null, data: "c" }], JSON.stringify(end));
  }
});

test("chunks may be cut anywhere", async () => {
  const bytes = new TextEncoder().encode("event: e\r\nid: 1\r\ndata: é€😀\r\n\r\ndata: 2\r\n\r\n");
  const whole = await events(bytes);
  assert.equal(whole[0].data, "é€😀");
  assert.equal(whole.length, 2);
  for (let at = 0; at <= bytes.length; at += 1) assert.deepEqual(await events(bytes.slice(0, at), bytes.slice(at)), whole, `cut at ${at}`);
  assert.deepEqual(await events(...[...bytes].map((byte) => Uint8Array.of(byte))), whole);
});

test("an event that the end cuts off is dropped", async () => {
  assert.deepEqual(await events("data: 1\n\ndata: 2\n"), [{ name: "message", id: null, data: "1" }]);
  assert.deepEqual(await events(), []);
});
