// Step 1 of a new training: upload pictures, or choose a dataset of the service.

import { json, request } from "../api.js";
import { confirmed } from "../dialog.js";
import { element, icon } from "../dom.js";
import { ago, bytes, counted } from "../format.js";
import { dropped, nameOf, picked, toUpload, unusable } from "./dataset_files.js";
import { KINDS, NOISES } from "./dataset_kinds.js";

/**
 * Create the form.
 *
 * @param onDataset called with each dataset that is chosen or uploaded, and with null when none is chosen any more
 * @returns {node, choose}; `choose(id)` chooses a dataset of the service
 */
export function datasetForm(onDataset, signal) {
  let kind = "pairs";
  let upload = null; // AbortController of the present upload
  let chosen = ""; // id of the dataset
  const hint = element("p", { class: "hint" });
  const noise = noiseChoice();
  const status = element("div", { class: "upload-status", "aria-live": "polite" });
  const drop = dropZone(send);
  const earlier = element("select", { id: "earlier", on: { change: () => choose(earlier.value) } });
  const remove = element("button", { type: "button", class: "button", on: { click: forget } }, icon("trash"), "Remove");
  const earlierField = element("div", { class: "field earlier", hidden: true },
    element("label", { for: "earlier" }, "Or use pictures that were uploaded before"),
    element("div", { class: "earlier-row" }, earlier, remove));
  const white = element("input", { id: "white", type: "number", min: 0, step: "any", placeholder: "depends on the file type", "aria-describedby": "white-hint" });
  const scale = element("details", { class: "advanced" }, element("summary", {}, "Float values, or 12 bits in 16-bit files"),
    element("div", { class: "field" }, element("label", { for: "white" }, "Value of white"), white,
      element("span", { class: "hint", id: "white-hint" }, "Values are divided by this number: 4095 for 12 bits; for photon counts, the full well or the brightest value.")));
  const kinds = element("fieldset", { class: "kinds" }, element("legend", {}, "What do you have?"),
    Object.entries(KINDS).map(([name, { title, what }]) => element("label", { class: "choice" },
      element("input", { type: "radio", name: "kind", value: name, checked: name === kind, on: { change: () => setKind(name) } }),
      element("span", {}, element("strong", {}, title), element("span", { class: "hint" }, what)))));
  const node = element("div", { class: "step-body" }, kinds, noise.node, scale, drop.node, hint, status, earlierField);
  setKind(kind);
  loadEarlier();

  function setKind(name) {
    kind = name;
    hint.replaceChildren(element("strong", {}, "Files: "), KINDS[kind].files,
      " ZIP and TAR archives of them work, too. Picture formats: PNG, JPEG, WebP, TIFF and BMP.");
    noise.node.hidden = kind !== "clean";
  }

  async function send(files) {
    if (!files.length) {
      showError({ message: "The drop contained no files." });
      return;
    }
    upload?.abort();
    upload = new AbortController();
    const mine = upload;
    const form = new FormData();
    form.append("kind", kind);
    form.append("name", nameOf(files));
    if (kind === "clean") form.append("corruption", JSON.stringify(noise.description()));
    if (white.value) form.append("data_range", white.value);
    for (const file of toUpload(files)) form.append("file", file);
    const size = files.reduce((sum, { file }) => sum + file.size, 0);
    const progress = uploadProgress(`${counted(files.length, "file")}, ${bytes(size)}`, () => mine.abort());
    status.replaceChildren(progress.node);
    onDataset(null);
    try {
      const both = AbortSignal.any([mine.signal, signal]);
      const dataset = await json("/datasets", { body: form, signal: both, onUpload: progress.update });
      status.replaceChildren(...leftOut(unusable(files)));
      chosen = dataset.id;
      await loadEarlier();
      onDataset(dataset);
    } catch (error) {
      if (signal.aborted) return;
      if (mine.signal.aborted) {
        if (upload === mine) status.replaceChildren(element("p", { class: "muted" }, "The upload was stopped."));
      } else showError(error);
    }
  }

  function showError({ message, errors = [] }) {
    status.replaceChildren(element("p", { class: "notice bad", role: "alert" },
      element("strong", {}, "These files cannot be used. "), message));
    if (errors.some(({ pointer }) => pointer === "body/data_range")) scale.open = true; // has this field
  }

  async function forget() {
    const { value: id, selectedOptions: [option] } = earlier;
    const text = `${option.text}. Trainings that used them keep their curves and models, but cannot be resumed.`;
    if (!await confirmed("Remove these pictures from the service?", text, "Remove")) return;
    try {
      await request(`/datasets/${encodeURIComponent(id)}`, { method: "DELETE", signal });
      await choose("");
      await loadEarlier();
    } catch (error) {
      if (!signal.aborted) showError(error);
    }
  }

  async function choose(id) {
    upload?.abort();
    status.replaceChildren();
    chosen = earlier.value = id;
    remove.hidden = !id;
    if (!id) {
      onDataset(null);
      return;
    }
    try {
      onDataset(await json(`/datasets/${encodeURIComponent(id)}`, { signal }));
    } catch (error) {
      if (!signal.aborted) showError(error);
    }
  }

  /** Load the datasets that the service has. */
  async function loadEarlier() {
    try {
      const { datasets } = await json("/datasets", { query: { page_size: 100 }, signal });
      const usable = datasets.filter(({ report }) => report);
      earlier.replaceChildren(element("option", { value: "" }, "Choose…"), ...usable.map((dataset) =>
        element("option", { value: dataset.id }, described(dataset))));
      earlier.value = chosen;
      remove.hidden = !chosen;
      earlierField.hidden = !usable.length;
    } catch (error) {
      if (!signal.aborted) showError(error);
    }
  }

  return { node, choose };
}

/** Create a warning about files that are not used, if there are any. */
function leftOut(paths) {
  if (!paths.length) return [];
  const some = paths.slice(0, 5).join(", ") + (paths.length > 5 ? ", …" : "");
  return [element("p", { class: "notice warn", role: "status" }, element("strong", {},
    `${counted(paths.length, "file")} ${paths.length === 1 ? "was" : "were"} left out, because they are not readable pictures: `), some)];
}

function described({ name, kind, counts, created_at: made, state }) {
  return `${name}: ${KINDS[kind].title.toLowerCase()}, ${counted(counts.scenes, "scene")}, ${ago(made)}` +
    `${state === "refused" ? " (refused)" : ""}`;
}

/** Create the place where files are dropped or chosen. */
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

/** Create the progress of an upload, with a button to stop it. */
function uploadProgress(what, cancel) {
  const bar = element("progress", { max: 1, value: 0, "aria-label": "Upload" });
  const text = element("span", {}, `Sending ${what}…`);
  return {
    node: element("div", { class: "uploading" }, element("div", { class: "uploading-head" }, text,
      element("button", { type: "button", class: "button compact", on: { click: cancel } }, "Stop")), bar),
    update(share) {
      bar.value = share;
      if (share < 1) return;
      bar.removeAttribute("value");
      text.textContent = "The service is reading and checking the pictures…";
    },
  };
}

/** Create the choice of the noise for clean pictures; `description()` returns the API's `corruption`. */
function noiseChoice() {
  const amount = element("input", { type: "number", id: "amount", step: "any" });
  const label = element("label", { for: "amount" });
  const choice = element("select", { id: "noise", on: { change } },
    Object.entries(NOISES).map(([name, { title }]) => element("option", { value: name }, title)));
  function change() {
    const { label: text, value, least, most } = NOISES[choice.value];
    label.textContent = text;
    Object.assign(amount, { value, min: least, max: most });
  }
  change();
  return {
    node: element("div", { class: "fields", hidden: true },
      element("div", { class: "field" }, element("label", { for: "noise" }, "Noise to add"), choice),
      element("div", { class: "field" }, label, amount)),
    description: () => NOISES[choice.value].make(Number(amount.value)),
  };
}
