// One picture, one answer: what is sent to `POST /denoise`, and what is read of what comes.

import { Problem, request } from "../api.js";

/**
 * Ask for a denoised picture, with its report.
 *
 * @param file the picture, as it is
 * @param wanted {model, ensemble, strength, format}; `format` "" is the picture's own
 * @param watch {signal, onUpload}
 * @returns {blob, report, uncertainty, model}: the bytes as the service sent them; `report` is null for a file of
 *   several pages, `uncertainty` (a grey PNG) without the self-ensemble
 */
export async function denoised(file, wanted, watch) {
  try {
    const response = await ask(file, { ...wanted, report: true }, watch);
    const parts = await response.formData();
    const report = JSON.parse(parts.get("report"));
    return { blob: parts.get("image"), report, uncertainty: parts.get("uncertainty"), model: report.model };
  } catch (error) {
    if (!isOfPages(error)) throw error;
    const response = await ask(file, wanted, watch);
    return { blob: await response.blob(), report: null, uncertainty: null, model: response.headers.get("N2N-Model") };
  }
}

/** The picture as it is, as a PNG: for what browsers cannot read. `model` runs and is not seen, so take a small one. */
export async function asPng(file, model, watch) {
  const response = await ask(file, { model, strength: 0, format: "png" }, watch);
  return response.blob();
}

function ask(file, { model, ensemble, strength, format, report }, { signal, onUpload } = {}) {
  const form = new FormData();
  form.append("file", file, file.name || "picture");
  const query = {
    model,
    format: format || null,
    strength: strength === 1 ? null : strength,
    self_ensemble: ensemble || null,
    report: report ? "multipart" : null,
    uncertainty: (report && ensemble) || null,
  };
  return request("/denoise", { method: "POST", query, body: form, signal, onUpload });
}

/** Reports are for single pictures; a TIFF of several is denoised page by page without. */
function isOfPages(error) {
  return error instanceof Problem && error.code === "bad_image" && /has \d+ pages/.test(error.message);
}
