// One picture of the queue: its file, what it looks like, and what came of it.

import { asPng, denoised } from "./api_denoise.js";
import { Drawable, thumbnail } from "./drawable.js";
import { decode16 } from "./png16.js";
import { answerKey, resultKey } from "./settings.js";
import { needsStretch, rangeOf } from "./contrast_stretch.js";

export const THUMBNAIL = 96; // pixels; shown at half of it
let count = 0;

/**
 * `state`: "waiting", "reading", "sending" (`share` of it is sent), "working", "done", "failed" (`error`), "cancelled".
 * `shown` is a file of the original that the browser can read; `result` the network's, at full strength. Of what has more
 * than 8 bits, `range` has the points between which it is shown while `stretch` is true.
 */
export class Item {
  /** @param suited the model that it is denoised by while the choice is `auto`; null is the service's own choice */
  constructor(file, suited = null) {
    Object.assign(this, { id: ++count, file, suited, name: file.name || "pasted picture", state: "waiting", share: 0, note: "",
      error: null, began: 0, shown: null, readable: true, range: null, stretch: false, thumbnail: null, width: 0, height: 0, result: null });
    this.answers = new Map();
    this.controller = null;
  }

  get isRunning() {
    return this.state === "reading" || this.state === "sending" || this.state === "working";
  }

  /** What these settings are for this picture. */
  own(settings) {
    return this.suited && settings.model === "auto" ? { ...settings, model: this.suited } : settings;
  }

  /** Whether there is a result of these settings. */
  fits(settings) {
    return this.result?.key === resultKey(this.own(settings));
  }

  /** The service's own answer at these settings, if it is here. */
  answer(settings) {
    return this.answers.get(answerKey(this.own(settings))) ?? null;
  }

  /** See what the picture looks like; if the browser cannot read it, the service shows it. */
  async look(helper, signal) {
    let drawable;
    try {
      [drawable, this.shown] = [await Drawable.of(this.file), this.file];
    } catch {
      this.readable = false;
      this.shown = await asPng(this.file, helper, { signal }).catch((error) => {
        signal.throwIfAborted();
        if (error.code === "bad_image" && /pages/.test(error.message)) return null; // denoised all the same
        throw error;
      });
      if (!this.shown) return;
      drawable = await Drawable.of(this.shown);
    }
    [this.width, this.height] = [drawable.width, drawable.height];
    const deep = await decode16(this.shown).catch(() => null); // the browser could read it: it decides
    if (deep) {
      this.range = rangeOf(deep);
      this.stretch = needsStretch(this.range);
    }
    if (this.stretch) {
      drawable.close();
      drawable = await Drawable.between(deep, this.range);
    }
    this.thumbnail = thumbnail(drawable, THUMBNAIL);
    drawable.close();
  }

  /** The original or its result, as they are to be seen. */
  drawable(blob) {
    return this.stretch ? Drawable.stretched(blob, this.range) : Drawable.of(blob);
  }

  /** Denoise it at full strength, in a format that can be looked at if there is one. */
  async run(wanted, watch) {
    const settings = this.own(wanted);
    const format = this.viewFormat(settings);
    const answer = await denoised(this.file, { ...settings, format, strength: 1 }, watch);
    this.result = { ...answer, key: resultKey(settings) };
    if (format === settings.format) this.answers.set(answerKey({ ...settings, strength: 1 }), answer);
    if (answer.report) [this.width, this.height] = [answer.report.width, answer.report.height];
  }

  /** The service's own answer at these settings, asked for if it is not here. */
  async fetchAnswer(wanted, watch) {
    const known = this.answer(wanted);
    if (known) return known;
    const settings = this.own(wanted);
    const answer = await denoised(this.file, settings, watch);
    this.answers.set(answerKey(settings), answer);
    return answer;
  }

  viewFormat({ format }) {
    const losesDepth = this.range !== null && format !== "";
    const cannotBeSeen = format === "tiff" || losesDepth || (format === "" && !this.readable && this.shown);
    return cannotBeSeen ? "png" : format;
  }

  /** Forget what was asked for differently; pictures on view stay until there are new ones. */
  restart() {
    this.answers.clear();
    Object.assign(this, { state: "waiting", error: null, share: 0, note: "" });
  }
}
