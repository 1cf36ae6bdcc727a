// Names of models: what the service accepts, and names made from other text.

const VALID = /^[a-z0-9][a-z0-9._-]*$/;
const LONGEST = 64;
const SUGGESTED = 56; // characters at most, so that there is room for a suffix

/** Return whether the service accepts this name. */
export function isModelName(text) {
  return VALID.test(text) && text.length <= LONGEST;
}

/** Return a valid name that is close to `text`; "" if no letter or digit of it can be used. */
export function modelName(text) {
  const lower = text.toLowerCase();
  if (isModelName(lower)) return lower;
  return lower.replace(/[^a-z0-9._]+/g, "-").slice(0, SUGGESTED).replace(/^[-._]+|[-._]+$/g, "");
}
