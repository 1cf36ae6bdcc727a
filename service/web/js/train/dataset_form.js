// Step 1 of a training: which pictures, new ones or those that the service has.

import { element, icon } from "../dom.js";
import { json, request } from "../api.js";
import { confirmed } from "../dialog.js";
import { dropped, nameOf, parts, picked, useless } from "./dataset_files.js";
import { KINDS, NOISES } from "./dataset_kinds.js";
import { bytes as size, counted } from "../format.js";
import { ago } from "./job_states.js";

/**
 * The choice of pictures; `onDataset` gets each dataset that is chosen or made, null when there is none any more.
 *
 * @returns {node, choose}; `choose(id)` takes one that the service has
 */
export function pictures(onDataset, signal) {
  let kind = "pairs";
  let upload = null; // its AbortController, while one is under way
  let taken = ""; // the id of the dataset that is chosen
  const hint = element("p", { class: "hint" });
  const noise = noiseChoice();
  const status = element("div", { class: "upload-status", "aria-live": "polite" });
  const drop = dropZone(send);
  const earlier = element("select", { id: "earlier", on: { change: () => choose(earlier.value) } });
  const remove = element("button", { type: "button", class: "button", on: { click: forget } }, icon("trash"), "Remove");
  const earlierField = element("div", { class: "field earlier", hidden: true },
    element("label", { for: "earlier" }, "Or take pictures that are here already"),
    element("div", { class: "earlier-row" }, earlier, remove));
  const white = element("input", { id: "white", type: "number", min: 0, step: "any", placeholder: "by the file's kind", "aria-describedby": "white-hint" });
  const scale = element("details", { class: "advanced" }, element("summary", {}, "Floats, or 12 bits in files of 16"),
    element("div", { class: "field" }, element("label", { for: "white" }, "Value of white"), white,
      element("span", { class: "hint", id: "white-hint" }, "Values are divided by it, as 4095 for 12 bits; counts of a camera by its full well, or by the brightest.")));
  const kinds = element("fieldset", { class: "kinds" }, element("legend", {}, "What do you have?"),
    Object.entries(KINDS).map(([name, { title, what }]) => element("label", { class: "choice" },
      element("input", { type: "radio", name: "kind", value: name, checked: name === kind, on: { change: () => turn(name) } }),
      element("span", {}, element("strong", {}, title), element("span", { class: "hint" }, what)))));
  const node = element("div", { class: "step-body" }, kinds, noise.node, scale, drop.node, hint, status, earlierField);
  turn(kind);
  list();

  function turn(name) {
    kind = name;
    hint.replaceChildren(element("strong", {}, "Files: "), KINDS[kind].files,
      " ZIP or TAR archives of these will do, too; PNG, JPEG, WebP, TIFF and BMP are read.");
    noise.node.hidden = kind !== "clean";
  }

  async function send(files) {
    if (!files.length) return failed("There are no files in what you dropped.");
    upload?.abort();
    upload = new AbortController();
    const mine = upload;
    const form = new FormData();
    form.append("kind", kind);
    form.append("name", nameOf(files));
    if (kind === "clean") form.append("corruption", JSON.stringify(noise.description()));
    if (white.value) form.append("data_range", white.value);
    for (const part of parts(files)) form.append("file", part);
    const bytes = files.reduce((sum, { file }) => sum + file.size, 0);
    const told = uploading(`${counted(files.length, "file")}, ${size(bytes)}`, () => mine.abort());
    status.replaceChildren(told.node);
    onDataset(null);
    try {
      const both = AbortSignal.any([mine.signal, signal]);
      const dataset = await json("/datasets", { body: form, signal: both, onUpload: told.update });
      status.replaceChildren(...leftOut(useless(files)));
      taken = dataset.id;
      await list();
      onDataset(dataset);
    } catch (error) {
      if (signal.aborted) return;
      if (mine.signal.aborted) {
        if (upload === mine) status.replaceChildren(element("p", { class: "muted" }, "Not sent: you stopped it."));
      } else failed(error.message);
    }
  }

  function failed(message) {
    status.replaceChildren(element("p", { class: "notice bad", role: "alert" },
      element("strong", {}, "These files cannot be used. "), message));
    if (/data range/.test(message)) scale.open = true; // the field that it asks for
  }

  async function forget() {
    const { value: id, selectedOptions: [option] } = earlier;
    const text = `${option.text}. Trainings that used them keep their curves, and their models; they cannot go on.`;
    if (!await confirmed("Remove these pictures from the service?", text, "Remove")) return;
    try {
      await request(`/datasets/${encodeURIComponent(id)}`, { method: "DELETE", signal });
      await choose("");
      await list();
    } catch (error) {
      if (!signal.aborted) failed(error.message);
    }
  }

  async function choose(id) {
    upload?.abort();
    status.replaceChildren();
    taken = earlier.value = id;
    remove.hidden = !id;
    if (!id) return onDataset(null);
    try {
      onDataset(await json(`/datasets/${encodeURIComponent(id)}`, { signal }));
    } catch (error) {
      if (!signal.aborted) failed(error.message);
    }
  }

  async function list() {
    try {
      const { datasets } = await json("/datasets", { query: { page_size: 100 }, signal });
      const usable = datasets.filter(({ report }) => report);
      earlier.replaceChildren(element("option", { value: "" }, "Choose…"), ...usable.map((dataset) =>
        element("option", { value: dataset.id }, described(dataset))));
      earlier.value = taken;
      remove.hidden = !taken;
      earlierField.hidden = !usable.length;
    } catch (error) {
      if (!signal.aborted) failed(error.message);
    }
  }

  return { node, choose };
}

/** A word on files that are not used, or nothing. */
function leftOut(paths) {
  if (!paths.length) return [];
  const some = paths.slice(0, 5).join(", ") + (paths.length > 5 ? ", …" : "");
  return [element("p", { class: "notice warn", role: "status" }, element("strong", {},
    `${counted(paths.length, "file")} ${paths.length === 1 ? "was" : "were"} left out, as no pictures that can be read: `), some)];
}

function described({ name, kind, counts, created_at: made, state }) {
  return `${name}: ${KINDS[kind].title.toLowerCase()}, ${counted(counts.scenes, "scene")}, ${ago(made)}` +
    `${state === "refused" ? " (refused)" : ""}`;
}

/** Where files are dropped or picked. */
function dropZone(send) {
  const files = element("input", { type: "file", multiple: true, hidden: true, id: "files", on: { change: () => take(files) } });
  const folder = element("input", { type: "file", webkitdirectory: true, hidden: true, id: "folder", on: { change: () => take(folder) } });
  const take = (input) => { send(picked(input.files)); input.value = ""; };
  const node = element("div", { class: "drop" }, icon("upload"),
    element("p", {}, element("strong", {}, "Drop files, folders or an archive here"), " or"),
    element("div", { class: "drop-buttons" },
      element("button", { type: "button", class: "button", on: { click: () => files.click() } }, "Choose files"),
      element("button", { type: "button", class: "button", on: { click: () => folder.click() } }, "Choose a folder")),
    files, folder);
  const over = (state) => (event) => { event.preventDefault(); node.classList.toggle("over", state); };
  node.addEventListener("dragover", over(true));
  node.addEventListener("dragleave", over(false));
  node.addEventListener("drop", async (event) => { over(false)(event); send(await dropped(event.dataTransfer)); });
  return { node };
}

/** How far an upload is, and a button to stop it. */
function uploading(what, cancel) {
  const bar = element("progress", { max: 1, value: 0, "aria-label": "Upload" });
  const text = element("span", {}, `Sending ${what}…`);
  return {
    node: element("div", { class: "uploading" }, element("div", { class: "uploading-head" }, text,
      element("button", { type: "button", class: "button compact", on: { click: cancel } }, "Stop")), bar),
    update(share) {
      bar.value = share;
      if (share < 1) return;
      bar.removeAttribute("value");
      text.textContent = "The service reads and checks the pictures…";
    },
  };
}

/** What noise clean pictures get. */
function noiseChoice() {
  const amount = element("input", { type: "number", id: "amount", step: "any" });
  const label = element("label", { for: "amount" });
  const choice = element("select", { id: "noise", on: { change: turn } },
    Object.entries(NOISES).map(([name, { title }]) => element("option", { value: name }, title)));
  function turn() {
    const chosen = NOISES[choice.value];
    label.textContent = chosen.label;
    Object.assign(amount, { value: chosen.value, min: chosen.least, max: chosen.most });
  }
  turn();
  return {
    node: element("div", { class: "fields", hidden: true },
      element("div", { class: "field" }, element("label", { for: "noise" }, "Noise that is added"), choice),
      element("div", { class: "field" }, label, amount)),
    description: () => NOISES[choice.value].make(Number(amount.value)),
  };
}
