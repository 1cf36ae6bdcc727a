// Builds elements without innerHTML, so that text from files or the service is never read as markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Create an element.
 *
 * @param attributes as in HTML; `true` stands for an attribute without a value; null, undefined and false are left out.
 *   `on: {click: f}` adds listeners; `data: {name: value}` sets data attributes; `style: {"--x": "1px"}` sets properties
 *   through the CSSOM, because the page's security policy allows no style attributes
 * @param children nodes, strings and numbers, also in nested lists; null, undefined and false are left out
 */
export function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Create an SVG element. See `element`. */
export function drawing(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Create an icon: a symbol of icons.svg. It is hidden from screen readers, so put a text or a label beside it. */
export function icon(name) {
  return drawing("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" },
    drawing("use", { href: `/web/icons.svg#${name}` }));
}

/** Make screen readers say a text. */
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
