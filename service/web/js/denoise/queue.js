// The pictures that are to be denoised, and the work on them; it goes on while another view is shown.

import { Problem, Unreachable, wait } from "../api.js";
import { reachable } from "../connection.js";
import { Item } from "./queue_item.js";
import { DEFAULTS, resultKey } from "./settings.js";

const AT_ONCE = 2; // one is sent while another is denoised
const AGAIN = new Set(["overloaded", "stopping", "not_ready", "rate_exceeded", "concurrency_exceeded"]);

/** Events: "items" (added, removed, selected), "item" (one changed: `detail`), "settings". */
class Queue extends EventTarget {
  items = [];
  selected = null;
  settings = { ...DEFAULTS };
  models = []; // as the service describes them, once it has
  rates = new Map(); // milliseconds a megapixel, by what was asked for
  #running = 0;

  /** @param suited a model for these pictures, where the choice is left to the service */
  add(files, suited = null) {
    const added = [...files].map((file) => new Item(file, suited));
    this.items.push(...added);
    this.selected = added[0] ?? this.selected;
    this.#tell("items");
    this.#start();
    return added;
  }

  select(item) {
    this.selected = item;
    this.#tell("items");
  }

  remove(item) {
    item.controller?.abort();
    const index = this.items.indexOf(item);
    this.items.splice(index, 1);
    if (this.selected === item) this.selected = this.items[index] ?? this.items[index - 1] ?? null;
    this.#tell("items");
  }

  /** Stop work on it; the service is told by the closed connection. */
  cancel(item) {
    item.state = "cancelled";
    item.controller?.abort();
    this.changed(item);
  }

  again(item) {
    item.restart();
    this.changed(item);
    this.#start();
  }

  change(settings) {
    const before = resultKey(this.settings);
    Object.assign(this.settings, settings);
    this.#tell("settings");
    if (resultKey(this.settings) === before) return;
    for (const item of this.items) {
      if (item.state === "cancelled" || item.fits(this.settings)) continue;
      const old = item.controller;
      item.restart();
      old?.abort();
      this.changed(item);
    }
    this.#start();
  }

  /** Milliseconds that this picture may take, by those before; null if there were none. */
  expected(item) {
    const rate = this.rates.get(resultKey(item.own(this.settings)));
    return rate && item.width ? rate * item.width * item.height / 1e6 : null;
  }

  changed(item) {
    this.dispatchEvent(new CustomEvent("item", { detail: item }));
  }

  /** For looking at what browsers cannot read: the model that takes the least time. */
  get #smallest() {
    if (!this.models.length) return null;
    return this.models.reduce((least, each) => (each.parameters < least.parameters ? each : least)).id;
  }

  #tell(name) {
    this.dispatchEvent(new Event(name));
  }

  #start() {
    while (this.#running < AT_ONCE) {
      const isNext = (item) => item?.state === "waiting" && !item.controller;
      const next = isNext(this.selected) ? this.selected : this.items.find(isNext);
      if (!next) return;
      this.#running += 1;
      this.#process(next).finally(() => {
        this.#running -= 1;
        this.#start();
      });
    }
  }

  async #process(item) {
    const controller = item.controller = new AbortController();
    const { signal } = controller;
    try {
      this.#become(item, "reading");
      if (!item.shown) await item.look(this.#smallest, signal);
      signal.throwIfAborted();
      this.#become(item, "sending");
      const settings = { ...this.settings };
      const onUpload = (share) => {
        if (signal.aborted) return;
        item.share = share;
        if (share === 1) this.#become(item, "working");
        else this.changed(item);
      };
      await item.run(settings, { signal, onUpload });
      if (signal.aborted) return;
      this.#learn(item, settings);
      this.#become(item, "done");
    } catch (error) {
      if (!signal.aborted) await this.#failed(item, error, signal);
    } finally {
      if (item.controller === controller) item.controller = null;
    }
  }

  /** What passes by itself is waited for; the rest is told. */
  async #failed(item, error, signal) {
    const busy = error instanceof Problem && AGAIN.has(error.code);
    if (!busy && !(error instanceof Unreachable)) {
      item.error = error;
      this.#become(item, "failed");
      return;
    }
    item.note = busy ? "the service is busy" : "the service does not answer";
    this.#become(item, "waiting");
    await (busy ? wait((error.retryAfter ?? 2) * 1000, signal) : reachable()).catch(() => {});
    item.note = "";
  }

  #become(item, state) {
    Object.assign(item, { state, began: performance.now(), share: state === "sending" ? 0 : item.share });
    this.changed(item);
  }

  #learn(item, settings) {
    const spent = item.result.report?.milliseconds;
    if (!spent) return;
    const whole = Object.values(spent).reduce((sum, value) => sum + value, 0);
    this.rates.set(resultKey(item.own(settings)), whole / (item.width * item.height / 1e6));
  }
}

export const queue = new Queue();
