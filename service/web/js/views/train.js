// The view of the trainings: the list, a new training, one training, or several compared.

import { Unreachable } from "../api.js";
import { reachable } from "../connection.js";
import { element } from "../dom.js";

const PAGES = {
  list: (root, _, signal) => import("../train/job_list.js").then(({ jobList }) => jobList(root, signal)),
  new: (root, { query }, signal) => import("../train/new_job.js").then(({ newJob }) => newJob(root, query, signal)),
  compare: (root, { path }, signal) => import("../train/job_comparison.js").then(({ jobComparison }) =>
    jobComparison(root, (path[1] ?? "").split(",").filter(Boolean).slice(0, 6), signal)),
  job: (root, { path }, signal) => import("../train/job_page.js").then(({ jobPage }) => jobPage(root, path[0], signal)),
};

/** `#/train`, `#/train/new`, `#/train/compare/ID,ID`, `#/train/ID`. */
export async function show(root, parameters) {
  const leaving = new AbortController();
  const [first = "list"] = parameters.path;
  const page = Object.hasOwn(PAGES, first) ? PAGES[first] : PAGES.job;
  openPage(page, root, parameters, leaving.signal);
  return () => leaving.abort();
}

/** Show the page, or an error message. Nobody waits for it, so that the page can be left while it loads. */
async function openPage(page, root, parameters, signal) {
  try {
    await page(root, parameters, signal);
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof Unreachable) {
      await reachable();
      if (!signal.aborted) again();
      return;
    }
    root.append(element("div", { class: "notice bad", role: "alert" }, element("p", {}, error.message),
      element("p", {}, element("a", { href: "#/train" }, "Back to the trainings"), " · ",
        element("button", { type: "button", class: "button compact", on: { click: () => again() } }, "Try again"))));
  }

  function again() {
    root.replaceChildren();
    openPage(page, root, parameters, signal);
  }
}
