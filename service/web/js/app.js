// The shell: which view is shown, and what is around it.

import { element } from "./dom.js";
import { themeSwitch } from "./theme.js";

// A view's module exports `show(root, parameters)`, async, which returns a function that tears it down.
// `parameters`: `path`, what follows the view's name, split at slashes; `query`, a URLSearchParams.
const VIEWS = {
  denoise: { title: "Denoise", load: () => import("./views/denoise.js") },
  train: { title: "Train", load: () => import("./views/train.js") },
  models: { title: "Models", load: () => import("./views/models.js") },
};

const main = document.getElementById("view");
let turn = 0; // the visit that counts, if several are under way
let leave = () => {};

document.getElementById("theme").replaceWith(themeSwitch());
window.addEventListener("hashchange", visit);
visit();

async function visit() {
  const mine = ++turn;
  const { name, parameters } = place(location.hash);
  const view = VIEWS[name];
  for (const link of document.querySelectorAll(".tabs a")) {
    if (link.hash === `#/${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const [module] = await Promise.all([view.load(), stylesheet(name)]);
  if (mine !== turn) return;
  await leave();
  const root = element("div", { class: `view view-${name}` });
  main.replaceChildren(root);
  document.title = `${view.title} · n2n`;
  leave = await module.show(root, parameters) ?? (() => {});
}

/** `#/train/ID?x=1` is the view `train` with `path` ["ID"] and `query` x=1; what is unknown is the first view. */
function place(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/").map(decodeURIComponent);
  const known = Object.hasOwn(VIEWS, name);
  return { name: known ? name : "denoise",
    parameters: { path: known ? rest.filter(Boolean) : [], query: new URLSearchParams(known ? query : "") } };
}

/** Load a view's own style, once, before it is shown. */
function stylesheet(name) {
  const href = `/web/style/${name}.css`;
  if (document.querySelector(`link[href="${href}"]`)) return null;
  return new Promise((resolve) => {
    document.head.append(element("link", { rel: "stylesheet", href, on: { load: resolve, error: resolve } }));
  });
}
