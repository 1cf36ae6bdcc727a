// `POST /denoise`: builds the request, and reads the answer.

import { request } from "../api.js";

/**
 * Ask the service for a denoised picture and its report.
 *
 * @param file the picture, sent as it is
 * @param settings {model, ensemble, strength, format}; `format` "" is the picture's own
 * @param options {signal, onUpload}, see `request`
 * @returns {blob, report, uncertainty}: `blob` has the bytes that the service sent; `report` is the API's `DenoiseReport`;
 *   `uncertainty` is a grey PNG, or null without the self-ensemble
 */
export async function denoised(file, settings, options) {
  const response = await send(file, { ...settings, report: true }, options);
  const parts = await response.formData();
  return { blob: parts.get("image"), report: JSON.parse(parts.get("report")), uncertainty: parts.get("uncertainty") };
}

/**
 * Ask the service for the picture itself as a PNG, to show a file that the browser cannot read.
 *
 * @param model runs, although its result is not used (strength 0): choose a fast one; null is the service's default
 */
export async function asPng(file, model, options) {
  const response = await send(file, { model, strength: 0, format: "png" }, options);
  return response.blob();
}

/** Return the query of `POST /denoise`; null stands for the service's own default. */
export function queryOf({ model, ensemble = false, strength = 1, format = "", report = false }) {
  return {
    model,
    format: format || null,
    strength: strength === 1 ? null : strength,
    self_ensemble: ensemble || null,
    report: report ? "multipart" : null,
    uncertainty: (report && ensemble) || null,
  };
}

function send(file, settings, { signal, onUpload } = {}) {
  const form = new FormData();
  form.append("file", file, file.name || "picture");
  return request("/denoise", { method: "POST", query: queryOf(settings), body: form, signal, onUpload });
}
