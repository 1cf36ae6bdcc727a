// The theme: light, dark, or the system's. early_theme.js sets it before the first paint.

import { element, icon } from "./dom.js";

const CHOICES = [["light", "Light", "sun"], ["system", "System", "system"], ["dark", "Dark", "moon"]];

/** Create the switch. */
export function themeSwitch() {
  const current = localStorage.getItem("theme") ?? "system";
  return element("fieldset", { class: "theme-switch" },
    element("legend", { class: "visually-hidden" }, "Theme"),
    CHOICES.map(([value, label, symbol]) => element("label", { title: label },
      element("input", { type: "radio", name: "theme", value, checked: value === current, class: "visually-hidden",
        on: { change: () => choose(value) } }),
      icon(symbol), element("span", { class: "visually-hidden" }, label))));
}

function choose(theme) {
  if (theme === "system") {
    localStorage.removeItem("theme");
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem("theme", theme);
    document.documentElement.dataset.theme = theme;
  }
}
