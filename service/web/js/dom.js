// Elements without innerHTML: what comes from files or the service is never read as markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element. `attributes`: `class`, ARIA and others as they are; `true` for one without a value; null, false and
 * undefined leave it out; `on: {click: f}` listens; `style: {"--x": "1px"}` goes through the CSSOM, as the page's policy
 * allows no style attributes; `data: {name: value}`. `children`: nodes, strings and numbers, nested lists of them; null
 * and false are left out.
 */
export function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function drawing(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** One of the symbols in icons.svg; what it means is said by the text or label beside it. */
export function icon(name) {
  return drawing("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" },
    drawing("use", { href: `/web/icons.svg#${name}` }));
}

/** Say something to those who cannot see it, once. */
export function announce(text) {
  document.getElementById("spoken").textContent = text;
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (name === "style") for (const [key, text] of Object.entries(value)) node.style.setProperty(key, text);
    else if (name === "data") Object.assign(node.dataset, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}
