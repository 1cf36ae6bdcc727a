// Whether the service can be reached; a banner while it cannot, and word to those who wait for it.

import { element } from "./dom.js";

const AGAIN = 1500; // milliseconds between looks
let waiting = null; // {promise, resolve} while it is away

/** A request met nobody. */
export function lost() {
  if (waiting) return;
  waiting = Promise.withResolvers?.() ?? withResolvers();
  const banner = document.getElementById("connection");
  banner.replaceChildren(element("span", { class: "spinner" }),
    "The service does not answer. Nothing is lost; the page goes on when it is back.");
  banner.hidden = false;
  look();
}

/** A request was answered. */
export function regained() {
  if (!waiting) return;
  document.getElementById("connection").hidden = true;
  waiting.resolve();
  waiting = null;
}

/** Resolves at once, or as soon as the service answers again. */
export function reachable() {
  return waiting?.promise ?? Promise.resolve();
}

async function look() {
  while (waiting) {
    await new Promise((resolve) => setTimeout(resolve, AGAIN));
    const answer = await fetch("/readyz", { cache: "no-store" }).catch(() => null);
    if (answer?.ok) regained();
  }
}

function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve) => { made.resolve = resolve; });
  return made;
}
