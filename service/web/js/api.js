// The one place that talks to the service.

import { askForKey, currentKey } from "./key.js";
import { lost, regained } from "./connection.js";

/** The service refused: RFC 9457, in the words that it used. `status`, `code`, `errors`, `retryAfter` (s) for programs. */
export class Problem extends Error {
  constructor({ title, detail, status, code, errors = [] }, retryAfter = null) {
    super(detail || title);
    Object.assign(this, { name: "Problem", title, status, code, errors, retryAfter });
  }
}

/** The service cannot be reached. */
export class Unreachable extends Error {
  constructor() {
    super("The service cannot be reached.");
    this.name = "Unreachable";
  }
}

/**
 * Ask the service, and give its `Response`.
 *
 * @param path such as "/models"; only ours
 * @param options.method GET if there is no body, else POST
 * @param options.query an object; null and undefined are left out
 * @param options.json sent as JSON; or options.body: a Blob, a string or FormData
 * @param options.headers
 * @param options.signal cancels: the connection is closed, and the service drops the work
 * @param options.onUpload called with the share (0 to 1) of the body that is sent
 * @throws Problem, Unreachable, or the signal's reason
 */
export async function request(path, options = {}) {
  const response = await send(path, options);
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (problem.status !== 401) throw problem;
  await askForKey(problem, options.signal);
  return request(path, options);
}

/** The same, and reads the answer as JSON. */
export async function json(path, options = {}) {
  return (await request(path, options)).json();
}

/**
 * Server-sent events of `path` until the service has no more: `onEvent({name, id, data})`, `data` read from JSON.
 *
 * By fetch, as EventSource sends no key. A lost connection is taken up again after the last event that came.
 */
export async function events(path, onEvent, signal) {
  let last = null;
  for (let pause = 500; ; pause = Math.min(pause * 2, 8000)) {
    try {
      const headers = { Accept: "text/event-stream", ...(last === null ? {} : { "Last-Event-ID": last }) };
      const response = await request(path, { headers, signal });
      if (response.status === 204) return;
      for await (const event of parsed(response.body)) {
        pause = 500;
        last = event.id ?? last;
        onEvent({ ...event, data: JSON.parse(event.data) });
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof Problem && error.status < 500) throw error;
    }
    await wait(pause, signal);
  }
}

/** Wait so many milliseconds, or until the signal. */
export function wait(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
  });
}

async function send(path, { method, query, json, body, headers = {}, signal, onUpload }) {
  signal?.throwIfAborted();
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== null && value !== undefined);
  const url = given.length ? `${path}?${new URLSearchParams(given)}` : path;
  const key = currentKey();
  const all = { ...(key ? { Authorization: `Bearer ${key}` } : {}), ...headers };
  if (json !== undefined) [body, all["Content-Type"]] = [JSON.stringify(json), "application/json"];
  method ??= body === undefined ? "GET" : "POST";
  try {
    const response = await (onUpload ? upload(url, method, body, all, signal, onUpload)
      : fetch(url, { method, body, headers: all, signal }));
    regained();
    return response;
  } catch (error) {
    signal?.throwIfAborted();
    lost();
    throw new Unreachable();
  }
}

/** As fetch, which does not tell how much of a body is sent. */
function upload(url, method, body, headers, signal, onUpload) {
  return new Promise((resolve, reject) => {
    const sender = new XMLHttpRequest();
    sender.open(method, url);
    sender.responseType = "blob";
    for (const [name, value] of Object.entries(headers)) sender.setRequestHeader(name, value);
    sender.upload.onprogress = (event) => event.lengthComputable && onUpload(event.loaded / event.total);
    sender.upload.onload = () => onUpload(1);
    sender.onerror = () => reject(new TypeError("no answer"));
    sender.onabort = () => reject(signal.reason);
    sender.onload = () => {
      const lines = sender.getAllResponseHeaders().trim().split("\r\n").map((line) => line.split(": "));
      const [content, status] = [sender.status === 204 ? null : sender.response, sender.status];
      resolve(new Response(content, { status, headers: lines.map(([name, ...rest]) => [name, rest.join(": ")]) }));
    };
    signal?.addEventListener("abort", () => sender.abort(), { once: true });
    sender.send(body);
  });
}

async function problemOf(response) {
  const retry = Number.parseInt(response.headers.get("Retry-After"), 10);
  const fallback = { title: response.statusText || `Status ${response.status}`, status: response.status };
  const told = await response.json().catch(() => ({}));
  return new Problem({ ...fallback, ...told }, Number.isNaN(retry) ? null : retry);
}

/** The events of a stream, as https://html.spec.whatwg.org/multipage/server-sent-events.html reads them. */
async function* parsed(stream) {
  let text = "";
  for await (const piece of stream.pipeThrough(new TextDecoderStream())) {
    text += piece.replaceAll("\r\n", "\n");
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const event = { name: "message", id: null, data: "" };
      for (const line of text.slice(0, end).split("\n")) {
        const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
        if (field === "data") event.data += (event.data && "\n") + value;
        else if (field === "event") event.name = value;
        else if (field === "id") event.id = value;
      }
      text = text.slice(end + 2);
      if (event.data) yield event;
    }
  }
}
