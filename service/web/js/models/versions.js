// The versions of a model, loaded when the list is opened.

import { json } from "../api.js";
import { element } from "../dom.js";
import { decibels } from "../format.js";
import { psnr } from "../psnr.js";

/** Create the list; `act` as for a card. */
export function versions(model, act) {
  const body = element("div", { class: "versions" });
  const fill = async () => {
    if (!root.open) return;
    body.replaceChildren(element("p", { class: "hint" }, "Loading …"));
    try {
      const { versions: found } = await json(`/models/${encodeURIComponent(model.name)}/versions`);
      body.replaceChildren(element("ul", {}, found.map((version) => line(version, act))),
        found.length > 1 ? element("button", { type: "button", class: "button compact", on: { click: () => act.rollBack(model.name) } },
          "Roll back to the previous version") : "");
    } catch (error) {
      body.replaceChildren(element("p", { class: "notice bad" }, error.message));
    }
  };
  const root = element("details", { class: "more", on: { toggle: fill } }, element("summary", {}, "Versions"), body);
  return root;
}

function line(version, act) {
  const id = `${version.name}@${version.version}`;
  const quality = psnr(version.metrics);
  return element("li", {},
    element("a", { href: `#/denoise?model=${encodeURIComponent(id)}` }, `Version ${version.version}`),
    element("span", { class: "hint" }, `${new Date(version.created_at).toLocaleDateString()}${quality === null ? "" : `, ${decibels(quality)}`}`),
    version.promoted ? element("span", { class: "badge accent" }, "served") : element("span", { class: "line-buttons" },
      element("button", { type: "button", class: "button compact", "aria-label": `Promote version ${version.version}`, on: { click: () => act.promote(id) } }, "Promote"),
      version.source !== "shipped" && element("button", { type: "button", class: "button compact danger", "aria-label": `Delete version ${version.version}`,
        on: { click: () => act.remove(id, false) } }, "Delete")));
}
