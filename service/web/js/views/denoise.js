// The view that denoises pictures.

import { element, icon } from "../dom.js";
import { acceptFiles } from "../denoise/file_drop.js";
import { pictureInfo } from "../denoise/picture_info.js";
import { queue } from "../denoise/queue.js";
import { queueList } from "../denoise/queue_list.js";
import { save, saveAll } from "../denoise/save.js";
import { settingsForm } from "../denoise/settings_form.js";
import { Stage } from "../denoise/stage.js";

const DELAY = 500; // milliseconds after the last change of the strength, before the service is asked for the result

export async function show(root, { query }) {
  const controller = new AbortController();
  const { signal } = controller;
  const take = (files) => files.length && queue.add(files);
  const stage = new Stage(take, signal);
  const info = pictureInfo();
  const download = element("button", { type: "button", class: "button primary", disabled: true, on: { click: saveOne } },
    icon("download"), "Download");
  let timer = 0;
  let asked = null;

  async function saveOne() {
    const item = queue.selected;
    clearTimeout(timer);
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
    info.show(item, answer);
    download.disabled = item?.state !== "done";
    if (item?.state === "done" && !answer) askLater(item);
  };

  /** Ask the service for the file and its report when the strength no longer changes. The page draws the blend at once. */
  function askLater(item) {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      asked?.abort();
      asked = new AbortController();
      const { signal: mine } = asked;
      await item.fetchAnswer({ ...queue.settings }, { signal: mine }).catch(() => {});
      if (!mine.aborted) queue.changed(item);
    }, DELAY);
  }

  acceptFiles(take, signal);
  queue.addEventListener("items", () => queue.selected && stage.root.scrollIntoView({ block: "nearest" }), { signal });
  for (const name of ["items", "settings"]) queue.addEventListener(name, update, { signal });
  queue.addEventListener("item", (event) => event.detail === queue.selected && update(), { signal });
  root.append(element("h1", { class: "visually-hidden" }, "Denoise pictures"),
    element("div", { class: "work" }, stage.root, element("div", { class: "under" }, info.root, download)),
    element("aside", { class: "side-panel", "aria-label": "Settings and pictures" },
      settingsForm(query.get("model"), signal), queueList(take, saveEach, signal)));
  update();

  return () => {
    controller.abort();
    asked?.abort();
    clearTimeout(timer);
  };
}

/** Show a spinner in the button while `work` runs. */
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
