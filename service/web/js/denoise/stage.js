// The comparison with its controls, progress and messages.

import { announce, element, icon } from "../dom.js";
import { seconds } from "../format.js";
import { Compare } from "./compare.js";
import { explained, mayPass } from "./error_messages.js";
import { listen, press } from "./gestures.js";
import { Drawable } from "./drawable.js";
import { queue } from "./queue.js";
import { welcome } from "./welcome.js";

const MODES = [["after", "Denoised"], ["difference", "Difference"], ["map", "Uncertainty"]];
const TICK = 200; // milliseconds between updates of the progress

export class Stage {
  #drawn = {}; // by "before", "after" and "map": {blob, stretch, drawable}; the drawable is a promise
  #retired = []; // drawables that are shown until the new ones are ready
  #turn = 0;

  constructor(take, signal) {
    this.compare = new Compare((view) => this.#showZoom(view));
    this.compare.root.tabIndex = 0;
    this.compare.root.setAttribute("role", "group");
    listen(this.compare);
    document.addEventListener("keydown", (event) => {
      if (queue.selected && press(this.compare, event)) event.preventDefault();
    }, { signal });
    this.zoom = element("output", { class: "zoom-figure" }, "100 %");
    this.modes = MODES.map(([mode, label]) => element("button", { type: "button", class: "segment", "aria-pressed": mode === "after",
      data: { mode }, on: { click: () => this.#choose(mode) } }, label));
    this.welcome = welcome(take);
    this.message = element("div", { class: "stage-message", hidden: true });
    this.bar = element("progress", { max: 1, "aria-label": "Progress" });
    this.pillText = element("span");
    this.pill = element("div", { class: "pill", hidden: true }, this.pillText,
      element("button", { type: "button", class: "button compact", on: { click: () => queue.cancel(queue.selected) } }, "Cancel"), this.bar);
    this.stretch = element("button", { type: "button", class: "segment", title: "Spreads the picture's values from black to white on the screen. The download is not changed.",
      on: { click: () => this.#toggleStretch() } }, "Stretch");
    this.tools = element("div", { class: "tools" },
      element("div", { class: "segments", role: "group", "aria-label": "Right side shows" }, this.modes),
      this.deep = element("div", { class: "segments", hidden: true }, this.stretch),
      element("div", { class: "segments", role: "group", "aria-label": "Zoom" },
        this.#tool("Zoom out", "minus", () => this.compare.zoom(0.8)), this.zoom,
        this.#tool("Zoom in", "add", () => this.compare.zoom(1.25)),
        this.#tool("Fit", "fit", () => this.compare.fit()),
        this.#tool("1:1, actual size", null, () => this.compare.zoomTo(1), "1:1"),
        this.#tool("8×, eight screen pixels per picture pixel", null, () => this.compare.zoomTo(8), "8×")));
    this.root = element("section", { class: "stage", "aria-label": "Comparison" }, this.compare.root,
      element("span", { class: "side before", "aria-hidden": "true" }, "Before"), this.side = element("span", { class: "side after", "aria-hidden": "true" }),
      this.welcome, this.message, this.pill, this.tools);
    const clock = setInterval(() => this.#showProgress(), TICK);
    signal.addEventListener("abort", () => { clearInterval(clock); this.compare.close(); });
    this.#choose("after");
  }

  /** Show the selected picture in its present state. */
  async show() {
    const item = queue.selected;
    this.root.classList.toggle("is-empty", !item);
    this.welcome.hidden = item !== null;
    this.compare.strength = queue.settings.strength;
    this.#showProgress();
    this.#showMessage(item);
    const mine = ++this.#turn;
    const wanted = { before: item?.shown, after: seen(item?.result?.blob, item), map: item?.result?.uncertainty };
    const pictures = await Promise.all(Object.entries(wanted).map(([side, blob]) => this.#decoded(side, blob, item)));
    if (mine !== this.#turn) return;
    const [before, after, map] = pictures;
    this.compare.show(before, after, map);
    for (const drawable of this.#retired.splice(0)) drawable.then((old) => old?.close());
    this.root.classList.toggle("has-before", before !== null);
    this.compare.root.setAttribute("aria-label", item ? `${item.name}, before and after. Plus and minus zoom, arrow keys pan.` : "No picture");
    this.#offer(after !== null, map !== null);
    this.deep.hidden = !item?.range;
    this.stretch.setAttribute("aria-pressed", item?.stretch ?? false);
  }

  #decoded(side, blob, item) {
    if (!blob) return null;
    const stretch = side !== "map" && item.stretch;
    const old = this.#drawn[side];
    if (old?.blob === blob && old.stretch === stretch) return old.drawable;
    if (old) this.#retired.push(old.drawable);
    const drawable = (side === "map" ? Drawable.of(blob) : item.drawable(blob)).catch(() => null);
    this.#drawn[side] = { blob, stretch, drawable };
    return drawable;
  }

  #toggleStretch() {
    const item = queue.selected;
    item.stretch = !item.stretch;
    queue.changed(item);
  }

  #offer(after, map) {
    for (const button of this.modes) button.disabled = !after || (button.dataset.mode === "map" && !map);
    this.modes.at(-1).title = map ? "Where the eight results of the self-ensemble differ. White is 8 grey levels or more." : "Turn on the self-ensemble to see this";
    if (!map && this.mode === "map") this.#choose("after");
    this.root.classList.toggle("has-after", after);
  }

  #choose(mode) {
    this.mode = this.compare.mode = mode;
    for (const button of this.modes) button.setAttribute("aria-pressed", button.dataset.mode === mode);
    this.side.textContent = { after: "After", difference: "Difference × 8", map: "Uncertainty, white is 8 grey levels" }[mode];
  }

  #showZoom({ percent, fits }) {
    if (!this.zoom) return; // called while this is being built
    this.zoom.textContent = `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
    this.root.classList.toggle("fits", fits);
  }

  #showProgress() {
    const item = queue.selected;
    const running = item !== null && (item.isRunning || item.state === "waiting");
    this.pill.hidden = !running;
    if (!running) return;
    const passed = performance.now() - item.began;
    const expected = item.state === "working" ? queue.expected(item) : null;
    const share = item.state === "sending" ? item.share : expected && Math.min(0.97, passed / expected);
    if (share) this.bar.value = share;
    else this.bar.removeAttribute("value");
    this.pillText.textContent = wordsOf(item, passed, expected);
  }

  #showMessage(item) {
    const before = this.message.dataset.of;
    const now = item ? `${item.id} ${item.state} ${item.result && !seen(item.result.blob, item)}` : "";
    if (before === now) return;
    this.message.dataset.of = now;
    const content = messageOf(item);
    this.message.hidden = content === null;
    this.message.replaceChildren(...(content ?? []));
    if (item?.state === "failed") announce(`${item.name}: ${explained(item.error).title}`);
    if (item?.state === "done") announce(`${item.name} is denoised`);
  }

  #tool(label, symbol, click, text = "") {
    return element("button", { type: "button", class: "segment", "aria-label": label, title: label, on: { click } }, symbol ? icon(symbol) : text);
  }
}

/** Return the result if the browser can show it, else null. */
function seen(blob, item) {
  return blob && item.shown && blob.type !== "image/tiff" ? blob : null;
}

function wordsOf(item, passed, expected) {
  if (item.state === "waiting") return item.note ? `Waiting: ${item.note}` : "Waiting for its turn";
  if (item.state === "reading") return "Reading";
  if (item.state === "sending") return `Sending, ${Math.round(item.share * 100)} %`;
  const left = expected && expected - passed;
  const since = passed < 1000 ? "" : `, ${seconds(Math.floor(passed / 1000) * 1000)}`;
  return `Denoising${since}${left > 1000 ? `, about ${seconds(Math.ceil(left / 1000) * 1000)} left` : ""}`;
}

function messageOf(item) {
  const button = (label, symbol, click) => element("button", { type: "button", class: "button", on: { click } }, icon(symbol), label);
  if (item?.state === "failed") {
    const { title, advice, detail } = explained(item.error);
    return [element("h2", {}, title), element("p", {}, advice), element("p", { class: "hint" }, detail),
      element("div", { class: "buttons" }, mayPass(item.error) && button("Try again", "again", () => queue.again(item)), button("Remove", "close", () => queue.remove(item)))];
  }
  if (item?.state === "cancelled") {
    return [element("h2", {}, "Cancelled"), element("div", { class: "buttons" }, button("Denoise it", "play", () => queue.again(item)))];
  }
  if (item?.state === "done" && !seen(item.result.blob, item)) {
    return [element("h2", {}, "Denoised"),
      element("p", {}, "Browsers cannot show a TIFF with several pages. The download has all of them.")];
  }
  return null;
}
