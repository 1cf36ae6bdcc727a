// How pictures are denoised: one choice for all of them.

/** `model` as in the service's `?model=`; `format` "" keeps each picture's own format. */
export const DEFAULTS = Object.freeze({ model: "auto", strength: 1, ensemble: false, format: "" });

/** Return a key of the network's result. It ignores the strength, as the page blends by itself. */
export function resultKey({ model, ensemble, format }) {
  return [model, ensemble, format].join(" ");
}

/** Return a key of the service's answer, strength included. */
export function answerKey(settings) {
  return `${resultKey(settings)} ${settings.strength}`;
}
