// One picture of the queue: its file, its preview and its results.

import { asPng, denoised } from "./api_denoise.js";
import { Drawable, thumbnail } from "./drawable.js";
import { decode16 } from "./png16.js";
import { answerKey, resultKey } from "./settings.js";
import { needsStretch, rangeOf } from "./contrast_stretch.js";

const THUMBNAIL = 96; // pixels; shown at half the size, for screens of high density
let count = 0;

/**
 * One picture.
 *
 * `state` is "waiting", "reading", "sending" (`share` of it is sent), "working", "done", "failed" (`error`) or "cancelled".
 * `shown` is the original as a file that the browser can read. `result` is the network's result at full strength.
 * For 16-bit pictures, `range` has the points between which the picture is shown while `stretch` is true.
 */
export class Item {
  /** @param suited the model to use while the setting is `auto`; null lets the service choose */
  constructor(file, suited = null) {
    Object.assign(this, { id: ++count, file, suited, name: file.name || "pasted picture", state: "waiting", share: 0, note: "",
      error: null, began: 0, shown: null, readable: true, range: null, stretch: false, thumbnail: null, width: 0, height: 0, pages: 1,
      result: null });
    this.answers = new Map();
    this.controller = null;
  }

  /** Pixels of the first page, times the pages: 0 if they are not known yet. */
  get pixels() {
    return this.width * this.height * this.pages;
  }

  get isRunning() {
    return this.state === "reading" || this.state === "sending" || this.state === "working";
  }

  /** Return the settings for this picture: `suited` replaces `auto`. */
  own(settings) {
    return this.suited && settings.model === "auto" ? { ...settings, model: this.suited } : settings;
  }

  /** Return whether the result belongs to these settings. */
  fits(settings) {
    return this.result?.key === resultKey(this.own(settings));
  }

  /** Return the service's answer for these settings; null if it was not fetched yet. */
  answer(settings) {
    return this.answers.get(answerKey(this.own(settings))) ?? null;
  }

  /** Make the preview. If the browser cannot read the file, the service converts it, with the model `helper`. */
  async preview(helper, signal) {
    let drawable;
    try {
      [drawable, this.shown] = [await Drawable.of(this.file), this.file];
    } catch {
      this.readable = false;
      this.shown = await asPng(this.file, helper, { signal }).catch((error) => {
        signal.throwIfAborted();
        if (error.code === "several_pages") return null; // it cannot be shown, but it can be denoised
        throw error;
      });
      if (!this.shown) return;
      drawable = await Drawable.of(this.shown);
    }
    [this.width, this.height] = [drawable.width, drawable.height];
    const deep = await decode16(this.shown).catch(() => null); // the browser could read it, so it is not broken
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

  /** Decode the original or its result for the screen. */
  drawable(blob) {
    return this.stretch ? Drawable.stretched(blob, this.range) : Drawable.of(blob);
  }

  /** Denoise the picture at full strength, in a format that the browser can show if there is one. */
  async run(chosen, options) {
    const settings = this.own(chosen);
    const format = this.viewFormat(settings);
    const answer = await denoised(this.file, { ...settings, format, strength: 1 }, options);
    this.result = { ...answer, key: resultKey(settings) };
    if (format === settings.format) this.answers.set(answerKey({ ...settings, strength: 1 }), answer);
    ({ width: this.width, height: this.height, pages: this.pages } = answer.report);
  }

  /** Return the service's answer for these settings; fetch it if needed. */
  async fetchAnswer(chosen, options) {
    const known = this.answer(chosen);
    if (known) return known;
    const settings = this.own(chosen);
    const answer = await denoised(this.file, settings, options);
    this.answers.set(answerKey(settings), answer);
    return answer;
  }

  /** Return the format to ask for, so that the browser can show the result at its full depth. */
  viewFormat({ format }) {
    const losesDepth = this.range !== null && format !== "";
    const cannotBeSeen = format === "tiff" || losesDepth || (format === "" && !this.readable && this.shown);
    return cannotBeSeen ? "png" : format;
  }

  /** Go back to "waiting" and drop the answers. The last result stays visible until there is a new one. */
  restart() {
    this.answers.clear();
    Object.assign(this, { state: "waiting", error: null, share: 0, note: "" });
  }
}
