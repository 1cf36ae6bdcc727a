// Several trainings side by side: their curves in one chart, and what their recipes differ in.

import { element } from "../dom.js";
import { json } from "../api.js";
import { chart } from "./chart.js";
import { bestPsnr, gain } from "../psnr.js";
import { History } from "./job_history.js";
import { STATES, decibels, duration, loss } from "./job_states.js";

/** The comparison of the jobs `ids` in `root`. */
export async function compare(root, ids, signal) {
  const runs = await Promise.all(ids.map((id) => loaded(id, signal)));
  const names = distinct(runs);
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
  charts[0].update(quality, `At best: ${best}.`);
  charts[1].update(joined(runs.map(({ history }) => history.losses()), "training"), `Of ${names.join(", ")}.`);
}

async function loaded(id, signal) {
  const path = `/train-jobs/${encodeURIComponent(id)}`;
  const [job, { history: told }] = await Promise.all([json(path, { signal }), json(`${path}/metrics`, { signal })]);
  const dataset = job.dataset && await json(`/datasets/${job.dataset}`, { signal }).catch(() => null);
  const history = new History();
  for (const event of told) history.add(event);
  return { job, dataset, history };
}

/** The runs' names; those that several have, with a number. */
function distinct(runs) {
  const names = runs.map(({ job }) => job.name);
  return names.map((name, i) => (names.indexOf(name) === names.lastIndexOf(name) ? name :
    `${name} (${names.slice(0, i + 1).filter((other) => other === name).length})`));
}

/** Columns with one x axis for all. */
function joined(each, key) {
  const found = each.map((columns) => new Map(columns.x.map((x, i) => [x, columns[key][i]])));
  const x = [...new Set(found.flatMap((one) => [...one.keys()]))].sort((a, b) => a - b);
  return [x, ...found.map((one) => x.map((value) => one.get(value) ?? null))];
}

/** Results, and the settings that are not the same for all. */
function table(runs, names) {
  const results = [
    ["State", ({ job }) => STATES[job.state].label],
    ["Best PSNR", ({ job }) => decibels(bestPsnr(job.metrics))],
    ["Gain", ({ job }) => decibels(gain(job.metrics))],
    ["Time", ({ history }) => duration(history.newest("epochs")?.seconds ?? null)],
    ["Pictures", ({ job, dataset }) => dataset?.name ?? (job.dataset ? "unknown" : "deleted")],
    ["Starts from", ({ job }) => (job.base_sha256 ? `weights ${job.base_sha256.slice(0, 8)}` : "the beginning")],
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
