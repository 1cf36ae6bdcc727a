// The queue of pictures, and the work on them. It continues while another view is shown.

import { Problem, Unreachable, wait } from "../api.js";
import { reachable } from "../connection.js";
import { millisecondsOf } from "./picture_info.js";
import { Item } from "./queue_item.js";
import { DEFAULTS, resultKey } from "./settings.js";

const AT_ONCE = 2; // pictures: one is sent while another is denoised
const BUSY = new Set(["overloaded", "stopping", "not_ready", "rate_exceeded", "concurrency_exceeded"]);

/** Events: "items" (added, removed or selected), "item" (one has changed: `detail`) and "settings". */
export class Queue extends EventTarget {
  items = [];
  selected = null;
  settings = { ...DEFAULTS };
  models = []; // the service's, once they are loaded
  rates = new Map(); // milliseconds per megapixel, by `resultKey`
  #running = 0;
  #makeItem;

  /** @param makeItem creates the item of a file: `makeItem(file, suited)` */
  constructor(makeItem = (file, suited) => new Item(file, suited)) {
    super();
    this.#makeItem = makeItem;
  }

  /**
   * Add files, select the first, and return their items.
   *
   * @param suited a model for these pictures while the setting is `auto`
   */
  add(files, suited = null) {
    const added = [...files].map((file) => this.#makeItem(file, suited));
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
    if (index < 0) return;
    this.items.splice(index, 1);
    if (this.selected === item) this.selected = this.items[index] ?? this.items[index - 1] ?? null;
    this.#tell("items");
  }

  /** Stop the work on an item. The service notices by the closed connection. */
  cancel(item) {
    item.state = "cancelled";
    item.controller?.abort();
    this.changed(item);
  }

  /** Denoise an item again after it failed or was cancelled. */
  again(item) {
    item.restart();
    this.changed(item);
    this.#start();
  }

  /** Change some settings, and denoise again whatever does not fit them any more. */
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

  /** Estimate the milliseconds that an item takes, from earlier ones with the same settings; null if there are none. */
  expected(item) {
    const rate = this.rates.get(resultKey(item.own(this.settings)));
    return rate && item.pixels ? rate * item.pixels / 1e6 : null;
  }

  /** Tell the listeners that an item has changed. */
  changed(item) {
    this.dispatchEvent(new CustomEvent("item", { detail: item }));
  }

  /** The fastest model, for showing files that the browser cannot read. */
  get #smallest() {
    if (!this.models.length) return null;
    const size = (model) => model.parameters ?? Infinity;
    return this.models.reduce((least, each) => (size(each) < size(least) ? each : least)).id;
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
      if (!item.shown) await item.preview(this.#smallest, signal);
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

  /** Wait and try again if the service is busy or cannot be reached; show other errors. */
  async #failed(item, error, signal) {
    const busy = error instanceof Problem && BUSY.has(error.code);
    if (!busy && !(error instanceof Unreachable)) {
      item.error = error;
      this.#become(item, "failed");
      return;
    }
    item.note = busy ? "the service is busy" : "the service is not responding";
    this.#become(item, "waiting");
    await (busy ? wait((error.retryAfter ?? 2) * 1000, signal) : reachable()).catch(() => {});
    item.note = "";
  }

  #become(item, state) {
    Object.assign(item, { state, began: performance.now(), share: state === "sending" ? 0 : item.share });
    this.changed(item);
  }

  /** Remember how long a picture took. */
  #learn(item, settings) {
    this.rates.set(resultKey(item.own(settings)), millisecondsOf(item.result.report) / (item.pixels / 1e6));
  }
}

export const queue = new Queue();
