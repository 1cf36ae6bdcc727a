// The list of the trainings with their state and result; several can be compared.

import { Unreachable, json, wait } from "../api.js";
import { element, icon } from "../dom.js";
import { ago, decibels, duration, signed } from "../format.js";
import { bestPsnr, gain } from "../psnr.js";
import { STATES } from "./job_states.js";
import { progressOf } from "./progress.js";

const INTERVAL = 3000; // milliseconds between updates
const MOST = 6; // trainings in a comparison: as many as there are colours of curves

/** Show the list in `root`, and update it until the signal. Without trainings, explain what one needs. */
export async function jobList(root, signal) {
  const chosen = new Set();
  const list = element("ul", { class: "runs" });
  const compare = element("a", { class: "button", role: "link" }, "Compare");
  const more = element("button", { type: "button", class: "button", hidden: true }, "Show older trainings");
  const empty = element("section", { class: "card empty", hidden: true },
    element("h2", {}, "No trainings yet"),
    element("p", {}, "Two noisy shots of each scene are enough to teach a model your noise. Clean pictures are not needed. " +
      "Drop the shots, read what the checks found, and press one button."),
    element("a", { class: "button primary", href: "#/train/new" }, icon("add"), "New training"));
  const titles = element("div", { class: "run-titles muted small", "aria-hidden": "true" },
    ["Model", "State", "Best PSNR", "Created"].map((title) => element("span", {}, title)));
  const buttons = element("div", { class: "page-actions", hidden: true }, compare,
    element("a", { class: "button primary", href: "#/train/new" }, icon("add"), "New training"));
  root.append(element("header", { class: "page-head" }, element("h1", {}, "Trainings"), buttons), empty, titles, list, more);
  let pages = 1;
  more.addEventListener("click", () => { pages += 1; refresh().catch(() => {}); });
  showCompare();
  for (;;) {
    try {
      await refresh();
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error; // the banner shows it; the list continues when the service is back
    }
    await wait(INTERVAL, signal);
  }

  async function refresh() {
    const jobs = [];
    let token = null;
    for (let page = 0; page < pages; page += 1) {
      const answer = await json("/train-jobs", { query: { page_size: 50, page_token: token }, signal });
      jobs.push(...answer.jobs);
      token = answer.next_page_token;
      if (!token) break;
    }
    const focused = list.contains(document.activeElement) ? document.activeElement.id : null;
    const known = new Set(jobs.map(({ id }) => id));
    for (const id of chosen) if (!known.has(id)) chosen.delete(id);
    list.replaceChildren(...jobs.map((job) => row(job)));
    if (focused) document.getElementById(focused)?.focus();
    empty.hidden = jobs.length > 0;
    buttons.hidden = titles.hidden = !jobs.length;
    more.hidden = !token;
    showCompare();
  }

  function row(job) {
    const { id, name, state, spec, metrics, created_at: made } = job;
    const { label, tone } = STATES[state];
    const better = gain(metrics);
    const toggle = element("input", { type: "checkbox", id: `compare-${id}`, checked: chosen.has(id), "aria-label": `Compare ${name}`,
      on: { change: () => { if (toggle.checked) chosen.add(id); else chosen.delete(id); showCompare(); } } });
    return element("li", { class: "run" }, element("label", { class: "run-choice" }, toggle),
      element("a", { class: "run-link", id: `run-${id}`, href: `#/train/${id}` },
        element("span", { class: "run-name" }, name, element("span", { class: "muted small" }, spec.model)),
        element("span", { class: "run-state" }, element("span", { class: `badge ${tone}` }, label), live(job)),
        element("span", { class: "run-figure" }, element("span", { class: "visually-hidden" }, "best PSNR "), decibels(bestPsnr(metrics)),
          better !== null && element("span", { class: "muted small" }, signed(better))),
        element("span", { class: "run-age muted small" }, ago(made))));
  }

  /** Update the link to the comparison. */
  function showCompare() {
    const enough = chosen.size > 1 && chosen.size <= MOST;
    compare.textContent = chosen.size ? `Compare ${chosen.size}` : "Compare";
    compare.setAttribute("aria-disabled", String(!enough));
    compare.title = enough ? "" : `Choose two to ${MOST} trainings`;
    if (enough) compare.setAttribute("href", `#/train/compare/${[...chosen].join(",")}`);
    else compare.removeAttribute("href");
  }
}

function live(job) {
  if (job.state !== "running") return null;
  const { share, left } = progressOf(job);
  return element("span", { class: "run-live" }, element("progress", { max: 1, value: share, "aria-label": "Training progress" }),
    left !== null && element("span", { class: "muted small" }, `${duration(left)} left`));
}
