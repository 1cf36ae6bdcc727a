// Pictures in, denoised pictures out.

import { element, icon } from "../dom.js";
import { facts } from "../denoise/picture_info.js";
import { acceptEverywhere } from "../denoise/file_drop.js";
import { list } from "../denoise/queue_list.js";
import { panel } from "../denoise/settings_form.js";
import { queue } from "../denoise/queue.js";
import { save, saveAll } from "../denoise/save.js";
import { Stage } from "../denoise/stage.js";

const REST = 500; // milliseconds without a change of the strength, until the service is asked for it

export async function show(root, { query }) {
  const controller = new AbortController();
  const { signal } = controller;
  const take = (files) => files.length && queue.add(files);
  const stage = new Stage(take, signal);
  const line = facts();
  const download = element("button", { type: "button", class: "button primary", disabled: true, on: { click: saveOne } },
    icon("download"), "Download");
  let rest = 0;
  let asked = null;

  async function saveOne() {
    const item = queue.selected;
    clearTimeout(rest);
    asked?.abort();
    await waitingFor(download, () => answerOf(item)).then((answer) => save(item, answer)).catch((error) => fail(item, error));
  }

  async function saveEach(event) {
    const done = queue.items.filter((item) => item.state === "done");
    await waitingFor(event.currentTarget, async () => {
      const answers = [];
      for (const item of done) answers.push([item, await answerOf(item)]);
      await saveAll(answers);
    }).catch((error) => fail(queue.selected, error));
  }

  const answerOf = (item) => item.fetchAnswer({ ...queue.settings }, { signal });
  const fail = (item, error) => {
    if (signal.aborted) return;
    Object.assign(item, { state: "failed", error });
    queue.changed(item);
  };

  const update = () => {
    const item = queue.selected;
    const answer = item?.answer(queue.settings) ?? null;
    stage.show();
    line.show(item, answer);
    download.disabled = item?.state !== "done";
    if (item?.state === "done" && !answer) askAtRest(item);
  };

  /** Once the strength is left alone, its figures and its file are asked for; what is seen is there at once. */
  function askAtRest(item) {
    clearTimeout(rest);
    rest = setTimeout(async () => {
      asked?.abort();
      asked = new AbortController();
      const { signal: mine } = asked;
      await item.fetchAnswer({ ...queue.settings }, { signal: mine }).catch(() => {});
      if (!mine.aborted) queue.changed(item);
    }, REST);
  }

  acceptEverywhere(take, signal);
  queue.addEventListener("items", () => queue.selected && stage.root.scrollIntoView({ block: "nearest" }), { signal });
  for (const name of ["items", "settings"]) queue.addEventListener(name, update, { signal });
  queue.addEventListener("item", (event) => event.detail === queue.selected && update(), { signal });
  root.append(element("h1", { class: "visually-hidden" }, "Denoise pictures"),
    element("div", { class: "work" }, stage.root, element("div", { class: "under" }, line.root, download)),
    element("aside", { class: "side-panel", "aria-label": "Settings and pictures" },
      panel(query.get("model"), signal), list(take, saveEach, signal)));
  update();

  return () => {
    controller.abort();
    asked?.abort();
    clearTimeout(rest);
  };
}

/** Show that a button's work is under way. */
async function waitingFor(button, work) {
  const symbol = button.firstChild;
  const spinner = element("span", { class: "spinner" });
  symbol.replaceWith(spinner);
  button.setAttribute("aria-busy", "true");
  try {
    return await work();
  } finally {
    spinner.replaceWith(symbol);
    button.removeAttribute("aria-busy");
  }
}
