// The checks of a dataset, with pictures as evidence.

import { element, icon } from "../dom.js";
import { counted, sentence } from "../format.js";
import { KINDS } from "./dataset_kinds.js";
import { canvas, cells } from "./sheet.js";

/** By the API's `name` of a check. */
export const TITLES = {
  shape: "Picture size",
  range: "Value range",
  clipped: "Clipped noise",
  identical: "Two different shots",
  bias: "Same brightness",
  shift: "Alignment",
  independent: "Independent noise",
  correlation: "Noise correlation",
  noise: "Noise level",
  brightness: "Noise by brightness",
  files: "Other files",
};
/** By the API's `verdict`. */
export const VERDICTS = {
  fine: { word: "Good", tone: "good", symbol: "check" },
  warning: { word: "Check this", tone: "warn", symbol: "warning" },
  refuse: { word: "Cannot be used", tone: "bad", symbol: "close" },
};
/** By the API's `shown` of a cell. */
export const SHOWN = { first: "First shot", second: "Second shot", difference: "Difference" };
const MOST_CELLS = 12; // of evidence, four rows: more would not add anything
const WORST_FIRST = ["refuse", "warning", "fine"];

/** Create the report of a dataset. */
export function datasetReport(dataset, signal) {
  const { checks, verdict } = dataset.report;
  const worst = WORST_FIRST.flatMap((one) => checks.filter((check) => check.verdict === one));
  const bad = checks.filter((check) => check.verdict !== "fine");
  const { tone, symbol } = VERDICTS[verdict];
  return element("div", { class: "report" },
    element("p", { class: `verdict notice ${tone}`, role: "status" }, icon(symbol),
      element("span", {}, element("strong", {}, summary(dataset, bad)), ` ${figures(dataset)}`)),
    element("div", { class: "findings" }, evidence(dataset, signal),
      element("ul", { class: "checks", "aria-label": "Checks" }, worst.map((check) => row(check)))));
}

function summary({ report: { verdict } }, bad) {
  if (verdict === "fine") return "These pictures are suitable for training.";
  if (verdict === "refuse") return "These pictures cannot be used for training.";
  return `These pictures can be used for training, but ${counted(bad.length, "check")} ${bad.length === 1 ? "warns" : "warn"}.`;
}

function figures({ counts, statistics }) {
  const sizes = counts.sizes.length === 1 ? `${counts.sizes[0][1]} × ${counts.sizes[0][0]} pixels` : `${counts.sizes.length} sizes`;
  return `${counted(counts.scenes, "scene")}, ${counted(counts.pictures, "picture")} of ${sizes}; ` +
    `noise ${(statistics.sigma * 255).toFixed(1)} (0–255).`;
}

function row({ name, verdict, message, advice }) {
  const { word, tone, symbol } = VERDICTS[verdict];
  return element("li", { class: `check ${tone}` }, icon(symbol),
    element("div", {}, element("h3", {}, TITLES[name] ?? name, element("span", { class: `badge ${tone}` }, word)),
      element("p", {}, sentence(message)),
      advice && element("p", { class: "advice" }, element("strong", {}, "What to do: "), sentence(advice))));
}

/** Show crops at full resolution: both shots and their difference, where there are two. */
function evidence({ id, kind, report }, signal) {
  const { shots } = KINDS[kind];
  const grid = element("div", { class: "evidence" });
  const node = element("figure", {}, grid, shots && element("figcaption", { class: "muted small" },
    "The difference should show only noise. If it shows outlines, something moved or changed between the shots. Dark pictures are shown brighter."));
  const label = ({ scene, shown }) => (shown ? `${shots ? SHOWN[shown] : "Picture"}, scene ${scene + 1}` : "Crops of some scenes");
  cells(`/datasets/${id}/report.png`, report.cells.slice(0, MOST_CELLS), signal).then((found) => {
    const columns = shots && found[0].shown ? Object.values(SHOWN) : [];
    grid.append(...columns.map((name) => element("span", { class: "muted small" }, name)),
      ...found.map((cell) => canvas(cell, label(cell))));
  }).catch(() => node.remove()); // the checks are useful without pictures, too
  return node;
}
