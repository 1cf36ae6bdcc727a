// What the checks before training found, as pictures with verdicts.

import { element, icon } from "../dom.js";
import { KINDS } from "./dataset_kinds.js";
import { canvas, cells } from "./sheet.js";
import { counted } from "../format.js";

const TITLES = {
  shape: "Size of the pictures",
  range: "Scale of the values",
  clipped: "Cut-off noise",
  identical: "Two different shots",
  bias: "Same brightness",
  shift: "Alignment",
  independent: "Independent noise",
  correlation: "Grain of the noise",
  noise: "Amount of noise",
  brightness: "Noise by brightness",
  files: "Other files",
};
const VERDICTS = {
  fine: { word: "Good", tone: "good", symbol: "check" },
  warning: { word: "Look at this", tone: "warn", symbol: "warning" },
  refuse: { word: "Cannot be used", tone: "bad", symbol: "close" },
};
const ROWS = 4; // of evidence: more tell no more
const WORST_FIRST = ["refuse", "warning", "fine"];

/** The report of a dataset, and pictures of it as evidence. */
export function report(dataset, signal) {
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
  if (verdict === "fine") return "These pictures are fit to be trained on.";
  if (verdict === "refuse") return "These pictures cannot be trained on.";
  return `These pictures can be trained on, but ${counted(bad.length, "check")} ${bad.length === 1 ? "warns" : "warn"}.`;
}

function figures({ counts, statistics }) {
  const sizes = counts.sizes.length === 1 ? `${counts.sizes[0][1]} × ${counts.sizes[0][0]} pixels` : `${counts.sizes.length} sizes`;
  return `${counted(counts.scenes, "scene")}, ${counted(counts.pictures, "picture")} of ${sizes}; ` +
    `noise ${(statistics.sigma * 255).toFixed(1)} of 255.`;
}

function row({ name, verdict, message, advice }) {
  const { word, tone, symbol } = VERDICTS[verdict];
  return element("li", { class: `check ${tone}` }, icon(symbol),
    element("div", {}, element("h3", {}, TITLES[name] ?? name, element("span", { class: `badge ${tone}` }, word)),
      element("p", {}, sentence(message)),
      advice && element("p", { class: "advice" }, element("strong", {}, "What to do: "), sentence(advice))));
}

function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}${text.endsWith(".") ? "" : "."}`;
}

/** Crops at their own pixels: of two shots the difference, too. */
function evidence({ id, kind }, signal) {
  const columns = KINDS[kind].shots ? ["First shot", "Second shot", "Difference"] : [];
  const grid = element("div", { class: "evidence" });
  const node = element("figure", {}, grid, columns.length > 0 && element("figcaption", { class: "muted small" },
    "The difference should show noise alone. Where it shows outlines, something moved or changed between the shots. Dark pictures are shown brighter."));
  cells(`/datasets/${id}/report.png`, { signal }).then((rows) => {
    grid.append(...columns.map((name) => element("span", { class: "muted small" }, name)),
      ...rows.slice(0, ROWS).flatMap((each, scene) => each.map((cell, i) => canvas(cell, `${columns[i] ?? "Picture"}, scene ${scene + 1}`))));
  }).catch(() => node.remove()); // the verdicts stand without pictures
  return node;
}
