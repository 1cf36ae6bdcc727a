// How far a training is.

/**
 * Compute a training's progress from its job and its newest events.
 *
 * @returns {share, step, total, left, rate}: 0 to 1; steps; steps, 0 if not known yet; seconds or null; steps per second or null
 */
export function progressOf(job, history = null) {
  const newest = history?.newest("steps");
  const step = Math.max(newest?.step ?? 0, job.progress.step);
  const total = history?.start?.total_steps ?? job.progress.total_steps ?? 0;
  const left = newest ? newest.eta_seconds : job.progress.eta_seconds;
  const byStep = total ? Math.min(step / total, 1) : 0;
  const budget = job.spec.max_seconds; // the training ends at the last step or at the time limit, whichever comes first
  const byTime = budget && left !== null && left !== undefined ? 1 - left / budget : 0;
  return {
    share: job.state === "succeeded" ? 1 : Math.max(byStep, byTime),
    step,
    total,
    left: left ?? null,
    rate: newest ? newest.images_per_second / job.spec.batch_size : null,
  };
}
