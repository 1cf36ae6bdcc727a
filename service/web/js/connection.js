// Whether the service can be reached. While it cannot, the page shows a banner and keeps trying.

import { element } from "./dom.js";

const INTERVAL = 1500; // milliseconds between attempts
let waiting = null; // {promise, resolve} while the service cannot be reached

/** A request failed without an answer. */
export function lost() {
  if (waiting) return;
  waiting = Promise.withResolvers?.() ?? withResolvers();
  const banner = document.getElementById("connection");
  banner.replaceChildren(element("span", { class: "spinner" }),
    "The service is not responding. Nothing is lost: the page continues when the service is back.");
  banner.hidden = false;
  poll();
}

/** A request was answered. */
export function regained() {
  if (!waiting) return;
  document.getElementById("connection").hidden = true;
  waiting.resolve();
  waiting = null;
}

/** Resolve as soon as the service can be reached: at once if it answered the last request. */
export function reachable() {
  return waiting?.promise ?? Promise.resolve();
}

async function poll() {
  while (waiting) {
    await new Promise((resolve) => { setTimeout(resolve, INTERVAL); });
    const answer = await fetch("/readyz", { cache: "no-store" }).catch(() => null);
    if (answer?.ok) regained();
  }
}

/** `Promise.withResolvers`, which Safari before 17.4 and Firefox before 121 lack. */
function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve) => { made.resolve = resolve; });
  return made;
}
