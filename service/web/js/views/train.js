// Train: the list of trainings, a new one, one as it goes, or several compared.

import { Unreachable } from "../api.js";
import { reachable } from "../connection.js";
import { element } from "../dom.js";

const PAGES = {
  list: (root, _, signal) => import("../train/job_list.js").then(({ runs }) => runs(root, signal)),
  new: (root, { query }, signal) => import("../train/new_job.js").then(({ start }) => start(root, query, signal)),
  compare: (root, { path }, signal) => import("../train/job_comparison.js").then(({ compare }) =>
    compare(root, (path[1] ?? "").split(",").filter(Boolean).slice(0, 6), signal)),
  run: (root, { path }, signal) => import("../train/job_page.js").then(({ run }) => run(root, path[0], signal)),
};

/** `#/train`, `#/train/new`, `#/train/compare/ID,ID`, `#/train/ID`. */
export async function show(root, parameters) {
  const leaving = new AbortController();
  const [first = "list"] = parameters.path;
  const page = Object.hasOwn(PAGES, first) ? PAGES[first] : PAGES.run;
  open(page, root, parameters, leaving.signal);
  return () => leaving.abort();
}

/** The page, or a word on why it is not there; not waited for, so that it can be left while it loads. */
async function open(page, root, parameters, signal) {
  try {
    await page(root, parameters, signal);
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof Unreachable) return reachable().then(() => signal.aborted || again());
    root.append(element("div", { class: "notice bad", role: "alert" }, element("p", {}, error.message),
      element("p", {}, element("a", { href: "#/train" }, "To the trainings"), " · ",
        element("button", { type: "button", class: "button compact", on: { click: () => again() } }, "Try again"))));
  }

  function again() {
    root.replaceChildren();
    open(page, root, parameters, signal);
  }
}
