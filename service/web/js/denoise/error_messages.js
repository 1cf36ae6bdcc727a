// What went wrong, and what to do, for people. The service's own words come last: they have the figures.

const UNREADABLE = ["This file cannot be read as a picture",
  "PNG, JPEG, WebP, TIFF and BMP can be denoised. Save others, such as FITS or a camera's raw files, as TIFF of 16 bits."];
const HOPELESS = new Set(["bad_image", "unsupported_media_type", "body_too_large", "name_too_long"]);
const KNOWN = {
  bad_image: UNREADABLE,
  unsupported_media_type: UNREADABLE,
  image_too_large: ["The picture is too large", "Make it smaller, or switch the self-ensemble off."],
  body_too_large: ["The file is too large", "Make the picture smaller, or save it in a format with compression."],
  name_too_long: ["The file's name is too long", "Rename it, and add it again."],
  too_late: ["This would take too long", "Choose a faster model, or switch the self-ensemble off."],
  deadline: ["This took too long", "Choose a faster model, or switch the self-ensemble off."],
  overloaded: ["The service has too much to do", "Try again in a moment."],
  stopping: ["The service is being stopped", "Try again when it is back."],
  unknown_model: ["This model is not there any more", "Choose another one."],
  key_missing: ["The service asks for a key", "Try again, and enter it."],
  key_unknown: ["The service does not know this key", "Try again with another one."],
  scope_missing: ["Your key may not do this", "Ask whoever runs the service for a key that may."],
  rate_exceeded: ["Your key has asked for too much in a short time", "Try again in a moment."],
  concurrency_exceeded: ["Your key has too many requests at a time", "Try again in a moment."],
  internal_error: ["The service failed", "Try again; its log tells why."],
  storage: ["The service's disk is full", "Tell whoever runs it."],
};

/** `{title, advice, detail}` of an error, each a sentence or empty. */
export function explained(error) {
  const [title, advice] = KNOWN[error.code] ?? [error.title ?? "This did not work", "Try again."];
  const detail = error.message && error.message !== title ? sentence(error.message) : "";
  return { title, advice, detail };
}

/** Whether the same file might fare better later, or with other settings. */
export function mayPass({ code }) {
  return !HOPELESS.has(code);
}

function sentence(text) {
  const line = text.trim();
  return line.charAt(0).toUpperCase() + line.slice(1) + (/[.!?]$/.test(line) ? "" : ".");
}
