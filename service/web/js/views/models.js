// The models that are served, and what can be done with them.

import { json, request } from "../api.js";
import { confirmed } from "../dialog.js";
import { announce, element, icon } from "../dom.js";
import { offer, pickFiles } from "../files.js";
import { reachable } from "../connection.js";
import { Unreachable } from "../api.js";
import { card } from "../models/card.js";

const NAME = /^[a-z0-9][a-z0-9._-]*$/;

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

  /** Do it, say so, and show what has become of the models. */
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
    promote: (id) => change(() => request(`${path(id)}/promote`, { method: "POST" }), `${id} is served now`),
    rollBack: (name) => change(() => request(`${path(name)}/rollback`, { method: "POST" }), `${name} is what it was before`),
    async remove(reference, whole) {
      const what = whole ? `the model ${reference} with all its versions` : reference;
      if (!await confirmed(`Delete ${what}?`, "Its weights are removed from the service. This cannot be undone.", "Delete")) return;
      await change(() => request(path(reference), { method: "DELETE" }), `${reference} is deleted`);
    },
    async download(id, format) {
      tell(null);
      try {
        const response = await request(`${path(id)}/download`, { query: { format }, signal });
        const [, name] = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "") ?? [null, `${id}.${format}`];
        offer(await response.blob(), name);
      } catch (error) {
        if (!signal.aborted) tell(error);
      }
    },
  };

  const upload = () => pickFiles(".safetensors", ([file]) => {
    const name = file.name.replace(/\.safetensors$/, "").toLowerCase().replace(/[^a-z0-9._-]+/g, "-");
    if (!NAME.test(name)) return tell(new Error(`“${file.name}” gives no name for a model: rename it to letters and digits.`));
    return change(() => request(`${path(name)}/versions`, { body: file, headers: { "Content-Type": "application/octet-stream" } }), `${name} is served`);
  }, false);

  root.append(
    element("header", { class: "head" },
      element("div", {}, element("h1", {}, "Models"),
        element("p", { class: "muted" }, "What denoises pictures here. A new version is served at once; requests under way keep the one they began with.")),
      element("button", { type: "button", class: "button", on: { click: upload } }, icon("upload"), "Upload weights")),
    notice, cards);
  await refresh();
  return () => controller.abort();
}
