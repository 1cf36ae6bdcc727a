// How pictures are denoised: one choice for all of them.

/** `model` as the service's `?model=`; `format` "" is each picture's own. */
export const DEFAULTS = Object.freeze({ model: "auto", strength: 1, ensemble: false, format: "" });

/** What tells the network's results apart, strength aside: it is a blend, which the page draws by itself. */
export function resultKey({ model, ensemble, format }) {
  return [model, ensemble, format].join(" ");
}

/** What tells answers of the service apart. */
export function answerKey(settings) {
  return `${resultKey(settings)} ${settings.strength}`;
}
