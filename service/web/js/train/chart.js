// Charts that grow: uPlot in the page's colours, with a legend that shows values, a summary and a table.

import { element } from "../dom.js";
import { axisRange, tableRows, ticks, wholeTick } from "./chart_scale.js";

const HEIGHT = 220;
const MOST_ROWS = 400; // of the table; the CSV file has all
const WHOLE = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((times) => times * 10 ** power)).flat(); // allowed steps of the x axis
const UPLOT = "/web/vendor/uplot";

/**
 * Create a chart without data.
 *
 * @param options.title
 * @param options.x name of the x axis, such as "step"
 * @param options.series [{label, color, dashed, points}]; `color` is a custom property such as "--curve-1"
 * @param options.format returns a value as text
 * @param options.logarithmic whether the y axis is logarithmic
 * @param options.note a node below the chart
 * @returns {node, update, destroy}; `update(columns, summary)` draws the columns: the x values, then those of each series,
 *   with null for missing ones; `summary` is a sentence for screen readers
 */
export async function chart({ title, x, series, format, logarithmic = false, note = null }) {
  const [{ default: UPlot }] = await Promise.all([import(`${UPLOT}/uPlot.esm.js`), style()]);
  const waiting = element("p", { class: "plot-waiting muted" }, "No data yet");
  const plot = element("div", { class: "plot", role: "img", "aria-label": title }, waiting);
  const legend = series.map((one) => legendOf(one));
  const place = element("span", { class: "muted small chart-place" });
  const table = tableOf(x, series, format);
  const node = element("section", { class: "card chart", "aria-label": title },
    element("div", { class: "chart-head" }, element("h2", {}, title), place),
    element("ul", { class: "legend" }, legend.map((one) => one.node)), plot, note, table.node);
  const color = (name) => resolved(plot, name);
  let columns = [[], ...series.map(() => [])];
  const chosen = (index) => {
    const last = (values) => values.findLast((value) => value !== null);
    legend.forEach(({ value }, i) => {
      const shown = index === null ? last(columns[i + 1]) : columns[i + 1][index];
      value.textContent = shown === null || shown === undefined ? "" : format(shown);
    });
    place.textContent = index === null ? "" : `${x} ${columns[0][index]}`;
  };
  const drawn = new UPlot({
    width: 320, height: HEIGHT, legend: { show: false }, padding: [8, 8, 0, 0],
    cursor: { y: false, points: { size: 7 }, drag: { x: true, y: false } },
    scales: { x: { time: false, range: (u, low, high) => (low === high ? [low - 1, high + 1] : [low, high]) },
      y: { distr: logarithmic ? 3 : 1, range: (u, low, high) => axisRange(low, high, logarithmic) } },
    axes: [axis(color, { space: 56, size: 30, incrs: WHOLE, values: (u, splits) => splits.map(wholeTick) }),
      axis(color, { size: 58, space: 32, splits: (u, i, low, high) => ticks(low, high, 5),
        filter: (u, splits) => splits, values: (u, splits) => splits.map((v) => Number(v.toPrecision(4)).toString()) })],
    series: [{}, ...series.map((one) => ({
      label: one.label, stroke: () => color(one.color), width: one.dashed ? 1.5 : 2, dash: one.dashed ? [6, 4] : undefined,
      spanGaps: true, points: { show: one.points ? undefined : false, size: 5 },
    }))],
    hooks: { setCursor: [(u) => chosen(u.cursor.idx ?? null)] },
  }, columns, plot);
  const resize = new ResizeObserver(([entry]) => drawn.setSize({ width: Math.floor(entry.contentRect.width), height: HEIGHT }));
  resize.observe(plot);
  const unwatch = onTheme(() => drawn.redraw());
  return {
    node,
    update(values, summary) {
      columns = values;
      waiting.hidden = columns[0].length > 0;
      drawn.root.hidden = !waiting.hidden;
      drawn.setData(columns);
      chosen(null);
      table.update(columns);
      plot.setAttribute("aria-label", `${title}. ${summary}`);
    },
    destroy() {
      resize.disconnect();
      unwatch();
      drawn.destroy();
    },
  };
}

function axis(color, more) {
  return { stroke: () => color("--muted"), font: "11px system-ui, sans-serif", ticks: { show: false }, gap: 6,
    grid: { stroke: () => color("--line"), width: 1 }, ...more };
}

function legendOf({ label, color, dashed }) {
  const value = element("span", { class: "legend-value" });
  const swatch = element("span", { class: dashed ? "swatch dashed" : "swatch", style: { "--swatch": `var(${color})` } });
  return { value, node: element("li", {}, swatch, element("span", { class: "legend-label" }, label), value) };
}

/** Create the table of the values; it is filled only while it is open. */
function tableOf(x, series, format) {
  const body = element("tbody");
  let columns = [[]];
  const fill = () => {
    body.replaceChildren(...tableRows(columns[0].length, MOST_ROWS).map((row) =>
      element("tr", {}, element("th", { scope: "row" }, columns[0][row]),
        columns.slice(1).map((column) => element("td", {}, column[row] === null ? "" : format(column[row]))))));
  };
  const node = element("details", { class: "chart-table", on: { toggle: () => node.open && fill() } },
    element("summary", {}, "Show as a table"),
    element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table" },
      element("table", {}, element("thead", {}, element("tr", {},
        [x, ...series.map((one) => one.label)].map((label) => element("th", { scope: "col" }, label)))), body)));
  return { node, update(values) { columns = values; if (node.open) fill(); } };
}

/** Return a custom property's colour as the canvas needs it, without light-dark(). */
function resolved(node, name) {
  const probe = element("span", { hidden: true, style: { color: `var(${name})` } });
  node.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** Call `redraw` when the theme changes; returns a function that ends this. */
function onTheme(redraw) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const switched = new MutationObserver(redraw);
  switched.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  system.addEventListener("change", redraw);
  return () => { switched.disconnect(); system.removeEventListener("change", redraw); };
}

let styled = null;

/** Load uPlot's style sheet, once. */
function style() {
  styled ??= new Promise((resolve, reject) => {
    const href = `${UPLOT}/uPlot.min.css`;
    document.head.append(element("link", { rel: "stylesheet", href, on: { load: resolve, error: reject } }));
  });
  return styled;
}
