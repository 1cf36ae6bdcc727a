// Two pictures in the same place with a line between them. Both zoom and pan together.
//
// Each side is a canvas of the stage's size that has only the visible part, so the cost of drawing does not depend on the
// pictures' size. Moving the line draws nothing: it shifts two layers, which the compositor does alone.

import { element, icon } from "../dom.js";

const LARGEST = 64; // screen pixels per picture pixel, at most
const LARGEST_FIT = 8; // the same, for small pictures that fit
const PIXELS_FROM = 2; // screen pixels per picture pixel from which pixels are drawn as squares
const MARGIN = { x: 16, y: 56 }; // CSS pixels around a picture that fits, for the controls over the stage
const DOUBLINGS = 3; // of the difference: shown 8 times as strong

export class Compare {
  #before = null;
  #after = null;
  #map = null;
  #strength = 1;
  #mode = "after";
  #split = 0.5;
  #scale = 1; // device pixels per picture pixel
  #fits = true;
  #x = 0; // offset of the picture's middle from the stage's, in device pixels
  #y = 0;
  #frame = 0;
  #watch;

  /** @param onZoom called with {percent, fits} when the zoom changes */
  constructor(onZoom) {
    this.onZoom = onZoom;
    this.left = element("canvas", { class: "layer" });
    this.right = element("canvas", { class: "layer" });
    this.clip = element("div", { class: "clip" }, this.right);
    this.handle = element("div", { class: "handle", role: "slider", tabindex: "0", "aria-orientation": "horizontal",
      "aria-label": "Line between before and after", "aria-valuemin": "0", "aria-valuemax": "100" }, icon("sides"));
    this.root = element("div", { class: "compare" }, this.left, this.clip, this.handle);
    this.#watch = new ResizeObserver(() => this.#resize());
    this.#watch.observe(this.root);
    this.split = 0.5;
  }

  /** Show these `Drawable`s; `after` and `map` may be null. Zoom and place are kept if the size is the same. */
  show(before, after = null, map = null) {
    const same = this.#before && before && this.#before.width === before.width && this.#before.height === before.height;
    [this.#before, this.#after, this.#map] = [before, after, map];
    this.root.classList.toggle("has-after", after !== null);
    if (before && !same) this.fit();
    this.redraw();
  }

  /** Position of the line: 0 (left) to 1. */
  set split(share) {
    this.#split = Math.min(1, Math.max(0, share));
    const pixels = Math.round(this.#split * this.root.clientWidth);
    this.clip.style.transform = `translateX(${pixels}px)`;
    this.right.style.transform = `translateX(${-pixels}px)`;
    this.handle.style.transform = `translateX(${pixels}px)`;
    this.handle.setAttribute("aria-valuenow", Math.round(this.#split * 100));
    this.handle.setAttribute("aria-valuetext", `${Math.round(this.#split * 100)} % before`);
  }

  get split() {
    return this.#split;
  }

  /** Strength of the result: 0 to 1. */
  set strength(share) {
    this.#strength = share;
    this.redraw();
  }

  /** What the right side shows: "after", "difference" or "map". */
  set mode(name) {
    this.#mode = name;
    this.redraw();
  }

  get percent() {
    return this.#scale * 100;
  }

  /** Fit the whole picture into the stage; small ones are enlarged up to `LARGEST_FIT` times. */
  fit() {
    if (!this.#before) return;
    [this.#x, this.#y, this.#fits] = [0, 0, true];
    this.#become(this.#fitting);
  }

  /** Zoom by `factor`; the point at `at` ({x, y} in CSS pixels of the stage, its middle if null) keeps its place. */
  zoom(factor, at = null) {
    this.zoomTo(this.#scale * factor, at);
  }

  /** Zoom to `scale` device pixels per picture pixel. */
  zoomTo(scale, at = null) {
    if (!this.#before) return;
    const wanted = Math.min(LARGEST, Math.max(Math.min(1, this.#fitting), scale));
    const density = window.devicePixelRatio;
    const x = at ? at.x * density - this.left.width / 2 : 0;
    const y = at ? at.y * density - this.left.height / 2 : 0;
    this.#x = x - (x - this.#x) * wanted / this.#scale;
    this.#y = y - (y - this.#y) * wanted / this.#scale;
    this.#fits = false;
    this.#become(wanted);
  }

  /** Move the picture by CSS pixels, unless it fits. */
  pan(x, y) {
    if (this.#fits) return;
    const density = window.devicePixelRatio;
    [this.#x, this.#y] = [this.#x + x * density, this.#y + y * density];
    this.#become(this.#scale);
  }

  close() {
    this.#watch.disconnect();
    cancelAnimationFrame(this.#frame);
  }

  redraw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => {
      this.#draw(this.left, (context) => this.#put(context, this.#before));
      this.#draw(this.right, (context) => this.#drawAfter(context));
    });
  }

  get #fitting() {
    const width = this.left.width - 2 * MARGIN.x * window.devicePixelRatio;
    const height = this.left.height - 2 * MARGIN.y * window.devicePixelRatio;
    return Math.min(width / this.#before.width, height / this.#before.height, LARGEST_FIT);
  }

  #become(scale) {
    this.#scale = scale;
    const [x, y] = [this.#before.width, this.#before.height].map((side) => side * scale / 2); // the picture always covers the stage's middle
    this.#x = Math.max(-x, Math.min(x, this.#x));
    this.#y = Math.max(-y, Math.min(y, this.#y));
    this.onZoom({ percent: this.percent, fits: this.#fits });
    this.redraw();
  }

  #resize() {
    const density = window.devicePixelRatio;
    const [width, height] = [this.root.clientWidth, this.root.clientHeight].map((side) => Math.round(side * density));
    for (const canvas of [this.left, this.right]) [canvas.width, canvas.height] = [width, height];
    this.split = this.#split;
    if (this.#fits) this.fit();
    else if (this.#before) this.#become(this.#scale);
  }

  #draw(canvas, paint) {
    const context = canvas.getContext("2d");
    context.globalCompositeOperation = "source-over";
    context.globalAlpha = 1;
    context.clearRect(0, 0, canvas.width, canvas.height);
    paint(context);
  }

  #drawAfter(context) {
    if (!this.#after) return;
    if (this.#mode === "map" && this.#map) {
      this.#put(context, this.#map);
    } else if (this.#mode === "difference") {
      this.#put(context, this.#before);
      context.globalCompositeOperation = "difference";
      this.#put(context, this.#after);
      context.globalCompositeOperation = "lighter";
      for (let i = 0; i < DOUBLINGS; i += 1) context.drawImage(context.canvas, 0, 0);
    } else { // before + strength * (after - before), like the service's blend
      context.globalAlpha = 1 - this.#strength;
      this.#put(context, this.#before);
      context.globalCompositeOperation = "lighter";
      context.globalAlpha = this.#strength;
      this.#put(context, this.#after);
    }
  }

  /** Draw the visible part of a picture. */
  #put(context, picture) {
    if (!picture || context.globalAlpha === 0) return;
    const { width, height } = context.canvas;
    const left = width / 2 + this.#x - picture.width * this.#scale / 2;
    const top = height / 2 + this.#y - picture.height * this.#scale / 2;
    const [x0, x1] = visible(-left / this.#scale, (width - left) / this.#scale, picture.width);
    const [y0, y1] = visible(-top / this.#scale, (height - top) / this.#scale, picture.height);
    if (x1 <= x0 || y1 <= y0) return;
    const source = picture.at(this.#scale);
    const [across, down] = [source.width / picture.width, source.height / picture.height];
    context.imageSmoothingEnabled = this.#scale < PIXELS_FROM;
    context.drawImage(source, x0 * across, y0 * down, (x1 - x0) * across, (y1 - y0) * down,
      left + x0 * this.#scale, top + y0 * this.#scale, (x1 - x0) * this.#scale, (y1 - y0) * this.#scale);
  }
}

/** Round a range of pixels outwards, and cut it to the picture's size. */
function visible(from, to, size) {
  return [Math.max(0, Math.floor(from)), Math.min(size, Math.ceil(to))];
}
