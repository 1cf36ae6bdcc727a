// Errors in plain words: what happened, and what to do. The service's own words have the numbers and come last.

import { sentence } from "../format.js";

const UNREADABLE = ["This file cannot be read as a picture",
  "Supported formats: PNG, JPEG, WebP, TIFF and BMP. Convert other files, such as FITS or camera raw files, to 16-bit TIFF."];
const PERMANENT = new Set(["bad_image", "unsupported_media_type", "body_too_large", "name_too_long", "too_many_frames"]);
/** Title and advice, by the `code` of the problem. */
export const MESSAGES = {
  bad_image: UNREADABLE,
  unsupported_media_type: UNREADABLE,
  several_pages: ["This format holds a single page", "Choose TIFF, or the picture's own format."],
  image_too_large: ["The picture is too large", "Make it smaller, or turn off the self-ensemble."],
  body_too_large: ["The file is too large", "Make the picture smaller, or save it in a compressed format."],
  name_too_long: ["The file name is too long", "Rename the file and add it again."],
  too_many_frames: ["The file has too many pages", "Split it into smaller files."],
  too_late: ["This would take too long", "Choose a faster model, or turn off the self-ensemble."],
  deadline: ["This took too long", "Choose a faster model, or turn off the self-ensemble."],
  overloaded: ["The service is busy", "Try again in a moment."],
  unavailable: ["The model cannot be used now", "Choose another one, or try again in a minute."],
  stopping: ["The service is shutting down", "Try again when it is back."],
  unknown_model: ["This model no longer exists", "Choose another one."],
  key_missing: ["The service needs an API key", "Try again and enter it."],
  key_unknown: ["The service does not recognise this API key", "Try again with another one."],
  scope_missing: ["Your API key does not allow this", "Ask the person who runs the service for a key that does."],
  rate_exceeded: ["Too many requests with your API key", "Try again in a moment."],
  concurrency_exceeded: ["Too many requests at once with your API key", "Try again in a moment."],
  internal_error: ["The service failed", "Try again. The service's log has the reason."],
  storage: ["The service cannot write to its disk", "Tell the person who runs the service."],
};

/** Return {title, advice, detail} of an error; `advice` and `detail` are sentences, `detail` may be empty. */
export function explained(error) {
  const [title, advice] = MESSAGES[error.code] ?? [error.title ?? "This did not work", "Try again."];
  const detail = error.message && error.message !== title ? sentence(error.message) : "";
  return { title, advice, detail };
}

/** Return whether another attempt with the same file may succeed, later or with other settings. */
export function mayPass({ code }) {
  return !PERMANENT.has(code);
}
