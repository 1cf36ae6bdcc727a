import { element } from "../dom.js";

export async function show(root) {
  root.append(element("h1", {}, "Models"));
}
