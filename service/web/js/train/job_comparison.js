// Several trainings side by side: their curves in one chart, their results, and the settings that differ.

import { json } from "../api.js";
import { element } from "../dom.js";
import { decibels, duration, loss } from "../format.js";
import { bestPsnr, gain } from "../psnr.js";
import { chart } from "./chart.js";
import { joined } from "./chart_scale.js";
import { JobHistory } from "./job_history.js";
import { STATES } from "./job_states.js";

/** Show the comparison of the jobs `ids` in `root`. */
export async function jobComparison(root, ids, signal) {
  const runs = await Promise.all(ids.map((id) => loaded(id, signal)));
  const names = distinct(runs.map(({ job }) => job.name));
  const charts = await Promise.all([
    chart({ title: "PSNR on held-out pictures", x: "epoch", format: decibels,
      series: runs.map((_, i) => ({ label: names[i], color: `--curve-${i + 1}`, points: true })) }),
    chart({ title: "Training loss", x: "step", format: loss, logarithmic: true,
      series: runs.map((_, i) => ({ label: names[i], color: `--curve-${i + 1}` })) }),
  ]);
  signal.addEventListener("abort", () => charts.forEach((one) => one.destroy()));
  const best = runs.map(({ job }, i) => `${names[i]} ${decibels(bestPsnr(job.metrics))}`).join(", ");
  root.append(
    element("header", { class: "page-head" }, element("div", {}, element("a", { href: "#/train", class: "back" }, "Trainings"),
      element("h1", {}, `${runs.length} trainings compared`))),
    element("div", { class: "charts" }, charts.map((one) => one.node)),
    table(runs, names));
  const quality = joined(runs.map(({ history }) => history.psnrs()), "denoised");
  charts[0].update(quality, `Best: ${best}.`);
  charts[1].update(joined(runs.map(({ history }) => history.losses()), "training"), `Trainings: ${names.join(", ")}.`);
}

async function loaded(id, signal) {
  const path = `/train-jobs/${encodeURIComponent(id)}`;
  const [job, { history: found }] = await Promise.all([json(path, { signal }), json(`${path}/metrics`, { signal })]);
  const dataset = job.dataset && await json(`/datasets/${job.dataset}`, { signal }).catch(() => null);
  const history = new JobHistory();
  for (const event of found) history.add(event);
  return { job, dataset, history };
}

/** Add a number to names that occur several times: "a (1)", "a (2)". */
export function distinct(names) {
  return names.map((name, i) => (names.indexOf(name) === names.lastIndexOf(name) ? name :
    `${name} (${names.slice(0, i + 1).filter((other) => other === name).length})`));
}

/** Create the table of the results and of the settings that differ. */
function table(runs, names) {
  const results = [
    ["State", ({ job }) => STATES[job.state].label],
    ["Best PSNR", ({ job }) => decibels(bestPsnr(job.metrics))],
    ["Gain", ({ job }) => decibels(gain(job.metrics))],
    ["Time", ({ history }) => duration(history.newest("epochs")?.seconds ?? null)],
    ["Pictures", ({ job, dataset }) => dataset?.name ?? (job.dataset ? "unknown" : "deleted")],
    ["Starts from", ({ job }) => (job.base_sha256 ? `weights ${job.base_sha256.slice(0, 8)}` : "random weights")],
  ];
  const keys = [...new Set(runs.flatMap(({ job }) => Object.keys(job.spec)))];
  const settings = keys.map((key) => [key.replaceAll("_", " "), ({ job }) => shown(job.spec[key])]);
  const differ = settings.filter(([, value]) => new Set(runs.map(value)).size > 1);
  const rows = (some) => some.map(([label, value]) => element("tr", {}, element("th", { scope: "row" }, label),
    runs.map((run) => element("td", {}, value(run)))));
  return element("section", { class: "card" }, element("h2", {}, "What differs"),
    element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "What differs" },
      element("table", { class: "recipe" }, element("thead", {}, element("tr", {}, element("td"),
        runs.map(({ job }, i) => element("th", { scope: "col" },
          element("span", { class: "swatch", style: { "--swatch": `var(--curve-${i + 1})` } }),
          element("a", { href: `#/train/${job.id}` }, names[i]))))), element("tbody", {}, rows(results), rows(differ)))),
    !differ.length && element("p", { class: "muted" }, "Their recipes are the same."));
}

function shown(value) {
  if (value === null || value === undefined) return "–";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
