// The API key, if the service asks for one; kept for this tab alone, and no longer than that.

import { element } from "./dom.js";

const PLACE = "n2n-key";
let asking = null; // the dialog's promise, while it is open: all who wait share it

export function currentKey() {
  return sessionStorage.getItem(PLACE);
}

/**
 * Ask for a key, as `problem` (401) says that one is missing or unknown; resolves when one was given.
 *
 * @throws problem if none is given
 */
export function askForKey(problem, signal) {
  asking ??= open(problem).finally(() => { asking = null; });
  signal?.throwIfAborted();
  return asking;
}

function open(problem) {
  return new Promise((resolve, reject) => {
    const input = element("input", { id: "key", type: "password", autocomplete: "off", required: true, spellcheck: "false" });
    const keep = (event) => {
      event.preventDefault();
      sessionStorage.setItem(PLACE, input.value.trim());
      resolve();
      dialog.remove();
    };
    const dialog = element("dialog", { class: "dialog", "aria-labelledby": "key-title" },
      element("form", { on: { submit: keep } },
        element("h2", { id: "key-title" }, "This service asks for a key"),
        element("p", {}, problem.code === "key_unknown" ? "The service does not know that key." :
          "Whoever runs it can make you one with “n2n keys add”. It is kept for this tab alone."),
        element("label", { for: "key" }, "API key"), input,
        element("div", { class: "dialog-buttons" },
          element("button", { type: "button", class: "button", on: { click: () => dialog.close() } }, "Cancel"),
          element("button", { class: "button primary" }, "Continue"))));
    dialog.addEventListener("close", () => { dialog.remove(); reject(problem); });
    document.body.append(dialog);
    dialog.showModal();
  });
}
