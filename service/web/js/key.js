// The API key, if the service needs one. It is stored for this tab only, and until the tab is closed.

import { element } from "./dom.js";

const PLACE = "n2n-key";
let asking = null; // the promise of the open dialog, which all waiting requests share

/** Return the key; null if none was entered. */
export function currentKey() {
  return sessionStorage.getItem(PLACE);
}

/**
 * Ask for a key after `problem` (401), and resolve when one was entered.
 *
 * @throws problem if the dialog is closed
 */
export function askForKey(problem, signal) {
  asking ??= openDialog(problem).finally(() => { asking = null; });
  signal?.throwIfAborted();
  return asking;
}

function openDialog(problem) {
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
        element("h2", { id: "key-title" }, "This service needs an API key"),
        element("p", {}, problem.code === "key_unknown" ? "The service does not recognise that key." :
          "The person who runs the service can create one with “n2n keys add”. It is stored in this tab only."),
        element("label", { for: "key" }, "API key"), input,
        element("div", { class: "dialog-buttons" },
          element("button", { type: "button", class: "button", on: { click: () => dialog.close() } }, "Cancel"),
          element("button", { class: "button primary" }, "Continue"))));
    dialog.addEventListener("close", () => { dialog.remove(); reject(problem); });
    document.body.append(dialog);
    dialog.showModal();
  });
}
