// Mouse, touch and keyboard control of the comparison.

const STEP = 0.02; // share of the stage's width, for an arrow key
const ZOOM = 1.25; // factor, for a key or a button
const MOVE = 60; // CSS pixels, for an arrow key

/** Let pointers and the wheel move the line, and pan and zoom the picture. */
export function listen(compare) {
  const { root, handle } = compare;
  const pointers = new Map();
  let drags = null; // "line" or "picture"

  const place = (event) => {
    const box = root.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  root.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    pointers.set(event.pointerId, place(event));
    root.setPointerCapture(event.pointerId);
    drags = handle.contains(event.target) ? "line" : "picture";
    root.classList.toggle("is-panning", drags === "picture");
  });
  root.addEventListener("pointermove", (event) => {
    const from = pointers.get(event.pointerId);
    if (!from) return;
    const to = place(event);
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    pointers.set(event.pointerId, to);
    if (drags === "line") compare.split = to.x / root.clientWidth;
    else if (other) {
      compare.zoom(distance(to, other) / Math.max(1, distance(from, other)), middle(to, other));
      compare.pan((to.x - from.x) / 2, (to.y - from.y) / 2);
    } else compare.pan(to.x - from.x, to.y - from.y);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    root.addEventListener(name, (event) => {
      pointers.delete(event.pointerId);
      root.classList.remove("is-panning");
    });
  }
  root.addEventListener("wheel", (event) => {
    event.preventDefault();
    const pixels = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY; // some mice report lines
    compare.zoom(Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.002)), place(event)); // browsers report a pinch as a wheel with ctrlKey
  }, { passive: false });
  root.addEventListener("dblclick", (event) => {
    if (handle.contains(event.target)) compare.split = 0.5;
    else if (Math.abs(compare.percent - 100) < 1) compare.fit();
    else compare.zoomTo(1, place(event));
  });
  handle.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 5 * STEP : STEP;
    const to = { ArrowLeft: compare.split - step, ArrowDown: compare.split - step, ArrowRight: compare.split + step,
      ArrowUp: compare.split + step, PageDown: compare.split - 5 * STEP, PageUp: compare.split + 5 * STEP,
      Home: 0, End: 1 }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    compare.split = to;
  });
}

/** Handle a key press anywhere on the page, except in form fields and dialogs. Return whether the key does anything. */
export function press(compare, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select, textarea, dialog")) return false;
  const acts = {
    "+": () => compare.zoom(ZOOM), "=": () => compare.zoom(ZOOM), "-": () => compare.zoom(1 / ZOOM),
    0: () => compare.fit(), 1: () => compare.zoomTo(1), 8: () => compare.zoomTo(8),
  };
  if (event.target === compare.root) {
    Object.assign(acts, { ArrowLeft: () => compare.pan(MOVE, 0), ArrowRight: () => compare.pan(-MOVE, 0),
      ArrowUp: () => compare.pan(0, MOVE), ArrowDown: () => compare.pan(0, -MOVE) });
  }
  const act = Object.hasOwn(acts, event.key) ? acts[event.key] : null;
  act?.();
  return act !== null;
}

function distance(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

function middle(a, b) {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}
