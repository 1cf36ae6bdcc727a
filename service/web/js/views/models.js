// The view of the models: use, upload, download, change and delete them.

import { Unreachable, json, request } from "../api.js";
import { reachable } from "../connection.js";
import { confirmed } from "../dialog.js";
import { announce, element, icon } from "../dom.js";
import { download, pickFiles } from "../files.js";
import { modelName } from "../model_name.js";
import { card } from "../models/card.js";

export async function show(root) {
  const controller = new AbortController();
  const { signal } = controller;
  const notice = element("p", { class: "notice bad", role: "alert", hidden: true });
  const cards = element("div", { class: "cards" });

  const tell = (error) => {
    notice.hidden = !error;
    notice.textContent = error ? error.message : "";
    if (error) notice.scrollIntoView({ block: "nearest" });
  };

  async function refresh() {
    for (;;) {
      try {
        const { models } = await json("/models", { signal });
        cards.replaceChildren(...models.map((model) => card(model, act)));
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof Unreachable)) { tell(error); return; }
        await reachable();
      }
    }
  }

  /** Do the work, show the models again, and announce what was done. */
  async function change(work, done) {
    tell(null);
    try {
      await work();
      await refresh();
      announce(done);
    } catch (error) {
      if (!signal.aborted) tell(error);
    }
  }

  const path = (reference) => `/models/${encodeURIComponent(reference)}`;
  const act = {
    promote: (id) => change(() => request(`${path(id)}/promote`, { method: "POST" }), `${id} is now served`),
    rollBack: (name) => change(() => request(`${path(name)}/rollback`, { method: "POST" }), `${name} is back to its previous version`),
    async remove(reference, whole) {
      const what = whole ? `the model ${reference} and all its versions` : reference;
      if (!await confirmed(`Delete ${what}?`, "Its weights are removed from the service. This cannot be undone.", "Delete")) return;
      await change(() => request(path(reference), { method: "DELETE" }), `${reference} is deleted`);
    },
    async download(id, format) {
      tell(null);
      try {
        const response = await request(`${path(id)}/download`, { query: { format }, signal });
        const [, name] = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "") ?? [null, `${id}.${format}`];
        download(await response.blob(), name);
      } catch (error) {
        if (!signal.aborted) tell(error);
      }
    },
  };

  const upload = () => pickFiles(".safetensors", ([file]) => {
    const name = modelName(file.name.replace(/\.safetensors$/i, ""));
    if (!name) return tell(new Error(`“${file.name}” cannot be used as a model's name. Rename the file: use letters and digits.`));
    return change(() => request(`${path(name)}/versions`, { body: file, headers: { "Content-Type": "application/octet-stream" } }), `${name} is served`);
  }, false);

  root.append(
    element("header", { class: "head" },
      element("div", {}, element("h1", {}, "Models"),
        element("p", { class: "muted" }, "The models that this service denoises with. A new version is used at once; requests in progress finish with the version they started with.")),
      element("button", { type: "button", class: "button", on: { click: upload } }, icon("upload"), "Upload weights")),
    notice, cards);
  await refresh();
  return () => controller.abort();
}
