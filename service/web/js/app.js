// The shell: shows the view that the address names.

import { element } from "./dom.js";
import { routeOf } from "./route.js";
import { themeSwitch } from "./theme.js";

// A view's module exports `show(root, parameters)`, async, which returns a function that closes the view.
const VIEWS = {
  denoise: { title: "Denoise", load: () => import("./views/denoise.js") },
  train: { title: "Train", load: () => import("./views/train.js") },
  models: { title: "Models", load: () => import("./views/models.js") },
};

const main = document.getElementById("view");
let newest = 0; // number of the newest visit: several may be loading
let close = null; // closes the view that is shown

document.getElementById("theme").replaceWith(themeSwitch());
window.addEventListener("hashchange", visit);
visit();

async function visit() {
  const number = ++newest;
  const { name, parameters } = routeOf(location.hash, Object.keys(VIEWS));
  const view = VIEWS[name];
  for (const link of document.querySelectorAll(".tabs a")) {
    if (link.hash === `#/${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const [module] = await Promise.all([view.load(), stylesheet(name)]);
  if (number !== newest) return;
  const root = replaceView(name, view.title);
  closeWith(await module.show(root, parameters), number);
}

/** Close the view that is shown, and return the element for the next one. */
function replaceView(name, title) {
  close?.();
  close = null;
  const root = element("div", { class: `view view-${name}` });
  main.replaceChildren(root);
  document.title = `${title} · n2n`;
  return root;
}

/** Keep the function that closes a view; call it at once if another view was opened while this one was loading. */
function closeWith(closeView, number) {
  if (number === newest) close = closeView;
  else closeView();
}

/** Load a view's own style, once, before the view is shown. */
function stylesheet(name) {
  const href = `/web/style/${name}.css`;
  if (document.querySelector(`link[href="${href}"]`)) return null;
  return new Promise((resolve) => {
    document.head.append(element("link", { rel: "stylesheet", href, on: { load: resolve, error: resolve } }));
  });
}
