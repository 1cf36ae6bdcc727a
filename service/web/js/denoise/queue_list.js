// The list of the pictures in the queue.

import { element, icon } from "../dom.js";
import { pickFiles } from "../files.js";
import { counted, seconds } from "../format.js";
import { explained } from "./error_messages.js";
import { KINDS } from "./file_drop.js";
import { millisecondsOf, noiseOf } from "./picture_info.js";
import { queue } from "./queue.js";

/** Create the list; `take(files)` adds pictures, `saveEach()` downloads all denoised ones. */
export function queueList(take, saveEach, signal) {
  const rows = new Map();
  const heading = element("h2", { id: "queue-title" }, "Pictures");
  const all = element("button", { type: "button", class: "button", on: { click: saveEach } }, icon("download"), "Download all");
  const items = element("ul", { class: "queue", "aria-labelledby": "queue-title" });
  const showAll = () => {
    all.disabled = !queue.items.some((item) => item.state === "done");
    all.hidden = queue.items.length < 2;
  };
  const arrange = () => {
    for (const [item, row] of rows) {
      if (queue.items.includes(item)) continue;
      row.root.remove();
      rows.delete(item);
    }
    for (const item of queue.items) {
      if (!rows.has(item)) rows.set(item, new Row(item));
      items.append(rows.get(item).root);
      rows.get(item).show();
    }
    heading.textContent = queue.items.length ? counted(queue.items.length, "picture") : "Pictures";
    showAll();
  };
  queue.addEventListener("items", arrange, { signal });
  queue.addEventListener("settings", arrange, { signal });
  queue.addEventListener("item", (event) => {
    rows.get(event.detail)?.show();
    showAll();
  }, { signal });
  arrange();
  return element("section", { class: "queue-box", "aria-labelledby": "queue-title" },
    element("div", { class: "label-row" }, heading,
      element("button", { type: "button", class: "button compact", on: { click: () => pickFiles(KINDS, take) } }, icon("add"), "Add")),
    items, all);
}

class Row {
  constructor(item) {
    this.item = item;
    this.picture = element("span", { class: "thumbnail" }, icon("picture"));
    this.status = element("span", { class: "row-status" });
    this.choose = element("button", { type: "button", class: "row-main", on: { click: () => queue.select(item) } },
      this.picture, element("span", { class: "row-text" }, element("span", { class: "row-name", title: item.name }, item.name), this.status));
    this.end = element("button", { type: "button", class: "button quiet compact square", on: { click: () => this.#end() } });
    this.root = element("li", { class: "row" }, this.choose, this.end);
  }

  show() {
    const { item } = this;
    if (item.thumbnail && this.picture.firstChild !== item.thumbnail) this.picture.replaceChildren(item.thumbnail);
    this.choose.setAttribute("aria-current", queue.selected === item);
    this.status.textContent = statusOf(item);
    this.root.dataset.state = item.state;
    const [label, symbol] = item.isRunning ? ["Cancel", "stop"] : ["Remove", "close"];
    this.end.setAttribute("aria-label", `${label} ${item.name}`);
    this.end.title = label;
    if (this.symbol !== symbol) this.end.replaceChildren(icon(this.symbol = symbol));
  }

  #end() {
    if (this.item.isRunning) queue.cancel(this.item);
    else queue.remove(this.item);
  }
}

function statusOf(item) {
  switch (item.state) {
    case "waiting": return item.note ? `Waiting: ${item.note}` : "Waiting";
    case "reading": return "Reading …";
    case "sending": return `Sending, ${Math.round(item.share * 100)} %`;
    case "working": return "Denoising …";
    case "cancelled": return "Cancelled";
    case "failed": return explained(item.error).title;
    default: return doneOf(item);
  }
}

function doneOf(item) {
  const { report } = item.answer(queue.settings) ?? item.result;
  return `Noise ${noiseOf(report)}, ${seconds(millisecondsOf(report))}`;
}
