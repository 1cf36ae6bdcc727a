// PSNR of a training or a model, from the API's `metrics`.

/** Return the PSNR: from clean pictures, else estimated from noisy ones; null if neither is known. */
export function psnr(metrics) {
  return metrics.psnr ?? metrics.psnr_estimate ?? null;
}

/** Return the best PSNR of all epochs; that of the newest epoch if the service does not send the best. */
export function bestPsnr(metrics) {
  return metrics.best_psnr ?? psnr(metrics);
}

/** Return the PSNR of the noisy pictures; null if it is not known. */
export function noisyPsnr(metrics) {
  return metrics.noisy_psnr ?? metrics.noisy_psnr_estimate ?? null;
}

/** Return how many dB the best PSNR is above that of the noisy pictures; null if that is not known. */
export function gain(metrics) {
  const [best, before] = [bestPsnr(metrics), noisyPsnr(metrics)];
  return best === null || before === null ? null : best - before;
}

const INVISIBLE = 1; // dB; a smaller gain cannot be seen

/** Return advice on a gain in dB; "" if the gain is good or not known. */
export function advice(value) {
  return value !== null && value < INVISIBLE ? "It hardly denoises yet: train longer, or with more pictures." : "";
}
