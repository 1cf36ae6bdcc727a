// Figures and states in words that people use.

import { counted } from "../format.js";

/** Seconds as "45 s", "3 min" or "1 h 20 min". */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "unknown";
  if (seconds < 59.5) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const rest = minutes % 60;
  return `${Math.floor(minutes / 60)} h${rest ? ` ${rest} min` : ""}`;
}

/** How long ago a time of the API was, as "3 minutes ago". */
export function ago(time) {
  const seconds = (Date.now() - Date.parse(time)) / 1000;
  const format = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (seconds >= size) return format.format(-Math.floor(seconds / size), unit);
  }
  return "just now";
}

/** PSNR as "28.07 dB"; a dash where nobody knows it. */
export function decibels(value) {
  return typeof value === "number" ? `${value.toFixed(2)} dB` : "–";
}

/** A loss with three digits that count. */
export function loss(value) {
  return typeof value === "number" ? value.toPrecision(3) : "–";
}

/** A job's `state`: what it is called, the tone of its badge, and what it means. */
export const STATES = {
  queued: { label: "Waiting", tone: "", means: "It starts when the trainings before it are done." },
  starting: { label: "Starting", tone: "accent", means: "The trainer starts and reads the pictures." },
  running: { label: "Training", tone: "accent", means: "" },
  cancelling: { label: "Stopping", tone: "warn", means: "It saves where it is, then stops." },
  succeeded: { label: "Done", tone: "good", means: "" },
  failed: { label: "Failed", tone: "bad", means: "" },
  cancelled: { label: "Stopped", tone: "", means: "It was stopped. What it had learnt is kept: go on to its end, and there is a model." },
};

const FAILURES = {
  diverged: ["The training went astray.", "A lower learning rate helps: try a tenth of it."],
  disk_full: ["The service's disk is full.", "Make room on it, then resume."],
  disk_read_only: ["The service's disk cannot be written.", "Have it mended, then resume."],
  storage: ["The service could not write its files.", "Have a look at its disk, then resume."],
  out_of_memory: ["The training needed more memory than it may have.", "Take smaller crops, or fewer of them a step."],
  bad_data: ["The pictures cannot be trained on.", "Have a look at what the checks say of them."],
  bad_config: ["The recipe cannot work with these pictures.", "Change it and start again."],
  bad_model: ["The result is not a usable model.", "A lower learning rate may help."],
  crashed: ["The trainer ended unexpectedly, three times.", "The log's end may tell why; resume tries again."],
  lease_expired: ["The trainer gave no sign of life.", "Resume goes on from where it was saved."],
  not_started: ["The trainer could not be started.", "Whoever runs the service finds the reason in its log."],
};

/** Why a job failed: a sentence, and what to do. */
export function failure(code) {
  return FAILURES[code] ?? ["The training failed.", "The log may tell why."];
}

/** How long a recipe trains: "10 epochs" or "5 min". */
export function length(spec) {
  return spec.max_seconds ? duration(spec.max_seconds) : counted(spec.epochs, "epoch");
}
