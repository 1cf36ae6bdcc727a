// HTTP requests to the service. No other module sends any, except for static files.

import { lost, regained } from "./connection.js";
import { readEvents } from "./event_stream.js";
import { askForKey, currentKey } from "./key.js";

/** An error that the service answered with (RFC 9457). Programs use `status`, `code`, `errors` and `retryAfter` (seconds). */
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
 * Send a request, and return the `Response`. If the service needs an API key, ask the visitor for it and try again.
 *
 * @param path such as "/models"
 * @param options.method GET if there is no body, else POST
 * @param options.query an object; null and undefined values are left out
 * @param options.json sent as JSON
 * @param options.body a Blob, a string or FormData, instead of `json`
 * @param options.headers
 * @param options.signal cancels the request: the connection is closed, and the service stops the work
 * @param options.onUpload called with the share (0 to 1) of the body that was sent
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

/** Send a request, and return the body, read as JSON. See `request`. */
export async function json(path, options = {}) {
  return (await request(path, options)).json();
}

/**
 * Call `onEvent({name, id, data})` for each server-sent event of `path`, until the service answers 204. `data` is read as JSON.
 *
 * EventSource cannot send an API key, so this uses fetch. After a lost connection it continues behind the last event.
 */
export async function events(path, onEvent, signal) {
  let last = null;
  for (let pause = 500; ; pause = Math.min(pause * 2, 8000)) {
    try {
      const headers = { Accept: "text/event-stream", ...(last === null ? {} : { "Last-Event-ID": last }) };
      const response = await request(path, { headers, signal });
      if (response.status === 204) return;
      for await (const event of readEvents(response.body)) {
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

/** Wait for a number of milliseconds; the signal ends the wait with its reason. */
export function wait(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
  });
}

async function send(path, { method, query = {}, json: content, body, headers = {}, signal, onUpload }) {
  signal?.throwIfAborted();
  const key = currentKey();
  const all = { ...(key ? { Authorization: `Bearer ${key}` } : {}), ...headers };
  if (content !== undefined) [body, all["Content-Type"]] = [JSON.stringify(content), "application/json"];
  method ??= body === undefined ? "GET" : "POST";
  const url = withQuery(path, query);
  try {
    const response = await (onUpload ? upload(url, method, body, all, signal, onUpload)
      : fetch(url, { method, body, headers: all, signal }));
    regained();
    return response;
  } catch {
    signal?.throwIfAborted();
    lost();
    throw new Unreachable();
  }
}

function withQuery(path, query) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

/** Like fetch, which cannot report how much of the body was sent. */
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
  const retryAfter = Number.parseInt(response.headers.get("Retry-After"), 10);
  const fallback = { title: response.statusText || `Status ${response.status}`, status: response.status };
  const content = await response.json().catch(() => ({})); // a proxy may answer with HTML
  return new Problem({ ...fallback, ...content }, Number.isNaN(retryAfter) ? null : retryAfter);
}
