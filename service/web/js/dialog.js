// A dialog that asks before something that cannot be undone.

import { element } from "./dom.js";

/** Ask, and resolve to whether the visitor chose the button with the text `yes`. */
export function confirmed(title, text, yes) {
  return new Promise((resolve) => {
    const dialog = element("dialog", { class: "dialog", "aria-labelledby": "question" },
      element("h2", { id: "question" }, title),
      element("p", {}, text),
      element("div", { class: "dialog-buttons" },
        element("button", { type: "button", class: "button", autofocus: true, on: { click: () => dialog.close() } }, "Keep it"),
        element("button", { type: "button", class: "button danger", on: { click: () => dialog.close("yes") } }, yes)));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
