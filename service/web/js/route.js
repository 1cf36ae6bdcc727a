// The page's addresses: `#/VIEW/PATH?QUERY`.

/**
 * Return the view that an address names, and its parameters.
 *
 * @param hash such as "#/train/ID?x=1"
 * @param names the views; the first is shown if the address names none of them
 * @returns {name, parameters}; `parameters.path` is what follows the view's name, split at slashes and decoded,
 *   `parameters.query` a URLSearchParams
 */
export function routeOf(hash, names) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/").map(decoded);
  if (!names.includes(name)) return { name: names[0], parameters: { path: [], query: new URLSearchParams() } };
  return { name, parameters: { path: rest.filter(Boolean), query: new URLSearchParams(query) } };
}

/** Decode a part of the path; one that is not valid, such as "%", is used as it is. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
