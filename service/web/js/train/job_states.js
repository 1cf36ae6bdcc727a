// The states of a job, its reasons of failure and its length, in words.

import { counted, duration } from "../format.js";

/** For each `state` of a job: its name, the colour of its badge, and what it means. */
export const STATES = {
  queued: { label: "Waiting", tone: "", means: "It starts when the trainings before it are finished." },
  starting: { label: "Starting", tone: "accent", means: "The trainer is starting and reading the pictures." },
  running: { label: "Training", tone: "accent", means: "" },
  cancelling: { label: "Stopping", tone: "warn", means: "It saves a checkpoint, then stops." },
  succeeded: { label: "Done", tone: "good", means: "" },
  failed: { label: "Failed", tone: "bad", means: "" },
  cancelled: { label: "Stopped", tone: "", means: "It was stopped before its end. Its progress is saved: resume it to get a model." },
};

/** For each `error.code` of a failed job: what happened, and what to do. */
export const FAILURES = {
  diverged: ["The training diverged.", "Try a lower learning rate: a tenth of it."],
  disk_full: ["The service's disk is full.", "Free some space on it, then resume."],
  disk_read_only: ["The service's disk is read-only.", "Fix the cause, then resume."],
  storage: ["The service could not write its files.", "Check its disk, then resume."],
  out_of_memory: ["The training needed more memory than it may use.", "Use a smaller crop or a smaller batch size."],
  bad_data: ["The pictures cannot be used for training.", "See what the checks found."],
  bad_config: ["The recipe does not work with these pictures.", "Change it and start again."],
  bad_model: ["The result is not a usable model.", "A lower learning rate may help."],
  crashed: ["The trainer crashed three times.", "The end of the log may show the reason. Resume to try again."],
  lease_expired: ["The trainer stopped responding.", "Resume to continue from the last checkpoint."],
  not_started: ["The trainer could not be started.", "The service's log has the reason."],
};

/** Return why a job failed, and what to do: two sentences. */
export function failure(code) {
  return FAILURES[code] ?? ["The training failed.", "The log may show the reason."];
}

/** Return how long a recipe trains: "10 epochs" or "5 min". */
export function lengthOf(spec) {
  return spec.max_seconds ? duration(spec.max_seconds) : counted(spec.epochs, "epoch");
}
